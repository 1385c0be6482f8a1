//! Whether a record is written over what the bucket holds: the rules of `newer` and `same`.
//!
//! Pure, so that every rule stands in a table of tests. The rules are about values, never about
//! bytes: `0.10` is `0.1`, `12:00Z` is `14:00+02:00`, and the encoding does not matter.

use std::cmp::Ordering;
use std::sync::Arc;

use serde_json::Value as JsonSchema;
use singer_target::encoder::Encoder;
use singer_target::value::{Tape, Value, ValueKind};

use super::config::RefreshMode;
use super::instant;

/// Where a tap or a target says that a record is gone.
const DELETED_AT: &str = "_sdc_deleted_at";

/// What to do with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Write it.
    Write,
    /// Write it over something that should not be there, and warn: what is stored is … so.
    Repair(&'static str),
    /// Leave what is stored.
    Keep,
}

/// How the records of a stream compare with what is stored.
pub(super) struct Comparison {
    mode: RefreshMode,
    /// Whether a newer record may replace a tombstone.
    revive: bool,
    replication_key: Option<ReplicationKey>,
    encoders: Vec<Arc<dyn Encoder>>,
}

struct ReplicationKey {
    name: String,
    order: OrderOf,
}

/// How the schema wants strings of a property compared. Two JSON numbers are always compared as
/// numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct OrderOf {
    instants: bool,
    numbers: bool,
}

/// A record as it would be written.
#[derive(Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub(super) value: Value<'a>,
    pub(super) encoded: &'a [u8],
}

impl Comparison {
    /// `schema` is the stream's, `replication_key` the name of a property, if the stream has one.
    /// A stored value may be in any of `encoders`.
    pub(super) fn new(
        schema: &JsonSchema,
        mode: RefreshMode,
        revive: bool,
        replication_key: Option<&str>,
        encoders: Vec<Arc<dyn Encoder>>,
    ) -> Self {
        let replication_key = replication_key.map(|name| ReplicationKey {
            name: name.to_owned(),
            order: OrderOf::property(schema, name),
        });
        Self {
            mode,
            revive,
            replication_key,
            encoders,
        }
    }

    /// Compares with the bytes of a stored value. `scratch` is reused from call to call.
    pub(super) fn with_stored(
        &self,
        new: Candidate<'_>,
        stored: &[u8],
        scratch: &mut Tape,
    ) -> Verdict {
        if self.mode == RefreshMode::Full {
            return Verdict::Write;
        }
        if stored.is_empty() {
            return Verdict::Repair("empty");
        }
        if self.mode == RefreshMode::Newer && self.is_same_text(new.value, stored) {
            return Verdict::Keep;
        }
        if !self.decode(stored, scratch) {
            return Verdict::Repair("neither JSON nor MessagePack");
        }
        match scratch.root() {
            Some(stored) if stored.kind() == ValueKind::Object => self.decide(new, stored),
            _ => Verdict::Repair("not an object"),
        }
    }

    /// Compares with another record: an earlier one of the same key that is already settled.
    pub(super) fn with_record(&self, new: Candidate<'_>, earlier: Value<'_>) -> Verdict {
        match self.mode {
            RefreshMode::Full => Verdict::Write,
            _ => self.decide(new, earlier),
        }
    }

    fn decode(&self, bytes: &[u8], into: &mut Tape) -> bool {
        let encoder = self
            .encoders
            .iter()
            .find(|encoder| encoder.recognises(bytes));
        encoder.is_some_and(|encoder| encoder.decode(bytes, into).is_ok())
    }

    fn decide(&self, new: Candidate<'_>, stored: Value<'_>) -> Verdict {
        let order = self.order(new.value, stored);
        if is_deletion(stored) {
            return if self.revive && order == Some(Ordering::Greater) {
                Verdict::Write
            } else {
                Verdict::Keep
            };
        }
        // Where the tap itself sends nulls, they are its way to say "not deleted".
        if stored.get(DELETED_AT).is_some() && new.value.get(DELETED_AT).is_none() {
            return Verdict::Repair("marked by a `_sdc_deleted_at` that is null");
        }
        let write = match (self.mode, order) {
            (RefreshMode::Newer, Some(order)) => order == Ordering::Greater,
            // A deletion is news, although all its other data may be the same.
            (RefreshMode::Newer, None) => is_deleted(new.value) || !self.is_same_data(new, stored),
            (_, Some(order)) => order != Ordering::Less,
            (_, None) => true,
        };
        if write { Verdict::Write } else { Verdict::Keep }
    }

