//! What is asked of a record before it joins a batch, and the hash of its key.

use std::hash::{BuildHasher, Hash, Hasher};

use foldhash::quality::RandomState;

use super::delivery::Delivery;
use crate::batch::KeyHash;
use crate::message::RecordMessage;
use crate::stream::Stream;
use crate::value::{Number, Tape, Value, ValueKind};

/// What is asked of a record.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    pub(super) validate: bool,
    pub(super) null_keys: bool,
}

/// What is wrong with a record, or the hash of its key.
pub(super) fn check(
    stream: &Stream,
    message: &RecordMessage<'_>,
    rules: Rules,
    hasher: &RandomState,
) -> Result<KeyHash, String> {
    let record = message.record;
    if record.kind() != ValueKind::Object {
        return Err("the record is not an object".to_owned());
    }
    let key = key_hash(stream, record, rules.null_keys, hasher)?;
    if rules.validate
        && let Some(problem) = stream.validator().problem(record)
    {
        return Err(problem);
    }
    Ok(key)
}

/// What the sink writes in the place of a record, with the hash of its key; `None` if the record
/// stays as it is.
pub(super) fn preprocess<'t>(
    delivery: &Delivery,
    stream: &Stream,
    record: Value<'_>,
    into: &'t mut Tape,
    rules: Rules,
    hasher: &RandomState,
) -> Result<Option<(Value<'t>, KeyHash)>, String> {
    if !delivery.preprocess(stream, record, into)? {
        return Ok(None);
    }
    let record = into.root().filter(|it| it.kind() == ValueKind::Object);
    let record = record.ok_or("what the target makes of the record is not an object")?;
    let key = key_hash(stream, record, rules.null_keys, hasher)?;
    Ok(Some((record, key)))
}

/// The hash of a record's key; of the whole record, for a stream without key properties.
fn key_hash(
    stream: &Stream,
    record: Value<'_>,
    null_keys: bool,
    hasher: &RandomState,
) -> Result<KeyHash, String> {
    let mut hash = hasher.build_hasher();
    stream.name().hash(&mut hash);
    for name in stream.key_properties() {
        match record.get(name) {
            None => return Err(format!("the key property {name:?} is missing")),
            Some(value) if value.is_null() && !null_keys => {
                return Err(format!("the key property {name:?} is null"));
            }
            Some(value) => hash_key_part(value, &mut hash),
        }
    }
    if stream.key_properties().is_empty() {
        hash_content(record, hasher).hash(&mut hash);
    }
    Ok(hash.finish())
}

/// Of a record without a key: the same whatever the order of its members, and whatever its
/// `_sdc_*` members say of the loading.
fn hash_content(record: Value<'_>, hasher: &RandomState) -> u64 {
    let data = record
        .members()
        .filter(|(name, _)| !name.starts_with("_sdc_"));
    data.fold(0, |sum: u64, (name, value)| {
        let mut hash = hasher.build_hasher();
        name.hash(&mut hash);
        hash_key_part(value, &mut hash);
        sum.wrapping_add(hash.finish())
    })
}

/// Whatever a sink could take for the same key must have the same hash: `1`, `1.0` and `"1"` have.
fn hash_key_part(value: Value<'_>, hash: &mut impl Hasher) {
    match (value.kind(), value.as_str().or(value.json_slice())) {
        // Their members have no order, and nobody has such keys.
        (ValueKind::Array | ValueKind::Object, _) | (_, None) => {}
        (_, Some(text)) => match Number::like(text) {
            Some(number) => number.hash(hash),
            None => text.hash(hash),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::validate::Validator;

    fn key_of(record: &str) -> KeyHash {
        let schema = serde_json::json!({});
        let validator = Validator::new(&schema).expect("valid");
        let stream = Stream::new("s".into(), schema, vec!["id".into()], vec![], validator);
        let tape = Tape::parsed(record);
        static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::default);
        key_hash(&stream, tape.root().expect("a record"), false, &HASHER).expect("a key")
    }

    #[test]
    fn records_without_keys_are_known_by_their_content() {
        let hasher = RandomState::default();
        let content =
            |record: &str| hash_content(Tape::parsed(record).root().expect("a value"), &hasher);
        let one = content(r#"{"a":1,"b":"x"}"#);
        assert_eq!(
            one,
            content(r#"{"b":"x","_sdc_deleted_at":"2026-01-01","a":1.0}"#)
        );
        assert_ne!(one, content(r#"{"a":1,"b":"y"}"#));
        assert_ne!(one, content(r#"{"b":1,"a":"x"}"#));
    }

    #[test]
    fn keys_that_a_sink_could_take_for_one_have_one_hash() {
        for (left, right) in [
            ("1", "1.0"),
            ("1e5", "1E+5"),
            ("1", r#""1""#),
            (r#""a""#, r#""\u0061""#),
            (r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#),
            ("true", r#""true""#),
        ] {
            assert_eq!(
                key_of(&format!(r#"{{"id":{left}}}"#)),
                key_of(&format!(r#"{{"id":{right}}}"#)),
                "{left} and {right}"
            );
        }
        for (left, right) in [
            ("1", "2"),
            ("1", "10"),
            (r#""user-1""#, r#""user-2""#),
            (r#""2024-01-02""#, r#""2024-01-03""#),
        ] {
            assert_ne!(
                key_of(&format!(r#"{{"id":{left}}}"#)),
                key_of(&format!(r#"{{"id":{right}}}"#)),
                "{left} and {right}"
            );
        }
    }
}
