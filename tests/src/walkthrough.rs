//! Follows a page of the documentation as somebody would who sits before a shell: makes its files,
//! runs its commands in their order, and compares what they print with what is shown.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::nats_server::NatsServer;
use crate::page::{self, Block};
use crate::{python, target};

/// The server that the pages speak of.
const SERVER: &str = "nats://localhost:4222";
/// How long a command may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// Somebody who follows a page.
#[derive(Debug)]
pub struct Walkthrough {
    page: String,
    /// Where the shell is.
    here: PathBuf,
    programs: Vec<PathBuf>,
    variables: Vec<(String, String)>,
    otherwise: Vec<(String, String)>,
    /// What no command needs to see.
    own: TempDir,
}

/// What a command did.
#[derive(Debug)]
pub struct Ran {
    /// How it ended.
    pub status: ExitStatus,
    /// All of standard output.
    pub stdout: String,
    /// All of standard error.
    pub stderr: String,
}

impl Walkthrough {
    /// Somebody in `folder` who has the page (by its path in the repository), the command, the
    /// client of nats-py, and nothing that the environment of the tests says to the target.
    #[must_use]
    pub fn new(page: &str, folder: &Path) -> Self {
        let binary = target::binary().parent().expect("it is in a directory");
        Self {
            page: page.to_owned(),
            here: folder.to_owned(),
            programs: vec![binary.to_owned(), python::installed("nats-py")],
            variables: Vec::new(),
            otherwise: Vec::new(),
            own: tempfile::tempdir().expect("the temporary directory is writable"),
        }
    }

    /// The server of the page is this one.
    #[must_use]
    pub fn server(self, server: &NatsServer) -> Self {
        self.instead(SERVER, server.url())
    }

    /// Reads `here` wherever the page has `printed`.
    #[must_use]
    pub fn instead(mut self, printed: &str, here: impl Into<String>) -> Self {
        self.otherwise.push((printed.to_owned(), here.into()));
        self
    }

    /// Finds the programs of a folder, before all others.
    #[must_use]
    pub fn programs(mut self, folder: impl Into<PathBuf>) -> Self {
        self.programs.insert(0, folder.into());
        self
    }

