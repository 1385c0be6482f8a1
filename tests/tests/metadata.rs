//! The `_sdc_*` columns, as the bucket holds them.

use serde_json::{Value, json};
use target_tests::case::Case;
use target_tests::singer::{record, schema, state};

/// In the order in which the Meltano SDK adds them.
const COLUMNS: [&str; 7] = [
    "_sdc_extracted_at",
    "_sdc_received_at",
    "_sdc_batched_at",
    "_sdc_deleted_at",
    "_sdc_sequence",
    "_sdc_table_version",
    "_sdc_sync_started_at",
];

fn people() -> String {
    schema("people", json!({"id": {"type": "integer"}}), &["id"])
}

/// The members of a stored record, in their order.
fn names(record: &Value) -> Vec<&str> {
    let members = record.as_object().expect("an object");
    members.keys().map(String::as_str).collect()
}

fn milliseconds(value: &Value) -> u64 {
    let since_1970 = value.as_u64().expect("an integer");
    assert!(since_1970 > 1_700_000_000_000, "{value}");
    since_1970
}

#[tokio::test]
async fn all_seven_columns_are_added_on_request() {
    let case = Case::new().set("add_record_metadata", true);
    let with_all = r#"{"type":"RECORD","stream":"people","record":{"id":1},"time_extracted":"2024-02-29T12:00:00+02:00","version":1700000000123}"#;
    let with_none = record("people", json!({"id": 2}));
    let _ = case
        .load(format!("{}{with_all}\n{with_none}", people()))
        .success();
    let contents = case.bucket().await.contents().await;

    let first = &contents["people.1"];
    assert_eq!(names(first), [&["id"][..], &COLUMNS].concat());
    assert_eq!(
        first["_sdc_extracted_at"],
        "2024-02-29T10:00:00.000000+00:00"
    );
    assert_eq!(first["_sdc_table_version"], json!(1_700_000_000_123_u64));
    assert_eq!(first["_sdc_deleted_at"], Value::Null);
    let started = milliseconds(&first["_sdc_sync_started_at"]);
    assert!(started <= milliseconds(&first["_sdc_sequence"]));
    for moment in ["_sdc_received_at", "_sdc_batched_at"] {
        let moment = first[moment].as_str().expect("a moment");
        assert!(moment.ends_with("+00:00"), "{moment}");
    }

    let second = &contents["people.2"];
    assert_eq!(second["_sdc_table_version"], Value::Null);
    assert_eq!(second["_sdc_extracted_at"], second["_sdc_received_at"]);
    assert_eq!(second["_sdc_sync_started_at"], json!(started));
}

#[tokio::test]
async fn a_schema_that_allows_no_other_properties_does_not_forbid_them() {
    let case = Case::new().set("add_record_metadata", true);
    let closed = json!({"type": "SCHEMA", "stream": "people", "key_properties": ["id"],
        "schema": {"properties": {"id": {}}, "additionalProperties": false}});
    let input = format!("{closed}\n{}", record("people", json!({"id": 1})));
    let _ = case.load(input).success();
    let contents = case.bucket().await.contents().await;
    assert_eq!(names(&contents["people.1"]).len(), 8);
}

#[tokio::test]
async fn what_the_tap_has_sent_stays_with_and_without_them() {
    let sent = json!({"id": 1, "_sdc_sequence": 7, "_sdc_extracted_at": "then",
        "_sdc_deleted_at": "2024-01-01T00:00:00Z", "_sdc_batched_at": null});
    let input = [people(), record("people", sent.clone()), state(json!({}))].concat();
    for all in [false, true] {
        let case = Case::new().set("add_record_metadata", all);
        let _ = case.load(&input).success();
        let contents = case.bucket().await.contents().await;
        let stored = &contents["people.1"];
        for (name, value) in sent.as_object().expect("an object") {
            assert_eq!(&stored[name], value, "{name}");
        }
        let expected = if all { 8 } else { 6 };
        assert_eq!(names(stored).len(), expected, "{stored}");
    }
}

#[tokio::test]
async fn the_version_of_the_message_counts_more_than_that_of_the_record() {
    let case = Case::new().set("add_record_metadata", true);
    let versioned = r#"{"type":"RECORD","stream":"people","record":{"_sdc_table_version":1,"id":1},"version":2}"#;
    let _ = case.load(format!("{}{versioned}\n", people())).success();
    let contents = case.bucket().await.contents().await;
    assert_eq!(contents["people.1"]["_sdc_table_version"], json!(2));
}

#[tokio::test]
async fn records_that_differ_in_nothing_else_are_not_written_again() {
    let case = Case::new().set("add_record_metadata", true);
    let bucket = case.make_bucket().await;
    let input = [people(), record("people", json!({"id": 1}))].concat();
    let _ = case.load(&input).success();
    let _ = case.load(&input).success();
    assert_eq!(bucket.messages().await.len(), 1);
}
