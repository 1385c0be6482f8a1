//! Singer messages: what a line of the input says.
//!
//! The rules are those of <https://hub.meltano.com/singer/spec>, made strict where laxness loses
//! data. Problems are told without the line's text, which may be somebody's data.

use std::fmt;

use crate::manifest::{Compression, Format};
use crate::value::{Tape, Value, ValueKind};

/// A message, borrowed from the tape of its line.
#[derive(Debug)]
pub(crate) enum Message<'a> {
    Schema(SchemaMessage<'a>),
    Record(RecordMessage<'a>),
    ActivateVersion(ActivateVersion<'a>),
    Batch(BatchMessage<'a>),
    /// `None` for `null`, which some taps send when they have no state.
    State(Option<Value<'a>>),
    /// A RECORD in well-formed JSON that has something in it which we cannot carry.
    Unreadable {
        stream: String,
        problem: String,
    },
}

#[derive(Debug)]
pub(crate) struct SchemaMessage<'a> {
    pub(crate) stream: &'a str,
    pub(crate) schema: Value<'a>,
    pub(crate) key_properties: Vec<String>,
    pub(crate) bookmark_properties: Vec<String>,
    /// The whole message, to notice that it was repeated.
    pub(crate) whole: Value<'a>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct RecordMessage<'a> {
    pub(crate) stream: &'a str,
    /// Not yet known to be an object.
    pub(crate) record: Value<'a>,
    pub(crate) time_extracted: Option<Value<'a>>,
    /// The version of its table.
    pub(crate) version: Option<Value<'a>>,
    /// Where it was read, if not in the line of the message itself.
    pub(crate) origin: Option<Origin<'a>>,
}

/// A place in a file of a BATCH message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) file: &'a str,
    /// What the file consists of.
    pub(crate) unit: &'static str,
    pub(crate) line: u64,
}

impl fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, unit, line } = self;
        write!(f, "BATCH file {file}, {unit} {line}")
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct ActivateVersion<'a> {
    pub(crate) stream: &'a str,
    pub(crate) version: i64,
}

#[derive(Debug)]
pub(crate) struct BatchMessage<'a> {
    pub(crate) stream: &'a str,
    pub(crate) format: Format,
    pub(crate) manifest: Vec<String>,
}

/// Reads a line onto `tape`. The error says what is wrong with it.
pub(crate) fn parse<'a>(line: &[u8], tape: &'a mut Tape) -> Result<Message<'a>, String> {
    if let Err(error) = tape.parse(line) {
        let problem = error.to_string();
        let stream = stream_of_record(line).ok_or(&*problem)?;
        return Ok(Message::Unreadable { stream, problem });
    }
    let whole = tape
        .root()
        .filter(|value| value.kind() == ValueKind::Object)
        .ok_or("a Singer message must be a JSON object")?;
    let kind = whole
        .get("type")
        .ok_or("a Singer message must have a \"type\"")?;
    match kind.as_str() {
        Some("RECORD") => record(whole),
        Some("STATE") => state(whole),
        Some("SCHEMA") => schema(whole),
        Some("ACTIVATE_VERSION") => activate_version(whole),
        Some("BATCH") => batch(whole),
        Some(_) => Err(
            "unknown message type; known are SCHEMA, RECORD, STATE, BATCH and ACTIVATE_VERSION"
                .to_owned(),
        ),
        None => Err("the \"type\" of a Singer message must be a string".to_owned()),
    }
}

/// The stream of a RECORD that could not be read, if the line is a whole one: then only this record
/// is at fault. Lone surrogates, deep nesting and endless numbers are well-formed JSON.
fn stream_of_record(line: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Envelope {
        #[serde(rename = "type")]
        kind: String,
        stream: String,
        #[serde(rename = "record")]
        _record: serde::de::IgnoredAny,
    }
    let text = std::str::from_utf8(line).ok()?;
    let envelope: Envelope = serde_json::from_str(text).ok()?;
    (envelope.kind == "RECORD" && !envelope.stream.is_empty()).then_some(envelope.stream)
}

/// A RECORD message with the record that `line` holds, if that is well-formed JSON: for a line of a
/// file that cannot be carried.
pub(crate) fn record_line(stream: &str, line: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(line).ok()?;
    serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
    let stream = serde_json::Value::from(stream);
    let record = text.trim();
    Some(format!(
        r#"{{"type":"RECORD","stream":{stream},"record":{record}}}"#
    ))
}

