//! When states are printed, which ones, and how a run that is told to end ends.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use target_tests::bucket::Bucket;
use target_tests::case::Case;
use target_tests::nats_server::NatsServer;
use target_tests::singer::{line, record, schema, state};

fn start() -> String {
    schema("s", json!({"id": {"type": "integer"}}), &["id"])
}

/// Records with a state after each hundred.
fn records(ids: std::ops::Range<u64>) -> String {
    ids.map(|id| {
        let state = if id % 100 == 99 {
            state(json!({"loaded": id + 1}))
        } else {
            String::new()
        };
        record("s", json!({"id": id})) + &state
    })
    .collect()
}

async fn holds(bucket: &Bucket, states: &[Value]) {
    let contents = bucket.contents().await;
    let Some(last) = states.last() else { return };
    for id in 0..last["loaded"].as_u64().expect("our states have numbers") {
        assert!(
            contents.contains_key(&format!("s.{id}")),
            "record {id} is lost"
        );
    }
}

/// No other record and no end of the input makes it leave, only time.
#[tokio::test]
async fn a_state_leaves_while_the_input_is_silent() {
    let case = Case::new();
    let mut run = case.target().spawn();
    assert!(run.send(start() + &record("s", json!({"id": 1})) + &state(json!({"n": 1}))));
    let sent = Instant::now();
    assert_eq!(run.state(), json!({"n": 1}));
    assert!(
        sent.elapsed() < Duration::from_secs(10),
        "{:?}",
        sent.elapsed()
    );
    assert_eq!(case.bucket().await.keys().await, ["s.1"]);
    // And again, for a later one.
    assert!(run.send(record("s", json!({"id": 2})) + &state(json!({"n": 2}))));
    assert_eq!(run.state(), json!({"n": 2}));
    let _ = run.finish().success();
}

#[tokio::test]
async fn a_state_without_records_leaves_too() {
    let outcome = Case::new().load(state(json!({"n": 1}))).success();
    assert_eq!(outcome.states(), [json!({"n": 1})]);
}

#[tokio::test]
async fn a_record_after_the_last_state_does_not_hold_it_back() {
    let input = [
        start(),
        record("s", json!({"id": 1})),
        state(json!({"n": 1})),
        record("s", json!({"id": 2})),
    ]
    .concat();
    let case = Case::new();
    let outcome = case.load(input).success();
    assert_eq!(outcome.states(), [json!({"n": 1})]);
    assert_eq!(case.bucket().await.keys().await, ["s.1", "s.2"]);
}

#[tokio::test]
async fn a_state_is_printed_as_it_came() {
    let value = r#"{"z":1.10,"a":1180591620717411303424,"e":1e400,"n":null,"t":"é","l":[0.1,{}]}"#;
    let message = format!("{{\"type\":\"STATE\",\"value\":{value}}}\n");
    let outcome = Case::new().load(start() + &message).success();
    assert_eq!(outcome.stdout, format!("{value}\n"));
}

/// Meltano writes its database for each line: many states in a short time become few lines.
#[tokio::test]
async fn states_are_coalesced_and_the_last_one_is_printed() {
    let outcome = Case::new().load(start() + &records(0..20_000)).success();
    let states = outcome.states();
    assert!(states.len() < 60, "{} lines of 200 states", states.len());
    assert_eq!(states.last(), Some(&json!({"loaded": 20_000})));
    let numbers: Vec<u64> = states
        .iter()
        .filter_map(|state| state["loaded"].as_u64())
        .collect();
    assert!(numbers.is_sorted(), "{numbers:?}");
}

#[tokio::test]
async fn states_leave_during_a_long_run() {
    let case = Case::new().set("state_interval_seconds", 1);
    let mut run = case.target().spawn();
    let mut stdin = run.take_stdin();
    let feeder = std::thread::spawn(move || {
        use std::io::Write;
        let mut sent = stdin.write_all(start().as_bytes());
        for round in 0..40 {
            sent = sent
                .and_then(|()| stdin.write_all(records(round * 100..(round + 1) * 100).as_bytes()));
            std::thread::sleep(Duration::from_millis(100));
        }
        sent
    });
    let first = run.state();
    assert!(
        first["loaded"].as_u64() < Some(4000),
        "only at the end: {first}"
    );
    feeder.join().expect("no panic").expect("all was read");
    let states = run.wait().success().states();
    assert!(states.len() >= 3, "{states:?}");
    assert_eq!(states.last(), Some(&json!({"loaded": 4000})));
}

