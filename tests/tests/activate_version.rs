//! ACTIVATE_VERSION: what is of an older version is deleted, and nothing else ever is.

use std::collections::BTreeMap;

use async_nats::jetstream::kv;
use serde_json::{Value, json};
use target_tests::case::Case;
use target_tests::singer::{line, record, schema, schema_with_bookmark, state};

fn people() -> String {
    schema(
        "people",
        json!({"id": {"type": "integer"}, "name": {"type": "string"}}),
        &["id"],
    )
}

fn versioned(version: i64, record: Value) -> String {
    line(json!({"type": "RECORD", "stream": "people", "record": record, "version": version}))
}

fn activate(version: i64) -> String {
    line(json!({"type": "ACTIVATE_VERSION", "stream": "people", "version": version}))
}

fn person(id: u32) -> Value {
    json!({"id": id, "name": format!("person {id}")})
}

/// What a tap sends that reads the whole table.
fn reading(version: i64, ids: impl IntoIterator<Item = u32>) -> String {
    let records = ids.into_iter().map(|id| versioned(version, person(id)));
    let records: String = records.collect();
    let end = state(json!({"version": version}));
    [people(), records, activate(version), end].concat()
}

fn is_marked(record: &Value) -> bool {
    !record["_sdc_deleted_at"].is_null()
}

fn marked(contents: &BTreeMap<String, Value>) -> Vec<&str> {
    let marked = contents.iter().filter(|(_, value)| is_marked(value));
    marked.map(|(key, _)| key.as_str()).collect()
}

#[tokio::test]
async fn what_the_new_reading_lacks_is_marked() {
    for mode in ["newer", "same", "full"] {
        let case = Case::new().set("refresh_mode", mode);
        let _ = case.load(reading(1, 1..=3)).success();
        let bucket = case.bucket().await;
        assert_eq!(marked(&bucket.contents().await), [""; 0], "{mode}");

        let outcome = case.load(reading(2, [1, 3, 4])).success();
        assert_eq!(outcome.states(), [json!({"version": 2})]);
        let contents = bucket.contents().await;
        assert_eq!(marked(&contents), ["people.2"], "{mode}");
        let gone = &contents["people.2"];
        assert_eq!(gone["name"], "person 2");
        assert_eq!(gone["_sdc_deleted_by_version"], 2);
        let moment = gone["_sdc_deleted_at"].as_str().expect("a moment");
        assert!(moment.ends_with("+00:00"), "{moment}");
    }
}

#[tokio::test]
async fn an_unchanged_record_is_of_the_new_version_although_its_bookmark_is_the_same() {
    let with_bookmark = schema_with_bookmark("people", json!({"id": {}, "at": {}}), &["id"], "at");
    let at = |id: u32| json!({"id": id, "at": 7});
    let case = Case::new();
    for version in [1, 2] {
        let records: String = (1..=2).map(|id| versioned(version, at(id))).collect();
        let _ = case
            .load([with_bookmark.clone(), records, activate(version)].concat())
            .success();
    }
    let contents = case.bucket().await.contents().await;
    assert_eq!(contents["people.1"]["_sdc_table_version"], 2);
    assert_eq!(marked(&contents), [""; 0]);
}

#[tokio::test]
async fn hard_delete_removes() {
    let case = Case::new().set("hard_delete", true);
    let bucket = case.make_bucket().await;
    let _ = case.load(reading(1, 1..=3)).success();
    let _ = case.load(reading(2, [1])).success();
    assert_eq!(bucket.keys().await, ["people.1"]);
    // A record that comes back is there again.
    let _ = case.load(reading(3, [1, 2])).success();
    assert_eq!(bucket.keys().await, ["people.1", "people.2"]);
}

#[tokio::test]
async fn a_marked_record_that_comes_back_is_not_marked_any_more() {
    for mode in ["newer", "same", "full"] {
        let case = Case::new().set("refresh_mode", mode);
        for (version, ids) in [(1, vec![1, 2]), (2, vec![1]), (3, vec![1, 2])] {
            let _ = case.load(reading(version, ids)).success();
        }
        let contents = case.bucket().await.contents().await;
        assert_eq!(marked(&contents), [""; 0], "{mode}");
        assert_eq!(contents["people.2"]["_sdc_table_version"], 3);
    }
}

