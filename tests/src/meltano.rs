//! A real Meltano project, made by following `docs/meltano.md`.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::nats_server::NatsServer;
use crate::page::{self, Block};
use crate::postgres::Postgres;
use crate::walkthrough::{Ran, Walkthrough};
use crate::{place, python, target};

const PAGE: &str = "docs/meltano.md";
/// Where the page has everything: the project, this repository, the wheel.
const PLACE: &str = "/srv";
const LOADER: &str = "target-nats-kv";

/// Somebody with the page before them, the project that they make, and what it reads.
#[derive(Debug)]
pub struct Project<'a> {
    folder: TempDir,
    walk: Walkthrough,
    blocks: Vec<Block>,
    database: &'a Postgres,
    /// What the last command of the page said on standard error.
    said: String,
}

impl<'a> Project<'a> {
    /// Nothing yet but Meltano, this repository, and the servers.
    ///
    /// # Panics
    /// If Meltano cannot be installed.
    #[must_use]
    pub fn new(server: &NatsServer, database: &'a Postgres) -> Self {
        let folder = tempfile::tempdir().expect("the temporary directory is writable");
        let clone = folder.path().join("target-nats-kv");
        std::os::unix::fs::symlink(place::repository(), clone).expect("our own directory");
        let programs = python::installed("meltano");
        let loader = target::binary().parent().expect("it is in a directory");
        let walk = Walkthrough::new(PAGE, folder.path())
            .programs(&programs)
            .server(server)
            .instead(PLACE, folder.path().display().to_string())
            .instead("/home/you/.local/bin", programs.display().to_string())
            .instead("/home/you/.cargo/bin", loader.display().to_string())
            .instead("port: 5432", format!("port: {}", database.port))
            .variable("NO_COLOR", "1")
            .variable("MELTANO_SEND_ANONYMOUS_USAGE_STATS", "false")
            // The wheel is built by the pinned maturin, as it is released but not optimised.
            .variable("PIP_NO_BUILD_ISOLATION", "0")
            .variable("MATURIN_PEP517_ARGS", "--profile dev");
        Self {
            folder,
            walk,
            blocks: page::blocks(&page::read(PAGE)),
            database,
            said: String::new(),
        }
    }

    /// Follows the section with this heading. Returns what its commands said.
    ///
    /// # Panics
    /// If the page has no such section, or if not everything in it is as it says.
    pub fn follow(&mut self, section: &str) -> Vec<Ran> {
        let is_here = |block: &Block| block.section == section;
        let (blocks, later) = std::mem::take(&mut self.blocks)
            .into_iter()
            .partition::<Vec<_>, _>(is_here);
        self.blocks = later;
        assert!(!blocks.is_empty(), "the page has no section {section}");
        blocks.iter().flat_map(|block| self.take(block)).collect()
    }

    /// Whether the whole page has been followed.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.blocks.is_empty()
    }

    fn take(&mut self, block: &Block) -> Vec<Ran> {
        match block.kind.as_str() {
            "sql" => self.database.execute(&block.text),
            "yaml" => self.paste(&self.walk.as_here(&block.text)),
            "text" => {
                let shown = block.text.trim_end();
                let found = self.said.lines().any(|line| page::matches(line, shown));
                assert!(found, "not said: {shown}\n{}", self.said);
            }
            _ => {
                let ran = self.walk.take(block);
                if let Some(last) = ran.last() {
                    self.said.clone_from(&last.stderr);
                }
                return ran;
            }
        }
        Vec::new()
    }

    /// Makes the entry of tap-postgres what the page says that it becomes, and adds a tap that
    /// reads files.
    ///
    /// `meltano add tap-postgres` asks Meltano's hub, which a test must not need: the file in which it
    /// keeps the answer is written here instead.
    fn paste(&self, entry: &str) {
        let locked = "plugins/extractors/tap-postgres--meltanolabs.lock";
        let from = place::repository().join("tests/meltano/tap-postgres--meltanolabs.lock");
        let to = self.home().join(locked);
        fs::create_dir_all(to.parent().expect("a file is in a folder")).expect("our own directory");
        fs::copy(from, to).expect("our own directory is writable");
        let planets = place::repository().join("tests/demo/planets.jsonl");
        let file = format!(
            "  - name: tap-jsonl
    namespace: tap_jsonl
    pip_url: tap-jsonl==0.3.1
    executable: tap-jsonl
    capabilities: [catalog, discover, state]
    config:
      path: {}
      stream_name: planets
      primary_keys: [name]
",
            planets.display()
        );
        let path = self.home().join("meltano.yml");
        let before = fs::read_to_string(&path).expect("Meltano wrote it");
        let extractors = format!("plugins:\n  extractors:\n{entry}{file}");
        let after = before.replacen("plugins:\n", &extractors, 1);
        assert_ne!(before, after, "there is a loader");
        fs::write(path, after).expect("our own directory is writable");
    }

    /// The project's folder.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("shop")
    }

    /// Loads with an extractor, and returns the logs.
    ///
    /// # Panics
    /// If it fails.
    #[must_use]
    pub fn run(&self, extractor: &str) -> String {
        let mut command = self.command(&["run", extractor, LOADER]);
        let output = python::checked(&mut command, "Meltano failed");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// Begins to load with an extractor.
    ///
    /// # Panics
    /// If Meltano cannot be started.
    #[must_use]
    pub fn start(&self, extractor: &str) -> Running {
        let mut command = self.command(&["run", extractor, LOADER]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Running {
            child: command.spawn().expect("Meltano was installed"),
            folder: self.home(),
        }
    }

    /// The state that is saved for tap-postgres.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn state(&self) -> Value {
        let mut command = self.command(&["state", "get", "dev:tap-postgres-to-target-nats-kv"]);
        let output = python::checked(&mut command, "Meltano has no state");
        serde_json::from_slice(&output.stdout).expect("a state is JSON")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(python::installed("meltano").join("meltano"));
        command
            .args(arguments)
            .current_dir(self.home())
            .env("NO_COLOR", "1");
        command
    }
}

/// A load that is under way.
#[derive(Debug)]
pub struct Running {
    child: Child,
    folder: PathBuf,
}

impl Running {
    /// Kills the loader, and waits until Meltano has noticed.
    ///
    /// # Panics
    /// If there is no loader to be killed.
    #[must_use]
    pub fn kill_loader(self) -> Output {
        let loader = self.loader().expect("the loader runs");
        signal::kill(loader, Signal::SIGKILL).expect("it is a process of ours");
        self.child.wait_with_output().expect("it can be waited for")
    }

    /// The process of the loader: the one whose program is in the project's folder.
    fn loader(&self) -> Option<Pid> {
        let processes = fs::read_dir("/proc").ok()?.flatten();
        let mut ids = processes.filter_map(|process| {
            let program = fs::read_link(process.path().join("exe")).ok()?;
            let is_ours = program.starts_with(&self.folder) && program.ends_with("target-nats-kv");
            is_ours.then(|| process.file_name().to_str()?.parse().ok())?
        });
        ids.next().map(Pid::from_raw)
    }
}
