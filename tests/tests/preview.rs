//! `load --dry-run` and `verify`: what a load would do, and whether it has done it.

use serde_json::{Value, json};
use target_tests::bucket::Bucket;
use target_tests::case::Case;
use target_tests::singer::{line, record, schema, schema_with_bookmark, state};
use target_tests::target::Outcome;

const MODES: [&str; 3] = ["newer", "same", "full"];

fn dry_run(case: &Case, input: &str) -> Outcome {
    let args = ["load", "--dry-run", "--format", "json"];
    case.target().args(args).run(input)
}

/// What a dry run says of the stream `s`: created, updated, unchanged, outdated, conflicting,
/// deleted, rejected.
fn forecast(case: &Case, input: &str) -> [u64; 7] {
    let outcome = dry_run(case, input).success();
    let report: Value = serde_json::from_str(&outcome.stdout).expect("a report, and no STATE");
    let names = [
        "created",
        "updated",
        "unchanged",
        "outdated",
        "conflicting",
        "deleted",
        "rejected",
    ];
    names.map(|name| report["streams"]["s"][name].as_u64().expect("a number"))
}

/// What `verify` says of the stream `s`: its keys that differ, and how.
fn differences(case: &Case, input: &str) -> Vec<(String, String)> {
    let args = ["verify", "--format", "json"];
    let outcome = case.target().args(args).run(input);
    let report: Value = serde_json::from_str(&outcome.stdout)
        .unwrap_or_else(|error| panic!("no report, {error}: {}", outcome.stderr));
    let stream = &report["streams"]["s"];
    let found = stream["differences"].as_object().expect("an object");
    let found: Vec<_> = found
        .iter()
        .map(|(key, it)| (key.clone(), it["kind"].as_str().expect("text").to_owned()))
        .collect();
    let good = found.is_empty() && stream["left_over"] == 0;
    let _ = outcome.exited(if good { 0 } else { 1 });
    found
}

fn different(keys: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(key, kind): &(&str, &str)| ((*key).to_owned(), (*kind).to_owned());
    keys.iter().map(owned).collect()
}

/// Records of the stream `s` with the replication key `at`.
fn input(records: &[Value]) -> String {
    let properties = json!({"id": {}, "at": {"type": ["null", "integer"]}});
    let start = schema_with_bookmark("s", properties, &["id"], "at");
    let lines: String = records.iter().map(|it| record("s", it.clone())).collect();
    start + &lines + &state(json!({"n": 1}))
}

fn gone(id: u32, at: u32) -> Value {
    json!({"id": id, "at": at, "_sdc_deleted_at": "2026-01-01T00:00:00Z"})
}

async fn stored(case: &Case) -> Bucket {
    let _ = case
        .load(input(&[
            json!({"id": 1, "at": 5, "v": "a"}),
            json!({"id": 2, "at": 5, "v": "a"}),
            json!({"id": 3, "at": 5, "v": "a"}),
            json!({"id": 4, "at": 5, "v": "a"}),
            gone(5, 5),
        ]))
        .success();
    case.bucket().await
}

#[tokio::test]
async fn a_bucket_that_does_not_exist_is_not_made() {
    let case = Case::new();
    let records = [json!({"id": 1}), json!({"id": 2}), json!({"id": 1, "v": 2})];
    assert_eq!(forecast(&case, &input(&records)), [2, 1, 0, 0, 0, 0, 0]);
    let missing = different(&[("s.1", "missing"), ("s.2", "missing")]);
    assert_eq!(differences(&case, &input(&records)), missing);
    assert!(!Bucket::exists(&case.url, &case.name).await);
    let case = case.set("create_bucket", false);
    let refused = dry_run(&case, &input(&records)).exited(3);
    assert!(
        refused.stderr.contains("does not exist"),
        "{}",
        refused.stderr
    );
}

