//! Runs a real tap: tap-jsonl, built with the Meltano SDK, which reads files and needs no network.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::{place, python};

/// Runs the tap with these settings and returns what it printed: Singer messages.
///
/// # Panics
/// If it cannot be installed or fails.
#[must_use]
pub fn jsonl(config: &Value) -> Vec<u8> {
    let directory = tempfile::tempdir().expect("the temporary directory is writable");
    let file = directory.path().join("config.json");
    fs::write(&file, config.to_string()).expect("our own directory is writable");
    python::checked(
        Command::new(python::installed("tap").join("tap-jsonl"))
            .current_dir(place::repository())
            .arg("--config")
            .arg(&file),
        "tap-jsonl failed",
    )
    .stdout
}
