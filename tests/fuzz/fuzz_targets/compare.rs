//! Comparing: any stored bytes and any marker get a verdict; a record is not newer than itself, in
//! whichever encoding it is stored; and of two records at most one is newer by the replication key,
//! whether they are stored or have deleted what was.
#![no_main]

use std::sync::Arc;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value as Json, json};
use singer_sinks::encoders::{self, MessagePack, MessagePackConfig};
use singer_sinks::nats_kv::config::NatsKvConfig;
use singer_sinks::nats_kv::internals::{Comparer, Stored};
use singer_target::value::{Tape, Value};
use singer_target::{Encoder, EncoderPlugin};

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    /// The replication keys of two records, as JSON, or whole records.
    left: &'a str,
    right: &'a str,
    stored: &'a [u8],
    told: &'a str,
    kind: u8,
    whole: bool,
    same: bool,
    revive: bool,
    /// What records do that say that they are gone.
    deletes: bool,
}

fn schema(kind: u8) -> Json {
    match kind % 5 {
        0 => json!({"properties": {"b": {"type": "integer"}}}),
        1 => json!({"properties": {"b": {"type": "string", "format": "date-time"}}}),
        2 => json!({"properties": {"b": {"anyOf": [{"type": "number"}, {"type": "null"}]}}}),
        3 => json!({"properties": {"b": {"type": ["string", "null"], "format": "date"}}}),
        _ => json!({}),
    }
}

/// The record, if it is one.
fn object(text: &str) -> Option<Tape> {
    let mut tape = Tape::new();
    tape.parse(text.as_bytes()).ok()?;
    tape.root()?.to_json().starts_with('{').then_some(tape)
}

fn encoded(encoder: &dyn Encoder, record: Value<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    encoder.encode(record, &mut bytes).expect("big numbers become strings");
    bytes
}

fn has_key(record: Value<'_>) -> bool {
    record.get("b").is_some_and(|value| !value.is_null())
}

fn is_deleted(record: Value<'_>) -> bool {
    record.get("_sdc_deleted_at").is_some()
}

/// Where both tell a version of their table and not the same, it comes before the replication key.
fn versions_differ(left: Value<'_>, right: Value<'_>) -> bool {
    let [left, right] = [left, right].map(|record| record.get("_sdc_table_version"));
    left.zip(right).is_some_and(|(left, right)| left.to_json() != right.to_json())
}

fuzz_target!(|input: Input| {
    let text = |given: &str, deleted: bool| match (input.whole, deleted) {
        (true, _) => given.to_owned(),
        (false, false) => format!(r#"{{"b":{given}}}"#),
        (false, true) => format!(r#"{{"b":{given},"_sdc_deleted_at":"2026-11-24T00:00:00Z"}}"#),
    };
    let record = |given| Some((object(&text(given, false))?, object(&text(given, true))?));
    let (Some((left, left_gone)), Some((right, right_gone))) = (record(input.left), record(input.right)) else {
        return;
    };
    let [left, left_gone, right, right_gone] =
        [&left, &left_gone, &right, &right_gone].map(|tape| tape.root().expect("an object"));
    let msgpack = MessagePack::build(MessagePackConfig::default());
    let encoders: Vec<Arc<dyn Encoder>> = vec![Arc::new(encoders::Json), Arc::new(msgpack)];
    let replication_key = (input.kind & 0x80 == 0).then_some("b");
    let config: NatsKvConfig = serde_json::from_value(json!({
        "refresh_mode": if input.same { "same" } else { "newer" },
        "revive_deleted": if input.revive { "newer" } else { "never" },
        "delete_mode": if input.deletes { "delete" } else { "soft" },
    }))
    .expect("settings");
    let comparer = Comparer::new(&config, &schema(input.kind), replication_key, encoders.clone());
    let written = |new, stored: &Stored| comparer.is_written(new, &encoded(&encoders::Json, new), stored);

    for writer in &encoders {
        let bytes = encoded(&**writer, left);
        let _ = comparer.is_written(left, &bytes, &Stored::Value(input.stored));
        let _ = comparer.is_written(left, &bytes, &Stored::Marker(Some(input.told)));
        for stored in &encoders {
            let same = encoded(&**stored, left);
            // A stored empty object is MessagePack or JSON of no member: equal to itself.
            if stored.recognises(&same)
                && writer.content_type() == stored.content_type()
                && !input.same
                && comparer.removal(left).is_none()
            {
                let newer = comparer.is_written(left, &bytes, &Stored::Value(&same));
                assert!(!newer, "newer than itself");
            }
        }
    }
    let by_key = replication_key.is_some() && !input.same && has_key(left) && has_key(right);
    if by_key && !is_deleted(left) && !is_deleted(right) && !versions_differ(left, right) {
        let both = written(left, &Stored::Value(&encoded(&encoders::Json, right)))
            && written(right, &Stored::Value(&encoded(&encoders::Json, left)));
        assert!(!both, "each is newer than the other");
    }
    let removals = [left_gone, right_gone].map(|record| comparer.removal(record));
    let [Some(left_told), Some(right_told)] = removals else {
        return;
    };
    for (told, deleted) in [(&left_told, left_gone), (&right_told, right_gone)] {
        let marker = Stored::Marker(told.as_deref());
        if let Some(told) = told {
            assert!(!told.contains(['\r', '\n', '\0']), "no header can hold it");
        }
        for new in [left, right, left_gone, right_gone] {
            let as_settled = written(new, &Stored::Settled(deleted));
            assert_eq!(written(new, &marker), as_settled, "the marker tells something else");
        }
        assert_eq!(written(deleted, &marker), input.same, "a deletion that is loaded again");
    }
    if by_key && !is_deleted(left) {
        let marker = Stored::Marker(left_told.as_deref());
        assert!(!written(left, &marker), "a deleted record comes back");
    }
    if by_key {
        let both = written(left_gone, &Stored::Marker(right_told.as_deref()))
            && written(right_gone, &Stored::Marker(left_told.as_deref()));
        assert!(!both, "each deletion is newer than the other");
    }
});
