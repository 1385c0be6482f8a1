//! Servers that die, come back, stall or lose patience during a run.

use std::time::Duration;

use serde_json::{Value, json};
use target_tests::bucket::Bucket;
use target_tests::case::Case;
use target_tests::nats_server::NatsServer;
use target_tests::server_binary::{NEWEST, OLDEST};
use target_tests::singer::{record, schema, state};

fn start() -> String {
    schema("s", json!({"id": {"type": "integer"}}), &["id"])
}

fn records(ids: std::ops::Range<u64>) -> String {
    let last = ids.end;
    let records: String = ids.map(|id| record("s", json!({"id": id}))).collect();
    records + &state(json!({"loaded": last}))
}

/// Every record below the state's number is there.
async fn holds(bucket: &Bucket, state: &Value) {
    let contents = bucket.contents().await;
    for id in 0..state["loaded"].as_u64().expect("our states have numbers") {
        assert!(
            contents.contains_key(&format!("s.{id}")),
            "record {id} is lost"
        );
    }
}

#[tokio::test]
async fn a_server_that_is_killed_and_comes_back() {
    for version in [NEWEST, OLDEST] {
        let mut server = NatsServer::builder().version(version).start();
        let case = Case::on(&server);
        let mut run = case.target().spawn();
        assert!(run.send(start() + &records(0..1000)));
        assert_eq!(run.state(), json!({"loaded": 1000}));
        server.kill();
        assert!(run.send(records(1000..2000)));
        std::thread::sleep(Duration::from_secs(2));
        server.restart();
        assert!(run.send(records(2000..3000)));
        let outcome = run.finish().success();
        let last = json!({"loaded": 3000});
        assert_eq!(outcome.states().last(), Some(&last));
        holds(&case.bucket().await, &last).await;
    }
}

#[tokio::test]
async fn a_server_that_is_restarted_in_order() {
    let mut server = NatsServer::start();
    let case = Case::on(&server);
    let mut run = case.target().spawn();
    assert!(run.send(start() + &records(0..1000)));
    run.state();
    server.stop();
    server.restart();
    assert!(run.send(records(1000..2000)));
    let outcome = run.finish().success();
    assert_eq!(outcome.states().last(), Some(&json!({"loaded": 2000})));
    holds(&case.bucket().await, &json!({"loaded": 2000})).await;
}

#[tokio::test]
async fn a_server_that_never_comes_back() {
    let mut server = NatsServer::start();
    let case = Case::on(&server).set("max_retry_seconds", 2);
    let mut run = case.target().spawn();
    assert!(run.send(start() + &records(0..1000)));
    let first = run.state();
    server.kill();
    run.send(records(1000..2000));
    let outcome = run.finish();
    assert!(
        matches!(outcome.code, Some(1 | 3)),
        "exit code {:?}: {}",
        outcome.code,
        outcome.stderr
    );
    assert_eq!(outcome.states(), std::slice::from_ref(&first));
    server.restart();
    holds(&case.bucket().await, &first).await;
}

#[tokio::test]
async fn a_server_that_stalls() {
    let server = NatsServer::start();
    let case = Case::on(&server).set("request_timeout_seconds", 1);
    let mut run = case.target().spawn();
    assert!(run.send(start() + &records(0..1000)));
    run.state();
    server.pause();
    assert!(run.send(records(1000..2000)));
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(
        run.state_within(Duration::ZERO),
        None,
        "nothing was acknowledged"
    );
    server.resume();
    let outcome = run.finish().success();
    assert_eq!(outcome.states().last(), Some(&json!({"loaded": 2000})));
    holds(&case.bucket().await, &json!({"loaded": 2000})).await;
}

/// The server drops clients that do not answer its pings for two seconds.
#[tokio::test]
async fn a_tap_that_pauses_for_longer_than_the_server_waits() {
    let server = NatsServer::builder()
        .config("ping_interval: \"1s\"\nping_max: 1")
        .start();
    let case = Case::on(&server);
    let mut run = case.target().spawn();
    assert!(run.send(start() + &records(0..10)));
    run.state();
    std::thread::sleep(Duration::from_secs(5));
    assert!(run.send(records(10..20)));
    let outcome = run.finish().success();
    assert_eq!(outcome.states().last(), Some(&json!({"loaded": 20})));
    holds(&case.bucket().await, &json!({"loaded": 20})).await;
    assert!(
        !server.log().contains("Stale"),
        "it was dropped: {}",
        server.log()
    );
}