    /// How the replication keys compare; `None` if there is none, or neither record has a value
    /// for it, so that only the data can tell.
    fn order(&self, new: Value<'_>, stored: Value<'_>) -> Option<Ordering> {
        let key = self.replication_key.as_ref()?;
        let (new, stored) = (new.get(&key.name), stored.get(&key.name));
        let rank =
            |value: Option<Value<'_>>| value.map_or(0, |value| if value.is_null() { 1 } else { 2 });
        match (new, stored) {
            (Some(new), Some(stored)) if !new.is_null() && !stored.is_null() => {
                Some(key.order.compare(new, stored))
            }
            _ if rank(new) == rank(stored) => None,
            _ => Some(rank(new).cmp(&rank(stored))),
        }
    }

    /// Whether the data are equal, or would be once they were stored: an encoding may hold a
    /// number as a string.
    fn is_same_data(&self, new: Candidate<'_>, stored: Value<'_>) -> bool {
        if equal_data(new.value, stored) {
            return true;
        }
        if new
            .value
            .json_slice()
            .is_some_and(|json| json.as_bytes() == new.encoded)
        {
            return false;
        }
        let mut as_stored = Tape::new();
        self.decode(new.encoded, &mut as_stored)
            && as_stored.root().is_some_and(|new| equal_data(new, stored))
    }

    /// Whether `stored` is JSON with the very text of `new` up to the `_sdc_*` members at its end:
    /// by far the commonest case of a second load, and ten times quicker than to parse.
    fn is_same_text(&self, new: Value<'_>, stored: &[u8]) -> bool {
        let by_data = self
            .replication_key
            .as_ref()
            .is_none_or(|key| is_data(&key.name));
        by_data
            && !is_deletion(new)
            && data_text(new).is_some_and(|data| {
                stored
                    .strip_prefix(data.as_bytes())
                    .is_some_and(only_metadata_follows)
            })
    }
}

/// Whether a record is a tombstone.
fn is_deleted(record: Value<'_>) -> bool {
    record
        .get(DELETED_AT)
        .is_some_and(|deleted| !deleted.is_null())
}

impl OrderOf {
    fn property(schema: &JsonSchema, name: &str) -> Self {
        let mut order = Self::default();
        if let Some(property) = schema.get("properties").and_then(|all| all.get(name)) {
            order.learn(property, schema, 0);
        }
        order
    }

    fn learn(&mut self, property: &JsonSchema, root: &JsonSchema, depth: usize) {
        const DEEPEST: usize = 16;
        if depth > DEEPEST {
            return;
        }
        let names = |value: &'_ JsonSchema, wanted: &[&str]| match value {
            JsonSchema::Array(names) => names
                .iter()
                .any(|name| name.as_str().is_some_and(|name| wanted.contains(&name))),
            name => name.as_str().is_some_and(|name| wanted.contains(&name)),
        };
        let has = |member: &str, wanted: &[&str]| {
            property
                .get(member)
                .is_some_and(|value| names(value, wanted))
        };
        self.numbers |= has("type", &["integer", "number"]);
        self.instants |= has("format", &["date-time", "date"]);
        for combined in ["anyOf", "oneOf", "allOf"] {
            for branch in property
                .get(combined)
                .and_then(JsonSchema::as_array)
                .into_iter()
                .flatten()
            {
                self.learn(branch, root, depth + 1);
            }
        }
        let reference = property.get("$ref").and_then(JsonSchema::as_str);
        if let Some(target) = reference
            .and_then(|reference| reference.strip_prefix('#'))
            .and_then(|pointer| root.pointer(pointer))
        {
            self.learn(target, root, depth + 1);
        }
    }

    /// Neither value is null. What the schema calls an instant but is not one is compared as text.
    fn compare(self, new: Value<'_>, stored: Value<'_>) -> Ordering {
        if let (Some(new), Some(stored)) = (new.as_number(), stored.as_number()) {
            return new.cmp(&stored);
        }
        let (mut new_text, mut stored_text) = (String::new(), String::new());
        let new = text_of(new, &mut new_text);
        let stored = text_of(stored, &mut stored_text);
        let instants = || {
            self.instants
                .then(|| instant::compare(new, stored))
                .flatten()
        };
        let numbers = || self.numbers.then(|| compare_numbers(new, stored)).flatten();
        instants()
            .or_else(numbers)
            .unwrap_or_else(|| new.cmp(stored))
    }
}

