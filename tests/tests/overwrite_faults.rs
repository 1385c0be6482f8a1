//! `load_method: overwrite` when something breaks in the middle of deleting what the run has not
//! written: nothing but that is ever deleted, and in the end all of it is, or the run fails without
//! its last state and the next one makes it good.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_nats::jetstream::kv;
use nix::sys::signal::Signal;
use serde_json::json;
use target_tests::bucket::Bucket;
use target_tests::case::Case;
use target_tests::cluster::Cluster;
use target_tests::nats_server::NatsServer;
use target_tests::proxy::{Fate, Proxy};
use target_tests::server_binary::{NEWEST, OLDEST};
use target_tests::singer::{record, schema, state};
use target_tests::target::{Outcome, Running};
use target_tests::ways::at_once;

/// Rows of the earlier run: some pages of a sweep.
const ROWS: usize = 3_000;

/// So many are deleted before it stands still.
const HALF: usize = 1_500;

/// The rows that are there still, and one that is new.
fn remaining() -> impl Iterator<Item = usize> {
    (0..=ROWS).step_by(100)
}

fn rows(ids: impl Iterator<Item = usize>) -> String {
    ids.map(|id| record("rows", json!({"id": id}))).collect()
}

fn start() -> String {
    schema("rows", json!({"id": {"type": "integer"}}), &["id"])
}

fn overwriting(server: &NatsServer) -> Case {
    Case::on(server)
        .set("load_method", "overwrite")
        .set("refresh_mode", "full")
        // The first state is printed at once, and the last one at the end.
        .set("state_interval_seconds", 3600)
}

/// Loads the earlier rows, and another stream.
fn load_before(case: &Case) {
    let other = schema("other", json!({"id": {}}), &["id"]) + &record("other", json!({"id": 1}));
    let before = case.clone().set("load_method", "upsert");
    let input = [start(), rows(0..ROWS), other].concat();
    let _ = before.load(input).success();
}

/// A run that has read all of its input and stands still in the middle of deleting.
struct Sweep {
    run: Running,
    proxy: Proxy,
}

impl Sweep {
    /// Of a run that reaches its servers through this one.
    fn halfway(case: &Case, server: &NatsServer) -> Self {
        let proxy = Proxy::to(&server.url());
        let deleted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&deleted);
        proxy.rule(move |frame| {
            let is_over = frame.is_deletion() && count.fetch_add(1, Ordering::Relaxed) >= HALF;
            if is_over { Fate::Hold } else { Fate::Pass }
        });
        let mut run = case
            .clone()
            .set("url", proxy.url())
            .target()
            .patience(Duration::from_secs(120))
            .spawn();
        assert!(run.send(start() + &rows(remaining().take(1)) + &state(json!({"all": false}))));
        assert_eq!(run.state(), json!({"all": false}));
        assert!(run.send(rows(remaining().skip(1)) + &state(json!({"all": true}))));
        drop(run.take_stdin());
        let deadline = Instant::now() + Duration::from_secs(60);
        while deleted.load(Ordering::Relaxed) <= HALF {
            assert!(Instant::now() < deadline, "nothing is deleted");
            std::thread::sleep(Duration::from_millis(5));
        }
        Self { run, proxy }
    }

    /// The end of the run, when everything passes again.
    fn goes_on(self) -> Outcome {
        self.proxy.pass();
        self.run.wait()
    }
}

/// Everything but what is due is there.
async fn nothing_else_is_deleted(bucket: &Bucket) -> Vec<String> {
    let keys = bucket.keys().await;
    let expected = remaining().map(|id| format!("rows.{id}"));
    for key in expected.chain(["other.1".to_owned()]) {
        assert!(keys.contains(&key), "{key} was deleted");
    }
    keys
}

async fn is_overwritten(bucket: &Bucket, outcome: Outcome) {
    let outcome = outcome.success();
    assert_eq!(outcome.states().last(), Some(&json!({"all": true})));
    let keys = nothing_else_is_deleted(bucket).await;
    assert_eq!(keys.len(), remaining().count() + 1, "{keys:?}");
}

