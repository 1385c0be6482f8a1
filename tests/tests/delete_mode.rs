//! Records that say that they are gone, by a non-null `_sdc_deleted_at`: `delete_mode`.

use serde_json::{Value, json};
use target_tests::bucket::Entry;
use target_tests::case::Case;
use target_tests::nats_server::NatsServer;
use target_tests::proxy::{Fate, Proxy};
use target_tests::singer::{record, schema, schema_with_bookmark, state};
use target_tests::ways::at_once;

const MODES: [&str; 3] = ["newer", "same", "full"];

fn gone(record: Value) -> Value {
    let mut record = record;
    record["_sdc_deleted_at"] = "2026-01-01T00:00:00Z".into();
    record
}

/// Records of a stream whose replication key is `at`.
fn input(records: &[Value]) -> String {
    let properties = json!({"id": {}, "at": {"type": ["null", "integer"]}});
    let start = schema_with_bookmark("s", properties, &["id"], "at");
    let lines: String = records.iter().map(|it| record("s", it.clone())).collect();
    start + &lines + &state(json!({"n": records.len()}))
}

fn operations(entries: &[Entry]) -> Vec<(&str, &str)> {
    entries
        .iter()
        .map(|entry| (entry.key.as_str(), entry.operation.as_str()))
        .collect()
}

/// A deletion leaves a marker and the history of the key, a purge the marker alone.
#[tokio::test]
async fn a_record_that_is_gone_leaves_a_marker() {
    for (delete_mode, left) in [
        (
            "delete",
            &[
                ("s.1", "PUT"),
                ("s.1", "DEL"),
                ("s.2", "DEL"),
                ("s.2", "PUT"),
            ][..],
        ),
        (
            "purge",
            &[("s.1", "PURGE"), ("s.2", "PURGE"), ("s.2", "PUT")],
        ),
    ] {
        for mode in MODES {
            let case = Case::new()
                .set("refresh_mode", mode)
                .set("delete_mode", delete_mode);
            let bucket = case.make_bucket().await;
            let outcome = case
                .load(input(&[
                    json!({"id": 1, "at": 1}),
                    gone(json!({"id": 1, "at": 2, "secret": "x"})),
                    gone(json!({"id": 2, "at": 3})),
                    json!({"id": 2, "at": 4}),
                ]))
                .success();
            assert_eq!(outcome.states(), [json!({"n": 4})], "{mode}");
            let mut messages = bucket.messages().await;
            messages.sort_by_key(|entry| (entry.key.clone(), entry.revision));
            assert_eq!(operations(&messages), left, "{mode}");
            for marker in messages.iter().filter(|entry| entry.operation != "PUT") {
                assert!(marker.value.is_empty(), "{mode}");
            }
            // As a client of key/value buckets sees it.
            assert_eq!(bucket.keys().await, ["s.2"], "{mode}");
            assert!(bucket.store.get("s.1").await.expect("reads").is_none());
        }
    }
}

/// Deletions are lost, unanswered and written again as any write is: what is gone stays so.
#[test]
fn deletions_over_a_bad_network() {
    const KEYS: u64 = 1_500;
    let ways = [("newer", "delete"), ("same", "purge"), ("full", "delete")];
    at_once(ways, async |(mode, delete_mode)| {
        let server = NatsServer::start();
        let proxy = Proxy::to(&server.url());
        let case = Case::on(&server)
            .set("url", proxy.url())
            .set("refresh_mode", mode)
            .set("delete_mode", delete_mode)
            .set("request_timeout_seconds", 1)
            .set("batch_size_rows", 300);
        let bucket = case.make_bucket().await;
        let (mut writes, mut acks) = (0, 0);
        proxy.rule(move |frame| {
            writes += usize::from(frame.is_write());
            acks += usize::from(frame.is_ack());
            if frame.is_write() && writes % 701 == 0 {
                return Fate::Reset;
            }
            if frame.is_ack() && acks % 211 == 0 {
                return Fate::Drop;
            }
            Fate::Pass
        });
        let loaded: Vec<_> = (0..KEYS).map(|id| json!({"id": id, "at": 1})).collect();
        let deleted = (0..KEYS)
            .step_by(2)
            .map(|id| gone(json!({"id": id, "at": 2})));
        let all: Vec<_> = loaded.iter().cloned().chain(deleted).collect();
        let outcome = case.load(input(&all)).success();
        assert_eq!(outcome.states().last(), Some(&json!({"n": all.len()})));
        if mode != "full" {
            // Again from an earlier state: none of these brings a key back.
            let _ = case.load(input(&loaded)).success();
        }
        let mut left: Vec<_> = (1..KEYS).step_by(2).map(|id| format!("s.{id}")).collect();
        left.sort();
        assert_eq!(bucket.keys().await, left);
    });
}

/// On servers that know nothing of fast ingest and of batched reads, and where the bucket keeps one
/// value a key, so that only the last record of a batch is written.
#[tokio::test]
async fn the_last_record_of_a_key_decides() {
    for case in [Case::new(), Case::on_oldest()] {
        for (delete_mode, operation) in [("delete", "DEL"), ("purge", "PURGE")] {
            for mode in MODES {
                let case = case
                    .again()
                    .set("refresh_mode", mode)
                    .set("delete_mode", delete_mode);
                let _ = case
                    .load(input(&[
                        json!({"id": 1, "at": 1}),
                        gone(json!({"id": 1, "at": 2})),
                        gone(json!({"id": 2, "at": 1})),
                        json!({"id": 2, "at": 2}),
                    ]))
                    .success();
                let bucket = case.bucket().await;
                let one = bucket.get("s.1").await.expect("a marker");
                assert_eq!(one.operation, operation, "{mode}");
                assert_eq!(bucket.keys().await, ["s.2"], "{mode}");
            }
        }
    }
}

