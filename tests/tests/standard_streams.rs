//! Standard input that never ends a line, and standard output that nobody reads.

use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use serde_json::json;
use target_tests::case::Case;
use target_tests::singer::{record, schema, state};

fn start() -> String {
    schema("s", json!({"id": {"type": "integer"}}), &["id"])
}

/// Nobody will ever know the state, so the next run would begin too early: say so.
#[tokio::test]
async fn an_output_that_is_closed_fails_the_run() {
    let case = Case::new();
    let (reader, writer) = std::io::pipe().expect("there are pipes");
    drop(reader);
    let mut run = case.target().stdout(writer).spawn();
    assert!(run.send(start() + &record("s", json!({"id": 1})) + &state(json!({"n": 1}))));
    let outcome = run.finish().exited(1);
    assert!(outcome.stderr.contains("output"), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
    assert_eq!(case.bucket().await.keys().await, ["s.1"]);
}

/// States that nobody takes hold up no record, and when somebody does, the last one comes.
#[tokio::test]
async fn an_output_that_is_blocked_holds_up_no_records() {
    let case = Case::new()
        .set("state_interval_seconds", 0.01)
        .set("batch_wait_limit_seconds", 0);
    let bucket = case.make_bucket().await;
    let (reader, writer) = std::io::pipe().expect("there are pipes");
    let mut run = case.target().stdout(writer).spawn();
    // One of them is more than a pipe holds.
    let large = "x".repeat(200_000);
    assert!(run.send(start()));
    for id in 0..20 {
        let state = state(json!({"n": id, "large": large}));
        assert!(run.send(record("s", json!({"id": id})) + &state));
        // One by one, so that each state is due before the next one comes.
        let deadline = Instant::now() + Duration::from_secs(30);
        while bucket.writes().await <= id {
            assert!(Instant::now() < deadline, "the records wait for the states");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    drop(run.take_stdin());
    let last = BufReader::new(reader).lines().map_while(Result::ok).last();
    let _ = run.wait().success();
    let last: serde_json::Value =
        serde_json::from_str(&last.expect("there are states")).expect("a state is JSON");
    assert_eq!(last["n"], 19);
}

/// It is given up long before it could fill the memory.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_line_that_never_ends() {
    const LIMIT: usize = 1_000_000;
    const MUCH: usize = 100;
    let case = Case::new().set("max_line_bytes", LIMIT);
    let mut run = case.target().spawn();
    assert!(run.send(start() + &record("s", json!({"id": 1})) + &state(json!({"n": 1}))));
    run.state();
    let piece = vec![b'x'; LIMIT];
    let taken = (0..MUCH).take_while(|_| run.send(&piece)).count();
    assert!(taken < 10, "it read {taken} times the limit");
    let outcome = run.wait().exited(1);
    for part in ["line 4", "max_line_bytes"] {
        assert!(outcome.stderr.contains(part), "{}", outcome.stderr);
    }
    assert_eq!(outcome.states(), [json!({"n": 1})]);
}
