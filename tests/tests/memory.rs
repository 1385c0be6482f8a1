//! Memory does not grow with the length of the input. Linux only: the kernel keeps the peak.
#![cfg(target_os = "linux")]

use std::io::Write;

use serde_json::json;
use target_tests::case::Case;
use target_tests::singer::{record, schema, state};

/// Some 130 MB of input; were it kept, the process would be as large.
#[tokio::test]
async fn a_long_input_needs_no_more_memory_than_a_short_one() {
    const RECORDS: u64 = 300_000;
    const PEAK_KB: u64 = 64 * 1024;
    let case = Case::new();
    let mut run = case
        .target()
        .patience(std::time::Duration::from_secs(300))
        .spawn();
    let mut stdin = run.take_stdin();
    let process = run.id();
    let schema = schema("s", json!({"id": {"type": "integer"}}), &["id"]);
    stdin.write_all(schema.as_bytes()).expect("it reads");
    let text = "x".repeat(350);
    for id in 0..RECORDS {
        let line = record("s", json!({"id": id, "text": text}));
        stdin.write_all(line.as_bytes()).expect("it reads");
    }
    stdin
        .write_all(state(json!({"n": RECORDS})).as_bytes())
        .expect("it reads");
    while run.state() != json!({"n": RECORDS}) {}
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it still runs");
    let peak: u64 = status
        .lines()
        .find_map(|line| {
            line.strip_prefix("VmHWM:")?
                .trim()
                .strip_suffix(" kB")?
                .parse()
                .ok()
        })
        .expect("the kernel says so");
    drop(stdin);
    let _ = run.wait().success();
    assert_eq!(case.bucket().await.writes().await, RECORDS);
    assert!(peak < PEAK_KB, "{peak} kB");
}