#[tokio::test]
async fn an_older_record_does_not_bring_a_deleted_key_back() {
    for delete_mode in ["delete", "purge"] {
        for mode in ["newer", "same"] {
            let case = Case::new()
                .set("refresh_mode", mode)
                .set("delete_mode", delete_mode);
            let _ = case
                .load(input(&[
                    json!({"id": 1, "at": 5}),
                    gone(json!({"id": 1, "at": 9})),
                ]))
                .success();
            let bucket = case.bucket().await;
            let marker = bucket.get("s.1").await.expect("a marker");
            // The run again from an older STATE, and the same data from a slower tap.
            let outcome = case
                .load(input(&[
                    json!({"id": 1, "at": 5}),
                    json!({"id": 1, "at": 9}),
                    json!({"id": 1}),
                ]))
                .success();
            assert_eq!(outcome.states(), [json!({"n": 3})]);
            assert_eq!(bucket.get("s.1").await, Some(marker.clone()), "{mode}");
            let _ = case.load(input(&[json!({"id": 1, "at": 10})])).success();
            assert_eq!(bucket.contents().await["s.1"]["at"], 10, "{mode}");
            // An older deletion does not delete what is newer.
            let _ = case
                .load(input(&[gone(json!({"id": 1, "at": 9}))]))
                .success();
            assert_eq!(bucket.contents().await["s.1"]["at"], 10, "{mode}");
        }
    }
}

#[tokio::test]
async fn a_deletion_that_is_loaded_again_writes_nothing_in_newer() {
    let deletion = [gone(json!({"id": 1, "at": 9})), gone(json!({"id": 2}))];
    let case = Case::new().set("delete_mode", "delete");
    let outcome = case.load(input(&deletion)).success();
    assert!(outcome.stderr.contains("deleted=2"), "{}", outcome.stderr);
    let bucket = case.bucket().await;
    let writes = bucket.writes().await;
    let outcome = case.load(input(&deletion)).success();
    assert!(outcome.stderr.contains("unchanged=2"), "{}", outcome.stderr);
    assert_eq!(bucket.writes().await, writes);
}

/// What is not known cannot be compared: another writer's marker, or a stream without a replication
/// key.
#[tokio::test]
async fn over_a_marker_that_tells_nothing_every_record_is_written() {
    let case = Case::new().set("delete_mode", "delete");
    let bucket = case.make_bucket().await;
    bucket.put("s.1", r#"{"id":1,"at":5}"#).await;
    bucket.store.delete("s.1").await.expect("deletes");
    let _ = case.load(input(&[json!({"id": 1, "at": 4})])).success();
    assert_eq!(bucket.contents().await["s.1"]["at"], 4);

    let keyless = |records: &[Value]| {
        let records: String = records.iter().map(|it| record("t", it.clone())).collect();
        schema("t", json!({"id": {}}), &["id"]) + &records
    };
    let _ = case.load(keyless(&[gone(json!({"id": 1}))])).success();
    assert_eq!(bucket.get("t.1").await.expect("a marker").operation, "DEL");
    let _ = case.load(keyless(&[json!({"id": 1})])).success();
    assert_eq!(bucket.contents().await["t.1"]["id"], 1);
}

#[tokio::test]
async fn tombstones_of_an_earlier_soft_mode_can_be_removed() {
    let case = Case::new();
    let _ = case
        .load(input(&[gone(json!({"id": 1, "at": 1}))]))
        .success();
    let case = case.set("delete_mode", "purge");
    let _ = case.load(input(&[json!({"id": 1, "at": 2})])).success();
    let bucket = case.bucket().await;
    assert_eq!(bucket.contents().await["s.1"]["at"], 1);
    let _ = case
        .load(input(&[gone(json!({"id": 1, "at": 2}))]))
        .success();
    let marker = bucket.get("s.1").await.expect("a marker");
    assert_eq!(marker.operation, "PURGE");
}

/// A marker of a purge may expire as records do; one with history behind it would bring an older
/// value to light.
#[tokio::test]
async fn only_markers_without_history_expire() {
    for (delete_mode, ttl) in [("delete", None), ("purge", Some("60s".to_owned()))] {
        let case = Case::new()
            .set("record_ttl_seconds", 60)
            .set("delete_mode", delete_mode);
        let _ = case
            .load(input(&[gone(json!({"id": 1, "at": 1}))]))
            .success();
        let marker = case.bucket().await.get("s.1").await.expect("a marker");
        assert_eq!(marker.ttl, ttl, "{delete_mode}");
    }
}

#[tokio::test]
async fn a_bucket_that_forbids_purges_is_refused() {
    let case = Case::new().set("delete_mode", "purge");
    let bucket = case.make_bucket().await;
    let config = async_nats::jetstream::stream::Config {
        allow_rollup: false,
        ..bucket.config().await
    };
    let jetstream = target_tests::bucket::jetstream(&case.url).await;
    jetstream.update_stream(config).await.expect("updates");
    let outcome = case.load(input(&[])).exited(2);
    assert!(outcome.stderr.contains("delete_mode"), "{}", outcome.stderr);
}
