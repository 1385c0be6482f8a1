//! A real Meltano project, with our loader installed from its wheel.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::{place, python, target};

/// A project in a folder of its own.
#[derive(Debug)]
pub struct Project {
    folder: TempDir,
}

impl Project {
    /// A project with these extractors, as they stand in `meltano.yml`, and our loader with these
    /// settings.
    ///
    /// # Panics
    /// If Meltano cannot be installed, or refuses the loader's definition.
    #[must_use]
    pub fn new(extractors: &str, settings: &[(&str, &str)]) -> Self {
        let project = Self {
            folder: tempfile::tempdir().expect("the temporary directory is writable"),
        };
        let file = format!(
            "version: 1\ndefault_environment: dev\nsend_anonymous_usage_stats: false\n\
             environments:\n- name: dev\nplugins:\n  extractors:\n{extractors}"
        );
        project.write("meltano.yml", &file);
        let definition = definition(&wheel(project.folder.path()));
        project.write("target-nats-kv.yml", &definition);
        project.succeed(&[
            "add",
            "--plugin-type",
            "loader",
            "--from-ref",
            "target-nats-kv.yml",
            "target-nats-kv",
        ]);
        for (name, value) in settings {
            Self::shown(&format!("config set target-nats-kv {name} "));
            let mut set = project.command(&["config", "set", "target-nats-kv", name, value]);
            python::checked(&mut set, "Meltano refuses a setting");
        }
        let mut install = project.command(&["install"]);
        python::checked(&mut install, "Meltano cannot install the taps");
        project
    }

    /// The project's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a command of Meltano that must succeed, and returns its standard output and its logs.
    ///
    /// # Panics
    /// If it does not, or if `docs/meltano.md` does not know the command.
    pub fn succeed(&self, arguments: &[&str]) -> (String, String) {
        // The page has only one tap.
        Self::shown(&arguments.join(" ").replace("tap-jsonl", "tap-postgres"));
        let output = python::checked(&mut self.command(arguments), "Meltano failed");
        (text(&output.stdout), text(&output.stderr))
    }

    /// Loads with an extractor.
    ///
    /// # Panics
    /// If it fails.
    pub fn run(&self, extractor: &str) -> String {
        self.succeed(&["run", extractor, "target-nats-kv"]).1
    }

    /// Begins to load with an extractor.
    ///
    /// # Panics
    /// If Meltano cannot be started.
    #[must_use]
    pub fn start(&self, extractor: &str) -> Running {
        let mut command = self.command(&["run", extractor, "target-nats-kv"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Running {
            child: command.spawn().expect("Meltano was installed"),
            folder: self.folder.path().to_owned(),
        }
    }

    /// The state that is saved for an extractor.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn state(&self, extractor: &str) -> Value {
        let name = format!("dev:{extractor}-to-target-nats-kv");
        let (state, _) = self.succeed(&["state", "get", &name]);
        serde_json::from_str(&state).unwrap_or_else(|error| panic!("no state: {state}: {error}"))
    }

    /// Looks whether `docs/meltano.md` shows a command.
    fn shown(command: &str) {
        let page = fs::read_to_string(place::repository().join("docs/meltano.md"));
        let page = page.expect("it is readable");
        // As a shell would read it.
        let plain = page.replace('"', "");
        assert!(
            plain.contains(&format!("meltano {command}")),
            "not on the page: {command}"
        );
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(python::installed("meltano").join("meltano"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("NO_COLOR", "1");
        command
    }

    fn write(&self, name: &str, content: &str) {
        let file = self.folder.path().join(name);
        fs::write(file, content).expect("our own directory is writable");
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

/// The loader's definition, installed from `wheel`.
fn definition(wheel: &Path) -> String {
    let about = target::Target::new(["about", "--format", "meltano"]);
    let definition = about.run("").success().stdout;
    let lines = definition.lines().map(|line| match line {
        line if line.starts_with("pip_url: ") => format!("pip_url: {}", wheel.display()),
        line => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The wheel, as it is released but not optimised.
fn wheel(folder: &Path) -> PathBuf {
    let wheels = folder.join("wheels");
    python::checked(
        Command::new(python::installed("meltano").join("maturin"))
            .args(["build", "--quiet", "--profile", "dev", "--manifest-path"])
            .arg(place::repository().join("target-nats-kv/Cargo.toml"))
            .arg("--out")
            .arg(&wheels),
        "cannot build the wheel",
    );
    let mut files = fs::read_dir(wheels).expect("it was built");
    let file = files.next().expect("one wheel").expect("it can be read");
    file.path()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
