//! Servers that die, come back, stall or lose patience during a run.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::json;
use target_tests::case::Case;
use target_tests::nats_server::NatsServer;
use target_tests::oracle::Workload;
use target_tests::server_binary::{NEWEST, OLDEST};
use target_tests::target::{Outcome, Running};
use target_tests::ways::at_once;

/// The ways to write: the server, `refresh_mode` and `write_path`.
const WAYS: [(&str, &str, &str); 4] = [
    (NEWEST, "newer", "fast"),
    (NEWEST, "full", "fast"),
    (NEWEST, "full", "ack"),
    (OLDEST, "newer", "auto"),
];

/// Records of which each key comes once, with a state after each ten.
fn workload(records: u64) -> Workload {
    Workload {
        state_every: 10,
        ..Workload::of(records).each_key_once()
    }
}

/// A run that has loaded the first records.
fn start(case: &Case, workload: &Workload, records: u64) -> Running {
    let mut run = case.target().spawn();
    assert!(run.send(workload.schema() + &workload.records(0..records)));
    workload.reaches(&mut run, records);
    run
}

/// Its writes are under way when this returns, and it waits for their acknowledgements.
fn send_to_a_paused_server(run: &mut Running, server: &NatsServer, input: String) {
    server.pause();
    assert!(run.send(input));
    // Longer than a batch waits for more records.
    std::thread::sleep(Duration::from_secs(2));
}

/// The run has failed, and its last state is that behind so many records.
fn failed_after(records: u64, outcome: Outcome, code: i32) -> Outcome {
    let outcome = outcome.exited(code);
    assert_eq!(outcome.states().last(), Some(&json!({"done": records})));
    outcome
}

#[test]
fn a_server_that_is_killed_and_comes_back() {
    at_once(WAYS, async |(version, mode, path)| {
        let mut server = NatsServer::builder().version(version).start();
        let case = Case::on(&server)
            .set("refresh_mode", mode)
            .set("write_path", path);
        let workload = workload(3_000);
        let mut run = start(&case, &workload, 1_000);
        send_to_a_paused_server(&mut run, &server, workload.records(1_000..2_000));
        server.kill();
        std::thread::sleep(Duration::from_secs(1));
        server.restart();
        assert!(run.send(workload.records(2_000..3_000)));
        let outcome = run.finish();
        workload.is_complete(&case.bucket().await, outcome).await;
    });
}

#[test]
fn a_server_that_is_restarted_in_order() {
    at_once(WAYS, async |(version, mode, path)| {
        let mut server = NatsServer::builder().version(version).start();
        let case = Case::on(&server)
            .set("refresh_mode", mode)
            .set("write_path", path);
        let workload = workload(2_000);
        let mut run = start(&case, &workload, 1_000);
        send_to_a_paused_server(&mut run, &server, workload.records(1_000..2_000));
        server.resume();
        server.stop();
        server.restart();
        let outcome = run.finish();
        workload.is_complete(&case.bucket().await, outcome).await;
    });
}

#[tokio::test]
async fn a_server_that_never_comes_back() {
    let mut server = NatsServer::start();
    let case = Case::on(&server).set("max_retry_seconds", 2);
    let workload = workload(2_000);
    let mut run = start(&case, &workload, 1_000);
    server.kill();
    run.send(workload.records(1_000..2_000));
    let outcome = run.finish();
    assert!(
        matches!(outcome.code, Some(1 | 3)),
        "exit code {:?}: {}",
        outcome.code,
        outcome.stderr
    );
    assert_eq!(outcome.states().last(), Some(&json!({"done": 1_000})));
    server.restart();
    let bucket = case.bucket().await;
    workload.holds(&bucket, &outcome.states()).await;
}

/// Longer than the ten seconds after which a server gives up a batch of fast ingest. It stops at
/// once for all ways to write, each into a bucket of its own.
#[tokio::test]
async fn a_server_that_stalls() {
    let server = NatsServer::start();
    let workload = workload(2_000);
    let mut runs = Vec::new();
    for (_, mode, path) in &WAYS[..3] {
        // The one gives up soon and writes again; the other waits for the answers.
        for patience in [1, 60] {
            let case = Case::on(&server)
                .set("refresh_mode", *mode)
                .set("write_path", *path)
                .set("request_timeout_seconds", patience);
            runs.push((start(&case, &workload, 1_000), case));
        }
    }
    server.pause();
    for (run, _) in &mut runs {
        assert!(run.send(workload.records(1_000..2_000)));
    }
    std::thread::sleep(Duration::from_secs(12));
    for (run, _) in &mut runs {
        let state = run.state_within(Duration::ZERO);
        assert_eq!(state, None, "nothing was acknowledged");
    }
    server.resume();
    for (run, case) in runs {
        let outcome = run.finish();
        workload.is_complete(&case.bucket().await, outcome).await;
    }
}

