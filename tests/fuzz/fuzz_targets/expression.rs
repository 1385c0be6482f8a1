//! Expressions of stream maps: any text is evaluated or refused, within bounds of time and memory,
//! which the fuzzer's own limits watch; what it gives is JSON, the same each time; and what is wrong
//! with it is told without a value of the record.
#![no_main]

#[path = "expression/tree.rs"]
mod tree;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use singer_target::internals::expression;
use singer_target::value::Tape;

/// Values of the record that nobody would write in an expression by chance.
const SECRETS: [&str; 3] = ["Xyzzy", "90817263", "plugh"];

const RECORD: &str = r#"{"id":90817263,"name":"Xyzzy, Zürich","big":123456789012345678901234567890.10,
    "small":1e-400,"great":1e4000,"price":19.99,"nothing":null,"yes":true,"self":"2026-11-24",
    "at":"2026-11-24T12:00:00.5+01:00","tags":["b","a","plugh"],"address":{"city":"Xyzzy","no":[1,[2]]},
    "text":"{\"a\":[1,2.50,{\"b\":null}]}","class":"","empty":[],"none":{}}"#;

#[derive(Debug, Arbitrary)]
enum Input<'a> {
    Text(&'a str),
    Tree(tree::Tree),
}

fuzz_target!(|input: Input| {
    let text = match input {
        Input::Text(text) => text.to_owned(),
        Input::Tree(tree) => tree.to_string(),
    };
    let mut record = Tape::new();
    record.parse(RECORD.as_bytes()).expect("JSON");
    let given = expression(&text, &record);
    match &given {
        Ok(json) => {
            let mut again = Tape::new();
            again.parse(json.as_bytes()).expect("a record can hold it");
            assert_eq!(again.root().expect("a value").to_json(), *json, "it was not compact");
        }
        Err(problem) => {
            assert!(!problem.is_empty());
            for secret in SECRETS.iter().filter(|secret| !text.contains(**secret)) {
                assert!(!problem.contains(secret), "{problem}");
            }
        }
    }
    let tells_the_time = ["now", "today"].iter().any(|name| text.contains(name));
    if !tells_the_time {
        assert_eq!(expression(&text, &record), given);
    }
});
