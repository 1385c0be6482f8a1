//! Records that are marked as deleted, and records that expire.

use serde_json::json;
use target_tests::case::Case;
use target_tests::singer::{record, schema, schema_with_bookmark, state};

fn life_and_death() -> String {
    [
        schema("s", json!({"id": {}}), &["id"]),
        record("s", json!({"id": 1})),
        record("s", json!({"id": 2})),
        record(
            "s",
            json!({"id": 1, "_sdc_deleted_at": "2026-01-01T00:00:00Z"}),
        ),
        record("s", json!({"id": 2, "_sdc_deleted_at": null})),
        state(json!({"n": 1})),
    ]
    .concat()
}

#[tokio::test]
async fn a_deleted_record_is_stored_or_deleted_or_purged() {
    for (mode, operation) in [("soft", "PUT"), ("delete", "DEL"), ("purge", "PURGE")] {
        for refresh_mode in ["newer", "full"] {
            let case = Case::new()
                .set("delete_mode", mode)
                .set("refresh_mode", refresh_mode);
            let bucket = case.make_bucket().await;
            let outcome = case.load(life_and_death()).success();
            assert_eq!(outcome.states(), [json!({"n": 1})]);
            let entry = bucket.get("s.1").await.expect("it was written");
            assert_eq!(entry.operation, operation, "{mode} in {refresh_mode}");
            let other = bucket.get("s.2").await.expect("it was written");
            assert_eq!(other.operation, "PUT");
            if mode == "soft" {
                assert_eq!(entry.json()["_sdc_deleted_at"], "2026-01-01T00:00:00Z");
            }
        }
    }
}

#[tokio::test]
async fn by_default_it_is_stored() {
    let case = Case::new();
    let _ = case.load(life_and_death()).success();
    let contents = case.bucket().await.contents().await;
    assert_eq!(contents["s.1"]["_sdc_deleted_at"], "2026-01-01T00:00:00Z");
}

#[tokio::test]
async fn a_deletion_that_is_loaded_again_writes_nothing() {
    for mode in ["delete", "purge"] {
        let case = Case::new().set("delete_mode", mode);
        let deletion = [
            schema("s", json!({"id": {}}), &["id"]),
            record(
                "s",
                json!({"id": 1, "_sdc_deleted_at": "2026-01-01T00:00:00Z"}),
            ),
        ]
        .concat();
        let _ = case.load(life_and_death()).success();
        let bucket = case.bucket().await;
        let writes = bucket.writes().await;
        let _ = case.load(deletion).success();
        assert_eq!(bucket.writes().await, writes, "in {mode}");
    }
}

#[tokio::test]
async fn a_deleted_record_may_come_back_where_the_user_says_so() {
    let with = |b: i64| {
        let properties = json!({"id": {}, "b": {"type": "integer"}});
        [
            schema_with_bookmark("s", properties, &["id"], "b"),
            record("s", json!({"id": 1, "b": b})),
        ]
        .concat()
    };
    for (setting, b, stored) in [("never", 9, 5), ("newer", 9, 9), ("newer", 4, 5)] {
        let case = Case::new().set("revive_deleted", setting);
        let bucket = case.make_bucket().await;
        bucket
            .put(
                "s.1",
                r#"{"id":1,"b":5,"_sdc_deleted_at":"2026-01-01T00:00:00Z"}"#,
            )
            .await;
        let _ = case.load(with(b)).success();
        assert_eq!(
            bucket.contents().await["s.1"]["b"],
            stored,
            "{setting}, {b}"
        );
    }
}

#[tokio::test]
async fn records_may_expire() {
    let input = [
        schema("s", json!({"id": {}}), &["id"]),
        record("s", json!({"id": 1})),
    ]
    .concat();
    for mode in ["newer", "full"] {
        let case = Case::new()
            .set("record_ttl_seconds", 3600)
            .set("refresh_mode", mode);
        let _ = case.load(&input).success();
        let entry = case
            .bucket()
            .await
            .get("s.1")
            .await
            .expect("it was written");
        let ttl = entry.ttl.expect("the server was told");
        assert!(
            ["3600", "3600s", "1h", "1h0m0s"].contains(&ttl.as_str()),
            "{ttl}"
        );
    }
}

/// A server that does not know of it must not keep them for ever without a word.
#[tokio::test]
async fn records_cannot_expire_on_an_old_server() {
    let case = Case::on_oldest().set("record_ttl_seconds", 3600);
    let outcome = case.load(life_and_death());
    assert_ne!(outcome.code, Some(0));
    assert!(
        outcome.stderr.contains("record_ttl_seconds"),
        "{}",
        outcome.stderr
    );
}
