//! Logs, METRIC lines and the summary of a run, on standard error.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::{Value, json};
use target_tests::case::Case;
use target_tests::python;
use target_tests::singer::{record, schema, schema_with_bookmark, state};
use target_tests::target::Outcome;

fn input() -> String {
    [
        schema("s", json!({"id": {"type": "integer"}}), &["id"]),
        record("s", json!({"id": 1})),
        record("s", json!({"id": 2})),
        record("s", json!({"id": "x"})),
        record(
            "s",
            json!({"id": 3, "_sdc_deleted_at": "2026-01-01T00:00:00Z"}),
        ),
        state(json!({"n": 1})),
    ]
    .concat()
}

fn case() -> Case {
    Case::new()
        .set("on_invalid_record", "skip")
        .set("delete_mode", "delete")
}

/// The metrics of METRIC lines.
fn metrics(outcome: &Outcome) -> Vec<Value> {
    let lines = outcome.stderr.lines();
    let metrics = lines.filter_map(|line| Some(line.split_once("METRIC: ")?.1));
    metrics
        .map(|metric| serde_json::from_str(metric).expect("JSON"))
        .collect()
}

#[test]
fn metric_lines_are_the_sdks() {
    let outcome = case().load(input()).success();
    let metrics = metrics(&outcome);
    let names: Vec<&str> = metrics
        .iter()
        .filter_map(|metric| metric["metric"].as_str())
        .collect();
    assert_eq!(
        names,
        ["record_count", "batch_count", "batch_processing_time"]
    );
    assert_eq!(metrics[0]["type"], "counter");
    assert_eq!(metrics[0]["value"], 4);
    assert_eq!(metrics[1]["value"], 1);
    assert_eq!(metrics[2]["type"], "timer");
    assert!(metrics[2]["value"].as_f64() > Some(0.0));
    for metric in &metrics {
        assert_eq!(metric["tags"]["stream"], "s");
        assert!(metric["tags"]["pid"].as_u64() > Some(0));
    }
    assert_eq!(metrics[2]["tags"]["status"], "succeeded");
}

#[test]
fn the_summary_tells_what_became_of_every_record() {
    let case = case();
    let _ = case.load(input()).success();
    let outcome = case
        .load(input() + &record("s", json!({"id": 9})))
        .success();
    let summary = outcome.stderr.lines().find(|line| line.contains("loaded"));
    let summary = summary.expect("a summary");
    for count in [
        "stream=\"s\"",
        "read=5",
        "written=1",
        "unchanged=3",
        "conflicting=0",
        "deleted=0",
        "rejected=1",
        "skipped=1",
        "dead_lettered=0",
        "unsettled=0",
        "bytes=",
        "retries=0",
        "records_per_second=",
    ] {
        assert!(summary.contains(count), "{count}: {summary}");
    }
}

/// A source that changes records without their bookmark: a load leaves them, and says so.
#[test]
fn ties_are_told() {
    let folder = tempfile::tempdir().expect("the temporary directory is writable");
    let file = folder.path().join("target.prom");
    for encoding in ["json", "msgpack"] {
        let case = Case::new()
            .set("encoding", encoding)
            .set("metrics_file", file.to_string_lossy().as_ref());
        let start = schema_with_bookmark("s", json!({"id": {}, "at": {}}), &["id"], "at");
        let row = |id: u32, at: u32, v: &str| record("s", json!({"id": id, "at": at, "v": v}));
        let first = [row(1, 5, "a"), row(2, 5, "a"), row(3, 5, "a")].concat();
        let quiet = case.load(start.clone() + &first).success();
        assert!(!quiet.stderr.contains("WARN"), "{}", quiet.stderr);
        // The same, a tie, an older one, and a tie with a record of the same batch.
        let second = [
            row(1, 5, "a"),
            row(2, 5, "b"),
            row(3, 4, "b"),
            row(4, 1, "a"),
            row(4, 1, "b"),
        ];
        let outcome = case.load(start + &second.concat()).success();
        let told = "written=1 unchanged=2 conflicting=2";
        assert!(
            outcome.stderr.contains(told),
            "{encoding}: {}",
            outcome.stderr
        );
        let warned = "stream 's': 2 conflicting: as new as what is stored";
        assert_eq!(outcome.stderr.matches(warned).count(), 1, "{encoding}");
        let metrics = std::fs::read_to_string(&file).expect("it was written");
        let sample = r#"singer_target_records_total{outcome="conflicting",stream="s"} 2"#;
        assert!(metrics.contains(sample), "{encoding}: {metrics}");
    }
}

