//! Runs the `target-nats-kv` binary as Meltano would: configuration in a file, Singer on standard
//! input, states on standard output.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::place;

const PATIENCE: Duration = Duration::from_secs(60);

/// A command line to run.
#[derive(Debug)]
pub struct Target {
    command: Command,
    directory: TempDir,
    stdout: Option<Stdio>,
    patience: Duration,
}

/// What a finished run left.
#[derive(Debug)]
pub struct Outcome {
    /// The exit code; none if a signal ended the process.
    pub code: Option<i32>,
    /// All of standard output.
    pub stdout: String,
    /// All of standard error.
    pub stderr: String,
}

impl Outcome {
    /// The states printed: every line of standard output must be JSON.
    ///
    /// # Panics
    /// If one is not.
    #[must_use]
    pub fn states(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| {
                serde_json::from_str(line)
                    .unwrap_or_else(|error| panic!("not a state: {line:?}: {error}"))
            })
            .collect()
    }

    /// This outcome, if the run was successful.
    ///
    /// # Panics
    /// If it was not; the message has its standard error.
    #[must_use]
    pub fn success(self) -> Self {
        self.exited(0)
    }

    /// This outcome, if the run ended with this code.
    ///
    /// # Panics
    /// If it ended otherwise; the message has its standard error.
    #[must_use]
    pub fn exited(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "standard error:\n{}", self.stderr);
        self
    }
}

impl Target {
    /// The binary with these arguments, in an empty directory and a clean environment.
    #[must_use]
    pub fn new<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Self {
        let directory = tempfile::tempdir().expect("the temporary directory is writable");
        let mut command = Command::new(binary());
        command.args(args).current_dir(directory.path());
        without_settings(&mut command);
        Self {
            command,
            directory,
            stdout: None,
            patience: PATIENCE,
        }
    }

    /// The binary as a loader with these settings.
    #[must_use]
    pub fn with_config(config: Value) -> Self {
        Self::with_config_and(config, &[])
    }

    /// The binary with these settings in a file, and arguments before `--config`.
    #[must_use]
    pub fn with_config_and(config: Value, args: &[&str]) -> Self {
        Self::new(args)
            .file("config.json", &config.to_string())
            .args(["--config", "config.json"])
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.command.args(args);
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &(impl AsRef<OsStr> + ?Sized)) -> Self {
        self.command.env(name, value);
        self
    }

    /// Puts a file into the directory that it runs in.
    #[must_use]
    pub fn file(self, name: &str, content: &str) -> Self {
        std::fs::write(self.directory.path().join(name), content)
            .expect("our own directory is writable");
        self
    }

    /// Lets it print its states there; they are then not seen here.
    #[must_use]
    pub fn stdout(mut self, to: impl Into<Stdio>) -> Self {
        self.stdout = Some(to.into());
        self
    }

    /// How long it may take to end; 60 seconds unless said.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Runs it to its end with this input.
    ///
    /// # Panics
    /// If it does not end in time.
    #[must_use]
    pub fn run(self, input: impl AsRef<[u8]>) -> Outcome {
        let mut running = self.spawn();
        let mut stdin = running.stdin.take().expect("it was just started");
        let input = input.as_ref().to_vec();
        // It may end before it has read everything: a broken pipe is not the test's concern.
        spawn(move || stdin.write_all(&input));
        running.wait()
    }

    /// Starts it, to be fed and watched while it runs.
    #[must_use]
    pub fn spawn(mut self) -> Running {
        let mut child = self
            .command
            .stdin(Stdio::piped())
            .stdout(self.stdout.unwrap_or_else(Stdio::piped))
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary was built");
        // Only the child may hold what it was given.
        drop(self.command);
        let stdout = child.stdout.take();
        let stderr = child.stderr.take().expect("it is piped");
        let (sender, lines) = channel();
        spawn(move || {
            let lines = stdout.map(|stdout| BufReader::new(stdout).lines());
            for line in lines.into_iter().flatten().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Running {
            stdin: child.stdin.take(),
            child,
            lines,
            seen: String::new(),
            stderr: Some(spawn(move || read_all(stderr))),
            patience: self.patience,
            _directory: self.directory,
        }
    }
}

/// A run that has not ended.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    seen: String,
    stderr: Option<JoinHandle<String>>,
    patience: Duration,
    _directory: TempDir,
}

impl Running {
    /// Writes to its standard input; says whether it still reads.
    pub fn send(&mut self, input: impl AsRef<[u8]>) -> bool {
        let stdin = self.stdin.as_mut().expect("the input was not closed");
        stdin
            .write_all(input.as_ref())
            .and_then(|()| stdin.flush())
            .is_ok()
    }

