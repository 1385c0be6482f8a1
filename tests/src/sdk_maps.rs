//! What the Meltano SDK's own mapper makes of streams: stream maps are compared with it.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::{place, python};

/// What the SDK makes of each case: `{"streams": {NAME: {"schema", "key_properties", "records"}}}`
/// or `{"error": …}`. A case is one line of JSON: `config`, and `messages` of the types SCHEMA and
/// RECORD.
///
/// # Panics
/// If the SDK cannot be run.
#[must_use]
pub fn mapped(cases: &[String]) -> Vec<Value> {
    let script = place::repository().join("tests/stream_maps/sdk.py");
    let mut sdk = Command::new(python::installed("tap").join("python"))
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python runs");
    let mut stdin = sdk.stdin.take().expect("it is piped");
    let input = cases.join("\n");
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = sdk.wait_with_output().expect("Python ends");
    writer
        .join()
        .expect("no panic")
        .expect("Python reads it all");
    assert!(output.status.success(), "the SDK does not run");
    let output = String::from_utf8(output.stdout).expect("JSON");
    let results: Vec<Value> = output
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(results.len(), cases.len());
    results
}
