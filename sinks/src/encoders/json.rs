//! Compact JSON: a copy of the record's text, with every number as the tap wrote it.

use schemars::JsonSchema;
use serde::Deserialize;
use singer_target::BoxError;
use singer_target::Encoder;
use singer_target::value::{Tape, Value};
use singer_target::{EncoderEntry, EncoderPlugin};

inventory::submit! { EncoderEntry::of::<Json>() }

/// The encoder `json`.
#[derive(Debug, Clone, Copy)]
pub struct Json;

/// JSON has no settings.
#[derive(Debug, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct JsonConfig {}

impl EncoderPlugin for Json {
    const NAME: &'static str = "json";
    const DESCRIPTION: &'static str =
        "Compact JSON: the record's own order, UTF-8, numbers as sent";
    type Config = JsonConfig;
    type Encoder = Self;

    fn build(_: JsonConfig) -> Self {
        Self
    }
}

impl Encoder for Json {
    fn content_type(&self) -> &'static str {
        "application/json"
    }

    fn encode(&self, record: Value<'_>, out: &mut Vec<u8>) -> Result<(), BoxError> {
        match record.json_slice() {
            Some(text) => out.extend_from_slice(text.as_bytes()),
            None => out.extend_from_slice(record.to_json().as_bytes()),
        }
        Ok(())
    }

    fn is_compact_json(&self) -> bool {
        true
    }

    fn decode(&self, bytes: &[u8], into: &mut Tape) -> Result<(), BoxError> {
        Ok(into.parse(bytes)?)
    }

    fn recognises(&self, bytes: &[u8]) -> bool {
        matches!(bytes.first(), Some(b'{' | b' ' | b'\t' | b'\n' | b'\r'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_copied() {
        let text =
            r#"{"b":1.10,"a":1180591620717411303424,"ü":"\n\"","e":1e400,"n":{"x":[true,null]}}"#;
        let mut tape = Tape::new();
        Json.decode(text.as_bytes(), &mut tape).expect("JSON");
        let mut out = b"kept".to_vec();
        Json.encode(tape.root().expect("a value"), &mut out)
            .expect("encodes");
        assert_eq!(out, [b"kept", text.as_bytes()].concat());
    }

    #[test]
    fn a_broken_text_leaves_nothing() {
        let mut tape = Tape::new();
        for broken in [&b""[..], b"{", b"{}x", b"{\"a\":\"\xff\"}", b"{\"a\":NaN}"] {
            assert!(Json.decode(broken, &mut tape).is_err());
            assert!(tape.root().is_none());
        }
    }
}
