//! Starts real nats-servers and does to them what can happen to a server.
//!
//! Each server has a free port, a directory of its own and JetStream. None outlives its test: a
//! watchdog process holds the read end of a pipe whose write end only the test process has, and
//! when that closes, for whatever reason, it kills the server and removes the directory. So a
//! server in a `static`, which Rust never drops, goes too, and so does that of a killed test.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::server_binary;

const PATIENCE: Duration = Duration::from_secs(30);

/// A running nats-server, which is killed when this is dropped.
#[derive(Debug)]
pub struct NatsServer {
    binary: PathBuf,
    config: String,
    /// Where its streams are, if not in its directory.
    store: Option<PathBuf>,
    domain: Option<String>,
    directory: TempDir,
    port: u16,
    /// The server and its watchdog; none between a stop and a restart.
    running: Option<(Child, Child)>,
}

/// What kind of server to start; see [`NatsServer::builder`].
#[derive(Debug, Default)]
pub struct Builder {
    version: Option<String>,
    config: String,
    store: Option<PathBuf>,
    domain: Option<String>,
}

impl Builder {
    /// Exactly this version, which must have a file in `tests/nats-server/`.
    #[must_use]
    pub fn version(mut self, version: &str) -> Self {
        self.version = Some(version.to_owned());
        self
    }

    /// Lines to add to the server's configuration file.
    #[must_use]
    pub fn config(mut self, lines: &str) -> Self {
        self.config = lines.to_owned();
        self
    }

    /// Keeps its streams in this directory, and thinks that there is a lot of room.
    #[must_use]
    pub fn store(mut self, directory: &Path) -> Self {
        self.store = Some(directory.to_owned());
        self
    }

    /// Gives its JetStream a domain.
    #[must_use]
    pub fn domain(mut self, name: &str) -> Self {
        self.domain = Some(name.to_owned());
        self
    }

    /// Starts the server and waits until it takes connections.
    ///
    /// # Panics
    /// If it does not start; the message has its log.
    #[must_use]
    pub fn start(self) -> NatsServer {
        let binary = match &self.version {
            Some(version) => server_binary::exactly(version),
            None => server_binary::any(),
        };
        let mut server = NatsServer {
            binary,
            config: self.config,
            store: self.store,
            domain: self.domain,
            directory: tempfile::tempdir().expect("the temporary directory is writable"),
            port: 0,
            running: None,
        };
        server.restart();
        server
    }
}

impl NatsServer {
    /// Starts a server with JetStream, without authentication.
    #[must_use]
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// A server of a given version or with more configuration.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Where clients connect, for instance `nats://127.0.0.1:38211`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Its process id.
    ///
    /// # Panics
    /// If it was stopped.
    #[must_use]
    pub fn id(&self) -> u32 {
        let (server, _) = self.running.as_ref().expect("the server runs");
        server.id()
    }

    /// Kills the server as a crash would (SIGKILL).
    pub fn kill(&mut self) {
        if let Some((mut server, mut watchdog)) = self.running.take() {
            // The watchdog first: it must not be there when the server's process id is free again.
            let _ = watchdog.kill();
            let _ = watchdog.wait();
            let _ = server.kill();
            let _ = server.wait();
        }
    }

    /// Asks the server to end in order (SIGTERM) and waits until it has.
    pub fn stop(&mut self) {
        self.signal(Signal::SIGTERM);
        if let Some((server, _)) = &mut self.running {
            let _ = server.wait();
        }
        self.kill();
    }

