//! The dead letter: what could not be loaded is kept, and can be loaded later from there.

use async_nats::jetstream::kv;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use target_tests::case::Case;
use target_tests::singer::{line, record, schema, state};
use target_tests::target::Target;

/// Records that are fine, do not match their schema, or are too large for the bucket.
fn input(ids: std::ops::Range<u64>) -> String {
    let mut input = schema(
        "s",
        json!({"id": {"type": "integer"}, "n": {"type": "integer"}}),
        &["id"],
    );
    for id in ids {
        let (n, text) = match id % 3 {
            0 => (json!(id), String::new()),
            1 => (json!("not a number"), String::new()),
            _ => (json!(id), "x".repeat(2_000)),
        };
        let message = json!({
            "type": "RECORD", "stream": "s",
            "record": {"id": id, "n": n, "text": text},
            "time_extracted": "2026-01-02T03:04:05Z",
        });
        input += &line(message);
    }
    input + &state(json!({"n": 1}))
}

/// A bucket for small values, and the dead letter for the others.
async fn case(file: &std::path::Path) -> Case {
    let case = Case::new()
        .set("on_invalid_record", "dead_letter")
        .set("dead_letter_file", file.to_string_lossy().into_owned());
    case.make_bucket_with(kv::Config {
        max_value_size: 1_000,
        history: 5,
        ..kv::Config::default()
    })
    .await;
    case
}

#[tokio::test]
async fn it_can_be_loaded_with_input() {
    let directory = tempfile::tempdir().expect("the temporary directory is writable");
    let file = directory.path().join("dead.jsonl");
    let case = case(&file).await;
    let outcome = case.load(input(0..300)).success();
    assert_eq!(outcome.states().last(), Some(&json!({"n": 1})));
    assert_eq!(case.bucket().await.keys().await.len(), 100);

    // Somewhere with more room, and without the schema that they do not match.
    let other = Case::new().set("validate_records", false);
    let outcome = Target::with_config(other.settings.clone())
        .args(["--input".as_ref(), file.as_os_str()])
        .run("")
        .success();
    assert_eq!(outcome.stdout, "");
    let whole = Case::new().set("validate_records", false);
    let _ = whole.load(input(0..300)).success();
    let mut all = case.bucket().await.contents().await;
    all.extend(other.bucket().await.contents().await);
    let without_receipt = |contents: std::collections::BTreeMap<String, Value>| {
        contents
            .into_iter()
            .map(|(key, mut value)| {
                if let Some(members) = value.as_object_mut() {
                    members.remove("_sdc_received_at");
                }
                (key, value)
            })
            .collect::<Vec<_>>()
    };
    let expected = whole.bucket().await.contents().await;
    assert_eq!(without_receipt(all), without_receipt(expected));
}

/// The state says that they are safe, so they are in the file by then.
#[tokio::test]
async fn what_a_state_covers_is_in_the_file() {
    let directory = tempfile::tempdir().expect("the temporary directory is writable");
    let file = directory.path().join("dead.jsonl");
    let case = case(&file).await.set("state_interval_seconds", 0);
    let mut run = case.target().spawn();
    for round in 0..20 {
        assert!(run.send(input(round * 30..(round + 1) * 30)));
        run.state();
        let text = std::fs::read_to_string(&file).expect("it is there");
        let records = text
            .lines()
            .filter(|line| line.contains("\"RECORD\""))
            .count();
        assert_eq!(records as u64, (round + 1) * 20);
    }
    run.signal(Signal::SIGKILL);
    let _ = run.wait();
}

/// Nothing may be called safe that could not be kept.
#[tokio::test]
async fn a_file_that_cannot_be_written() {
    let case = Case::new()
        .set("on_invalid_record", "dead_letter")
        .set("dead_letter_file", "/dev/full");
    let input = [
        schema("s", json!({"id": {"type": "integer"}}), &["id"]),
        record("s", json!({"id": 1})),
        state(json!({"n": 1})),
        record("s", json!({"id": "one"})),
        state(json!({"n": 2})),
    ]
    .concat();
    let outcome = case.load(input).exited(1);
    assert!(outcome.stderr.contains("/dev/full"), "{}", outcome.stderr);
    assert_ne!(outcome.states().last(), Some(&json!({"n": 2})));
}