#[tokio::test]
async fn a_dry_run_tells_what_the_load_then_does() {
    let records = [
        json!({"id": 1, "at": 5, "v": "a"}), // the same
        json!({"id": 2, "at": 6, "v": "b"}), // newer
        json!({"id": 3, "at": 4, "v": "b"}), // older
        json!({"id": 4, "at": 5, "v": "b"}), // neither, and other
        json!({"id": 5, "at": 6, "v": "a"}), // after its deletion
        json!({"id": 6, "at": 1, "v": "a"}), // new
        json!({"id": 6, "at": 2, "v": "b"}), // and newer
        gone(2, 7),
        json!({"at": 7}), // without a key
    ];
    let expected = [
        ("newer", [2, 2, 1, 1, 1, 1, 1]),
        ("same", [2, 4, 0, 1, 0, 1, 1]),
        ("full", [2, 5, 0, 0, 0, 1, 1]),
    ];
    for (mode, expected) in expected {
        for encoding in ["json", "msgpack"] {
            let case = Case::new()
                .set("encoding", encoding)
                .set("refresh_mode", mode)
                .set("delete_mode", "delete")
                .set("on_invalid_record", "dead_letter")
                .set("dead_letter_file", "dead.jsonl");
            let bucket = stored(&case).await;
            let before = bucket.writes().await;
            let told = forecast(&case, &input(&records));
            assert_eq!(told, expected, "{mode}, {encoding}");
            assert_eq!(bucket.writes().await, before, "{mode}, {encoding}");
            let loaded = case.load(input(&records)).success().stderr;
            let [
                created,
                updated,
                unchanged,
                outdated,
                conflicting,
                deleted,
                rejected,
            ] = told;
            for (what, count) in [
                ("written", created + updated),
                ("unchanged", unchanged + outdated),
                ("conflicting", conflicting),
                ("deleted", deleted),
                ("rejected", rejected),
            ] {
                let told = format!(" {what}={count} ");
                assert!(
                    loaded.contains(&told),
                    "{mode}, {encoding}: no {told}in {loaded}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_table_for_people() {
    let case = Case::new();
    let records = [json!({"id": 1}), json!({"id": 2})];
    let outcome = case
        .target()
        .args(["load", "--dry-run"])
        .run(input(&records));
    assert_eq!(
        outcome.success().stdout,
        "stream  created  updated  unchanged  outdated  conflicting  deleted  filtered  rejected\n\
         s             2        0          0         0            0        0         0         0\n"
    );
    let _ = case.load(input(&records[..1])).success();
    let outcome = case.target().args(["verify"]).run(input(&records));
    assert_eq!(
        outcome.exited(1).stdout,
        "missing      s.2  (line 3)\n\
         stream  records  newer  differences  left over  rejected\n\
         s             2      0            1          0         0\n"
    );
}

#[tokio::test]
async fn an_invalid_record_ends_a_dry_run_as_it_would_end_the_load() {
    let case = Case::new();
    let outcome = dry_run(&case, &input(&[json!({"at": 1})])).exited(1);
    assert_eq!(outcome.stdout, "");
    assert!(outcome.stderr.contains("line 2"), "{}", outcome.stderr);
}

#[tokio::test]
async fn verify_finds_what_differs() {
    for mode in MODES {
        for encoding in ["json", "msgpack"] {
            let case = Case::new()
                .set("encoding", encoding)
                .set("refresh_mode", mode)
                .set("delete_mode", "delete");
            let records = [
                json!({"id": 1, "at": 5, "v": 1.50}),
                json!({"id": 2, "at": 5, "v": "a"}),
                json!({"id": 3, "at": 5, "v": "a"}),
                json!({"id": 4, "at": 5, "v": "a"}),
                json!({"id": 1, "at": 6, "v": 2.50}),
                gone(4, 6),
                gone(5, 6),
            ];
            let input = input(&records);
            let _ = case.load(&input).success();
            let bucket = case.bucket().await;
            assert_eq!(differences(&case, &input), [], "{mode}, {encoding}");
            bucket.store.delete("s.2").await.expect("deleted");
            let _ = bucket.put("s.3", r#"{"id":3,"at":5,"v":"x"}"#).await;
            let _ = bucket.put("s.4", r#"{"id":4,"at":5,"v":"a"}"#).await;
            let _ = bucket.put("s.1", "[]").await;
            let expected = different(&[
                ("s.1", "different"),
                ("s.2", "missing"),
                (
                    "s.3",
                    if mode == "newer" {
                        "conflicting"
                    } else {
                        "different"
                    },
                ),
                ("s.4", "remaining"),
            ]);
            assert_eq!(differences(&case, &input), expected, "{mode}, {encoding}");
        }
    }
}

#[tokio::test]
async fn what_another_run_has_made_newer_is_no_difference() {
    for mode in ["newer", "same"] {
        let case = Case::new().set("refresh_mode", mode);
        let old = input(&[json!({"id": 1, "at": 5}), json!({"id": 2, "at": 5})]);
        let _ = case.load(&old).success();
        let _ = case.load(input(&[json!({"id": 1, "at": 6})])).success();
        assert_eq!(differences(&case, &old), [], "{mode}");
        let marked = r#"{"id":2,"at":5,"_sdc_deleted_at":"2026-01-01T00:00:00Z"}"#;
        let _ = case.bucket().await.put("s.2", marked).await;
        assert_eq!(differences(&case, &old), [], "{mode}");
    }
}

/// An older record that comes later, and is what is stored, does not hide that the newer one was
/// lost.
#[tokio::test]
async fn the_newest_record_of_a_key_must_be_there() {
    for rows in [1, 1_000] {
        let case = Case::new().set("batch_size_rows", rows);
        let _ = case.load(input(&[json!({"id": 1, "at": 5})])).success();
        let records = [json!({"id": 1, "at": 6}), json!({"id": 1, "at": 5})];
        let expected = different(&[("s.1", "different")]);
        assert_eq!(differences(&case, &input(&records)), expected, "{rows}");
        let _ = case.load(input(&records)).success();
        assert_eq!(differences(&case, &input(&records)), [], "{rows}");
    }
}

/// A stream in which each table version has the ids given for it.
fn versions(versions: &[(i64, &[u32])]) -> String {
    let mut input = schema("s", json!({"id": {}}), &["id"]);
    for (version, ids) in versions {
        for id in *ids {
            input += &line(json!({"type": "RECORD", "stream": "s", "version": version,
                "record": {"id": id}}));
        }
        input += &line(json!({"type": "ACTIVATE_VERSION", "stream": "s", "version": version}));
    }
    input + &state(json!({"n": 1}))
}

#[tokio::test]
async fn versions_of_a_table() {
    for hard in [false, true] {
        let case = Case::new()
            .set("add_record_metadata", true)
            .set("hard_delete", hard);
        let both = versions(&[(1, &[1, 2, 3]), (2, &[2, 4])]);
        let _ = case.load(versions(&[(1, &[1, 2, 3])])).success();
        let told = forecast(&case, &versions(&[(2, &[2, 4])]));
        assert_eq!(told, [1, 1, 0, 0, 0, 2, 0], "{hard}");
        let _ = case.load(&both).success();
        assert_eq!(differences(&case, &both), [], "{hard}");
        // One that should have gone.
        let left = r#"{"id":9,"_sdc_table_version":1}"#;
        let _ = case.bucket().await.put("s.9", left).await;
        let outcome = case.target().args(["verify"]).run(&both).exited(1);
        assert!(
            outcome.stdout.ends_with(" 1         0\n"),
            "{}",
            outcome.stdout
        );
    }
}

#[tokio::test]
async fn a_run_that_overwrites() {
    let case = Case::new()
        .set("refresh_mode", "full")
        .set("load_method", "overwrite");
    let _ = case
        .load(input(&[json!({"id": 1}), json!({"id": 2})]))
        .success();
    let next = input(&[json!({"id": 2}), json!({"id": 3})]);
    assert_eq!(forecast(&case, &next), [1, 1, 0, 0, 0, 1, 0]);
    let _ = case.load(&next).success();
    assert_eq!(differences(&case, &next), []);
    let _ = case.bucket().await.put("s.9", r#"{"id":9}"#).await;
    let outcome = case.target().args(["verify"]).run(&next).exited(1);
    assert!(
        outcome.stdout.ends_with(" 1         0\n"),
        "{}",
        outcome.stdout
    );
}

/// What a load would do is not done, and the other way round: whatever a dry run would write of
/// these inputs, `verify` finds before the load, and no difference after it.
#[tokio::test]
async fn verify_finds_what_a_load_would_write() {
    let marked = json!({"id": 1, "at": 5, "_sdc_deleted_at": "2026-01-01T00:00:00Z"});
    let first = [json!({"id": 1, "at": 5, "v": "a"})];
    let cases: [(&str, Value, Vec<Value>, Vec<Value>); 6] = [
        (
            "an older record in full",
            json!({"refresh_mode": "full"}),
            first.to_vec(),
            vec![
                json!({"id": 1, "at": 5, "v": "a"}),
                json!({"id": 1, "at": 3, "v": "b"}),
            ],
        ),
        (
            "an older deletion in full",
            json!({"refresh_mode": "full", "delete_mode": "delete"}),
            first.to_vec(),
            vec![gone(1, 3)],
        ),
        (
            "a tombstone that may be replaced",
            json!({"revive_deleted": "newer"}),
            vec![marked.clone()],
            vec![json!({"id": 1, "at": 6, "v": "b"})],
        ),
        (
            "the same, in same",
            json!({"revive_deleted": "newer", "refresh_mode": "same"}),
            vec![marked],
            vec![json!({"id": 1, "at": 7, "v": "b"})],
        ),
        (
            "a null mark",
            json!({"refresh_mode": "same"}),
            vec![json!({"id": 1, "at": 5, "v": "a", "_sdc_deleted_at": null})],
            first.to_vec(),
        ),
        (
            "a replication key that is no data",
            json!({"refresh_mode": "same", "replication_key": "_sdc_lsn"}),
            vec![json!({"id": 1, "at": 5, "_sdc_lsn": 1})],
            vec![json!({"id": 1, "at": 5, "_sdc_lsn": 9})],
        ),
    ];
    for (what, settings, before, records) in cases {
        let mut case = Case::new();
        for (name, value) in settings.as_object().expect("settings") {
            case = case.set(name, value.clone());
        }
        let _ = case.load(input(&before)).success();
        let records = input(&records);
        assert_eq!(differences(&case, &records).len(), 1, "{what}");
        let _ = case.load(&records).success();
        assert_eq!(differences(&case, &records), [], "{what}");
    }
}

/// Records that a new version of the table writes although they are older.
#[tokio::test]
async fn verify_looks_at_versions() {
    let versioned = |version: i64, record: Value| {
        line(json!({"type": "RECORD", "stream": "s", "version": version, "record": record}))
    };
    let activate =
        |version: i64| line(json!({"type": "ACTIVATE_VERSION", "stream": "s", "version": version}));
    let start = input(&[]);
    for hard in [false, true] {
        let case = Case::new()
            .set("add_record_metadata", true)
            .set("hard_delete", hard);
        let old = start.clone() + &versioned(1, json!({"id": 1, "at": 5}));
        let _ = case.load(&old).success();
        let new = start.clone() + &versioned(2, json!({"id": 1, "at": 3})) + &activate(2);
        let expected = different(&[("s.1", "different")]);
        assert_eq!(differences(&case, &new), expected, "{hard}");
        let _ = case.load(&new).success();
        assert_eq!(differences(&case, &new), [], "{hard}");

        // The deletion of what the version has not got is missing, although the input had the key.
        let case = case.again();
        let rows = start.clone()
            + &versioned(1, json!({"id": 1, "at": 1}))
            + &versioned(1, json!({"id": 2, "at": 1}))
            + &versioned(2, json!({"id": 1, "at": 2}));
        let whole = rows.clone() + &activate(2);
        let [.., deleted, _] = forecast(&case, &whole);
        assert_eq!(deleted, 0, "{hard}: nothing is stored yet");
        let _ = case.load(&rows).success();
        let outcome = case.target().args(["verify"]).run(&whole).exited(1);
        assert!(
            outcome.stdout.ends_with(" 1         0\n"),
            "{}",
            outcome.stdout
        );
        let [.., deleted, _] = forecast(&case, &whole);
        assert_eq!(deleted, 1, "{hard}");
        let _ = case.load(&whole).success();
        assert_eq!(differences(&case, &whole), [], "{hard}");
    }
    // What a version has marked, and a later record of it brings back.
    for mode in MODES {
        let case = Case::new()
            .set("add_record_metadata", true)
            .set("refresh_mode", mode);
        let rows = start.clone() + &versioned(1, json!({"id": 1, "at": 5}));
        let _ = case.load(rows + &activate(2)).success();
        let back = start.clone() + &versioned(2, json!({"id": 1, "at": 6})) + &activate(2);
        assert_eq!(differences(&case, &back).len(), 1, "{mode}");
        let _ = case.load(&back).success();
        assert_eq!(differences(&case, &back), [], "{mode}");
    }
}

#[tokio::test]
async fn a_schema_that_changes_forgets_nothing() {
    let wider = schema_with_bookmark("s", json!({"id": {}, "at": {}, "v": {}}), &["id"], "at");
    let case = Case::new();
    let _ = case.load(input(&[json!({"id": 1, "at": 4})])).success();
    let both =
        input(&[json!({"id": 1, "at": 5})]) + &wider + &record("s", json!({"id": 1, "at": 4}));
    let expected = different(&[("s.1", "different")]);
    assert_eq!(differences(&case, &both), expected);
    let case = case
        .again()
        .set("refresh_mode", "full")
        .set("load_method", "overwrite");
    let both =
        input(&[json!({"id": 1})]) + &wider + &record("s", json!({"id": 2})) + &state(json!({}));
    let _ = case.load(&both).success();
    assert_eq!(forecast(&case, &both)[5], 0);
    assert_eq!(differences(&case, &both), []);
}

/// By the rules of `refresh_mode`, the first of two records of the same age stays.
#[tokio::test]
async fn what_a_load_leaves_is_no_difference() {
    let case = Case::new().set("on_invalid_record", "skip");
    let records = [
        json!({"id": 1, "at": 5, "v": "a"}),
        json!({"id": 1, "at": 5, "v": "b"}),
        json!({"at": 1}),
    ];
    let _ = case.load(input(&records)).success();
    assert_eq!(differences(&case, &input(&records)), []);
    let other = input(&[json!({"id": 1, "at": 5, "v": "c"})]);
    assert_eq!(
        differences(&case, &other),
        different(&[("s.1", "conflicting")])
    );
    let outcome = case.target().args(["verify"]).run(input(&records));
    let table = "s             2      0            0          0         1\n";
    assert!(outcome.stdout.ends_with(table), "{}", outcome.stdout);
}

#[test]
fn a_sink_without_it_says_so() {
    let outcome = Case::new()
        .target()
        .args(["load", "--format", "json"])
        .run("")
        .exited(2);
    assert!(outcome.stderr.contains("--dry-run"), "{}", outcome.stderr);
}
