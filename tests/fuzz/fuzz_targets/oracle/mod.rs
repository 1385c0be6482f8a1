//! `serde_json` as the judge of our own parser: it takes what serde_json takes, but for limits that
//! are documented, and finds there the same values.

use serde_json::Value as Json;
use singer_target::value::{Tape, Value, ValueKind};

/// What our parser refuses although it is JSON: numbers that nobody could compare or check.
const LIMITS: [&str; 2] = ["number of more than", "number with an exponent of more than"];

/// Puts `bytes` on the tape, as serde_json reads them, or finds that neither can.
pub fn parse(bytes: &[u8], tape: &mut Tape) -> bool {
    let taken = tape.parse(bytes);
    if is_misled(bytes) {
        return taken.is_ok();
    }
    match (taken, serde_json::from_slice::<Json>(bytes)) {
        (Ok(()), Ok(expected)) => {
            let found = tape.root().expect("a value was read");
            same(found, &expected);
            let text = found.to_json();
            assert_eq!(serde_json::from_str::<Json>(&text).ok(), Some(expected));
            let mut again = Tape::new();
            again.parse(text.as_bytes()).expect("we wrote it");
            assert_eq!(again.root().expect("a value").to_json(), text, "it was not compact");
            true
        }
        (Ok(()), Err(error)) => {
            // Of 128 levels, ours takes the last one, too.
            assert!(error.to_string().contains("recursion limit"), "{error}");
            true
        }
        (Err(error), expected) => {
            assert!(tape.root().is_none(), "a failed parse leaves nothing");
            let limit = LIMITS.iter().any(|limit| error.problem.starts_with(limit));
            assert!(expected.is_err() || limit, "{error}");
            false
        }
    }
}

/// With arbitrary precision, serde_json takes an object with a member of this name for a number.
pub fn is_misled(bytes: &[u8]) -> bool {
    bytes.windows(11).any(|part| part == b"$serde_json")
}

/// Node for node the same.
fn same(found: Value<'_>, expected: &Json) {
    match expected {
        Json::Null => assert!(found.is_null()),
        Json::Bool(bool) => assert_eq!(found.as_bool(), Some(*bool)),
        Json::Number(number) => {
            let digits = found.as_number().expect("a number").as_str().to_ascii_lowercase();
            assert_eq!(digits.replace("e+", "e"), number.as_str().replace("e+", "e"));
        }
        Json::String(string) => assert_eq!(found.as_str(), Some(string.as_str())),
        Json::Array(elements) => {
            assert_eq!(found.kind(), ValueKind::Array);
            assert_eq!(found.elements().count(), elements.len());
            found.elements().zip(elements).for_each(|(found, it)| same(found, it));
        }
        Json::Object(members) => {
            assert_eq!(found.kind(), ValueKind::Object);
            assert_eq!(found.members().count(), members.len());
            for (name, it) in members {
                same(found.get(name).expect("it is there"), it);
            }
        }
    }
}