#[tokio::test]
async fn a_signal_ends_the_run_in_order() {
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130)] {
        let case = Case::new();
        let mut run = case.target().spawn();
        assert!(run.send(start() + &records(0..1000)));
        run.state();
        assert!(run.send(records(1000..2000)));
        run.signal(signal);
        // The input stays open: the signal is the end.
        let outcome = run.wait().exited(code);
        holds(&case.bucket().await, &outcome.states()).await;
    }
}

/// What was read before the signal is finished and said, also when its batch was not full.
#[tokio::test]
async fn a_signal_finishes_what_was_read() {
    let case = Case::new()
        .set("batch_wait_limit_seconds", 3600)
        .set("state_interval_seconds", 3600);
    let mut run = case.target().spawn();
    assert!(run.send(start() + &records(0..100)));
    std::thread::sleep(Duration::from_secs(2));
    run.signal(Signal::SIGTERM);
    let outcome = run.wait().exited(143);
    assert_eq!(outcome.states(), [json!({"loaded": 100})]);
    holds(&case.bucket().await, &outcome.states()).await;
}

#[tokio::test]
async fn a_signal_while_nothing_is_read() {
    let run = Case::new().target().spawn();
    std::thread::sleep(Duration::from_secs(2));
    run.signal(Signal::SIGTERM);
    let outcome = run.wait().exited(143);
    assert_eq!(outcome.stdout, "");
}

/// The last records are under way at the end of the input when the signal comes.
#[tokio::test]
async fn a_signal_during_the_drain_never_becomes_success() {
    let server = NatsServer::start();
    let case = Case::on(&server).set("request_timeout_seconds", 1);
    let mut run = case.target().spawn();
    assert!(run.send(start() + &records(0..1000)));
    while run.state() != json!({"loaded": 1000}) {}
    server.pause();
    assert!(run.send(records(1000..2000)));
    drop(run.take_stdin());
    std::thread::sleep(Duration::from_secs(1));
    run.signal(Signal::SIGTERM);
    std::thread::sleep(Duration::from_secs(1));
    server.resume();
    let outcome = run.wait().exited(143);
    holds(&case.bucket().await, &outcome.states()).await;
}

#[tokio::test]
async fn a_second_signal_ends_the_run_at_once() {
    let server = NatsServer::start();
    let case = Case::on(&server);
    let mut run = case.target().spawn();
    assert!(run.send(start() + &records(0..1000)));
    while run.state() != json!({"loaded": 1000}) {}
    server.pause();
    assert!(run.send(records(1000..2000)));
    std::thread::sleep(Duration::from_secs(1));
    run.signal(Signal::SIGTERM);
    std::thread::sleep(Duration::from_millis(500));
    let second = Instant::now();
    run.signal(Signal::SIGTERM);
    let outcome = run.wait().exited(143);
    assert!(
        second.elapsed() < Duration::from_secs(2),
        "{:?}",
        second.elapsed()
    );
    assert_eq!(outcome.states().last(), Some(&json!({"loaded": 1000})));
}

/// A state follows all streams' records before it, not only those of one.
#[tokio::test]
async fn a_state_waits_for_the_records_of_all_streams() {
    let case = Case::new();
    let mut input = String::new();
    for stream in ["a", "b", "c"] {
        input += &schema(stream, json!({"id": {}}), &["id"]);
    }
    for id in 0..3000 {
        input += &record(["a", "b", "c"][id % 3], json!({"id": id}));
    }
    let bad = line(json!({"type": "RECORD", "stream": "c", "record": {}}));
    let outcome = case.load(input + &state(json!({"n": 1})) + &bad).exited(1);
    assert_eq!(outcome.states(), [json!({"n": 1})]);
    assert_eq!(case.bucket().await.keys().await.len(), 3000);
}
