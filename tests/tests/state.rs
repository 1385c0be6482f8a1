//! When states are printed, which ones, and how a run that is told to end ends.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::json;
use target_tests::case::Case;
use target_tests::nats_server::NatsServer;
use target_tests::oracle::{Workload, done};
use target_tests::singer::{line, record, schema, state};

/// Records of which each key comes once, with a state after each hundred.
fn workload(records: u64) -> Workload {
    Workload {
        state_every: 100,
        size: 30,
        ..Workload::of(records).each_key_once()
    }
}

fn start() -> String {
    workload(1).schema()
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
    let outcome = Case::new().load(workload(20_000).input_from(0)).success();
    let states = outcome.states();
    assert!(states.len() < 60, "{} lines of 200 states", states.len());
    assert_eq!(states.last(), Some(&json!({"done": 20_000})));
    let numbers: Vec<u64> = states.iter().map(done).collect();
    assert!(numbers.is_sorted(), "{numbers:?}");
}

#[tokio::test]
async fn states_leave_during_a_long_run() {
    let case = Case::new().set("state_interval_seconds", 0.3);
    let workload = Workload {
        size: 400,
        ..workload(10_000)
    };
    let mut run = case.target().spawn();
    // Two seconds.
    workload.feed(&mut run, 0);
    let first = done(&run.state());
    assert!(first < workload.records, "only at the end: {first}");
    let outcome = run.wait();
    let states = outcome.states();
    assert!(states.len() >= 3, "{states:?}");
    workload.is_complete(&case.bucket().await, outcome).await;
}

#[tokio::test]
async fn a_signal_ends_the_run_in_order() {
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130)] {
        let case = Case::new();
        let workload = workload(2000);
        let mut run = case.target().spawn();
        assert!(run.send(workload.schema() + &workload.records(0..1000)));
        run.state();
        assert!(run.send(workload.records(1000..2000)));
        run.signal(signal);
        // The input stays open: the signal is the end.
        let outcome = run.wait().exited(code);
        let bucket = case.bucket().await;
        workload.holds(&bucket, &outcome.states()).await;
    }
}

/// What was read before the signal is finished and said, also when its batch was not full.
#[tokio::test]
async fn a_signal_finishes_what_was_read() {
    let case = Case::new()
        .set("batch_wait_limit_seconds", 3600)
        .set("state_interval_seconds", 3600);
    let workload = workload(100);
    let mut run = case.target().spawn();
    assert!(run.send(workload.input_from(0)));
    std::thread::sleep(Duration::from_secs(2));
    run.signal(Signal::SIGTERM);
    let outcome = run.wait().exited(143);
    assert_eq!(outcome.states(), [json!({"done": 100})]);
    let bucket = case.bucket().await;
    workload.holds(&bucket, &outcome.states()).await;
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
    let workload = workload(2000);
    let mut run = case.target().spawn();
    assert!(run.send(workload.schema() + &workload.records(0..1000)));
    workload.reaches(&mut run, 1000);
    server.pause();
    assert!(run.send(workload.records(1000..2000)));
    drop(run.take_stdin());
    std::thread::sleep(Duration::from_secs(1));
    run.signal(Signal::SIGTERM);
    std::thread::sleep(Duration::from_secs(1));
    server.resume();
    let outcome = run.wait().exited(143);
    let bucket = case.bucket().await;
    workload.holds(&bucket, &outcome.states()).await;
}

#[tokio::test]
async fn a_second_signal_ends_the_run_at_once() {
    let server = NatsServer::start();
    let case = Case::on(&server);
    let workload = workload(2000);
    let mut run = case.target().spawn();
    assert!(run.send(workload.schema() + &workload.records(0..1000)));
    workload.reaches(&mut run, 1000);
    server.pause();
    assert!(run.send(workload.records(1000..2000)));
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
    assert_eq!(outcome.states().last(), Some(&json!({"done": 1000})));
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
