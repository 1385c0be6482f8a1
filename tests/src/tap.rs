//! Runs a real tap: tap-jsonl, built with the Meltano SDK, which reads files and needs no network.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::place;

/// Runs the tap with these settings and returns what it printed: Singer messages.
///
/// # Panics
/// If it cannot be installed or fails.
#[must_use]
pub fn jsonl(config: &Value) -> Vec<u8> {
    let directory = tempfile::tempdir().expect("the temporary directory is writable");
    let file = directory.path().join("config.json");
    fs::write(&file, config.to_string()).expect("our own directory is writable");
    checked(
        Command::new(installed())
            .current_dir(place::repository())
            .arg("--config")
            .arg(&file),
        "tap-jsonl failed",
    )
    .stdout
}

/// The tap's program, installed into a virtual environment in the build directory unless it was.
fn installed() -> PathBuf {
    let requirements = place::repository().join("tests/tap/requirements.txt");
    let taps = place::build_directory().join("tap");
    let program = taps.join("bin/tap-jsonl");
    fs::create_dir_all(&taps).expect("the build directory is writable");
    let lock = File::create(taps.join("lock")).expect("the build directory is writable");
    lock.lock().expect("the build directory can hold locks");
    // The requirements are copied last: they say that all before was done, and for which versions.
    let done = taps.join("requirements.txt");
    if fs::read(&done).ok() != fs::read(&requirements).ok() {
        install(&taps, &requirements);
        fs::copy(&requirements, &done).expect("the build directory is writable");
    }
    program
}

fn install(taps: &Path, requirements: &Path) {
    checked(
        Command::new("python3").args(["-m", "venv"]).arg(taps),
        "cannot make a virtual environment; install python3-venv (Debian, Ubuntu)",
    );
    checked(
        Command::new(taps.join("bin/python"))
            .args(["-m", "pip", "install", "--quiet"])
            .args(["--disable-pip-version-check", "--only-binary", ":all:"])
            .arg("--requirement")
            .arg(requirements),
        "cannot install tap-jsonl from PyPI; it needs Python 3.10 or newer",
    );
}

fn checked(command: &mut Command, failure: &str) -> Output {
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
