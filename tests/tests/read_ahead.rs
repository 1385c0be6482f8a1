//! Values that are read before their records come: the same result as without, whoever changes the
//! bucket meanwhile.

use std::ops::Range;

use async_nats::jetstream::kv;
use serde_json::json;
use target_tests::bucket::{Bucket, jetstream};
use target_tests::case::Case;
use target_tests::nats_server::NatsServer;
use target_tests::singer::{record, schema, state};
use target_tests::target::{Outcome, Running};

const BEGUN: &str = "reading ahead from revision";
const CHANGED: &str = "somebody else has changed the bucket";

fn prologue() -> String {
    schema("s", json!({"id": {}, "v": {}}), &["id"])
}

fn records(ids: Range<u64>, v: u64) -> String {
    ids.map(|id| record("s", json!({"id": id, "v": v})))
        .collect()
}

/// Loads these keys for the first time, in their order.
fn stored(case: &Case, keys: u64) {
    let _ = case.load(prologue() + &records(0..keys, 0)).success();
}

/// A run that has loaded the first 4,000 keys again.
fn half_way(case: &Case) -> Running {
    let mut run = case.target().env("LOGLEVEL", "debug").spawn();
    run.send(prologue());
    // It is begun beside the first part, and used for the second.
    for part in [0..3_000, 3_000..4_000] {
        let at = json!({"at": part.end});
        run.send(records(part, 0) + &state(at.clone()));
        assert_eq!(run.state(), at);
    }
    run
}

fn finish(mut run: Running, rest: &str) -> Outcome {
    run.send(rest);
    let outcome = run.finish().success();
    assert!(outcome.stderr.contains(BEGUN), "{}", outcome.stderr);
    outcome
}

async fn value(bucket: &Bucket, id: u64) -> Option<u64> {
    let entry = bucket.get(&format!("s.{id}")).await?;
    entry.json()["v"].as_u64()
}

#[tokio::test]
async fn what_is_loaded_again_is_read_ahead_and_not_written() {
    for encoding in ["json", "msgpack"] {
        let case = Case::new().set("encoding", encoding);
        stored(&case, 9_000);
        let bucket = case.bucket().await;
        let before = bucket.writes().await;
        let outcome = finish(half_way(&case), &records(4_000..9_000, 0));
        assert_eq!(bucket.writes().await, before);
        assert!(!outcome.stderr.contains(CHANGED), "{}", outcome.stderr);
        // Half of it is updated.
        let outcome = finish(half_way(&case), &records(4_000..9_000, 1));
        assert_eq!(bucket.writes().await, before + 5_000);
        assert!(!outcome.stderr.contains(CHANGED), "{}", outcome.stderr);
    }
}

#[tokio::test]
async fn what_others_change_meanwhile_is_noticed() {
    for change in ["deleted", "removed", "replaced"] {
        let case = Case::new();
        stored(&case, 8_000);
        let bucket = case.bucket().await;
        let run = half_way(&case);
        let jetstream = jetstream(&case.url).await;
        let store = jetstream.get_key_value(&case.name).await.expect("a bucket");
        for id in [4_001, 4_100, 4_500] {
            let key = format!("s.{id}");
            match change {
                "deleted" => store.delete(&key).await.expect("deleted"),
                "replaced" => _ = bucket.put(&key, r#"{"id":1,"v":7}"#).await,
                _ => {
                    let subject = format!("$KV.{}.{key}", case.name);
                    let purge = store.stream.purge().filter(subject);
                    assert_eq!(purge.await.expect("removed").purged, 1);
                }
            }
        }
        let outcome = finish(run, &records(4_000..8_000, 0));
        for id in [4_001, 4_100, 4_500] {
            assert_eq!(value(&bucket, id).await, Some(0), "{change}: {id}");
        }
        assert!(outcome.stderr.contains(CHANGED), "{}", outcome.stderr);
    }
}

/// A value that is on its way while its key is written by this very run.
#[tokio::test]
async fn what_the_run_itself_has_written_is_not_taken_for_what_it_replaced() {
    let case = Case::new();
    stored(&case, 16_000);
    let bucket = case.bucket().await;
    let mut run = half_way(&case);
    // So far ahead that they are not read yet, but asked for.
    let jumps = || (10_000..15_900).step_by(100);
    for (at, id) in (4_000..).step_by(10).zip(jumps()) {
        run.send(records(at..at + 10, 0) + &records(id..id + 1, 1));
    }
    run.send(state(json!({"jumps": "written"})));
    assert_eq!(run.state(), json!({"jumps": "written"}));
    assert_eq!(value(&bucket, 12_000).await, Some(1));
    let _ = finish(run, &records(4_590..16_000, 0));
    for id in jumps() {
        assert_eq!(value(&bucket, id).await, Some(0), "{id}");
    }
}

/// What comes behind is the run's own, and would reach a consumer one by one as it is written.
#[tokio::test]
async fn what_this_run_has_stored_is_not_read_ahead() {
    let case = Case::new();
    let run = case.target().env("LOGLEVEL", "debug");
    let passes: String = (0..3).map(|v| records(0..12_000, v)).collect();
    let outcome = run.run(prologue() + &passes).success();
    let bucket = case.bucket().await;
    assert_eq!(bucket.writes().await, 36_000);
    assert_eq!(value(&bucket, 11_999).await, Some(2));
    assert!(!outcome.stderr.contains(BEGUN), "{}", outcome.stderr);
}

#[tokio::test]
async fn with_a_history_nothing_is_read_ahead() {
    let case = Case::new();
    let history = kv::Config {
        history: 3,
        ..kv::Config::default()
    };
    let bucket = case.make_bucket_with(history).await;
    stored(&case, 2_000);
    let run = case.target().env("LOGLEVEL", "debug");
    let outcome = run.run(prologue() + &records(0..2_000, 0)).success();
    assert_eq!(bucket.writes().await, 2_000);
    assert!(!outcome.stderr.contains(BEGUN), "{}", outcome.stderr);
}

/// Reading ahead takes a consumer, and the user may not be allowed to have one.
#[test]
fn it_is_done_without_where_it_is_not_permitted() {
    let server = NatsServer::builder()
        .config(
            "authorization { users: [{ user: ann, password: secret, permissions: { \
             publish: { deny: \"$JS.API.CONSUMER.>\" }, subscribe: \"_INBOX.>\" } }] }",
        )
        .start();
    let case = Case::on(&server)
        .set("user", "ann")
        .set("password", "secret");
    stored(&case, 8_000);
    let outcome = case.load(prologue() + &records(0..8_000, 0)).success();
    assert!(!outcome.stderr.contains("ermission"), "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("unchanged=8000"),
        "{}",
        outcome.stderr
    );
}
