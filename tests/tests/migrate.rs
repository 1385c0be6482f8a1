//! `migrate`: a bucket is brought into another encoding and another key format.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use target_tests::bucket::Bucket;
use target_tests::case::Case;
use target_tests::singer::{raw_record, record, schema};
use target_tests::target::Outcome;

const CATALOG: &str = r#"{"streams": [
    {"tap_stream_id": "s", "stream": "s", "key_properties": ["a", "b"]},
    {"tap_stream_id": "t", "stream": "t", "metadata": [
        {"breadcrumb": [], "metadata": {"table-key-properties": ["at"]}}]}
]}"#;

fn migrate(case: &Case, args: &[&str]) -> Outcome {
    case.target()
        .file("catalog.json", CATALOG)
        .args(["migrate", "--catalog", "catalog.json", "--format", "json"])
        .args(args)
        .run("")
}

/// Unchanged, rewritten, moved, conflicting, unknown.
fn counts(outcome: &Outcome, stream: &str) -> [u64; 5] {
    let report: Value = serde_json::from_str(&outcome.stdout).expect("a report");
    let names = ["unchanged", "rewritten", "moved", "conflicting", "unknown"];
    names.map(|name| report["streams"][stream][name].as_u64().expect("a number"))
}

/// A bucket as the Python target fills it: streams `s`, `t` and `u`, `n` records each.
async fn legacy(case: &Case, n: u32) -> Bucket {
    let mut input = schema("s", json!({"a": {}, "b": {}}), &["a", "b"]);
    input += &schema("t", json!({"at": {}}), &["at"]);
    input += &schema("u", json!({"id": {}}), &["id"]);
    for i in 0..n {
        input += &record("s", json!({"a": i, "b": "x", "v": 1.50}));
        input += &record("t", json!({"at": format!("12:{i}")}));
        input += &record("u", json!({"id": i}));
    }
    let _ = case
        .clone()
        .set("key_format", "legacy")
        .load(input)
        .success();
    case.bucket().await
}

/// What is stored, without the times that the target adds.
async fn contents(bucket: &Bucket) -> BTreeMap<String, Value> {
    let mut contents = bucket.contents().await;
    for record in contents.values_mut() {
        let record = record.as_object_mut().expect("a record");
        record.retain(|name, _| !name.starts_with("_sdc_"));
    }
    contents
}

fn migrated(n: u32) -> BTreeMap<String, Value> {
    let records = (0..n).flat_map(|i| {
        [
            (format!("s.{i}.x"), json!({"a": i, "b": "x", "v": 1.50})),
            (format!("t.12=3A{i}"), json!({"at": format!("12:{i}")})),
            (format!("u.{i}"), json!({"id": i})),
        ]
    });
    records.collect()
}

#[tokio::test]
async fn keys_and_values() {
    for case in [Case::new(), Case::on_oldest()] {
        let bucket = legacy(&case, 1_500).await;
        let before = contents(&bucket).await;
        let case = case.set("encoding", "msgpack");
        let told = migrate(&case, &["--dry-run"]).success();
        assert_eq!(counts(&told, "s"), [0, 0, 1_500, 0, 0]);
        assert_eq!(counts(&told, "u"), [0, 1_500, 0, 0, 0]);
        assert!(contents(&bucket).await == before);
        let done = migrate(&case, &[]).success();
        assert_eq!(done.stdout, told.stdout);
        assert!(contents(&bucket).await == migrated(1_500));
        let packed = |entry: &target_tests::bucket::Entry| entry.value[0] >= 0x80;
        assert!(bucket.latest().await.values().all(packed));
        let writes = bucket.writes().await;
        let again = migrate(&case, &[]).success();
        for stream in ["s", "t", "u"] {
            assert_eq!(counts(&again, stream), [1_500, 0, 0, 0, 0]);
        }
        assert_eq!(bucket.writes().await, writes);
    }
}

#[tokio::test]
async fn the_other_way() {
    let case = Case::new().set("encoding", "msgpack");
    let mut input = schema("s", json!({"a": {}, "b": {}}), &["a", "b"]);
    input += &record("s", json!({"a": 1, "b": "x"}));
    input += &record("s", json!({"a": "x/y", "b": "a b"}));
    // The legacy format has one key for both.
    input += &record("s", json!({"a": "p:q", "b": "r"}));
    input += &record("s", json!({"a": "p_q", "b": "r"}));
    let _ = case.load(input).success();
    let bucket = case.bucket().await;
    let case = case.set("encoding", "json").set("key_format", "legacy");
    let outcome = migrate(&case, &[]).exited(1);
    assert_eq!(counts(&outcome, "s"), [0, 0, 2, 1, 1]);
    let keys = ["s.1-x", "s.p_q-r", "s.p_q.r", "s.x/y.a=20b"];
    assert_eq!(bucket.keys().await, keys);
}

#[tokio::test]
async fn without_a_catalog_keys_stay() {
    let case = Case::new();
    let bucket = legacy(&case, 2).await;
    let before = contents(&bucket).await;
    let outcome = case.set("msgpack", true).target().args(["migrate"]).run("");
    assert_eq!(
        outcome.success().stdout,
        "stream  unchanged  rewritten  moved  conflicting  unknown\n\
         s               0          2      0            0        0\n\
         t               0          2      0            0        0\n\
         u               0          2      0            0        0\n"
    );
    assert!(contents(&bucket).await == before);
}

