//! Records that are marked as deleted by a non-null `_sdc_deleted_at`.

use serde_json::json;
use target_tests::case::Case;
use target_tests::singer::{record, schema, schema_with_bookmark, state};

#[tokio::test]
async fn a_deleted_record_is_stored_as_it_came() {
    let input = [
        schema("s", json!({"id": {}}), &["id"]),
        record("s", json!({"id": 1})),
        record(
            "s",
            json!({"id": 1, "_sdc_deleted_at": "2026-01-01T00:00:00Z"}),
        ),
        record("s", json!({"id": 1, "late": true})),
        record("s", json!({"id": 2, "_sdc_deleted_at": null})),
        record("s", json!({"id": 2, "late": true})),
        state(json!({"n": 1})),
    ]
    .concat();
    let case = Case::new();
    let outcome = case.load(input).success();
    assert_eq!(outcome.states(), [json!({"n": 1})]);
    let contents = case.bucket().await.contents().await;
    // Also within one run: what follows a deletion does not undo it, unless the user says so.
    assert_eq!(contents["s.1"]["_sdc_deleted_at"], "2026-01-01T00:00:00Z");
    assert_eq!(contents["s.2"]["late"], true);
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
