//! Servers of files, on this machine only: plain HTTP, HTTPS and S3.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::python;

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

    /// An S3-compatible server (moto) with a bucket. It takes any credentials.
    ///
    /// # Panics
    /// If it cannot be installed or does not start.
    #[must_use]
    pub fn s3(bucket: &str) -> Self {
        let program = python::installed("s3").join("moto_server");
        let port = free_port();
        let child = spawn(
            Command::new(program)
                .args(["-H", "127.0.0.1", "-p", &port.to_string()])
                .stdout(Stdio::null()),
        );
        let server = Self { child, port };
        server.request("PUT", &format!("/{bucket}"), None);
        server
    }

    /// Stores a file in the S3 server; `place` begins with the bucket.
    pub fn put(&self, place: &str, file: &Path) {
        self.request("PUT", &format!("/{place}"), Some(file));
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    fn request(&self, method: &str, path: &str, body: Option<&Path>) {
        // The server needs its time to start, and a busy machine its own.
        const CLIENT: &str = "
import sys, time, urllib.request
body = open(sys.argv[3], 'rb').read() if len(sys.argv) > 3 else b''
kind = {'Content-Type': 'application/octet-stream'}
request = urllib.request.Request(sys.argv[2], data=body, method=sys.argv[1], headers=kind)
deadline = time.monotonic() + 120
while True:
    try:
        urllib.request.urlopen(request, timeout=20).read()
        break
    except OSError:
        if time.monotonic() > deadline:
            raise
        time.sleep(0.2)
";
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let mut command = Command::new("python3");
        command.args(["-c", CLIENT, method, &url]).args(body);
        python::checked(&mut command, "the file server refuses a request");
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

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    listener.local_addr().expect("it is bound").port()
}