/// What the SDK's own formatter writes of a message and of a metric.
fn lines_of_the_sdk() -> Vec<Value> {
    let script = r#"
import logging, sys
from singer_sdk import metrics
from singer_sdk.logging import StructuredFormatter
handler = logging.StreamHandler(sys.stdout)
handler.setFormatter(StructuredFormatter())
logging.basicConfig(level="INFO", handlers=[handler])
logging.getLogger("target-x").info("loaded", extra={"stream_name": "s", "written": 7})
with metrics.record_counter("s") as counter:
    counter.increment(7)
"#;
    let python = python::installed("tap").join("python");
    let output = python::checked(Command::new(python).args(["-c", script]), "the SDK fails");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

fn members(line: &Value) -> BTreeSet<&str> {
    let members = line.as_object().expect("an object");
    members.keys().map(String::as_str).collect()
}

/// Meltano names a file that asks for the SDK's structured lines, and shows each line by them.
#[test]
fn meltano_is_given_lines_as_the_sdk_writes_them() {
    let of_sdk = lines_of_the_sdk();
    let config = json!({
        "version": 1,
        "disable_existing_loggers": false,
        "formatters": {"singer_formatter": {"()": "singer_sdk.logging.StructuredFormatter"}},
        "handlers": {"console": {
            "class": "logging.StreamHandler",
            "formatter": "singer_formatter",
            "stream": "ext://sys.stderr",
        }},
        "root": {"handlers": ["console"], "level": "INFO"},
    });
    let folder = tempfile::tempdir().expect("the temporary directory is writable");
    let file = folder.path().join("target.singer_sdk_logging.json");
    std::fs::write(&file, config.to_string()).expect("it is writable");
    let run = |case: Case, input: String| {
        let target = case.target();
        target.env("SINGER_SDK_LOG_CONFIG", &file).run(input)
    };
    let lines = |outcome: &Outcome| -> Vec<Value> {
        let lines = outcome.stderr.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
            .collect()
    };
    let outcome = run(case(), input()).success();
    let ours = lines(&outcome);
    let find = |lines: &[Value], message: &str| -> Value {
        let first_word = |line: &&Value| {
            let text = line["message"].as_str();
            text.and_then(|text| text.split(' ').next()) == Some(message)
        };
        let found = lines.iter().find(first_word);
        found.unwrap_or_else(|| panic!("no {message}")).clone()
    };
    for message in ["loaded", "METRIC"] {
        let (ours, theirs) = (find(&ours, message), find(&of_sdk, message));
        assert_eq!(members(&ours), members(&theirs), "{message}");
        assert_eq!(ours["level"], theirs["level"]);
    }
    let metric = find(&ours, "METRIC");
    let theirs = find(&of_sdk, "METRIC");
    assert_eq!(metric["logger_name"], theirs["logger_name"]);
    let (metric, theirs) = (&metric["metric_info"], &theirs["metric_info"]);
    assert_eq!(members(metric), members(theirs));
    assert_eq!(members(&metric["tags"]), members(&theirs["tags"]));
    let summary = find(&ours, "loaded");
    assert_eq!(summary["stream_name"], "s");
    // Of a line's other fields Meltano shows none.
    let text = summary["message"].to_string();
    assert!(text.contains("written="), "{text}");

    // Why a run fails is one of these lines, too, so that Meltano shows it as an error.
    let outcome = run(Case::new(), "{".to_owned()).exited(1);
    let error = lines(&outcome).pop().expect("a line");
    assert_eq!(error["level"], "error");
    assert!(error["message"].to_string().contains("line 1"), "{error}");
}

#[test]
fn a_level_in_the_file_counts_unless_the_user_says_more() {
    let folder = tempfile::tempdir().expect("the temporary directory is writable");
    let file = folder.path().join("log.yaml");
    std::fs::write(&file, "version: 1\nroot: {level: ERROR}\n").expect("it is writable");
    let with = |variables: &[(&str, &str)]| {
        let target = case().target().env("SINGER_SDK_LOG_CONFIG", &file);
        let target = variables
            .iter()
            .fold(target, |target, (name, value)| target.env(name, value));
        target.run(input()).success().stderr
    };
    assert_eq!(with(&[]), "");
    assert!(with(&[("TARGET_NATS_KV_LOGLEVEL", "info")]).contains("loaded"));
    assert_eq!(with(&[("LOGLEVEL", "info")]), "");
}