    /// Takes its standard input, to be fed from another thread.
    ///
    /// # Panics
    /// If it was taken or closed before.
    #[must_use]
    pub fn take_stdin(&mut self) -> ChildStdin {
        self.stdin.take().expect("the input was not closed")
    }

    /// The next state, waited for at most this long.
    pub fn state_within(&mut self, patience: Duration) -> Option<Value> {
        match self.lines.recv_timeout(patience) {
            Ok(line) => {
                self.seen.push_str(&line);
                self.seen.push('\n');
                Some(serde_json::from_str(&line).expect("a state is JSON"))
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => None,
        }
    }

    /// The next state.
    ///
    /// # Panics
    /// If there is none in time.
    pub fn state(&mut self) -> Value {
        self.state_within(self.patience)
            .unwrap_or_else(|| self.fail("printed no state"))
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).expect("process ids fit");
        signal::kill(Pid::from_raw(id), signal).expect("it is our child and was not waited for");
    }

    /// Ends the input and waits for the end of the run.
    ///
    /// # Panics
    /// If it does not end in time.
    #[must_use]
    pub fn finish(mut self) -> Outcome {
        self.stdin = None;
        self.wait()
    }

    /// Waits for the end of the run, the input left open.
    ///
    /// # Panics
    /// If it does not end in time.
    #[must_use]
    pub fn wait(mut self) -> Outcome {
        let deadline = Instant::now() + self.patience;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                break status;
            }
            if Instant::now() > deadline {
                self.fail("did not end");
            }
            sleep(Duration::from_millis(2));
        };
        let stderr = self.take_stderr();
        for line in self.lines.iter() {
            self.seen.push_str(&line);
            self.seen.push('\n');
        }
        Outcome {
            code: status.code(),
            stdout: std::mem::take(&mut self.seen),
            stderr,
        }
    }

    fn fail(&mut self, what: &str) -> ! {
        let _ = self.child.kill();
        let stderr = self.take_stderr();
        panic!(
            "the target {what} within {:?}; standard output:\n{}\nstandard error:\n{stderr}",
            self.patience, self.seen
        )
    }

    fn take_stderr(&mut self) -> String {
        let reader = self.stderr.take().expect("it is taken once, at the end");
        reader.join().expect("the reader does not panic")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_all(mut stream: impl Read) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Takes away what the environment of the tests says to the target.
pub fn without_settings(command: &mut Command) {
    let ours = |name: &str| {
        let logging = ["LOGLEVEL", "RUST_LOG", "SINGER_SDK_LOG_CONFIG"];
        let own = ["TARGET_NATS_KV_", "NATS_"]
            .iter()
            .any(|it| name.starts_with(it));
        (own && name != "NATS_SERVER_BIN") || logging.contains(&name)
    };
    for (name, _) in std::env::vars().filter(|(name, _)| ours(name)) {
        command.env_remove(name);
    }
}

/// Takes away what cargo tells a test of its package, which is no business of a build: build scripts that
/// watch these variables would run again each time, and all that depends on them.
pub fn without_package(command: &mut Command) {
    let of_package = ["CARGO_PKG_", "CARGO_MANIFEST_"];
    for (name, _) in std::env::vars() {
        if of_package.iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(name);
        }
    }
}

/// The binary: `TARGET_NATS_KV_BIN` if set, otherwise built in the profile of the tests.
///
/// Cargo gives a test the path of a binary of its own package only, so it is asked here; when
/// everything is up to date that takes a fraction of a second.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| std::env::var_os("TARGET_NATS_KV_BIN").map_or_else(build, PathBuf::from))
}

fn build() -> PathBuf {
    let mut command = Command::new(env!("CARGO"));
    without_package(&mut command);
    let output = command
        .args(["build", "--quiet", "--package", "target-nats-kv"])
        .args(["--message-format", "json-render-diagnostics"])
        .args(["--profile", &profile()])
        .current_dir(place::repository())
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs these tests");
    assert!(output.status.success(), "target-nats-kv does not build");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == "target-nats-kv")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .expect("the package has a binary of its name")
}

/// The profile of the running program, from where cargo put it: `target/PROFILE/…`.
fn profile() -> String {
    let program = std::env::current_exe().expect("the system knows our path");
    let directory = program
        .ancestors()
        .skip(1)
        .filter_map(Path::file_name)
        .find(|name| *name != "deps")
        .expect("cargo puts programs into directories");
    match directory.to_string_lossy().as_ref() {
        "debug" => "dev".to_owned(),
        other => other.to_owned(),
    }
}
