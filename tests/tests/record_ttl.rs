//! Records that expire: `record_ttl_seconds`.

use std::time::Duration;

use serde_json::json;
use target_tests::case::Case;
use target_tests::singer::{record, schema, state};

fn input() -> String {
    [
        schema("s", json!({"id": {}}), &["id"]),
        record("s", json!({"id": 1})),
        state(json!({"n": 1})),
    ]
    .concat()
}

#[tokio::test]
async fn a_record_expires() {
    let case = Case::new().set("record_ttl_seconds", 1);
    let outcome = case.load(input()).success();
    assert_eq!(outcome.states(), [json!({"n": 1})]);
    let bucket = case.bucket().await;
    assert_eq!(bucket.keys().await, ["s.1"]);
    for _ in 0..100 {
        if bucket.keys().await.is_empty() {
            // What has expired is written anew.
            let _ = case.load(input()).success();
            assert_eq!(bucket.keys().await, ["s.1"]);
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the record did not expire within ten seconds");
}

/// A server that does not know of it takes the wish silently; then nothing would ever expire.
#[tokio::test]
async fn where_records_cannot_expire_the_setting_is_refused() {
    let existing = Case::new().set("record_ttl_seconds", 1);
    let _ = existing.make_bucket().await;
    let old = Case::on_oldest().set("record_ttl_seconds", 1);
    for case in [existing, old] {
        let outcome = case.load(input()).exited(2);
        for part in ["record_ttl_seconds", "2.11"] {
            assert!(outcome.stderr.contains(part), "{}", outcome.stderr);
        }
    }
}
