//! A line of the input: never a panic, and never another record than `serde_json` reads there.
#![no_main]

mod oracle;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use singer_target::internals::{Line, message};
use singer_target::value::Tape;

fuzz_target!(|line: &[u8]| {
    let readable = oracle::parse(line, &mut Tape::new());
    let taken = message(line);
    if oracle::is_misled(line) {
        return;
    }
    match (taken, serde_json::from_slice::<Value>(line)) {
        (Err(problem), _) => assert!(!problem.is_empty()),
        // It is JSON, but of a kind that serde_json may refuse, too.
        (Ok(Line::Unreadable(stream)), _) => assert!(!stream.is_empty() && !readable),
        (Ok(_), Err(_)) => assert!(readable, "what we take is JSON"),
        (Ok(taken), Ok(whole)) => {
            let json = |text: &str| serde_json::from_str::<Value>(text).expect("we write JSON");
            match taken {
                Line::Schema(stream) => {
                    assert_eq!(whole["type"], "SCHEMA");
                    assert_eq!(whole["stream"], stream);
                }
                Line::Record(stream, record) => {
                    assert_eq!(whole["type"], "RECORD");
                    assert_eq!(whole["stream"], stream);
                    assert_eq!(whole["record"], json(&record));
                }
                Line::ActivateVersion(stream, version) => {
                    assert_eq!(whole["type"], "ACTIVATE_VERSION");
                    assert_eq!(whole["stream"], stream);
                    assert_eq!(whole["version"].as_i64(), Some(version));
                }
                Line::Batch(stream, manifest) => {
                    assert_eq!(whole["type"], "BATCH");
                    assert_eq!(whole["stream"], stream);
                    let files = whole["manifest"].as_array().map_or(0, Vec::len);
                    assert_eq!(files, manifest.len());
                }
                Line::State(state) => {
                    assert_eq!(whole["type"], "STATE");
                    assert_eq!(whole["value"], state.map_or(Value::Null, |state| json(&state)));
                }
                Line::Unreadable(_) => unreachable!(),
            }
        }
    }
});