fn record(whole: Value<'_>) -> Result<Message<'_>, String> {
    let mut stream = None;
    let mut record = None;
    let mut time_extracted = None;
    let mut version = None;
    for (name, value) in whole.members() {
        match name {
            "stream" => stream = Some(value),
            "record" => record = Some(value),
            "time_extracted" => time_extracted = Some(value),
            "version" => version = Some(value),
            _ => {}
        }
    }
    Ok(Message::Record(RecordMessage {
        stream: stream_name("RECORD", stream)?,
        record: record.ok_or("a RECORD message must have a \"record\"")?,
        time_extracted: time_extracted.filter(|value| !value.is_null()),
        version,
        origin: None,
    }))
}

fn state(whole: Value<'_>) -> Result<Message<'_>, String> {
    let value = whole
        .get("value")
        .ok_or("a STATE message must have a \"value\"")?;
    match value.kind() {
        ValueKind::Object => Ok(Message::State(Some(value))),
        ValueKind::Null => Ok(Message::State(None)),
        _ => Err("the \"value\" of a STATE message must be an object".to_owned()),
    }
}

fn activate_version(whole: Value<'_>) -> Result<Message<'_>, String> {
    Ok(Message::ActivateVersion(ActivateVersion {
        stream: stream_name("ACTIVATE_VERSION", whole.get("stream"))?,
        version: whole
            .get("version")
            .and_then(Value::as_number)
            .and_then(|version| version.as_i64())
            .ok_or("an ACTIVATE_VERSION message must have a \"version\" that is an integer")?,
    }))
}

fn batch(whole: Value<'_>) -> Result<Message<'_>, String> {
    let encoding = whole
        .get("encoding")
        .ok_or("a BATCH message must have an \"encoding\"")?;
    let compression = encoding
        .get("compression")
        .filter(|compression| !compression.is_null())
        .map(|compression| match compression.as_str() {
            Some("none" | "") => Ok(Compression::None),
            Some("gzip") => Ok(Compression::Gzip),
            Some("zstd") => Ok(Compression::Zstd),
            _ => Err("unknown compression of a BATCH; known are none, gzip and zstd"),
        });
    let format = match encoding.get("format").and_then(Value::as_str) {
        Some("jsonl") => Format::JsonLines(compression.transpose()?),
        // Its own header says how it is compressed.
        Some("parquet") => Format::Parquet,
        _ => return Err("unknown format of a BATCH; known are jsonl and parquet".to_owned()),
    };
    Ok(Message::Batch(BatchMessage {
        stream: stream_name("BATCH", whole.get("stream"))?,
        format,
        manifest: names(whole, "BATCH", "manifest")?,
    }))
}

fn schema(whole: Value<'_>) -> Result<Message<'_>, String> {
    let schema = whole
        .get("schema")
        .filter(|schema| schema.kind() == ValueKind::Object)
        .ok_or("a SCHEMA message must have a \"schema\" that is an object")?;
    Ok(Message::Schema(SchemaMessage {
        stream: stream_name("SCHEMA", whole.get("stream"))?,
        schema,
        key_properties: names(whole, "SCHEMA", "key_properties")?,
        bookmark_properties: names(whole, "SCHEMA", "bookmark_properties")?,
        whole,
    }))
}

fn stream_name<'a>(message: &str, stream: Option<Value<'a>>) -> Result<&'a str, String> {
    stream
        .and_then(Value::as_str)
        .filter(|name| !name.is_empty())
        .ok_or_else(|| format!("a {message} message must have a \"stream\" that is a name"))
}

/// A list of names; absent and null are an empty one.
fn names(whole: Value<'_>, message: &str, member: &str) -> Result<Vec<String>, String> {
    let wrong = || format!("the {member:?} of a {message} message must be a list of names");
    match whole.get(member) {
        None => Ok(Vec::new()),
        Some(value) => match value.kind() {
            ValueKind::Null => Ok(Vec::new()),
            ValueKind::Array => value
                .elements()
                .map(|name| name.as_str().map(str::to_owned).ok_or_else(wrong))
                .collect(),
            _ => Err(wrong()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(line: &str) -> String {
        parse(line.as_bytes(), &mut Tape::new()).expect_err("must be refused")
    }

    #[test]
    fn messages_are_read_whatever_the_order_of_their_members() {
        let mut tape = Tape::new();
        let line =
            br#"{"record":{"a":1},"stream":"s","extra":0,"type":"RECORD","time_extracted":null}"#;
        let Ok(Message::Record(record)) = parse(line, &mut tape) else {
            panic!("a record")
        };
        assert_eq!(
            (record.stream, record.record.to_json().as_str()),
            ("s", r#"{"a":1}"#)
        );
        assert!(record.time_extracted.is_none());
        let line = br#"{"type":"SCHEMA","stream":"s","schema":{},"key_properties":["a","b"]}"#;
        let Ok(Message::Schema(schema)) = parse(line, &mut tape) else {
            panic!("a schema")
        };
        assert_eq!(schema.key_properties, ["a", "b"]);
        assert!(schema.bookmark_properties.is_empty());
        let Ok(Message::State(None)) = parse(br#"{"type":"STATE","value":null}"#, &mut tape) else {
            panic!("a state")
        };
    }

    #[test]
    fn a_record_that_cannot_be_carried_is_told_from_a_broken_line() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let long = "1".repeat(5_000);
        for bad in [
            r#""\ud800""#,
            r#""\udc00x""#,
            "1e9999999999999999",
            &deep,
            &long,
        ] {
            let line =
                |end| format!(r#"{{"type":"RECORD","stream":"s","record":{{"a":{bad}}}{end}"#);
            let mut tape = Tape::new();
            match parse(line("}").as_bytes(), &mut tape) {
                Ok(Message::Unreadable { stream, .. }) => assert_eq!(stream, "s"),
                other => panic!("{other:?}"),
            }
            assert!(parse(line("").as_bytes(), &mut tape).is_err());
            let state = format!(r#"{{"type":"STATE","value":{{"a":{bad}}}}}"#);
            assert!(parse(state.as_bytes(), &mut tape).is_err());
        }
    }

    #[test]
    fn what_is_no_message_is_refused_without_its_values() {
        for (line, expected) in [
            ("secret", "not valid JSON at column 1"),
            ("[]", "must be a JSON object"),
            (r#"{"stream":"secret"}"#, "must have a \"type\""),
            (r#"{"type":"SECRET"}"#, "unknown message type"),
            (r#"{"type":1}"#, "must be a string"),
            (
                r#"{"type":"RECORD","stream":"secret"}"#,
                "must have a \"record\"",
            ),
            (r#"{"type":"RECORD","record":{}}"#, "must have a \"stream\""),
            (
                r#"{"type":"RECORD","record":{},"stream":""}"#,
                "must have a \"stream\"",
            ),
            (
                r#"{"type":"SCHEMA","stream":"s"}"#,
                "must have a \"schema\"",
            ),
            (
                r#"{"type":"SCHEMA","stream":"s","schema":{},"key_properties":"id"}"#,
                "list of names",
            ),
            (
                r#"{"type":"SCHEMA","stream":"s","schema":{},"key_properties":[1]}"#,
                "list of names",
            ),
            (r#"{"type":"STATE"}"#, "must have a \"value\""),
            (r#"{"type":"STATE","value":"secret"}"#, "must be an object"),
            (r#"{"type":"BATCH"}"#, "must have an \"encoding\""),
            (
                r#"{"type":"BATCH","stream":"s","encoding":{"format":"secret"}}"#,
                "unknown format",
            ),
            (
                r#"{"type":"BATCH","stream":"s","encoding":{"format":"jsonl","compression":"secret"}}"#,
                "unknown compression",
            ),
            (
                r#"{"type":"BATCH","stream":"s","encoding":{"format":"jsonl"},"manifest":["a",1]}"#,
                "the \"manifest\" of a BATCH message must be a list of names",
            ),
            (
                r#"{"type":"ACTIVATE_VERSION","stream":"s","version":"secret"}"#,
                "must have a \"version\"",
            ),
            (r#"{"type":"STATE","value":{}} secret"#, "column 29"),
        ] {
            let problem = problem(line);
            assert!(problem.contains(expected), "{line}: {problem}");
            assert!(!problem.to_lowercase().contains("secret"), "{problem}");
        }
    }
}
