//! Programs from PyPI, each with its pinned requirements in a virtual environment of its own in the
//! build directory.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::place;

/// The `bin` directory of the environment `name`, installed from `tests/NAME/requirements.txt`
/// unless it was.
///
/// # Panics
/// If it cannot be installed.
#[must_use]
pub fn installed(name: &str) -> PathBuf {
    let requirements = place::repository().join(format!("tests/{name}/requirements.txt"));
    let environment = place::build_directory().join(name);
    fs::create_dir_all(&environment).expect("the build directory is writable");
    let lock = File::create(environment.join("lock")).expect("the build directory is writable");
    lock.lock().expect("the build directory can hold locks");
    // The requirements are copied last: they say that all before was done, and for which versions.
    let done = environment.join("requirements.txt");
    if fs::read(&done).ok() != fs::read(&requirements).ok() {
        install(&environment, &requirements);
        fs::copy(&requirements, &done).expect("the build directory is writable");
    }
    environment.join("bin")
}

fn install(environment: &Path, requirements: &Path) {
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
            .arg(requirements),
        "cannot install from PyPI; it needs Python 3.10 or newer",
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
