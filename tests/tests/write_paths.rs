//! Both ways to write, an ack each and fast ingest: the same promise, whatever happens between.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_nats::jetstream::{self, stream};
use serde_json::{Value, json};
use target_tests::bucket::{Bucket, jetstream};
use target_tests::case::Case;
use target_tests::nats_server::NatsServer;
use target_tests::oracle::Workload;
use target_tests::proxy::{Fate, From, Proxy};
use target_tests::server_binary::OLDEST;
use target_tests::singer::{record, schema, schema_with_bookmark, state};
use target_tests::target::Outcome;
use target_tests::ways::at_once;

const PATHS: [&str; 2] = ["ack", "fast"];

fn start() -> String {
    schema("s", json!({"id": {"type": "integer"}}), &["id"])
}

/// Records of which each key comes once, with a state after each so many.
fn workload(records: u64, state_every: u64) -> Workload {
    Workload {
        state_every,
        ..Workload::of(records).each_key_once()
    }
}

fn full(case: Case, path: &str) -> Case {
    case.set("refresh_mode", "full").set("write_path", path)
}

/// Loads over a proxy that counts acknowledgements.
fn acknowledgements(case: &Case, server: &NatsServer, input: &str) -> (usize, Outcome) {
    let proxy = Proxy::to(&server.url());
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    proxy.rule(move |frame| {
        counter.fetch_add(usize::from(frame.is_ack()), Ordering::Relaxed);
        Fate::Pass
    });
    let outcome = case.clone().set("url", proxy.url()).load(input).success();
    (count.load(Ordering::Relaxed), outcome)
}

#[tokio::test]
async fn both_paths_write_the_same_and_one_of_them_with_few_acks() {
    let server = NatsServer::start();
    let workload = workload(5_000, 5_000);
    let input = workload.input_from(0);
    let ways = [
        ("ack", 1_000, 5_000..=usize::MAX),
        ("fast", 1_000, 0..=1_000),
        ("auto", 1_000, 0..=1_000),
        // A batch of the server's is not worth it for so few.
        ("auto", 100, 5_000..=usize::MAX),
    ];
    for (path, rows, expected) in ways {
        let case = full(Case::on(&server), path).set("batch_size_rows", rows);
        let (acks, outcome) = acknowledgements(&case, &server, &input);
        assert!(expected.contains(&acks), "{path}: {acks} acks");
        workload.is_complete(&case.bucket().await, outcome).await;
    }
}

/// Where a key has a history, all of its values are kept, in their order.
#[tokio::test]
async fn values_of_one_key_keep_their_order() {
    let server = NatsServer::start();
    for path in PATHS {
        for history in [1, 20] {
            let case = full(Case::on(&server), path).set("bucket_history", history);
            let mut input = start();
            for n in 0..200 {
                input += &record("s", json!({"id": n % 10, "n": n}));
            }
            let _ = case.load(input + &state(json!({"n": 1}))).success();
            let mut stored: Vec<Vec<u64>> = vec![vec![]; 10];
            for entry in case.bucket().await.messages().await {
                let value = entry.json();
                let n = value["n"].as_u64().expect("a number");
                stored[(n % 10) as usize].push(n);
            }
            for (id, values) in stored.iter().enumerate() {
                let all: Vec<u64> = (0..20).map(|round| round * 10 + id as u64).collect();
                let kept = all.len() - history;
                assert_eq!(values, &all[kept..], "{path}, history {history}");
            }
        }
    }
}

/// Ten seconds without a message, and the server forgets a batch.
#[tokio::test]
async fn a_tap_that_pauses_for_long() {
    let server = NatsServer::start();
    let workload = workload(3_000, 1_500);
    for path in PATHS {
        let case = full(Case::on(&server), path);
        let mut run = case.target().spawn();
        assert!(run.send(workload.schema() + &workload.records(0..1_500)));
        workload.reaches(&mut run, 1_500);
        if path == "fast" {
            tokio::time::sleep(Duration::from_secs(12)).await;
        }
        assert!(run.send(workload.records(1_500..3_000)));
        let outcome = run.finish().success();
        assert!(!outcome.stderr.contains("WARN"), "{}", outcome.stderr);
        workload.is_complete(&case.bucket().await, outcome).await;
    }
}

/// The network holds up a batch for longer than the server keeps it, and for shorter than we wait.
#[tokio::test]
async fn a_batch_that_the_server_has_forgotten() {
    let server = NatsServer::start();
    let proxy = Proxy::to(&server.url());
    let case = full(Case::on(&server), "fast")
        .set("url", proxy.url())
        .set("request_timeout_seconds", 60);
    let workload = workload(1_000, 10);
    let mut run = case.target().spawn();
    assert!(run.send(workload.schema() + &workload.records(0..10)));
    workload.reaches(&mut run, 10);
    let mut writes = 0;
    let (holding, held) = std::sync::mpsc::channel();
    proxy.rule(move |frame| {
        writes += usize::from(frame.is_write());
        if frame.is_write() && writes == 300 {
            let _ = holding.send(());
        }
        match frame.from {
            // The connection itself is alive.
            From::Client if writes >= 300 && frame.is_write() => Fate::Hold,
            _ => Fate::Pass,
        }
    });
    assert!(run.send(workload.records(10..1_000)));
    held.recv_timeout(Duration::from_secs(30))
        .expect("it writes");
    tokio::time::sleep(Duration::from_secs(12)).await;
    proxy.pass();
    let outcome = run.finish().success();
    assert!(outcome.stderr.contains("10208"), "{}", outcome.stderr);
    workload.is_complete(&case.bucket().await, outcome).await;
}

