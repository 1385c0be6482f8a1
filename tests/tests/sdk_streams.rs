//! The streams with which the Meltano SDK tests targets, as its package on PyPI has them
//! (`singer_sdk/testing/target_test_streams`), and what the bucket holds of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Value, json};
use target_tests::case::Case;
use target_tests::python;

/// Those that must fail, with the line and what is said.
const FAIL: [(&str, &str, &str); 3] = [
    ("record_before_schema", "line 1", "before its SCHEMA"),
    ("record_missing_key_property", "line 2", "\"id\" is missing"),
    ("record_missing_required_property", "line 2", "required"),
];

/// The directory of the streams: a part of the SDK that the real tap of the tests is built with.
fn directory() -> &'static PathBuf {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| {
        let mut python = Command::new(python::installed("tap").join("python"));
        python.args([
            "-c",
            "import os, singer_sdk; print(os.path.dirname(singer_sdk.__file__))",
        ]);
        let output = python::checked(&mut python, "the SDK is not installed");
        let package = String::from_utf8(output.stdout).expect("a path");
        PathBuf::from(package.trim()).join("testing/target_test_streams")
    })
}

fn input(name: &str) -> String {
    let file = directory().join(format!("{name}.singer"));
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn case() -> Case {
    Case::new().set("key_from", "hash")
}

/// What a bucket must hold after these inputs: of each key the last record, and of a stream without
/// keys each record once.
fn expected(inputs: &[String]) -> Vec<String> {
    let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut held: BTreeMap<(String, String), String> = BTreeMap::new();
    for line in inputs.iter().flat_map(|input| input.lines()) {
        let message: Value = serde_json::from_str(line).expect("JSON");
        let stream = message["stream"].as_str().unwrap_or_default().to_owned();
        match message["type"].as_str() {
            Some("SCHEMA") => {
                let names = message["key_properties"].as_array().cloned();
                let names = names.unwrap_or_default();
                let names = names.iter().filter_map(Value::as_str).map(str::to_owned);
                keys.insert(stream, names.collect());
            }
            Some("RECORD") => {
                let record = &message["record"];
                let parts = keys[&stream].iter().map(|name| record[name].to_string());
                let mut key: Vec<String> = parts.collect();
                if key.is_empty() {
                    key.push(record.to_string());
                }
                held.insert((stream, key.join(",")), record.to_string());
            }
            _ => {}
        }
    }
    let mut records: Vec<String> = held.into_values().collect();
    records.sort();
    records
}

async fn stored(case: &Case) -> Vec<String> {
    let contents = case.bucket().await.contents().await;
    let data = contents.into_values().map(|mut record| {
        let members = record.as_object_mut().expect("a record");
        members.retain(|name, _| !name.starts_with("_sdc_"));
        record.to_string()
    });
    let mut records: Vec<String> = data.collect();
    records.sort();
    records
}

fn last_state(input: &str) -> Option<Value> {
    let mut messages = input.lines().map(|line| {
        let message: Value = serde_json::from_str(line).expect("JSON");
        message
    });
    messages
        .rfind(|message| message["type"] == "STATE")
        .map(|message| message["value"].clone())
}

#[tokio::test]
async fn every_stream_arrives_as_it_is() {
    let mut seen = BTreeSet::new();
    for entry in fs::read_dir(directory()).expect("the SDK has its streams") {
        let path = entry.expect("it is readable").path();
        if path.extension().is_none_or(|end| end != "singer") {
            continue;
        }
        let name = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if FAIL.iter().any(|(failing, _, _)| *failing == name) {
            continue;
        }
        for msgpack in [false, true] {
            let case = case().set("msgpack", msgpack);
            let input = input(&name);
            let outcome = case.load(&input).success();
            assert_eq!(outcome.states().pop(), last_state(&input), "{name}");
            assert_eq!(stored(&case).await, expected(&[input]), "{name}");
        }
        seen.insert(name);
    }
    assert!(seen.len() >= 15, "{seen:?}");
}

#[tokio::test]
async fn those_that_are_wrong_fail() {
    for (name, line, said) in FAIL {
        let case = case();
        let outcome = case.load(input(name)).exited(1);
        for said in [line, said] {
            assert!(outcome.stderr.contains(said), "{name}: {}", outcome.stderr);
        }
        assert_eq!(stored(&case).await, [""; 0], "{name}");
    }
}

#[tokio::test]
async fn the_second_of_two_updates_the_first() {
    let inputs = ["user_location_data", "user_location_upsert_data"].map(input);
    let case = case();
    for input in &inputs {
        let _ = case.load(input).success();
    }
    assert_eq!(stored(&case).await, expected(&inputs));
}

#[tokio::test]
async fn one_of_many_characters_and_a_version() {
    let case = case().set("add_record_metadata", true);
    let _ = case.load(input("special_chars_in_attributes")).success();
    let contents = case.bucket().await.contents().await;
    let record = &contents["test=3ASpecialChars=21in=3Fattributes.a2e98886"];
    assert_eq!(record["d"]["agent:os:version"], "10.13.1");
    assert_eq!(record["_sdc_table_version"], json!(1_541_199_424_491_u64));
    assert_eq!(
        record["_sdc_extracted_at"],
        "2018-11-02T22:57:04.841020+00:00"
    );
}
