//! Servers of files, on this machine only: plain HTTP and HTTPS.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A server, stopped when it is dropped.
#[derive(Debug)]
pub struct FileServer {
    child: Child,
    port: u16,
}

impl FileServer {
    /// Serves a directory with Python's own server; with a certificate and its key, over TLS.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn http(directory: &Path, certificate: Option<(&Path, &Path)>) -> Self {
        const SERVER: &str = "
import functools, http.server, ssl, sys
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler)
if len(sys.argv) > 2:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
";
        let mut command = Command::new("python3");
        command.args(["-c", SERVER]).arg(directory);
        if let Some((certificate, key)) = certificate {
            command.arg(certificate).arg(key);
        }
        let mut child = spawn(command.stdout(Stdio::piped()));
        let stdout = child.stdout.take().expect("it is piped");
        let mut line = String::new();
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("it prints its port");
        let port = line.trim().parse().expect("it prints its port");
        Self { child, port }
    }

    /// A program that serves at this port once it has started.
    pub(crate) fn running(program: &mut Command, port: u16) -> Self {
        let child = spawn(program.stdout(Stdio::null()));
        Self { child, port }
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for FileServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(command: &mut Command) -> Child {
    command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("Python runs")
}

/// A port on loopback that nobody listens on.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    listener.local_addr().expect("it is bound").port()
}