#[test]
fn a_server_that_is_killed_in_the_middle() {
    at_once(PATHS, async |path| {
        let mut server = NatsServer::start();
        let case = full(Case::on(&server), path);
        let workload = workload(6_000, 500);
        let mut run = case.target().spawn();
        assert!(run.send(workload.schema()));
        for part in 0..12 {
            assert!(run.send(workload.records(part * 500..(part + 1) * 500)));
            if part % 4 == 3 {
                run.state();
                server.kill();
                server.restart();
            }
        }
        let outcome = run.finish();
        workload.is_complete(&case.bucket().await, outcome).await;
    });
}

/// A record that is too large fails alone, wherever it stands.
#[tokio::test]
async fn a_value_that_is_too_large() {
    let server = NatsServer::start();
    let workload = workload(500, 500);
    for path in PATHS {
        let case = full(Case::on(&server), path)
            .set("bucket_max_value_size", 1_000)
            .set("on_invalid_record", "skip");
        let mut input = workload.input_from(0);
        input += &record("s", json!({"id": 500, "text": "x".repeat(2_000)}));
        let outcome = case.load(input + &state(json!({"done": 500}))).success();
        assert!(
            outcome.stderr.contains("max_value_size"),
            "{}",
            outcome.stderr
        );
        workload.is_complete(&case.bucket().await, outcome).await;
    }
}

/// What the server alone can know: the bucket is full in the middle of a batch.
#[tokio::test]
async fn a_bucket_that_is_full() {
    let server = NatsServer::start();
    for path in PATHS {
        let case = full(Case::on(&server), path).set("bucket_max_bytes", 64 * 1024);
        let outcome = case.load(workload(5_000, 5_000).input_from(0)).exited(1);
        assert!(outcome.stderr.contains("max_bytes"), "{}", outcome.stderr);
        assert_eq!(outcome.states(), Vec::<Value>::new());
    }
}

#[tokio::test]
async fn records_that_expire() {
    let server = NatsServer::start();
    let workload = workload(1_500, 1_500);
    for path in PATHS {
        let case = full(Case::on(&server), path).set("record_ttl_seconds", 3_600);
        let outcome = case.load(workload.input_from(0));
        let bucket = case.bucket().await;
        workload.is_complete(&bucket, outcome).await;
        for entry in bucket.latest().await.into_values() {
            assert_eq!(entry.ttl.as_deref(), Some("3600s"));
        }
    }
}

/// Switched off in the middle of a run, fast ingest gives way to the other path.
#[tokio::test]
async fn a_bucket_that_no_longer_takes_batches() {
    let server = NatsServer::start();
    let case = full(Case::on(&server), "fast");
    let workload = workload(6_000, 2_000);
    let mut run = case.target().spawn();
    assert!(run.send(workload.schema() + &workload.records(0..2_000)));
    run.state();
    let context = jetstream(&case.url).await;
    let mut config = case.bucket().await.config().await;
    assert!(config.allow_batch_publish, "new buckets have it");
    config.allow_batch_publish = false;
    context.update_stream(config).await.expect("it may change");
    assert!(run.send(workload.records(2_000..6_000)));
    let outcome = run.finish().success();
    assert!(
        outcome.stderr.contains("fast ingest does not work"),
        "{}",
        outcome.stderr
    );
    workload.is_complete(&case.bucket().await, outcome).await;
}

#[tokio::test]
async fn a_bucket_that_is_made_again_during_the_run() {
    let server = NatsServer::start();
    // The revisions of the first batch after it begin below the last one before it, and end there or
    // above it.
    for (mode, before) in [("full", 1_000), ("full", 100), ("newer", 100)] {
        for path in PATHS {
            made_again(
                &full(Case::on(&server), path).set("refresh_mode", mode),
                before,
            )
            .await;
        }
    }
}

async fn made_again(case: &Case, before: u64) {
    let workload = workload(3_000, 100);
    let mut run = case.target().spawn();
    assert!(run.send(workload.schema() + &workload.records(0..before)));
    workload.reaches(&mut run, before);
    let context = jetstream(&case.url).await;
    let config = case.bucket().await.config().await;
    context
        .delete_stream(&config.name)
        .await
        .expect("it exists");
    context.create_stream(config).await.expect("it is gone");
    run.send(workload.records(before..3_000));
    let outcome = run.finish().exited(1);
    assert!(
        outcome.stderr.contains("created again"),
        "{}",
        outcome.stderr
    );
}

