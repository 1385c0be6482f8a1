//! `load_method`: what becomes of the records of earlier runs. What happens when something breaks
//! meanwhile is in `overwrite_faults.rs`.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use target_tests::bucket::Bucket;
use target_tests::case::Case;
use target_tests::singer::{raw_record, record, schema, state};

fn people(ids: impl IntoIterator<Item = u32>) -> String {
    let records = ids
        .into_iter()
        .map(|id| record("people", json!({"id": id, "name": format!("person {id}")})));
    schema("people", json!({"id": {"type": "integer"}}), &["id"]) + &records.collect::<String>()
}

fn end() -> String {
    state(json!({"all": true}))
}

fn overwriting() -> Case {
    Case::new()
        .set("load_method", "overwrite")
        .set("refresh_mode", "full")
}

/// A case whose bucket holds 1, 2 and 3 of an earlier run, and what is not the stream's.
async fn loaded(case: Case) -> (Case, Bucket) {
    let earlier = case
        .clone()
        .set("load_method", "upsert")
        .set("refresh_mode", "newer");
    let other = schema("other", json!({"id": {}}), &["id"]) + &record("other", json!({"id": 1}));
    let _ = earlier.load([people(1..=3), other].concat()).success();
    let bucket = case.bucket().await;
    // Below the stream's own name, but not by its key properties.
    bucket.put("people.by.somebody", r#"{"id":9}"#).await;
    bucket.put("people.8", "no record at all").await;
    (case, bucket)
}

const FOREIGN: [&str; 3] = ["other.1", "people.8", "people.by.somebody"];

fn with_foreign(own: &[&str]) -> Vec<String> {
    let mut keys: Vec<String> = own.iter().chain(&FOREIGN).map(|&it| it.into()).collect();
    keys.sort();
    keys
}

#[tokio::test]
async fn overwrite_deletes_what_the_run_has_not_written_and_nothing_else() {
    for (base, delete_mode, operation) in [
        (overwriting(), "soft", "DEL"),
        (overwriting(), "purge", "PURGE"),
        (overwriting().set("msgpack", true), "soft", "DEL"),
    ] {
        let (case, bucket) = loaded(base.set("delete_mode", delete_mode)).await;
        let outcome = case.load([people([1, 4]), end()].concat()).success();
        assert_eq!(outcome.states(), [json!({"all": true})]);
        assert_eq!(bucket.keys().await, with_foreign(&["people.1", "people.4"]));
        assert_eq!(
            bucket.get("people.2").await.expect("a marker").operation,
            operation
        );
        assert!(outcome.stderr.contains("deleted=2"), "{}", outcome.stderr);
    }
}

/// MessagePack does not keep that the key was 1.50.
#[tokio::test]
async fn what_is_gone_is_deleted_however_its_key_was_spelled() {
    let prices = |ids: &[&str]| {
        let records = ids
            .iter()
            .map(|id| raw_record("prices", &format!(r#"{{"id":{id}}}"#)));
        schema("prices", json!({"id": {"type": "number"}}), &["id"]) + &records.collect::<String>()
    };
    for encoding in ["json", "msgpack"] {
        let case = overwriting().set("encoding", encoding);
        let first = prices(&["1.50", "2.50", "10"]) + &end();
        let _ = case.load(first).success();
        let _ = case.load(prices(&["2.50"]) + &end()).success();
        assert_eq!(case.bucket().await.keys().await, ["prices.2=2E50"]);
    }
}

#[tokio::test]
async fn a_table_that_is_empty_now_is_empty_then() {
    let (case, bucket) = loaded(overwriting()).await;
    let _ = case.load([people([]), end()].concat()).success();
    assert_eq!(bucket.keys().await, with_foreign(&[]));
}

#[tokio::test]
async fn on_the_oldest_server_too() {
    let case = Case::on_oldest()
        .set("load_method", "overwrite")
        .set("refresh_mode", "full");
    let (case, bucket) = loaded(case).await;
    let _ = case.load([people([3]), end()].concat()).success();
    assert_eq!(bucket.keys().await, with_foreign(&["people.3"]));
}

/// What does not show that the tap has sent all of its table.
#[tokio::test]
async fn nothing_is_deleted_unless_all_was_loaded() {
    let all = ["people.1", "people.2", "people.3"];
    let invalid = record("people", json!({"id": "x"}));
    for (input, skip, code, told) in [
        // A tap that died looks like this.
        (people([1]), false, 0, "no STATE follows its last record"),
        (
            [people([1]), end(), record("people", json!({"id": 1}))].concat(),
            false,
            0,
            "no STATE follows its last record",
        ),
        (
            [people([1]), invalid.clone(), end()].concat(),
            true,
            0,
            "records of it could not be loaded",
        ),
        (
            [people([1]), invalid, end()].concat(),
            false,
            1,
            "the run ended early",
        ),
        (
            [people([1]), end(), "{".to_owned()].concat(),
            false,
            1,
            "the run ended early",
        ),
    ] {
        let case = overwriting().set("on_invalid_record", if skip { "skip" } else { "fail" });
        let (case, bucket) = loaded(case).await;
        let outcome = case.load(input).exited(code);
        assert!(outcome.stderr.contains(told), "{}", outcome.stderr);
        assert_eq!(bucket.keys().await, with_foreign(&all), "{told}");
    }
}

#[tokio::test]
async fn a_signal_deletes_nothing() {
    let (case, bucket) = loaded(overwriting()).await;
    let mut run = case.target().spawn();
    assert!(run.send([people([1]), end()].concat()));
    let _ = run.state();
    run.signal(Signal::SIGTERM);
    let _ = run.wait().exited(143);
    assert_eq!(
        bucket.keys().await,
        with_foreign(&["people.1", "people.2", "people.3"])
    );
}

#[tokio::test]
async fn no_more_is_deleted_than_the_user_allows() {
    for (fraction, code) in [(0.5, 1), (0.75, 0)] {
        let case = overwriting().set("max_delete_fraction", fraction);
        let (case, bucket) = loaded(case).await;
        let outcome = case.load([people([1]), end()].concat()).exited(code);
        let deleted = bucket.get("people.2").await.expect("it was").operation != "PUT";
        assert_eq!(deleted, code == 0, "{}", outcome.stderr);
        if code == 1 {
            let told = "the end of the run would delete 2 of 3 records";
            assert!(outcome.stderr.contains(told), "{}", outcome.stderr);
        }
    }
}

/// Somebody else has written a key of the stream since the run began: it is no leftover.
#[tokio::test]
async fn what_others_write_meanwhile_stays() {
    let (case, bucket) = loaded(overwriting()).await;
    let mut run = case.target().spawn();
    assert!(run.send([people([1]), end()].concat()));
    assert!(run.state_within(Duration::from_secs(30)).is_some());
    bucket.put("people.2", r#"{"id":2,"by":"another"}"#).await;
    let _ = run.finish().success();
    assert_eq!(bucket.keys().await, with_foreign(&["people.1", "people.2"]));
    let other = bucket.get("people.2").await.expect("it was written");
    assert_eq!(other.json()["by"], "another");
}

/// A schema that changes half-way begins no new table.
#[tokio::test]
async fn what_was_written_before_a_changed_schema_stays() {
    let (case, bucket) = loaded(overwriting()).await;
    let changed = schema(
        "people",
        json!({"id": {"type": "integer"}, "age": {}}),
        &["id"],
    );
    let input = [
        people([1, 2]),
        changed,
        record("people", json!({"id": 4, "age": 7})),
        end(),
    ];
    let _ = case.load(input.concat()).success();
    assert_eq!(
        bucket.keys().await,
        with_foreign(&["people.1", "people.2", "people.4"])
    );
}

#[test]
fn what_a_bucket_cannot_do_is_refused() {
    let refused = |settings: &[(&str, Value)], told: &[&str]| {
        let case = settings.iter().fold(Case::new(), |case, (name, value)| {
            case.set(name, value.clone())
        });
        let outcome = case.load("").exited(2);
        for part in told {
            assert!(outcome.stderr.contains(part), "{}", outcome.stderr);
        }
    };
    refused(
        &[("load_method", json!("append-only"))],
        &["load_method", "upsert", "overwrite"],
    );
    refused(
        &[("load_method", json!("overwrite"))],
        &["load_method", "refresh_mode", "full"],
    );
}