#[tokio::test]
async fn a_bucket_that_is_deleted_during_the_run() {
    let server = NatsServer::start();
    let case = Case::on(&server).set("max_retry_seconds", 2);
    let mut run = case.target().spawn();
    assert!(run.send(start() + &records(0..10)));
    let first = run.state();
    let jetstream = target_tests::bucket::jetstream(&case.url).await;
    jetstream
        .delete_key_value(&case.name)
        .await
        .expect("the server is there");
    run.send(records(10..20));
    let outcome = run.finish().exited(1);
    assert_eq!(outcome.states(), [first]);
    assert!(outcome.stderr.contains(&case.name), "{}", outcome.stderr);
}

/// What was written before is lost, so going on would be a lie.
#[tokio::test]
async fn a_bucket_that_is_deleted_and_made_again_during_the_run() {
    let server = NatsServer::start();
    let case = Case::on(&server).set("max_retry_seconds", 5);
    let mut run = case.target().spawn();
    assert!(run.send(start() + &records(0..10)));
    let first = run.state();
    let jetstream = target_tests::bucket::jetstream(&case.url).await;
    jetstream
        .delete_key_value(&case.name)
        .await
        .expect("the server is there");
    case.make_bucket().await;
    run.send(records(10..20));
    let outcome = run.finish().exited(1);
    assert_eq!(outcome.states(), [first]);
    for part in [&*case.name, "created again"] {
        assert!(outcome.stderr.contains(part), "{}", outcome.stderr);
    }
}

/// Lines for a server with users; what `ann` may do, and whether she is one of them.
fn users(ann: Option<&str>) -> String {
    let ann = ann.map_or_else(String::new, |permissions| {
        format!("{{ user: ann, password: secret, permissions: {{ {permissions} }} }},")
    });
    format!("authorization {{ users: [{ann} {{ user: root, password: secret }}] }}")
}

/// A run of `ann` that has loaded ten records, and what becomes of it with other users.
fn run_while_users_change(changed: Option<&str>) -> (target_tests::target::Outcome, Value) {
    let mut server = NatsServer::builder().config(&users(Some(""))).start();
    let case = Case::on(&server)
        .set("user", "ann")
        .set("password", "secret");
    let mut run = case.target().spawn();
    assert!(run.send(start() + &records(0..10)));
    let first = run.state();
    server.reload(&users(changed));
    run.send(records(10..20));
    // Far sooner than max_retry_seconds, which is five minutes.
    (run.finish(), first)
}

#[tokio::test]
async fn credentials_that_are_revoked_during_the_run() {
    let (outcome, first) = run_while_users_change(None);
    let outcome = outcome.exited(3);
    assert_eq!(outcome.states(), [first]);
    assert!(outcome.stderr.contains("credentials"), "{}", outcome.stderr);
}

#[tokio::test]
async fn a_permission_that_is_withdrawn_during_the_run() {
    let (outcome, first) = run_while_users_change(Some("publish: { deny: [\"$KV.>\"] }"));
    let outcome = outcome.exited(3);
    assert_eq!(outcome.states(), [first]);
    for part in ["permission", "$KV."] {
        assert!(outcome.stderr.contains(part), "{}", outcome.stderr);
    }
}

/// It ends at once instead of trying on, and says nothing that is not so.
#[tokio::test]
async fn a_signal_while_it_tries_again() {
    let mut server = NatsServer::start();
    let case = Case::on(&server);
    let mut run = case.target().patience(Duration::from_secs(40)).spawn();
    assert!(run.send(start() + &records(0..10)));
    let first = run.state();
    server.kill();
    run.send(records(10..20));
    std::thread::sleep(Duration::from_secs(3));
    run.signal(nix::sys::signal::Signal::SIGTERM);
    let outcome = run.wait().exited(143);
    assert_eq!(outcome.states(), [first]);
    server.restart();
}