    /// Has an environment variable.
    #[must_use]
    pub fn variable(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// Follows the whole page. Returns how many commands it has.
    ///
    /// # Panics
    /// If a command fails, or prints something else than the page shows.
    pub fn follow(&mut self) -> usize {
        let blocks = page::blocks(&page::read(&self.page));
        blocks.iter().map(|block| self.take(block).len()).sum()
    }

    /// Makes the file that a block is, or runs the commands that it holds.
    ///
    /// # Panics
    /// If a command fails, or prints something else than is shown.
    pub fn take(&mut self, block: &Block) -> Vec<Ran> {
        if let Some(file) = &block.title {
            self.write(file, &block.text, block.append);
        }
        if block.kind == "cron" {
            let ran = self.run_scheduled(block);
            assert!(ran.iter().all(|ran| ran.status.success()), "{ran:?}");
            return ran;
        }
        let mut commands = block.commands();
        let end = commands.len();
        let exits = |number| if number == end { block.exit } else { 0 };
        let mut numbered: Vec<_> = commands.drain(..).zip(1..).collect();
        numbered.retain(|(command, _)| !is_left_out(&self.page, &command.text));
        let follow = |(command, number)| self.check(&command, exits(number), block.line);
        numbered.into_iter().map(follow).collect()
    }

    /// Makes a file, or adds to one.
    fn write(&self, file: &str, text: &str, append: bool) {
        let file = self.here.join(file);
        let folder = file.parent().expect("a file is in a folder");
        fs::create_dir_all(folder).expect("our own directory is writable");
        let before = append.then(|| fs::read_to_string(&file).expect("the page began it") + "\n");
        let text = before.unwrap_or_default() + &self.as_here(text);
        fs::write(file, text).expect("our own directory is writable");
    }

    /// Runs a command, which must end with this code and print what is shown.
    fn check(&mut self, command: &page::Command, exit: i32, line: usize) -> Ran {
        let ran = self.run(&command.text);
        let (page, Ran { stdout, stderr, .. }) = (&self.page, &ran);
        let told = format!(
            "{page}, line {line}: $ {}\n{stdout}\n{stderr}",
            command.text
        );
        assert_eq!(ran.status.code(), Some(exit), "{told}");
        if let Some(shown) = &command.shown {
            let shown = self.as_here(&shown.join("\n"));
            assert!(
                page::alike(stdout, &shown),
                "{told}\nand the page shows:\n{shown}"
            );
        }
        ran
    }

    /// Runs a command of the page, however it ends.
    ///
    /// # Panics
    /// If it does not end in time.
    pub fn run(&mut self, command: &str) -> Ran {
        // Where the command leaves the shell is where the next one begins.
        let end = self.own.path().join("end");
        let script = format!("trap 'pwd > \"$0\"' EXIT\n{}", self.as_here(command));
        let mut shell = Command::new("bash");
        target::without_settings(&mut shell);
        target::without_package(&mut shell);
        shell
            .args(["-o", "pipefail", "-c", &script])
            .arg(&end)
            .env("PATH", self.path())
            .envs(self.variables.iter().cloned())
            .current_dir(&self.here);
        let ran = self.bounded(&mut shell, command);
        if let Ok(end) = fs::read_to_string(&end) {
            self.here = PathBuf::from(end.trim_end());
        }
        ran
    }

    /// Runs the commands of a crontab as cron does, with nothing in the environment but what cron and
    /// the crontab say; however they end.
    ///
    /// # Panics
    /// If one does not end in time.
    pub fn run_scheduled(&self, crontab: &Block) -> Vec<Ran> {
        let environment = |(name, value): (&str, &str)| (name.to_owned(), self.as_here(value));
        let run = |command: page::Command| {
            let mut shell = Command::new("/bin/sh");
            shell
                .args(["-c", &self.as_here(&command.text)])
                .env_clear()
                .env("PATH", "/usr/bin:/bin")
                .envs(std::env::var_os("HOME").map(|home| ("HOME", home)))
                .envs(self.variables.iter().cloned())
                .envs(crontab.environment().map(environment))
                .current_dir("/");
            self.bounded(&mut shell, &command.text)
        };
        crontab.commands().into_iter().map(run).collect()
    }

    /// A text of the page with what is otherwise here.
    #[must_use]
    pub fn as_here(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (printed, here) in &self.otherwise {
            text = text.replace(printed, here);
        }
        text
    }

    fn path(&self) -> std::ffi::OsString {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = self.programs.iter().cloned();
        let folders = folders.chain(std::env::split_paths(&path));
        std::env::join_paths(folders).expect("no colons in them")
    }

    /// Runs a process to its end. Its output goes to files: what it leaves running may hold them.
    fn bounded(&self, process: &mut Command, command: &str) -> Ran {
        let file = |name| self.own.path().join(name);
        let create = |name| File::create(file(name)).expect("our own directory is writable");
        let mut child = process
            .stdin(Stdio::null())
            .stdout(create("stdout"))
            .stderr(create("stderr"))
            .process_group(0)
            .spawn()
            .expect("there is a shell");
        let begun = Instant::now();
        let text = |name| {
            let bytes = fs::read(file(name)).expect("it was just created");
            String::from_utf8_lossy(&bytes).into_owned()
        };
        loop {
            if let Some(status) = child.try_wait().expect("it is our child") {
                return Ran {
                    status,
                    stdout: text("stdout"),
                    stderr: text("stderr"),
                };
            }
            if begun.elapsed() > PATIENCE {
                let group = i32::try_from(child.id()).expect("process ids fit");
                let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
                let _ = child.wait();
                let said = text("stderr");
                panic!(
                    "{}: not done in {PATIENCE:?}: $ {command}\n{said}",
                    self.page
                );
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Why a command of a page is not run as it is printed. A test holds each to its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Elsewhere<'a> {
    /// The jobs of CI run it.
    InCi,
    /// The page that runs it, in a project of Meltano.
    OnPage(&'a str),
    /// It takes too long; its options are tried.
    TooLong,
}

/// The commands that are not run where they stand.
pub const ELSEWHERE: [(&str, Elsewhere<'static>); 10] = [
    ("cargo test --workspace", Elsewhere::InCi),
    ("cargo fmt --all --check", Elsewhere::InCi),
    (
        "cargo clippy --workspace --all-targets --all-features -- -D warnings",
        Elsewhere::InCi,
    ),
    ("cargo deny check", Elsewhere::InCi),
    (
        "meltano add --plugin-type loader --from-ref target-nats-kv.yml target-nats-kv",
        Elsewhere::OnPage("docs/meltano.md"),
    ),
    (
        "meltano config set target-nats-kv url nats://localhost:4222",
        Elsewhere::OnPage("docs/meltano.md"),
    ),
    (
        "meltano config set target-nats-kv bucket warehouse",
        Elsewhere::OnPage("docs/meltano.md"),
    ),
    (
        "meltano run tap-postgres target-nats-kv",
        Elsewhere::OnPage("docs/meltano.md"),
    ),
    ("cargo throughput", Elsewhere::TooLong),
    (
        "cargo throughput --cases full --cases-only --rounds 9",
        Elsewhere::TooLong,
    ),
];

/// Whether `page` leaves this command to another place.
fn is_left_out(page: &str, command: &str) -> bool {
    ELSEWHERE
        .iter()
        .any(|(left_out, place)| *left_out == command && *place != Elsewhere::OnPage(page))
}
