//! Flattening, through the binary; what becomes of each schema and record is in a table of tests in
//! `framework/src/map/flatten/tests.rs`.

use serde_json::{Value, json};
use target_tests::case::Case;
use target_tests::singer::{line, record, schema, state};

fn flattening() -> Case {
    Case::new()
        .set("flattening_enabled", true)
        .set("flattening_max_depth", 1)
}

fn orders() -> String {
    let address = json!({"type": "object", "properties": {
        "city": {"type": "string"}, "geo": {"type": ["object", "null"]}}});
    let properties = json!({"id": {"type": "integer"}, "address": address,
        "tags": {"type": "array", "items": {"type": "string"}}});
    schema("orders", properties, &["id"])
}

fn order(id: u32, city: Value) -> Value {
    json!({"id": id, "address": {"city": city, "geo": {"lat": 1.50}}, "tags": ["a", "ü"]})
}

fn data(mut record: Value) -> Value {
    let members = record.as_object_mut().expect("a record");
    members.retain(|name, _| !name.starts_with("_sdc_"));
    record
}

#[tokio::test]
async fn nested_members_become_properties_and_the_rest_text() {
    let file = tempfile::NamedTempFile::new().expect("writable");
    std::fs::write(file.path(), line(order(2, json!("Y")))).expect("writable");
    let batch = json!({"type": "BATCH", "stream": "orders", "encoding": {"format": "jsonl"},
        "manifest": [format!("file://{}", file.path().display())]});
    let input = [
        orders(),
        record("orders", order(1, json!("X"))),
        line(batch),
        state(json!({"n": 1})),
    ]
    .concat();
    let case = flattening();
    let outcome = case.load(input).success();
    assert_eq!(outcome.states(), [json!({"n": 1})]);
    let contents = case.bucket().await.contents().await;
    for (key, id, city) in [("orders.1", 1, "X"), ("orders.2", 2, "Y")] {
        let stored = data(contents[key].clone());
        let expected = json!({"id": id, "address__city": city, "address__geo": "{\"lat\":1.5}",
            "tags": "[\"a\",\"ü\"]"});
        assert_eq!(stored, expected);
    }
}

#[tokio::test]
async fn records_are_validated_as_they_are_stored() {
    let input = [orders(), record("orders", order(1, json!(7)))].concat();
    let outcome = flattening().load(input).exited(1);
    assert!(
        outcome.stderr.contains("/address__city"),
        "{}",
        outcome.stderr
    );
}

#[tokio::test]
async fn two_properties_of_one_name_are_refused_at_the_schema() {
    let nested = json!({"type": "object", "properties": {"b": {}}});
    let both = schema("s", json!({"id": {}, "a": nested, "a__b": {}}), &["id"]);
    let outcome = flattening().load(both).exited(1);
    for said in ["line 1", "'s'", "'a__b'"] {
        assert!(outcome.stderr.contains(said), "{said}: {}", outcome.stderr);
    }
}

#[tokio::test]
async fn the_depth_must_be_given() {
    let case = Case::new().set("flattening_enabled", true);
    let outcome = case.load("").exited(2);
    assert!(
        outcome.stderr.contains("flattening_max_depth"),
        "{}",
        outcome.stderr
    );
}