fn text_of<'a>(value: Value<'a>, buffer: &'a mut String) -> &'a str {
    match value.as_str() {
        Some(text) => text,
        None => {
            value.write_json(buffer);
            buffer
        }
    }
}

/// MessagePack holds a number beyond 64 bits as a string of its digits.
fn compare_numbers(left: &str, right: &str) -> Option<Ordering> {
    let mut tapes = [Tape::new(), Tape::new()];
    tapes[0].parse(left.as_bytes()).ok()?;
    tapes[1].parse(right.as_bytes()).ok()?;
    let [left, right] = tapes
        .each_ref()
        .map(|tape| tape.root().and_then(Value::as_number));
    Some(left?.cmp(&right?))
}

fn is_data(name: &str) -> bool {
    !name.starts_with("_sdc_")
}

fn is_deletion(record: Value<'_>) -> bool {
    record
        .get(DELETED_AT)
        .is_some_and(|deleted| !deleted.is_null())
}

fn equal_data(left: Value<'_>, right: Value<'_>) -> bool {
    let data = |value: &Value<'_>| value.members().filter(|(name, _)| is_data(name)).count();
    let mut expected = right.members();
    data(&left) == data(&right)
        && left
            .members()
            .filter(|(name, _)| is_data(name))
            .all(|(name, value)| {
                // Stored objects nearly always have the order of the new ones.
                let found = match expected.next() {
                    Some((other, candidate)) if other == name => Some(candidate),
                    _ => right.get(name),
                };
                found == Some(value)
            })
}

/// The text of an object from its brace to the end of the last member that is not metadata;
/// `None` if that end cannot be told without work.
fn data_text(object: Value<'_>) -> Option<&str> {
    let text = object.json_slice()?;
    let mut last = None;
    for (name, value) in object.members() {
        if is_data(name) {
            last = Some(value);
        }
    }
    let last = last?.json_slice()?;
    let end = last.as_ptr().addr() + last.len() - text.as_ptr().addr();
    text.get(..end)
}

