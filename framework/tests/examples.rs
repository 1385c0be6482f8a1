//! The examples do what they say.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use singer_target::value::Tape;

const INPUT: &str = r#"{"type":"SCHEMA","stream":"people","schema":{"properties":{"id":{"type":"integer"}}},"key_properties":["id"]}
{"type":"RECORD","stream":"people","record":{"id":1,"name":"Zoë","weight":70.5}}
{"type":"RECORD","stream":"people","record":{"id":2,"name":"Bo","big":123456789012345678901234567890}}
{"type":"STATE","value":{"people":2}}
"#;

/// A new folder with a name of its own, and a configuration in it.
fn folder(name: &str, settings: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    let config = format!(
        r#"{{"folder":{:?}{settings}}}"#,
        folder.to_str().expect("UTF-8")
    );
    std::fs::write(folder.join("config.json"), config).expect("a configuration");
    folder
}

/// The example. It is built with the whole workspace in view, as its tests are: by itself it would
/// need all that it depends on once more, with other features.
fn program(example: &str) -> PathBuf {
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--workspace", "--example", example])
        .status()
        .expect("cargo runs these tests");
    assert!(built.success(), "{example} does not build");
    let test = std::env::current_exe().expect("this program");
    let folder = test.ancestors().nth(2).expect("target/PROFILE/deps/TEST");
    folder.join("examples").join(example)
}

fn run(example: &str, folder: &Path) -> Output {
    run_with(example, folder, INPUT)
}

fn run_with(example: &str, folder: &Path, messages: &str) -> Output {
    let mut child = Command::new(program(example))
        .arg("--config")
        .arg(folder.join("config.json"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut input = child.stdin.take().expect("a pipe");
    // A target that refuses its configuration reads nothing.
    let _ = input.write_all(messages.as_bytes());
    drop(input);
    child.wait_with_output().expect("ends")
}

fn succeed(example: &str, folder: &Path) {
    let output = run(example, folder);
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "{\"people\":2}\n",
        "{log}"
    );
}

#[test]
fn the_smallest_target_loads_records_and_is_small() {
    let folder = folder("smallest", "");
    succeed("smallest", &folder);
    let stored = std::fs::read_to_string(folder.join("people.jsonl")).expect("records");
    assert_eq!(
        stored,
        "{\"id\":1,\"name\":\"Zoë\",\"weight\":70.5}\n\
         {\"id\":2,\"name\":\"Bo\",\"big\":123456789012345678901234567890}\n"
    );
    let source = include_str!("../examples/smallest.rs");
    assert!(source.lines().count() < 60, "it should be under 60 lines");
}

#[test]
fn an_encoder_of_ones_own_is_found_by_its_name() {
    let folder = folder("cbor", r#","encoding":"cbor""#);
    succeed("cbor", &folder);
    let stored = std::fs::read(folder.join("people.cbor")).expect("records");
    let mut rest = stored.as_slice();
    let mut next = || -> Tape { ciborium::from_reader(&mut rest).expect("CBOR") };
    let json = |tape: &Tape| tape.root().expect("a value").to_json();
    assert_eq!(json(&next()), r#"{"id":1,"name":"Zoë","weight":70.5}"#);
    assert_eq!(
        json(&next()),
        r#"{"id":2,"name":"Bo","big":"123456789012345678901234567890"}"#
    );
    assert!(rest.is_empty());
}

#[test]
fn an_encoder_that_is_not_there_is_named_with_those_that_are() {
    let folder = folder("cbor-wrong", r#","encoding":"xml""#);
    let output = run("cbor", &folder);
    assert_eq!(output.status.code(), Some(2));
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(
        log.contains("encoding: there is no encoder 'xml', only cbor"),
        "{log}"
    );
}

#[test]
fn every_hook_is_called_in_its_turn() {
    let folder = folder("hooks", r#","on_invalid_record":"skip""#);
    let input = r#"{"type":"SCHEMA","stream":"stays","schema":{"properties":{"id":{"type":"integer"},"email":{"type":["string","null"]}}},"key_properties":["id"]}
{"type":"RECORD","stream":"stays","record":{"id":1,"email":"zoe@example.com","price":10.50}}
{"type":"RECORD","stream":"stays","record":{"id":2,"email":null}}
{"type":"RECORD","stream":"stays","record":{"id":3,"email":7}}
{"type":"RECORD","stream":"stays","record":{"id":4,"from":"2026-02-01","to":"2026-01-01"}}
{"type":"STATE","value":{"people":2}}
"#;
    let output = run_with("hooks", &folder, input);
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    let stored = std::fs::read_to_string(folder.join("stays.jsonl")).expect("records");
    assert_eq!(
        stored,
        "{\"id\":1,\"email\":\"***\",\"price\":10.50}\n{\"id\":2,\"email\":null}\n"
    );
    // Its schema refuses the third record, before it is preprocessed, and the sink the fourth.
    assert!(log.contains("at /email"), "{log}");
    assert!(log.contains("it ends before it begins"), "{log}");
    let diary = std::fs::read_to_string(folder.join("diary.txt")).expect("a diary");
    assert_eq!(
        diary,
        "open stays\n\
         start of 2 records of stays\n\
         end of the batch\n\
         close stays: records of it could not be loaded\n\
         close: Complete\n"
    );
}

#[test]
fn a_stream_is_closed_however_the_run_ends() {
    let folder = folder("hooks-fail", "");
    let input = INPUT.replace("\"id\":2", "\"id\":\"two\"");
    let output = run_with("hooks", &folder, &input);
    assert_eq!(output.status.code(), Some(1));
    let diary = std::fs::read_to_string(folder.join("diary.txt")).expect("a diary");
    let end = "close people: the run ended early\nclose: Early\n";
    assert!(diary.ends_with(end), "{diary}");
}