/// The run has ended in the middle, without its last state, and the next one makes it good.
async fn is_made_good(case: &Case, outcome: &Outcome) {
    assert_eq!(outcome.states(), [json!({"all": false})]);
    let bucket = case.bucket().await;
    let keys = nothing_else_is_deleted(&bucket).await;
    assert!(keys.len() > remaining().count() + 1, "nothing was left");
    let outcome = case.load(start() + &rows(remaining()) + &state(json!({"all": true})));
    is_overwritten(&bucket, outcome).await;
}

#[test]
fn the_server_is_killed_and_comes_back() {
    at_once([NEWEST, OLDEST], async |version| {
        let mut server = NatsServer::builder().version(version).start();
        let case = overwriting(&server);
        load_before(&case);
        let sweep = Sweep::halfway(&case, &server);
        server.kill();
        server.restart();
        let outcome = sweep.goes_on();
        is_overwritten(&case.bucket().await, outcome).await;
    });
}

#[tokio::test]
async fn the_server_never_comes_back() {
    let mut server = NatsServer::start();
    let case = overwriting(&server).set("max_retry_seconds", 2);
    load_before(&case);
    let sweep = Sweep::halfway(&case, &server);
    server.kill();
    let outcome = sweep.goes_on();
    assert!(matches!(outcome.code, Some(1 | 3)), "{}", outcome.stderr);
    server.restart();
    is_made_good(&case, &outcome).await;
}

#[tokio::test]
async fn the_target_is_killed() {
    let server = NatsServer::start();
    let case = overwriting(&server);
    load_before(&case);
    let sweep = Sweep::halfway(&case, &server);
    sweep.run.signal(Signal::SIGKILL);
    let outcome = sweep.goes_on();
    is_made_good(&case, &outcome).await;
}

#[tokio::test]
async fn another_writes_what_is_about_to_be_deleted() {
    let server = NatsServer::start();
    let case = overwriting(&server);
    load_before(&case);
    let bucket = case.bucket().await;
    let sweep = Sweep::halfway(&case, &server);
    let is_due = |key: &String| !remaining().any(|id| *key == format!("rows.{id}"));
    let mut left = bucket.keys().await;
    left.retain(|key| key.starts_with("rows.") && is_due(key));
    for key in &left {
        let id: usize = key["rows.".len()..].parse().expect("a number");
        bucket
            .put(key, json!({"id": id, "by": "another"}).to_string())
            .await;
    }
    let outcome = sweep.goes_on().success();
    assert_eq!(outcome.states().last(), Some(&json!({"all": true})));
    let keys = nothing_else_is_deleted(&bucket).await;
    assert_eq!(keys.len(), remaining().count() + 1 + left.len());
}

/// What happens to the leader of the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leader {
    StepsDown,
    IsKilled,
}

#[test]
fn the_leader_changes() {
    at_once([Leader::StepsDown, Leader::IsKilled], async |what| {
        let mut cluster = Cluster::start().await;
        let case = overwriting(&cluster.servers[0]).set("request_timeout_seconds", 2);
        case.make_bucket_with(kv::Config {
            num_replicas: 3,
            ..kv::Config::default()
        })
        .await;
        load_before(&case);
        let (leader, follower) = (
            cluster.leader(&case.name).await,
            cluster.follower(&case.name).await,
        );
        let sweep = Sweep::halfway(&case, &cluster.servers[follower]);
        if what == Leader::StepsDown {
            cluster.step_down(&case.name).await;
        } else {
            cluster.servers[leader].kill();
        }
        let outcome = sweep.goes_on();
        if what == Leader::IsKilled {
            cluster.servers[leader].restart();
        }
        cluster.is_in_sync(&case.name).await;
        let bucket = Bucket::open(&cluster.servers[follower].url(), &case.name).await;
        is_overwritten(&bucket, outcome).await;
    });
}