/// The server drops clients that do not answer its pings for two seconds.
#[tokio::test]
async fn a_tap_that_pauses_for_longer_than_the_server_waits() {
    let server = NatsServer::builder()
        .config("ping_interval: \"1s\"\nping_max: 1")
        .start();
    let case = Case::on(&server);
    let workload = workload(20);
    let mut run = start(&case, &workload, 10);
    std::thread::sleep(Duration::from_secs(5));
    assert!(run.send(workload.records(10..20)));
    let outcome = run.finish();
    workload.is_complete(&case.bucket().await, outcome).await;
    assert!(
        !server.log().contains("Stale"),
        "it was dropped: {}",
        server.log()
    );
}

/// A run whose bucket is deleted while it pauses, and perhaps made again.
async fn run_while_the_bucket_goes(before: u64, made_again: bool) {
    let server = NatsServer::start();
    let case = Case::on(&server).set("max_retry_seconds", 3);
    let workload = workload(before + 10);
    let mut run = start(&case, &workload, before);
    let jetstream = target_tests::bucket::jetstream(&case.url).await;
    jetstream
        .delete_key_value(&case.name)
        .await
        .expect("the server is there");
    if made_again {
        case.make_bucket().await;
    }
    run.send(workload.records(before..before + 10));
    let outcome = failed_after(before, run.finish(), 1);
    let what = if made_again {
        "created again"
    } else {
        "was deleted"
    };
    for part in [&*case.name, what] {
        assert!(outcome.stderr.contains(part), "{}", outcome.stderr);
    }
}

#[tokio::test]
async fn a_bucket_that_is_deleted_during_the_run() {
    run_while_the_bucket_goes(10, false).await;
}

/// What was written before is lost, so going on would be a lie.
#[tokio::test]
async fn a_bucket_that_is_deleted_and_made_again_during_the_run() {
    // In the new bucket, all of the ten have revisions that were given before; or some.
    for before in [1_000, 10] {
        run_while_the_bucket_goes(before, true).await;
    }
}

/// Lines for a server with users; what `ann` may do, and whether she is one of them.
fn users(ann: Option<&str>) -> String {
    let ann = ann.map_or_else(String::new, |permissions| {
        format!("{{ user: ann, password: secret, permissions: {{ {permissions} }} }},")
    });
    format!("authorization {{ users: [{ann} {{ user: root, password: secret }}] }}")
}

/// What becomes of a run of `ann` that has loaded ten records, with other users.
fn run_while_users_change(changed: Option<&str>) -> Outcome {
    let mut server = NatsServer::builder().config(&users(Some(""))).start();
    let case = Case::on(&server)
        .set("user", "ann")
        .set("password", "secret");
    let workload = workload(20);
    let mut run = start(&case, &workload, 10);
    server.reload(&users(changed));
    run.send(workload.records(10..20));
    // Far sooner than max_retry_seconds, which is five minutes.
    failed_after(10, run.finish(), 3)
}

#[tokio::test]
async fn credentials_that_are_revoked_during_the_run() {
    let outcome = run_while_users_change(None);
    assert!(outcome.stderr.contains("credentials"), "{}", outcome.stderr);
}

#[tokio::test]
async fn a_permission_that_is_withdrawn_during_the_run() {
    let outcome = run_while_users_change(Some("publish: { deny: [\"$KV.>\"] }"));
    for part in ["permission", "$KV."] {
        assert!(outcome.stderr.contains(part), "{}", outcome.stderr);
    }
}

/// It ends at once instead of trying on, and says nothing that is not so.
#[tokio::test]
async fn a_signal_while_it_tries_again() {
    let mut server = NatsServer::start();
    let case = Case::on(&server);
    let workload = workload(20);
    let mut run = start(&case, &workload, 10);
    server.kill();
    run.send(workload.records(10..20));
    std::thread::sleep(Duration::from_secs(3));
    let asked = Instant::now();
    run.signal(Signal::SIGTERM);
    failed_after(10, run.wait(), 143);
    // Far sooner than max_retry_seconds.
    assert!(asked.elapsed() < Duration::from_secs(40));
}