async fn plain_bucket(case: &Case) -> Bucket {
    let config = stream::Config {
        name: format!("KV_{}", case.name),
        subjects: vec![format!("$KV.{}.>", case.name)],
        max_messages_per_subject: 3,
        max_messages: 100_000,
        max_message_size: 100_000,
        discard: stream::DiscardPolicy::New,
        allow_rollup: true,
        description: Some("ours".to_owned()),
        metadata: [("owner".to_owned(), "us".to_owned())].into(),
        duplicate_window: Duration::from_secs(17),
        ..stream::Config::default()
    };
    let created = jetstream(&case.url).await.create_stream(config).await;
    created.expect("the server takes it");
    case.bucket().await
}

#[tokio::test]
async fn existing_buckets_are_left_as_they_are_unless_they_shall_be_tuned() {
    let case = full(Case::new(), "auto");
    let before = plain_bucket(&case).await.config().await;
    let input = workload(10, 10).input_from(0);
    let _ = case.load(&input).success();
    let bucket = case.bucket().await;
    assert_eq!(bucket.config().await, before);
    let outcome = full(case.clone(), "fast").load(start()).exited(2);
    for part in ["write_path", "allow_batched", "tune_bucket"] {
        assert!(outcome.stderr.contains(part), "{}", outcome.stderr);
    }
    let tuned = full(case, "fast").set("tune_bucket", true);
    let _ = tuned.load(&input).success();
    let mut after = bucket.config().await;
    assert!(after.allow_direct && after.allow_batch_publish);
    (after.allow_direct, after.allow_batch_publish) = (false, false);
    // The server notes there what the settings need of it.
    after.metadata.clone_from(&before.metadata);
    assert_eq!(after, before);
}

#[tokio::test]
async fn an_old_server_has_one_path() {
    let server = NatsServer::builder().version(OLDEST).start();
    let case = full(Case::on(&server), "auto");
    let workload = workload(2_000, 2_000);
    let outcome = case.load(workload.input_from(0));
    workload.is_complete(&case.bucket().await, outcome).await;
    let outcome = full(case, "fast").load(start()).exited(2);
    for part in ["write_path", "2.14"] {
        assert!(outcome.stderr.contains(part), "{}", outcome.stderr);
    }
}

#[tokio::test]
async fn writes_with_a_condition_go_together_as_long_as_there_is_no_conflict() {
    let server = NatsServer::start();
    let records = |b: u64| {
        let record = |id| record("s", json!({"id": id, "b": b}));
        let all: String = (0..5_000).map(record).collect();
        prologue() + &all + &state(json!({"b": b}))
    };
    for (path, expected) in [("ack", 5_000..=5_100), ("fast", 0..=500), ("auto", 0..=500)] {
        let case = Case::on(&server)
            .set("write_path", path)
            .set("refresh_mode", "newer")
            // Values in JSON that are read ahead look like acknowledgements to the proxy.
            .set("encoding", "msgpack");
        for b in [1, 2] {
            let (acks, _) = acknowledgements(&case, &server, &records(b));
            assert!(expected.contains(&acks), "{path}, {b}: {acks} acks");
        }
        let contents = case.bucket().await.contents().await;
        assert_eq!(contents.len(), 5_000);
        assert!(contents.values().all(|value| value["b"] == 2), "{path}");
    }
}

fn prologue() -> String {
    let properties = json!({"id": {"type": "integer"}, "b": {"type": "integer"}});
    schema_with_bookmark("s", properties, &["id"], "b")
}

/// Another writer is on the same keys: in the comparing modes each conflict is decided by itself,
/// also where batches are possible.
#[tokio::test]
async fn conflicts_in_a_bucket_with_batches() {
    let server = NatsServer::start();
    let case = Case::on(&server).set("write_path", "fast");
    let records = |ids: std::ops::Range<u64>| {
        let records = ids.map(|id| record("s", json!({"id": id, "n": id})));
        records.collect::<String>() + &state(json!({"n": 1}))
    };
    let mut run = case.target().spawn();
    assert!(run.send(start() + &records(0..1)));
    run.state();
    let context: jetstream::Context = jetstream(&case.url).await;
    let name = case.name.clone();
    let rival = tokio::spawn(async move {
        for id in (0..5_000).step_by(7) {
            let subject = format!("$KV.{name}.s.{id}");
            let value = json!({"id": id, "n": "theirs"}).to_string();
            let ack = context.publish(subject, value.into()).await;
            ack.expect("sent").await.expect("stored");
        }
    });
    assert!(run.send(records(1..5_000)));
    rival.await.expect("the rival ends");
    let _ = run.finish().success();
    // Without a replication key what differs is written, so either one may stand.
    let contents = case.bucket().await.contents().await;
    assert_eq!(contents.len(), 5_000);
    for id in 0..5_000 {
        let n = &contents[&format!("s.{id}")]["n"];
        assert!(*n == id || (id % 7 == 0 && *n == "theirs"), "{id}: {n}");
    }
}
