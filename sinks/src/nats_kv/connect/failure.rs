//! Why no connection came about, in the user's terms.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use async_nats::{ConnectError, ConnectErrorKind};

/// Why an attempt to connect failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// Nothing answered in time.
    Silent,
    /// Nobody listens on the port.
    Refused,
    /// The name has no address.
    UnknownHost,
    /// The handshake failed, for this reason.
    Tls(String),
    /// The server does not accept who we are.
    Unauthorized,
    /// The settings do not yield a signature.
    BadCredentials,
    /// Anything else.
    Other(String),
}

impl Failure {
    pub(super) fn of(error: &ConnectError) -> Self {
        let cause = innermost(error);
        match error.kind() {
            ConnectErrorKind::Dns => Self::UnknownHost,
            ConnectErrorKind::Authentication => Self::BadCredentials,
            ConnectErrorKind::AuthorizationViolation => Self::Unauthorized,
            ConnectErrorKind::TimedOut => Self::Silent,
            ConnectErrorKind::Tls => Self::Tls(cause),
            _ => match io_kind(error) {
                Some(io::ErrorKind::ConnectionRefused) => Self::Refused,
                Some(io::ErrorKind::TimedOut) => Self::Silent,
                // What the TLS library reports.
                Some(io::ErrorKind::InvalidData) => Self::Tls(cause),
                _ => Self::Other(cause),
            },
        }
    }

    /// Whether another attempt would end the same.
    pub(super) fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Tls(_) | Self::Unauthorized | Self::BadCredentials
        )
    }

    /// What happened and what to do.
    pub(super) fn explain(&self, servers: &str, patience: Duration) -> String {
        let advice = match self {
            Self::Silent => "check the address, and firewalls on the way",
            Self::Refused => "check that the server runs and that 'url' has its port",
            Self::UnknownHost => "check the host's name in 'url'",
            Self::Tls(_) => {
                "check 'tls_ca', 'tls_cert' and 'tls_key', and whether the server wants 'tls_first'"
            }
            Self::Unauthorized => {
                "check the user, password, token, NKey or credentials in the settings"
            }
            Self::BadCredentials => "check 'nkey_seed', 'jwt', 'creds' or 'creds_content'",
            Self::Other(_) => {
                "check that this is a NATS server, and 'tls_first' and 'tls_required'"
            }
        };
        let tried = if self.is_final() {
            String::new()
        } else {
            format!(" (tried for {} s)", patience.as_secs())
        };
        format!("cannot connect to {servers}: {self}{tried}; {advice}")
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent => f.write_str("no answer"),
            Self::Refused => f.write_str("connection refused"),
            Self::UnknownHost => f.write_str("unknown host"),
            Self::Tls(cause) => write!(f, "TLS failed: {cause}"),
            Self::Unauthorized => f.write_str("the server does not accept the credentials"),
            Self::BadCredentials => f.write_str("the credentials cannot be used to sign in"),
            Self::Other(cause) => f.write_str(cause),
        }
    }
}

fn chain(error: &ConnectError) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |error| <dyn Error>::source(*error))
}

/// The last of the chain says the most.
fn innermost(error: &ConnectError) -> String {
    chain(error)
        .last()
        .map_or_else(|| error.to_string(), ToString::to_string)
}

fn io_kind(error: &ConnectError) -> Option<io::ErrorKind> {
    chain(error).find_map(|error| error.downcast_ref::<io::Error>().map(io::Error::kind))
}
