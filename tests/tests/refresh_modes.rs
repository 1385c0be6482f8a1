//! When a record is written over a stored one: `newer`, `same` and `full`, in both encodings, with
//! the newest and the oldest server.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use target_tests::case::Case;
use target_tests::singer::{raw_record, record, schema, schema_with_bookmark};

/// A stored record, a new one, and whether `newer` and `same` write it.
struct Row {
    kind: Value,
    stored: &'static str,
    new: &'static str,
    newer: bool,
    same: bool,
}

const fn row(kind: Value, stored: &'static str, new: &'static str, newer: bool, same: bool) -> Row {
    Row {
        kind,
        stored,
        new,
        newer,
        same,
    }
}

/// The members of a record with a replication key `b` of the schema's type.
fn rows_with_replication_key() -> Vec<Row> {
    let integer = || json!({"type": ["integer", "null"]});
    let number = || json!({"type": "number"});
    let instant = || json!({"type": "string", "format": "date-time"});
    let date = || json!({"type": "string", "format": "date"});
    let string = || json!({"type": "string"});
    vec![
        row(integer(), r#""b":9"#, r#""b":10"#, true, true),
        row(integer(), r#""b":10"#, r#""b":9"#, false, false),
        row(integer(), r#""b":10"#, r#""b":10"#, false, true),
        row(integer(), r#""b":-1"#, r#""b":-2"#, false, false),
        row(integer(), r#""b":10,"v":1"#, r#""b":10,"v":2"#, false, true),
        row(
            integer(),
            r#""b":9007199254740992"#,
            r#""b":9007199254740993"#,
            true,
            true,
        ),
        row(
            integer(),
            r#""b":1180591620717411303424"#,
            r#""b":1180591620717411303424"#,
            false,
            true,
        ),
        row(
            integer(),
            r#""b":1180591620717411303424"#,
            r#""b":1180591620717411303425"#,
            true,
            true,
        ),
        row(
            integer(),
            r#""b":1180591620717411303425"#,
            r#""b":7"#,
            false,
            false,
        ),
        row(number(), r#""b":0.1"#, r#""b":0.10"#, false, true),
        row(number(), r#""b":1e2"#, r#""b":100"#, false, true),
        row(
            number(),
            r#""b":0.1"#,
            r#""b":0.1000000000000000000001"#,
            true,
            true,
        ),
        row(number(), r#""b":1.5"#, r#""b":1.25"#, false, false),
        row(
            instant(),
            r#""b":"2026-01-01T10:00:00Z""#,
            r#""b":"2026-01-01T10:00:00.5Z""#,
            true,
            true,
        ),
        row(
            instant(),
            r#""b":"2026-01-01T10:00:00.5Z""#,
            r#""b":"2026-01-01T10:00:00Z""#,
            false,
            false,
        ),
        row(
            instant(),
            r#""b":"2026-01-01T10:00:00Z""#,
            r#""b":"2026-01-01T10:00:00.000Z""#,
            false,
            true,
        ),
        row(
            instant(),
            r#""b":"2026-01-01T10:00:00+02:00""#,
            r#""b":"2026-01-01T09:00:00Z""#,
            true,
            true,
        ),
        row(
            instant(),
            r#""b":"2026-01-01T09:00:00Z""#,
            r#""b":"2026-01-01T10:00:00+02:00""#,
            false,
            false,
        ),
        row(
            instant(),
            r#""b":"2026-01-01T10:00:00Z""#,
            r#""b":"2026-01-01T12:00:00+02:00""#,
            false,
            true,
        ),
        row(
            instant(),
            r#""b":"2026-01-01T10:00:00""#,
            r#""b":"2026-01-01T10:00:00.5""#,
            true,
            true,
        ),
        row(
            instant(),
            r#""b":"2026-01-01T10:00:00.000001Z""#,
            r#""b":"2026-01-01T10:00:00.000002Z""#,
            true,
            true,
        ),
        row(
            date(),
            r#""b":"2026-01-09""#,
            r#""b":"2026-01-10""#,
            true,
            true,
        ),
        row(
            date(),
            r#""b":"2026-01-10""#,
            r#""b":"2026-01-10""#,
            false,
            true,
        ),
        row(string(), r#""b":"10""#, r#""b":"9""#, true, true),
        row(string(), r#""b":"b""#, r#""b":"a""#, false, false),
        row(string(), r#""b":"a""#, r#""b":"a""#, false, true),
        row(integer(), r#""b":null"#, r#""b":1"#, true, true),
        row(integer(), r#""b":1"#, r#""b":null"#, false, false),
        row(integer(), r#""v":1"#, r#""b":1"#, true, true),
        row(integer(), r#""b":1"#, r#""v":1"#, false, false),
    ]
}

/// The members of a record without a replication key: `newer` looks for a difference.
fn rows_without_replication_key() -> Vec<Row> {
    [
        (r#""v":1"#, r#""v":1"#, false),
        (r#""v":1"#, r#""v":2"#, true),
        (r#""v":0.1"#, r#""v":0.10"#, false),
        (r#""v":1"#, r#""v":1.0"#, false),
        (r#""v":100"#, r#""v":1e2"#, false),
        (r#""v":1"#, r#""v":"1""#, true),
        (r#""v":1"#, r#""v":true"#, true),
        (r#""v":null"#, r#""w":1"#, true),
        (r#""v":1"#, r#""v":1,"w":null"#, true),
        (r#""v":1,"w":2"#, r#""w":2,"v":1"#, false),
        (r#""v":[1,2]"#, r#""v":[2,1]"#, true),
        (r#""v":{"a":[{"b":1}]}"#, r#""v":{"a":[{"b":1}]}"#, false),
        (r#""v":{"a":[{"b":1}]}"#, r#""v":{"a":[{"b":2}]}"#, true),
        (r#""v":"é""#, r#""v":"\u00e9""#, false),
        (
            r#""v":1180591620717411303424"#,
            r#""v":1180591620717411303424"#,
            false,
        ),
        (
            r#""v":0.1234567890123456789"#,
            r#""v":0.1234567890123456789"#,
            false,
        ),
        (
            r#""v":0.1234567890123456789"#,
            r#""v":0.123456789012345679"#,
            true,
        ),
        (
            r#""v":1,"_sdc_batched_at":"x""#,
            r#""v":1,"_sdc_batched_at":"y""#,
            false,
        ),
    ]
    .map(|(stored, new, newer)| row(json!({}), stored, new, newer, true))
    .into()
}

/// Loads all stored records, then all new ones in this mode: each row is a stream of its own.
/// Returns the rows whose new record was written.
fn input(rows: &[Row], bookmark: bool, members: impl Fn(&Row) -> &'static str) -> String {
    let mut input = String::new();
    for (number, row) in rows.iter().enumerate() {
        let stream = format!("row{number}");
        let properties = json!({"id": {}, "b": row.kind});
        input += &if bookmark {
            schema_with_bookmark(&stream, properties, &["id"], "b")
        } else {
            schema(&stream, properties, &["id"])
        };
        input += &raw_record(&stream, &format!("{{\"id\":1,{}}}", members(row)));
    }
    input
}

async fn check(
    case: Case,
    mode: &str,
    rows: &[Row],
    bookmark: bool,
    writes: impl Fn(&Row) -> bool,
) {
    for msgpack in [false, true] {
        let case = case.again().set("msgpack", msgpack);
        let stored = input(rows, bookmark, |row| row.stored);
        let _ = case
            .clone()
            .set("refresh_mode", "full")
            .load(stored)
            .success();
        let bucket = case.bucket().await;
        let before = revisions(&bucket).await;
        let new = input(rows, bookmark, |row| row.new);
        let _ = case.clone().set("refresh_mode", mode).load(new).success();
        let after = revisions(&bucket).await;
        for (number, row) in rows.iter().enumerate() {
            let key = format!("row{number}.1");
            assert_eq!(
                after[&key] != before[&key],
                writes(row),
                "written in mode {mode}, msgpack {msgpack}: {} over {} ({})",
                row.new,
                row.stored,
                row.kind
            );
        }
    }
}

async fn revisions(bucket: &target_tests::bucket::Bucket) -> BTreeMap<String, u64> {
    let latest = bucket.latest().await;
    latest
        .into_iter()
        .map(|(key, entry)| (key, entry.revision))
        .collect()
}

#[tokio::test]
async fn newer_with_a_replication_key() {
    for case in [Case::new(), Case::on_oldest()] {
        check(case, "newer", &rows_with_replication_key(), true, |row| {
            row.newer
        })
        .await;
    }
}

#[tokio::test]
async fn newer_without_a_replication_key() {
    for case in [Case::new(), Case::on_oldest()] {
        check(
            case,
            "newer",
            &rows_without_replication_key(),
            false,
            |row| row.newer,
        )
        .await;
    }
}

#[tokio::test]
async fn same() {
    for case in [Case::new(), Case::on_oldest()] {
        check(case, "same", &rows_with_replication_key(), true, |row| {
            row.same
        })
        .await;
    }
    check(
        Case::new(),
        "same",
        &rows_without_replication_key(),
        false,
        |row| row.same,
    )
    .await;
}

#[tokio::test]
async fn full() {
    for case in [Case::new(), Case::on_oldest()] {
        check(case, "full", &rows_with_replication_key(), true, |_| true).await;
    }
    check(
        Case::new(),
        "full",
        &rows_without_replication_key(),
        false,
        |_| true,
    )
    .await;
}

#[tokio::test]
async fn all_is_an_old_name_of_full() {
    let case = Case::new().set("refresh_mode", "all");
    let input = [
        schema("s", json!({"id": {}}), &["id"]),
        record("s", json!({"id": 1})),
    ]
    .concat();
    let _ = case.load(&input).success();
    let outcome = case.load(&input).success();
    assert_eq!(case.bucket().await.writes().await, 2);
    assert!(
        outcome.stderr.contains("full"),
        "a warning: {}",
        outcome.stderr
    );
}

/// The property that the setting names counts, not the one that the tap names.
#[tokio::test]
async fn the_replication_key_can_be_set() {
    let with = |b: i64, c: i64| {
        let properties = json!({"id": {}, "b": {"type": "integer"}, "c": {"type": "integer"}});
        [
            schema_with_bookmark("s", properties, &["id"], "b"),
            record("s", json!({"id": 1, "b": b, "c": c})),
        ]
        .concat()
    };
    for setting in [json!("c"), json!({"s": "c"})] {
        let case = Case::new().set("replication_key", setting);
        let _ = case.load(with(5, 5)).success();
        let _ = case.load(with(6, 4)).success();
        let bucket = case.bucket().await;
        assert_eq!(bucket.contents().await["s.1"]["b"], 5);
        let _ = case.load(with(4, 6)).success();
        assert_eq!(bucket.contents().await["s.1"]["b"], 4);
    }
    let case = Case::new().set("replication_key", json!({"other": "c"}));
    let _ = case.load(with(5, 5)).success();
    let _ = case.load(with(6, 4)).success();
    assert_eq!(case.bucket().await.contents().await["s.1"]["b"], 6);
}

/// The same key several times in one run: each is compared with the one before it.
#[tokio::test]
async fn a_key_that_comes_again() {
    let bookmarks = [3, 1, 4, 4, 1, 5, 9, 2, 6];
    for (mode, expected) in [
        ("newer", vec![3, 4, 5, 9]),
        ("same", vec![3, 4, 4, 5, 9]),
        ("full", bookmarks.to_vec()),
    ] {
        for case in [Case::new(), Case::on_oldest()] {
            let case = case.set("refresh_mode", mode);
            let bucket = case.make_bucket().await;
            let properties = json!({"id": {}, "b": {"type": "integer"}});
            let mut input = schema_with_bookmark("s", properties, &["id"], "b");
            for b in bookmarks {
                input += &record("s", json!({"id": 1, "b": b}));
            }
            let _ = case.load(input).success();
            let written: Vec<i64> = bucket
                .messages()
                .await
                .iter()
                .map(|entry| entry.json()["b"].as_i64().expect("an integer"))
                .collect();
            assert_eq!(written, expected, "in {mode}");
        }
    }
}

/// Where the bucket keeps one value, not all need to be written, but the same one stays.
#[tokio::test]
async fn the_newest_value_stays_where_the_bucket_keeps_one() {
    for (mode, stays) in [("newer", 9), ("same", 9), ("full", 6)] {
        for case in [Case::new(), Case::on_oldest()] {
            let case = case.set("refresh_mode", mode);
            let properties = json!({"id": {}, "b": {"type": "integer"}});
            let mut input = schema_with_bookmark("s", properties, &["id"], "b");
            for b in [3, 1, 4, 1, 5, 9, 2, 6] {
                input += &record("s", json!({"id": 1, "b": b}));
            }
            let _ = case.load(input).success();
            assert_eq!(
                case.bucket().await.contents().await["s.1"]["b"],
                stays,
                "in {mode}"
            );
        }
    }
}

#[tokio::test]
async fn the_last_value_counts_where_the_bucket_keeps_one() {
    let case = Case::new().set("refresh_mode", "full");
    let mut input = schema("s", json!({"id": {}}), &["id"]);
    for round in 0..50 {
        for id in 0..20 {
            input += &record("s", json!({"id": id, "round": round}));
        }
    }
    let _ = case.load(input).success();
    let contents = case.bucket().await.contents().await;
    assert_eq!(contents.len(), 20);
    assert!(
        contents.values().all(|value| value["round"] == 49),
        "{contents:?}"
    );
}

#[tokio::test]
async fn an_identical_load_writes_nothing() {
    let mut input = schema("s", json!({"id": {"type": "integer"}}), &["id"]);
    for id in 0..5000 {
        input += &record(
            "s",
            json!({"id": id, "price": 0.1, "tags": ["a", null], "name": "é"}),
        );
    }
    for case in [Case::new(), Case::on_oldest()] {
        for msgpack in [false, true] {
            let case = case.again().set("msgpack", msgpack);
            let _ = case.load(&input).success();
            let bucket = case.bucket().await;
            assert_eq!(bucket.writes().await, 5000);
            let _ = case.load(&input).success();
            assert_eq!(bucket.writes().await, 5000, "msgpack {msgpack}");
        }
    }
}