/// Whether the rest of a JSON object is a run of `_sdc_*` members with plain strings, numbers or
/// null, none of them the mark of a tombstone.
fn only_metadata_follows(mut rest: &[u8]) -> bool {
    loop {
        if rest == b"}" {
            return true;
        }
        let Some(member) = rest.strip_prefix(b",\"_sdc_") else {
            return false;
        };
        if member.starts_with(b"deleted_at\"") {
            return false;
        }
        let Some(name) = member.iter().position(|byte| matches!(byte, b'"' | b'\\')) else {
            return false;
        };
        let Some(value) = member[name..].strip_prefix(b"\":") else {
            return false;
        };
        let length = match value.strip_prefix(b"\"") {
            Some(string) => match string.iter().position(|byte| matches!(byte, b'"' | b'\\')) {
                Some(end) if string[end] == b'"' => end + 2,
                _ => return false,
            },
            None => value
                .iter()
                .take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
                .count(),
        };
        if length == 0 {
            return false;
        }
        rest = &value[length..];
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Verdict::{Keep, Repair, Write};
    use super::*;
    use crate::encoders::{Json, MessagePack, MessagePackConfig};
    use RefreshMode::{Full, Newer, Same};
    use singer_target::plugin::EncoderPlugin;

    fn encoders() -> [Arc<dyn Encoder>; 2] {
        [
            Arc::new(Json),
            Arc::new(MessagePack::build(MessagePackConfig::default())),
        ]
    }

    fn parsed(json: &str) -> Tape {
        let mut tape = Tape::new();
        tape.parse(json.as_bytes()).expect("valid JSON");
        tape
    }

    struct Rules {
        mode: RefreshMode,
        revive: bool,
        key: Option<&'static str>,
        schema: JsonSchema,
    }

    impl Rules {
        fn comparison(&self) -> Comparison {
            Comparison::new(
                &self.schema,
                self.mode,
                self.revive,
                self.key,
                encoders().into(),
            )
        }

        fn on_bytes(&self, new: &str, written: &dyn Encoder, stored: &[u8]) -> Verdict {
            let new = parsed(new);
            let value = new.root().expect("a value");
            let mut encoded = Vec::new();
            written.encode(value, &mut encoded).expect("encodes");
            let candidate = Candidate {
                value,
                encoded: &encoded,
            };
            self.comparison()
                .with_stored(candidate, stored, &mut Tape::new())
        }

        /// The verdict, which must not depend on the encodings.
        fn on(&self, new: &str, stored: &str) -> Verdict {
            let stored_tape = parsed(stored);
            let mut verdicts = Vec::new();
            for written in encoders() {
                for held in encoders() {
                    let mut bytes = Vec::new();
                    let value = stored_tape.root().expect("a value");
                    held.encode(value, &mut bytes).expect("encodes");
                    verdicts.push(self.on_bytes(new, &*written, &bytes));
                }
                let new = parsed(new);
                let value = new.root().expect("a value");
                let earlier = stored_tape.root().expect("a value");
                let mut encoded = Vec::new();
                written.encode(value, &mut encoded).expect("encodes");
                let candidate = Candidate {
                    value,
                    encoded: &encoded,
                };
                verdicts.push(self.comparison().with_record(candidate, earlier));
            }
            verdicts.dedup();
            assert_eq!(verdicts.len(), 1, "{new} over {stored}: {verdicts:?}");
            verdicts[0]
        }
    }

    fn keyed(mode: RefreshMode, property: JsonSchema) -> Rules {
        let schema = json!({"properties": {"u": property}});
        Rules {
            mode,
            revive: false,
            key: Some("u"),
            schema,
        }
    }

    fn keyless(mode: RefreshMode) -> Rules {
        Rules {
            mode,
            revive: false,
            key: None,
            schema: json!({}),
        }
    }

    #[test]
    fn replication_keys_compare_by_the_type_of_the_schema() {
        let time = json!({"type": ["null", "string"], "format": "date-time"});
        let date = json!({"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]});
        let number = json!({"type": ["integer", "null"]});
        let text = json!({"type": "string"});
        // Each line: the property, a smaller and a greater value.
        for (property, older, newer) in [
            (&number, "9", "10"),
            (&number, "-1", "0"),
            (&number, "9007199254740992", "9007199254740993"),
            (&number, "1180591620717411303424", "1180591620717411303425"),
            (&number, "9", "1180591620717411303424"),
            (&number, "1.0", "1.01"),
            (&text, "9", "10"),
            (&text, r#""10""#, r#""9""#),
            (
                &text,
                r#""2024-01-01T12:00:00+02:00""#,
                r#""2024-01-01T12:00:00Z""#,
            ),
            (&text, r#""a""#, r#""b""#),
            (
                &time,
                r#""2024-01-01T10:00:00Z""#,
                r#""2024-01-01T10:00:00.5Z""#,
            ),
            (
                &time,
                r#""2024-01-01T12:00:00+02:00""#,
                r#""2024-01-01T11:00:00Z""#,
            ),
            (
                &time,
                r#""2024-01-01""#,
                r#""2024-01-01 00:00:00.0000000001""#,
            ),
            (&time, r#""not a time""#, r#""or a time""#),
            (&time, r#""2024-01-01T10:00:00Z""#, r#""never""#),
            (&time, "9", "10"),
            (&date, r#""2023-12-31""#, r#""2024-01-01""#),
            (&json!({}), "false", "true"),
        ] {
            let record = |value: &str| format!(r#"{{"id":1,"u":{value},"_sdc_received_at":"x"}}"#);
            let (older, newer) = (record(older), record(newer));
            for (mode, equal) in [(Newer, Keep), (Same, Write)] {
                let rules = keyed(mode, property.clone());
                assert_eq!(
                    rules.on(&newer, &older),
                    Write,
                    "{mode:?} {newer} over {older}"
                );
                assert_eq!(
                    rules.on(&older, &newer),
                    Keep,
                    "{mode:?} {older} over {newer}"
                );
                assert_eq!(rules.on(&older, &older), equal, "{mode:?} {older}");
            }
        }
    }

    #[test]
    fn equal_keys_are_equal_however_they_are_written() {
        let time = json!({"$ref": "#/$defs/time"});
        let defs = json!({"time": {"type": "string", "format": "date-time"}});
        for (property, new, stored) in [
            (
                time,
                r#""2024-01-01T12:00:00.0Z""#,
                r#""2024-01-01T14:00:00+02:00""#,
            ),
            (json!({"type": "number"}), "1.10", "1.1"),
        ] {
            for (mode, verdict) in [(Newer, Keep), (Same, Write)] {
                let mut rules = keyed(mode, property.clone());
                rules.schema["$defs"] = defs.clone();
                // The data differ: with a replication key that does not matter.
                let new = format!(r#"{{"u":{new},"a":1}}"#);
                let stored = format!(r#"{{"u":{stored},"a":2}}"#);
                assert_eq!(rules.on(&new, &stored), verdict, "{mode:?} {new}");
            }
        }
    }

    #[test]
    fn a_missing_replication_key_is_older_than_null_and_null_than_any_value() {
        let ascending = [r#"{"a":1}"#, r#"{"a":2,"u":null}"#, r#"{"a":3,"u":0}"#];
        for (i, new) in ascending.iter().enumerate() {
            for (j, stored) in ascending.iter().enumerate() {
                if i == j {
                    continue;
                }
                let verdict = if i > j { Write } else { Keep };
                for mode in [Newer, Same] {
                    let rules = keyed(mode, json!({"type": "integer"}));
                    assert_eq!(
                        rules.on(new, stored),
                        verdict,
                        "{mode:?} {new} over {stored}"
                    );
                }
            }
        }
    }

    #[test]
    fn without_values_to_compare_the_data_decide() {
        for (new, stored, differ) in [
            (r#"{"a":1}"#, r#"{"a":2}"#, true),
            (r#"{"a":1}"#, r#"{"a":1,"b":2}"#, true),
            (r#"{"a":1,"b":2}"#, r#"{"a":1}"#, true),
            (r#"{"a":1,"b":null}"#, r#"{"a":1,"c":null}"#, true),
            (
                r#"{"a":0.10,"b":[1.0]}"#,
                r#"{"b":[1],"a":0.1,"_sdc_x":1}"#,
                false,
            ),
            (
                r#"{"a":1,"_sdc_received_at":"x"}"#,
                r#"{"a":1,"_sdc_received_at":"y"}"#,
                false,
            ),
            (r#"{"a":{"_sdc_x":1}}"#, r#"{"a":{"_sdc_x":2}}"#, true),
            (
                r#"{"a":1180591620717411303424}"#,
                r#"{"a":1180591620717411303425}"#,
                true,
            ),
            (
                r#"{"a":"x\ny","_sdc_x":1}"#,
                r#"{"a":"x\ny","_sdc_x":2}"#,
                false,
            ),
            (r#"{"_sdc_x":1}"#, r#"{"_sdc_x":2}"#, false),
        ] {
            let newer = if differ { Write } else { Keep };
            for key in [None, Some("u")] {
                let rules = |mode| Rules {
                    key,
                    ..keyless(mode)
                };
                assert_eq!(rules(Newer).on(new, stored), newer, "{new} over {stored}");
                assert_eq!(rules(Same).on(new, stored), Write, "{new} over {stored}");
            }
        }
        let both_null = (r#"{"u":null,"a":1}"#, r#"{"u":null,"a":2}"#);
        let rules = keyed(Newer, json!({"type": "integer"}));
        assert_eq!(rules.on(both_null.0, both_null.1), Write);
        assert_eq!(rules.on(both_null.0, both_null.0), Keep);
    }

    #[test]
    fn a_number_that_was_stored_as_a_string_is_equal_only_where_it_would_be_again() {
        let new = r#"{"a":1180591620717411303424}"#;
        let stored = br#"{"a":"1180591620717411303424"}"#;
        let [json, msgpack] = encoders();
        assert_eq!(keyless(Newer).on_bytes(new, &*msgpack, stored), Keep);
        assert_eq!(keyless(Newer).on_bytes(new, &*json, stored), Write);
    }

    #[test]
    fn the_same_text_is_told_from_a_text_that_goes_on() {
        let new = r#"{"id":1,"n":10,"_sdc_received_at":"2024"}"#;
        let [json, _] = encoders();
        for (stored, verdict) in [
            (r#"{"id":1,"n":10}"#, Keep),
            (
                r#"{"id":1,"n":10,"_sdc_a":"x","_sdc_b":-1.5e3,"_sdc_c":null}"#,
                Keep,
            ),
            (r#"{"id":1,"n":10,"_sdc_a":"\"","_sdc_b":{"x":[]}}"#, Keep),
            (r#"{"id":1,"n":10, "_sdc_a":"x"}"#, Keep),
            (r#"{"id":1,"n":100}"#, Write),
            (r#"{"id":1,"n":10,"m":1}"#, Write),
            (r#"{"id":1,"n":10,"_sdc_a":"x","m":1}"#, Write),
            (r#"{"id":1,"n":10,"_sdc_deleted_at":"2024"}"#, Keep),
            (
                r#"{"id":1,"n":10,"_sdc_a":"x","_sdc_deleted_at":null}"#,
                Repair("marked by a `_sdc_deleted_at` that is null"),
            ),
            (
                r#"{"id":1,"n":10,"_sdc_a":"x"}}"#,
                Repair("neither JSON nor MessagePack"),
            ),
        ] {
            let found = keyless(Newer).on_bytes(new, &*json, stored.as_bytes());
            assert_eq!(found, verdict, "{stored}");
        }
    }

    #[test]
    fn tombstones_are_left_alone() {
        let stored = r#"{"u":5,"_sdc_deleted_at":"2024-01-01T00:00:00Z"}"#;
        for mode in [Newer, Same] {
            let rules = keyed(mode, json!({"type": "integer"}));
            for new in [r#"{"u":6}"#, r#"{"u":5}"#, r#"{"u":4}"#, r#"{"a":1}"#] {
                assert_eq!(rules.on(new, stored), Keep, "{new}");
            }
            let reviving = Rules {
                revive: true,
                ..rules
            };
            assert_eq!(reviving.on(r#"{"u":6}"#, stored), Write);
            for new in [r#"{"u":5}"#, r#"{"u":4}"#, r#"{"a":1}"#, r#"{"u":null}"#] {
                assert_eq!(reviving.on(new, stored), Keep, "{new}");
            }
            // Without an order nothing can be proven newer than a deletion.
            let keyless = Rules {
                key: None,
                ..reviving
            };
            assert_eq!(keyless.on(r#"{"u":6}"#, stored), Keep);
        }
        assert_eq!(keyless(Full).on(r#"{"u":1}"#, stored), Write);
    }

    #[test]
    fn a_deletion_is_news() {
        let deletion = r#"{"a":1,"_sdc_deleted_at":"2024-01-01T00:00:00Z"}"#;
        for stored in [r#"{"a":1}"#, r#"{"a":1,"_sdc_received_at":"2024"}"#] {
            assert_eq!(keyless(Newer).on(deletion, stored), Write);
            let mut rules = keyed(Newer, json!({"type": "integer"}));
            assert_eq!(rules.on(deletion, stored), Write, "no value to compare by");
            rules.key = Some("a");
            assert_eq!(rules.on(deletion, stored), Keep, "not newer");
        }
        assert_eq!(keyless(Newer).on(deletion, deletion), Keep);
    }

    #[test]
    fn a_null_deletion_is_no_tombstone() {
        let rules = keyed(Newer, json!({"type": "integer"}));
        let stored = r#"{"u":5,"_sdc_deleted_at":null}"#;
        assert!(matches!(rules.on(r#"{"u":4}"#, stored), Repair(_)));
        assert_eq!(rules.on(r#"{"u":4,"_sdc_deleted_at":null}"#, stored), Keep);
        assert_eq!(rules.on(r#"{"u":6,"_sdc_deleted_at":null}"#, stored), Write);
        assert_eq!(
            rules.on(r#"{"u":6,"_sdc_deleted_at":"2024"}"#, stored),
            Write
        );
    }

    #[test]
    fn what_is_no_record_is_repaired() {
        let [json, _] = encoders();
        for mode in [Newer, Same] {
            for stored in [
                &b""[..],
                b"{",
                b"\xff",
                b"garbage",
                b" [1]",
                b"\x81\xa1",
                b"{}x",
            ] {
                let verdict = keyless(mode).on_bytes(r#"{"u":1}"#, &*json, stored);
                assert!(matches!(verdict, Repair(_)), "{stored:?}: {verdict:?}");
            }
        }
        assert_eq!(keyless(Full).on_bytes(r#"{"u":1}"#, &*json, b""), Write);
    }
}