#[tokio::test]
async fn what_cannot_be_migrated_is_left_and_named() {
    let case = Case::new();
    let bucket = legacy(&case, 3).await;
    // The first was moved before, and the migration ended between its two writes.
    let _ = bucket.put("s.0.x", bucket.text("s.0-x").await).await;
    // Under the second's key is something else.
    let _ = bucket.put("s.1.x", r#"{"a":1,"b":"x","v":2}"#).await;
    let _ = bucket.put("t.12_9", r#"{"at":"other"}"#).await;
    let _ = bucket.put("t.12_8", "text").await;
    bucket.store.delete("t.12_0").await.expect("deleted");
    let outcome = migrate(&case, &[]).exited(1);
    assert_eq!(counts(&outcome, "s"), [2, 0, 2, 1, 0]);
    assert_eq!(counts(&outcome, "t"), [0, 0, 2, 0, 2]);
    for named in ["'s.1-x' is left", "'t.12_9' is left", "'t.12_8' is left"] {
        assert!(outcome.stderr.contains(named), "{}", outcome.stderr);
    }
    let keys = [
        "s.0.x", "s.1-x", "s.1.x", "s.2.x", "t.12=3A1", "t.12=3A2", "t.12_8", "t.12_9", "u.0",
        "u.1", "u.2",
    ];
    assert_eq!(bucket.keys().await, keys);
}

/// Whenever it is killed, the next one finishes what it has begun, and nothing is lost.
#[tokio::test]
async fn a_migration_that_is_killed_goes_on() {
    const RECORDS: u32 = 6_000;
    let case = Case::new().set("encoding", "msgpack");
    let bucket = legacy(&case.clone().set("encoding", "json"), RECORDS).await;
    let mut killed = 0;
    for wait in [30, 60, 90, 120, 200] {
        let running = case
            .target()
            .file("catalog.json", CATALOG)
            .args(["migrate", "--catalog", "catalog.json"])
            .spawn();
        std::thread::sleep(std::time::Duration::from_millis(wait));
        running.signal(nix::sys::signal::Signal::SIGKILL);
        killed += u32::from(running.wait().code != Some(0));
        // Never is a record under neither of its keys.
        assert!(bucket.keys().await.len() >= 3 * RECORDS as usize);
    }
    assert!(killed > 0, "it was never caught in the middle");
    let _ = migrate(&case, &[]).success();
    assert!(contents(&bucket).await == migrated(RECORDS));
}

/// Whether a deletion is older than the record under the other key nobody can tell.
#[tokio::test]
async fn what_was_deleted_does_not_come_back() {
    let case = Case::new().set("encoding", "msgpack");
    let bucket = legacy(&case.clone().set("encoding", "json"), 1).await;
    let _ = bucket.put("s.0.x", "{}").await;
    bucket.store.delete("s.0.x").await.expect("deleted");
    // By this the record is written later than the deletion.
    let _ = case.target().args(["migrate"]).run("").success();
    let outcome = migrate(&case, &[]).exited(1);
    assert_eq!(counts(&outcome, "s"), [0, 0, 0, 1, 0]);
    assert!(bucket.keys().await.contains(&"s.0-x".to_owned()));
}

#[tokio::test]
async fn other_buckets_are_left_alone() {
    let case = Case::new().set("bucket", "{stream}");
    let input = schema("t", json!({"at": {}}), &["at"]) + &record("t", json!({"at": "1"}));
    let _ = case.load(input).success();
    let other = Bucket::create(&case.url, "somebody_else", 1).await;
    let _ = other.put("cfg.x", "{}").await;
    let case = case.set("encoding", "msgpack");
    let outcome = case.target().args(["migrate"]).run("").exited(2);
    assert!(outcome.stderr.contains("--catalog"), "{}", outcome.stderr);
    let outcome = migrate(&case, &[]).success();
    assert_eq!(counts(&outcome, "t"), [0, 1, 0, 0, 0]);
    assert!(
        outcome.stderr.contains("'s' was found"),
        "{}",
        outcome.stderr
    );
    assert_eq!(other.text("cfg.x").await, "{}");
}

#[tokio::test]
async fn what_would_change_a_record_is_left_or_refused() {
    let case = Case::new().set("record_ttl_seconds", 3_600);
    let input = schema("t", json!({"at": {}}), &["at"])
        + &raw_record("t", r#"{"at":"1","n":123456789012345678901234567890}"#);
    let _ = case.load(input).success();
    let msgpack = case.clone().set("encoding", "msgpack");
    let outcome = migrate(&msgpack, &[]).exited(1);
    assert_eq!(counts(&outcome, "t"), [0, 0, 0, 0, 1]);
    let mut forever = msgpack;
    forever.settings["record_ttl_seconds"] = Value::Null;
    let outcome = migrate(&forever, &[]).exited(2);
    assert!(
        outcome.stderr.contains("record_ttl_seconds"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_catalog_that_is_none_is_refused() {
    let outcome = Case::new()
        .target()
        .file("catalog.json", "[]")
        .args(["migrate", "--catalog", "catalog.json"])
        .run("")
        .exited(2);
    let told = "--catalog: catalog.json is no Singer catalog";
    assert!(outcome.stderr.contains(told), "{}", outcome.stderr);
}
