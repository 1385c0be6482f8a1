//! Certificates for servers that demand TLS, and for their clients.

use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer};

use crate::nats_server::NatsServer;

/// Certificates of one authority: a server's and a client's.
#[derive(Debug)]
pub struct Tls {
    directory: tempfile::TempDir,
}

impl Default for Tls {
    fn default() -> Self {
        Self::new()
    }
}

impl Tls {
    /// Certificates that are valid.
    #[must_use]
    pub fn new() -> Self {
        Self::valid_until(None)
    }

    /// The server's and the client's certificates are valid until this year, if it is given.
    ///
    /// # Panics
    /// If they cannot be made.
    #[must_use]
    pub fn valid_until(year: Option<i32>) -> Self {
        let directory = tempfile::tempdir().expect("the temporary directory is writable");
        let mut authority = CertificateParams::new(Vec::new()).expect("no names, none wrong");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().expect("there is randomness");
        let certificate = authority
            .self_signed(&key)
            .expect("the parameters are right");
        std::fs::write(directory.path().join("ca.pem"), certificate.pem()).expect("writable");
        let authority = Issuer::new(authority, key);
        for name in ["server", "client"] {
            let key = rcgen::KeyPair::generate().expect("there is randomness");
            let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
            let mut params = CertificateParams::new(names).expect("the names are right");
            if let Some(year) = year {
                params.not_after = rcgen::date_time_ymd(year, 1, 1);
            }
            let certificate: Certificate = params
                .signed_by(&key, &authority)
                .expect("the authority may sign");
            let file = |end: &str| directory.path().join(format!("{name}{end}"));
            std::fs::write(file(".pem"), certificate.pem()).expect("writable");
            std::fs::write(file(".key"), key.serialize_pem()).expect("writable");
        }
        Self { directory }
    }

    /// The path of one of them: `ca.pem`, `server.pem`, `client.pem`, `client.key`.
    #[must_use]
    pub fn file(&self, name: &str) -> String {
        self.directory
            .path()
            .join(name)
            .to_string_lossy()
            .into_owned()
    }

    /// A server that demands TLS, with more lines in its configuration for it.
    #[must_use]
    pub fn server(&self, lines: &str) -> NatsServer {
        NatsServer::builder().config(&self.lines(lines)).start()
    }

    /// The configuration of such a server.
    #[must_use]
    pub fn lines(&self, lines: &str) -> String {
        let [certificate, key, authority] =
            ["server.pem", "server.key", "ca.pem"].map(|name| self.file(name));
        format!(
            "tls {{ cert_file: \"{certificate}\", key_file: \"{key}\", ca_file: \"{authority}\"\n{lines} }}"
        )
    }
}