/// Some taps activate the version of a first reading before its records.
#[tokio::test]
async fn a_version_that_is_activated_before_its_records() {
    let case = Case::new();
    let _ = case.load(reading(1, 1..=2)).success();
    let early = [people(), activate(2), reading(2, [1])].concat();
    let _ = case.load(early).success();
    assert_eq!(marked(&case.bucket().await.contents().await), ["people.2"]);
}

#[tokio::test]
async fn a_tombstone_of_the_tap_is_not_lifted() {
    let case = Case::new();
    let mut dead = person(1);
    dead["_sdc_deleted_at"] = json!("2024-01-01T00:00:00Z");
    let _ = case.load([people(), versioned(1, dead)].concat()).success();
    let _ = case.load(reading(2, [1])).success();
    let contents = case.bucket().await.contents().await;
    assert_eq!(
        contents["people.1"]["_sdc_deleted_at"],
        "2024-01-01T00:00:00Z"
    );
}

#[tokio::test]
async fn entries_of_others_are_left_alone() {
    for hard in [false, true] {
        let case = Case::new()
            .set("hard_delete", hard)
            .set("add_record_metadata", true);
        let bucket = case.make_bucket_with(kv::Config::default()).await;
        // Another stream, one whose name begins as ours does, records without a version, and keys
        // and values that no target has written.
        let others = [
            schema("people.old", json!({"id": {}}), &["id"]),
            line(
                json!({"type": "RECORD", "stream": "people.old", "record": {"id": 1}, "version": 1}),
            ),
            schema("peoples", json!({"id": {}}), &["id"]),
            line(json!({"type": "RECORD", "stream": "peoples", "record": {"id": 1}, "version": 1})),
            people(),
            record("people", json!({"id": 50, "name": "x"})),
        ];
        let _ = case.load(others.concat()).success();
        for (key, value) in [
            ("people.51", "no record"),
            ("people.52", r#"{"id":1,"_sdc_table_version":1}"#),
            ("people.53.x", r#"{"id":53,"_sdc_table_version":1}"#),
            ("people.54", r#"{"id":54,"_sdc_table_version":9}"#),
        ] {
            bucket.put(key, value).await;
        }
        let before = bucket.messages().await.len();
        let _ = case.load([people(), activate(5)].concat()).success();
        assert_eq!(bucket.messages().await.len(), before);
    }
}

#[tokio::test]
async fn a_big_reading_is_deleted_page_by_page() {
    const MANY: u32 = 2_500;
    for (hard, history) in [(false, 1), (true, 1), (false, 5), (true, 5)] {
        let case = Case::new()
            .set("hard_delete", hard)
            .set("refresh_mode", "full")
            .set("bucket_history", history);
        let _ = case.load(reading(1, 1..=MANY)).success();
        let _ = case.load(reading(2, (1..=MANY).step_by(2))).success();
        let bucket = case.bucket().await;
        let contents = bucket.contents().await;
        let deleted = if hard {
            MANY as usize - contents.len()
        } else {
            marked(&contents).len()
        };
        assert_eq!(deleted, MANY as usize / 2, "hard: {hard}");
        assert!(contents.get("people.2").is_none_or(is_marked));
        assert!(!is_marked(&contents["people.1"]));
    }
}

#[tokio::test]
async fn values_stay_in_the_encoding_that_they_have() {
    let case = Case::new().set("msgpack", true);
    let _ = case.load(reading(1, 1..=2)).success();
    let case = case.set("msgpack", false);
    let _ = case.load(reading(2, [1])).success();
    let bucket = case.bucket().await;
    let entry = bucket.get("people.2").await.expect("it is there");
    assert!(entry.value[0] >= 0x80, "a map in MessagePack");
    let value = entry.json();
    assert!(is_marked(&value), "{value}");
}

#[tokio::test]
async fn no_more_is_deleted_than_the_user_allows() {
    for hard in [false, true] {
        let case = Case::new()
            .set("hard_delete", hard)
            .set("max_delete_fraction", 0.5);
        let _ = case.load(reading(1, 1..=4)).success();
        let outcome = case.load(reading(2, [1])).exited(1);
        assert_eq!(outcome.states(), [Value::Null; 0]);
        for said in [
            "line 3",
            "'people'",
            "3 of 4 records",
            "max_delete_fraction",
        ] {
            assert!(outcome.stderr.contains(said), "{said}: {}", outcome.stderr);
        }
        let bucket = case.bucket().await;
        let contents = bucket.contents().await;
        assert_eq!((contents.len(), marked(&contents).len()), (4, 0));
        let _ = case.load(reading(3, [1, 2])).success();
        let contents = bucket.contents().await;
        let left = contents.values().filter(|value| !is_marked(value)).count();
        assert_eq!(left, 2);
    }
}

/// A record that could not be loaded has not got the new version: it would be taken for gone.
#[tokio::test]
async fn nothing_is_deleted_when_records_were_left_out() {
    let case = Case::new()
        .set("hard_delete", true)
        .set("on_invalid_record", "skip");
    let _ = case.load(reading(1, 1..=2)).success();
    let invalid = versioned(2, json!({"id": 1, "name": 7}));
    let outcome = case
        .load([people(), invalid, activate(2), state(json!({"n": 2}))].concat())
        .success();
    assert!(
        outcome.stderr.contains("ACTIVATE_VERSION ignored"),
        "{}",
        outcome.stderr
    );
    assert_eq!(outcome.states(), [json!({"n": 2})]);
    let keys = case.bucket().await.keys().await;
    assert_eq!(keys, ["people.1", "people.2"]);
}

#[tokio::test]
async fn versions_can_be_switched_off() {
    let case = Case::new().set("process_activate_version_messages", false);
    let _ = case.load(reading(1, 1..=2)).success();
    let outcome = case.load(reading(2, [1])).success();
    assert!(
        outcome.stderr.contains("process_activate_version_messages"),
        "{}",
        outcome.stderr
    );
    let contents = case.bucket().await.contents().await;
    assert_eq!(marked(&contents), [""; 0]);
    assert_eq!(contents["people.1"].get("_sdc_table_version"), None);
}

#[tokio::test]
async fn on_the_oldest_server() {
    let case = Case::on_oldest();
    let _ = case.load(reading(1, 1..=3)).success();
    let _ = case.load(reading(2, [2])).success();
    assert_eq!(
        marked(&case.bucket().await.contents().await),
        ["people.1", "people.3"]
    );
}

#[tokio::test]
async fn what_another_writer_has_changed_meanwhile_is_not_overwritten() {
    const MANY: u32 = 1_000;
    let case = Case::new().set("refresh_mode", "full");
    let bucket = case.make_bucket().await;
    let _ = case.load(reading(1, 1..=MANY)).success();

    let mut running = case.target().spawn();
    let _ = running.send(reading(2, [1]));
    let ended = tokio::task::spawn_blocking(move || running.finish());
    let mut written = 0;
    let mut ids = (2..=MANY).rev().cycle();
    while !ended.is_finished() {
        let id = ids.next().expect("for ever");
        let value = json!({"id": id, "name": "of another writer"});
        bucket.put(&format!("people.{id}"), value.to_string()).await;
        written += 1;
    }
    let _ = ended.await.expect("no panic").success();

    let mut before: BTreeMap<String, Value> = BTreeMap::new();
    let mut marks = 0;
    for entry in bucket.messages().await {
        let value = entry.json();
        if is_marked(&value) {
            marks += 1;
            let seen = &before[&entry.key];
            assert_eq!(seen["_sdc_table_version"], 1, "{}: {seen}", entry.key);
        }
        before.insert(entry.key, value);
    }
    assert!(
        marks > 0 && written > 0,
        "{marks} marked, {written} written"
    );
}
