//! Keys: legal for every client, another one for every other record, and to be taken apart again.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};
use singer_sinks::nats_kv::config::NatsKvConfig;
use singer_sinks::nats_kv::internals::key;
use singer_target::value::Tape;

#[derive(Debug, Arbitrary)]
struct Input {
    stream: String,
    /// For each key property the values of two records.
    parts: Vec<(String, String)>,
    legacy: bool,
    numbers: Option<(i64, u64)>,
}

fuzz_target!(|input: Input| {
    let properties: Vec<String> = (0..input.parts.len()).map(|n| format!("p{n}")).collect();
    if properties.is_empty() || input.stream.is_empty() {
        return;
    }
    let record = |side: fn(&(String, String)) -> &String, number: Option<Value>| {
        let mut record = Map::new();
        for (name, part) in properties.iter().zip(&input.parts) {
            record.insert(name.clone(), side(part).as_str().into());
        }
        if let Some(number) = number {
            record.insert(properties[0].clone(), number);
        }
        Value::Object(record)
    };
    let left = record(|part| &part.0, input.numbers.map(|numbers| json!(numbers.0)));
    let right = record(|part| &part.1, input.numbers.map(|numbers| json!(numbers.1)));
    let config: NatsKvConfig = serde_json::from_value(json!({
        "key_format": if input.legacy { "legacy" } else { "escaped" },
    }))
    .expect("settings");
    let key_of = |record: &Value| {
        let mut tape = Tape::new();
        tape.parse(record.to_string().as_bytes()).expect("JSON");
        key(&config, &input.stream, &properties, tape.root().expect("a value"))
    };
    let keys = [&left, &right].map(key_of);
    for (key, record) in keys.iter().zip([&left, &right]) {
        let Ok((key, split)) = key else { continue };
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-/_=.".contains(&byte);
        assert!(key.bytes().all(legal), "{key:?}");
        assert!(key.split('.').all(|token| !token.is_empty()), "{key:?}");
        assert!(key.len() <= 3_800, "{} bytes", key.len());
        if !input.legacy && !input.stream.contains('.') {
            let (stream, parts) = split.as_ref().expect("we wrote it");
            assert_eq!(*stream, input.stream);
            for (name, part) in properties.iter().zip(parts) {
                let value = &record[name];
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                assert_eq!(text, *part);
            }
        }
    }
    if let [Ok((left_key, _)), Ok((right_key, _))] = &keys
        && !input.legacy
    {
        // A number and its digits share a key; that is documented.
        let text = |record: &Value| {
            let values = record.as_object().expect("an object").values();
            values
                .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
                .collect::<Vec<_>>()
        };
        assert_eq!(left_key == right_key, text(&left) == text(&right));
    }
});
