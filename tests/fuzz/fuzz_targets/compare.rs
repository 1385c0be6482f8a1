//! Comparing: any stored bytes get a verdict; a record is not newer than itself, in whichever
//! encoding it is stored; and of two records at most one is newer by the replication key.
#![no_main]

use std::sync::Arc;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use singer_sinks::encoders::{Json, MessagePack, MessagePackConfig};
use singer_sinks::nats_kv::config::NatsKvConfig;
use singer_sinks::nats_kv::fuzzing::is_written;
use singer_target::value::Tape;
use singer_target::{Encoder, EncoderPlugin};

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    /// The replication keys of two records, as JSON, or whole records.
    left: &'a str,
    right: &'a str,
    stored: &'a [u8],
    kind: u8,
    whole: bool,
}

fn schema(kind: u8) -> Value {
    match kind % 5 {
        0 => json!({"properties": {"b": {"type": "integer"}}}),
        1 => json!({"properties": {"b": {"type": "string", "format": "date-time"}}}),
        2 => json!({"properties": {"b": {"anyOf": [{"type": "number"}, {"type": "null"}]}}}),
        3 => json!({"properties": {"b": {"type": ["string", "null"], "format": "date"}}}),
        _ => json!({}),
    }
}

fuzz_target!(|input: Input| {
    let text = |given: &str| match input.whole {
        true => given.to_owned(),
        false => format!(r#"{{"b":{given}}}"#),
    };
    let (mut left, mut right) = (Tape::new(), Tape::new());
    let object = |tape: &mut Tape, given: &str| {
        tape.parse(text(given).as_bytes()).is_ok()
            && tape.root().is_some_and(|value| value.to_json().starts_with('{'))
    };
    if !object(&mut left, input.left) || !object(&mut right, input.right) {
        return;
    }
    let msgpack = MessagePack::build(MessagePackConfig::default());
    let encoders: Vec<Arc<dyn Encoder>> = vec![Arc::new(Json), Arc::new(msgpack)];
    let schema = schema(input.kind);
    let replication_key = (input.kind & 0x80 == 0).then_some("b");
    let config = NatsKvConfig::default();
    let written = |new: &Tape, encoder: &dyn Encoder, stored: &[u8]| {
        let record = new.root().expect("a value");
        let mut encoded = Vec::new();
        encoder.encode(record, &mut encoded).expect("big numbers become strings");
        let encoders = encoders.clone();
        is_written(&config, &schema, replication_key, encoders, (record, &encoded), stored)
    };
    let bytes = |tape: &Tape, encoder: &dyn Encoder| {
        let mut bytes = Vec::new();
        encoder.encode(tape.root().expect("a value"), &mut bytes).expect("encodes");
        bytes
    };
    for writer in &encoders {
        written(&left, &**writer, input.stored);
        for stored in &encoders {
            let same = bytes(&left, &**stored);
            // A stored empty object is MessagePack or JSON of no member: equal to itself.
            if stored.recognises(&same) && writer.content_type() == stored.content_type() {
                assert!(!written(&left, &**writer, &same), "newer than itself");
            }
        }
    }
    let has_key = |tape: &Tape| {
        tape.root().and_then(|value| value.get("b")).is_some_and(|value| !value.is_null())
    };
    let deleted = |tape: &Tape| tape.root().is_some_and(|value| value.get("_sdc_deleted_at").is_some());
    if replication_key.is_some() && [&left, &right].into_iter().all(|it| has_key(it) && !deleted(it)) {
        let both = written(&left, &Json, &bytes(&right, &Json))
            && written(&right, &Json, &bytes(&left, &Json));
        assert!(!both, "each is newer than the other");
    }
});
