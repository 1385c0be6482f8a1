//! Writes Singer messages, one line each, as a tap would.

use serde_json::{Value, json};

/// A SCHEMA line; `properties` as in JSON Schema, `keys` its key properties.
#[must_use]
pub fn schema(stream: &str, properties: Value, keys: &[&str]) -> String {
    line(json!({
        "type": "SCHEMA",
        "stream": stream,
        "schema": {"type": "object", "properties": properties},
        "key_properties": keys,
    }))
}

/// A SCHEMA line whose records are compared by the property `bookmark`.
#[must_use]
pub fn schema_with_bookmark(
    stream: &str,
    properties: Value,
    keys: &[&str],
    bookmark: &str,
) -> String {
    line(json!({
        "type": "SCHEMA",
        "stream": stream,
        "schema": {"type": "object", "properties": properties},
        "key_properties": keys,
        "bookmark_properties": [bookmark],
    }))
}

/// A RECORD line.
#[must_use]
pub fn record(stream: &str, record: Value) -> String {
    line(json!({"type": "RECORD", "stream": stream, "record": record}))
}

/// A RECORD line with the record's JSON as it is to be sent, for number texts and odd JSON.
#[must_use]
pub fn raw_record(stream: &str, record: &str) -> String {
    let stream = Value::from(stream);
    format!("{{\"type\":\"RECORD\",\"stream\":{stream},\"record\":{record}}}\n")
}

/// A STATE line.
#[must_use]
pub fn state(value: Value) -> String {
    line(json!({"type": "STATE", "value": value}))
}

/// Any message, as one line.
#[must_use]
pub fn line(message: Value) -> String {
    format!("{message}\n")
}
