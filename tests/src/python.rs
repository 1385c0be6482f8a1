//! Programs from PyPI, each with its pinned requirements in a virtual environment of its own in the
//! build directory; and from npm, where such an environment has Node.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::place;

/// What pins the programs of an environment. The first is copied last: it says that all was done.
const PINS: [&str; 3] = ["requirements.txt", "package.json", "package-lock.json"];

/// The `bin` directory of the environment `name`, installed from `tests/NAME/requirements.txt`
/// unless it was; beside it is `node_modules`, if `tests/NAME` has a `package-lock.json`.
///
/// # Panics
/// If it cannot be installed.
#[must_use]
pub fn installed(name: &str) -> PathBuf {
    let pins = place::repository().join(format!("tests/{name}"));
    let environment = place::build_directory().join(name);
    fs::create_dir_all(&environment).expect("the build directory is writable");
    let lock = File::create(environment.join("lock")).expect("the build directory is writable");
    lock.lock().expect("the build directory can hold locks");
    let same = |pin| fs::read(environment.join(pin)).ok() == fs::read(pins.join(pin)).ok();
    if !PINS.into_iter().all(same) {
        install(&environment, &pins);
    }
    environment.join("bin")
}

fn install(environment: &Path, pins: &Path) {
    let [requirements, manifest, locked] = PINS;
    let copy = |pin| {
        fs::copy(pins.join(pin), environment.join(pin)).expect("the build directory is writable");
    };
    let _ = fs::remove_file(environment.join(requirements));
    checked(
        Command::new("python3")
            .args(["-m", "venv"])
            .arg(environment),
        "cannot make a virtual environment; install python3-venv (Debian, Ubuntu)",
    );
    checked(
        Command::new(environment.join("bin/python"))
            .args(["-m", "pip", "install", "--quiet"])
            .args(["--disable-pip-version-check", "--only-binary", ":all:"])
            .arg("--requirement")
            .arg(pins.join(requirements)),
        "cannot install from PyPI; it needs Python 3.10 or newer",
    );
    if pins.join(locked).exists() {
        copy(manifest);
        copy(locked);
        install_from_npm(environment);
    }
    copy(requirements);
}

fn install_from_npm(environment: &Path) {
    let programs = environment.join("bin");
    let path = std::env::var("PATH").unwrap_or_default();
    checked(
        Command::new(programs.join("npm"))
            .current_dir(environment)
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .env("PATH", format!("{}:{path}", programs.display())),
        "cannot install from npm",
    );
}

/// Runs a command that must succeed.
///
/// # Panics
/// With `failure` and what it printed, if it does not.
pub fn checked(command: &mut Command, failure: &str) -> Output {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{failure}: {command:?}: {error}"));
    assert!(
        output.status.success(),
        "{failure}:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}