    /// Stalls the server: its connections stay open and nothing is answered (SIGSTOP).
    pub fn pause(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets a stalled server go on (SIGCONT).
    pub fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Starts the server again, on the same port and with the same data.
    ///
    /// # Panics
    /// If it does not start; the message has its log.
    pub fn restart(&mut self) {
        self.kill();
        let deadline = Instant::now() + PATIENCE;
        // Another process may hold the port for a moment after a restart: then try again.
        while !self.launch() {
            assert!(
                Instant::now() < deadline,
                "nats-server did not start:\n{}",
                self.log()
            );
            self.kill();
            sleep(Duration::from_millis(100));
        }
    }

    /// Changes the lines that were added to its configuration, from the next start on.
    pub fn reconfigure(&mut self, lines: &str) {
        lines.clone_into(&mut self.config);
    }

    /// Lets the running server take over these lines of configuration (SIGHUP).
    ///
    /// # Panics
    /// If it does not in time; the message has its log.
    pub fn reload(&mut self, lines: &str) {
        const DONE: &str = "Reloaded server configuration";
        let before = self.log().matches(DONE).count();
        self.reconfigure(lines);
        self.write_config();
        self.signal(Signal::SIGHUP);
        let deadline = Instant::now() + PATIENCE;
        while self.log().matches(DONE).count() == before {
            assert!(Instant::now() < deadline, "not reloaded:\n{}", self.log());
            sleep(Duration::from_millis(10));
        }
    }

    /// What the server has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("server.log")).unwrap_or_default()
    }

    fn write_config(&self) {
        let directory = self.directory.path();
        let place = directory.display();
        let port = match self.port {
            0 => -1,
            port => i32::from(port),
        };
        let jetstream = match &self.store {
            Some(store) => format!("store_dir: \"{}\", max_file_store: 1GB", store.display()),
            None => format!("store_dir: \"{place}/store\""),
        };
        let domain = self.domain.as_ref();
        let domain = domain.map_or_else(String::new, |name| format!(", domain: {name}"));
        let config = format!(
            "host: 127.0.0.1\nport: {port}\nports_file_dir: \"{place}\"\n\
             log_file: \"{place}/server.log\"\njetstream {{ {jetstream}{domain} }}\n{}\n",
            self.config
        );
        fs::write(directory.join("server.conf"), config).expect("our directory is writable");
    }

    /// Starts the process; whether it became ready.
    fn launch(&mut self) -> bool {
        self.write_config();
        let directory = self.directory.path();
        let server = Command::new(&self.binary)
            .arg("--config")
            .arg(directory.join("server.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nats-server is an executable file");
        let watchdog = Command::new("sh")
            .arg("-c")
            .arg("trap '' HUP INT TERM; read -r _; kill -9 \"$1\"; rm -rf \"$2\"")
            .arg("watchdog")
            .arg(server.id().to_string())
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("there is a shell");
        let ports = directory.join(format!("nats-server_{}.ports", server.id()));
        self.running = Some((server, watchdog));
        self.wait_until_ready(&ports)
    }

    fn wait_until_ready(&mut self, ports: &Path) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(port) = fs::read(ports).ok().as_deref().and_then(client_port) {
                self.port = port;
                if greets(port) {
                    return true;
                }
            }
            let (server, _) = self.running.as_mut().expect("it was just started");
            if server.try_wait().expect("it is our child").is_some() {
                return false;
            }
            sleep(Duration::from_millis(5));
        }
        false
    }

    fn signal(&self, signal: Signal) {
        let (server, _) = self.running.as_ref().expect("the server runs");
        let id = i32::try_from(server.id()).expect("process ids fit");
        kill(Pid::from_raw(id), signal).expect("it is our child and was not waited for");
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The port for clients in the file that the server writes about its ports.
fn client_port(file: &[u8]) -> Option<u16> {
    let ports: serde_json::Value = serde_json::from_slice(file).ok()?;
    ports["nats"][0].as_str()?.rsplit(':').next()?.parse().ok()
}

/// Whether a server at this port sends its first line.
fn greets(port: u16) -> bool {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let mut line = String::new();
    TcpStream::connect_timeout(&address, Duration::from_secs(1))
        .and_then(|stream| {
            stream.set_read_timeout(Some(Duration::from_secs(1)))?;
            BufReader::new(stream).read_line(&mut line)
        })
        .is_ok_and(|_| line.starts_with("INFO "))
}
