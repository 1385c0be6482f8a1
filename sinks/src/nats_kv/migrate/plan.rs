//! What one stored record should become. Pure: no connection.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use singer_target::value::{Tape, Value, ValueKind};
use singer_target::{Encoder, Encoders, SinkError};

use super::super::config::{KeyFormat, NatsKvConfig};
use super::super::key::{self, KeyRules, KeyWriter};
use super::super::write::{Form, Limit};

/// What a stored record should become.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// It is as it should be.
    Leave,
    /// This value under the same key.
    Rewrite(Bytes),
    /// This value under another key.
    Move { to: String, value: Bytes },
    /// It cannot be told, for this reason.
    Unknown(&'static str),
}

/// Knows into which form records are brought.
pub(super) struct Planner {
    rules: KeyRules,
    streams: Vec<Known>,
    wanted: Arc<dyn Encoder>,
    encoders: Encoders,
    limit: Limit,
    headers: usize,
}

/// A stream whose key properties are known.
struct Known {
    name: String,
    wanted: KeyWriter,
    /// The same in the other format.
    other: KeyWriter,
}

impl Planner {
    /// The form is that of the settings; `key_properties` are those of streams whose keys are to be
    /// brought into it as well.
    pub(super) fn new(
        config: &NatsKvConfig,
        encoders: Encoders,
        key_properties: &BTreeMap<String, Vec<String>>,
        subject_prefix: &str,
        limit: Limit,
        form: &Form,
    ) -> Result<Self, SinkError> {
        let rules = KeyRules::new(config, subject_prefix);
        let other = rules.in_format(match config.key_format {
            KeyFormat::Escaped => KeyFormat::Legacy,
            KeyFormat::Legacy => KeyFormat::Escaped,
        });
        let known = key_properties.iter().map(|(name, properties)| {
            let writer = |rules| {
                KeyWriter::new(rules, name, properties)
                    .map_err(|why| SinkError::config(format!("stream '{name}': {why}")))
            };
            Ok(Known {
                name: name.clone(),
                wanted: writer(&rules)?,
                other: writer(&other)?,
            })
        });
        Ok(Self {
            streams: known.collect::<Result<_, SinkError>>()?,
            wanted: encoders.choose("encoding", config.encoding())?,
            rules,
            encoders,
            limit,
            headers: form.header_size(Some(u64::MAX)),
        })
    }

    /// The stream that a key is of, and what the bytes under it should become; `None` for keys
    /// that the settings' `key_prefix` does not begin.
    pub(super) fn plan(
        &self,
        key: &str,
        stored: &[u8],
        scratch: &mut Tape,
    ) -> Option<(String, Plan)> {
        let split = key::split(&self.rules, key)?;
        let Some((encoder, record)) = self.decode(stored, scratch) else {
            return Some((split.stream, Plan::Unknown("its value is not a record")));
        };
        let may_write = |known: &&Known| known.wanted.may_write(key) || known.other.may_write(key);
        let mut candidates = self.streams.iter().filter(may_write).peekable();
        if candidates.peek().is_none() {
            return Some((split.stream, self.value(encoder, record)));
        }
        let mut stream = split.stream;
        let mut spelled = Tape::new();
        for known in candidates {
            stream.clone_from(&known.name);
            if known.wanted.source(key, record, &mut spelled).is_some() {
                return Some((stream, self.value(encoder, record)));
            }
            if let Some(source) = known.other.source(key, record, &mut spelled) {
                let mut to = String::new();
                let plan = match known.wanted.write(source, &mut to) {
                    Ok(()) => self.moved(to, encoder, record, stored),
                    Err(_) => Plan::Unknown("the key format cannot hold its key"),
                };
                return Some((stream, plan));
            }
        }
        let why = "its key properties give another key";
        Some((stream, Plan::Unknown(why)))
    }

    /// Whether two values are the same record, whichever encoding each is in.
    pub(super) fn is_same(&self, left: &[u8], right: &[u8]) -> bool {
        let (mut one, mut other) = (Tape::new(), Tape::new());
        match (self.decode(left, &mut one), self.decode(right, &mut other)) {
            (Some((_, left)), Some((_, right))) => left.equals_in(right, |_| true),
            _ => false,
        }
    }

    fn decode<'t>(
        &self,
        bytes: &[u8],
        into: &'t mut Tape,
    ) -> Option<(&Arc<dyn Encoder>, Value<'t>)> {
        let mut encoders = self.encoders.iter();
        let (_, encoder) = encoders.find(|(_, encoder)| encoder.recognises(bytes))?;
        encoder.decode(bytes, into).ok()?;
        let record = into.root()?;
        (record.kind() == ValueKind::Object).then_some((encoder, record))
    }

    fn value(&self, encoder: &Arc<dyn Encoder>, record: Value<'_>) -> Plan {
        if Arc::ptr_eq(encoder, &self.wanted) {
            return Plan::Leave;
        }
        match self.encoded(record) {
            Ok(value) => Plan::Rewrite(value),
            Err(why) => Plan::Unknown(why),
        }
    }

    fn moved(
        &self,
        to: String,
        encoder: &Arc<dyn Encoder>,
        record: Value<'_>,
        stored: &[u8],
    ) -> Plan {
        let value = if Arc::ptr_eq(encoder, &self.wanted) {
            self.fitting(Bytes::copy_from_slice(stored))
        } else {
            self.encoded(record)
        };
        match value {
            Ok(value) => Plan::Move { to, value },
            Err(why) => Plan::Unknown(why),
        }
    }

    /// The record in the wanted encoding.
    fn encoded(&self, record: Value<'_>) -> Result<Bytes, &'static str> {
        let mut bytes = Vec::new();
        self.wanted
            .encode(record, &mut bytes)
            .map_err(|_| "the encoding cannot hold its value")?;
        let mut again = Tape::new();
        let decoded = self.wanted.decode(&bytes, &mut again).ok();
        // Such as a large number, which would become text: this is the only copy.
        let is_kept = decoded.and_then(|()| again.root());
        if !is_kept.is_some_and(|again| again.equals_in(record, |_| true)) {
            return Err("the encoding would change its value");
        }
        self.fitting(bytes.into())
    }

    fn fitting(&self, value: Bytes) -> Result<Bytes, &'static str> {
        match self.limit.check(value.len() + self.headers) {
            Ok(()) => Ok(value),
            Err(_) => Err("its value would be larger than the bucket allows"),
        }
    }
}

#[cfg(test)]
mod tests;
