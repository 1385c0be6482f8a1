//! Whether a record is written over what the bucket holds: the rules of `newer` and `same`.
//!
//! Pure, so that every rule stands in a table of tests. The rules are about values, never about
//! bytes: `0.10` is `0.1`, `12:00Z` is `14:00+02:00`, and the encoding does not matter.

mod identity;
mod instant;
mod marker;
mod order;
mod packed;
mod standing;
#[cfg(test)]
mod tests;
mod text;

use std::cmp::Ordering;
use std::sync::Arc;

use serde_json::Value as JsonSchema;
use singer_target::Encoder;
use singer_target::activation::{
    DELETED_AT, TABLE_VERSION, is_marked as is_deleted, is_revived, version_of,
};
use singer_target::value::{Tape, Value, ValueKind};

use super::config::RefreshMode;
pub(super) use marker::{MARKER_TELLS, Removal};
use order::OrderOf;
pub(super) use standing::Standing;
use text::{data_text, only_metadata_follows};

/// What the names of metadata begin with.
const METADATA: &str = "_sdc_";

/// What to do with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Write it.
    Write,
    /// Write it over something that should not be there, and warn: what is stored is … so.
    Repair(&'static str),
    /// Leave what is stored, which stands to it like this.
    Keep(Standing),
    /// Neither: it is another record that has the same key.
    Collision,
}

/// How the records of a stream compare with what is stored.
pub(super) struct Comparison {
    mode: RefreshMode,
    /// Whether a newer record may replace a tombstone.
    revive: bool,
    /// Whether a record that says that it is gone removes what is stored.
    removes: bool,
    replication_key: Option<ReplicationKey>,
    /// Whether the replication key, if there is one, is among the data.
    is_ordered_by_data: bool,
    encoders: Vec<Arc<dyn Encoder>>,
    /// Key properties that tell records apart where keys do not.
    watched: Vec<String>,
}

struct ReplicationKey {
    name: String,
    order: OrderOf,
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
        removes: bool,
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
            removes,
            is_ordered_by_data: replication_key
                .as_ref()
                .is_none_or(|key| is_data(&key.name)),
            replication_key,
            encoders,
            watched: Vec::new(),
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
        if self.mode == RefreshMode::Newer {
            if self.has_same_bytes(new, stored) {
                return Verdict::Keep(Standing::Same);
            }
            if self.is_plainly_newer(new, stored, scratch) {
                return Verdict::Write;
            }
        }
        match self.read(stored, scratch) {
            Ok(stored) if self.is_of_another(new, stored) => Verdict::Collision,
            Ok(stored) => self.decide(new, stored),
            Err(what) => Verdict::Repair(what),
        }
    }

    /// Compares with another record: an earlier one of the same key that is already settled.
    pub(super) fn with_record(&self, new: Candidate<'_>, earlier: Value<'_>) -> Verdict {
        match self.mode {
            RefreshMode::Full => Verdict::Write,
            _ if self.is_removal(earlier) => self.after_removal(new.value, Some(earlier)),
            _ => self.decide(new, earlier),
        }
    }

    /// Reads stored bytes with the encoder that knows them, and says which one it was.
    pub(super) fn decode(&self, bytes: &[u8], into: &mut Tape) -> Option<&dyn Encoder> {
        let mut encoders = self.encoders.iter();
        let encoder = encoders.find(|encoder| encoder.recognises(bytes))?;
        encoder.decode(bytes, into).ok()?;
        Some(&**encoder)
    }

    /// Reads a stored record. The error says what the bytes are instead.
    fn read<'t>(&self, bytes: &[u8], into: &'t mut Tape) -> Result<Value<'t>, &'static str> {
        if bytes.is_empty() {
            return Err("empty");
        }
        if self.decode(bytes, into).is_none() {
            return Err("neither JSON nor MessagePack");
        }
        let record = into.root();
        let record = record.filter(|record| record.kind() == ValueKind::Object);
        record.ok_or("not an object")
    }

    fn decide(&self, new: Candidate<'_>, stored: Value<'_>) -> Verdict {
        let order = self.order(new.value, stored);
        if is_revived(stored, new.value) || is_of_newer_version(new.value, stored, order) {
            return Verdict::Write;
        }
        // To remove a tombstone is not to bring it back.
        if is_deleted(stored) && !self.is_removal(new.value) {
            return if self.revive && order == Some(Ordering::Greater) {
                Verdict::Write
            } else {
                Verdict::Keep(self.standing(new, stored, order))
            };
        }
        // Where the tap itself sends nulls, they are its way to say "not deleted".
        if stored.get(DELETED_AT).is_some() && new.value.get(DELETED_AT).is_none() {
            return Verdict::Repair("marked by a `_sdc_deleted_at` that is null");
        }
        let write = match (self.mode, order) {
            (RefreshMode::Newer, Some(order)) => order == Ordering::Greater,
            // A deletion is news, although all its other data may be the same.
            (RefreshMode::Newer, None) if is_deleted(new.value) => true,
            (RefreshMode::Newer, None) if self.is_same_data(new, stored) => {
                return Verdict::Keep(Standing::Same);
            }
            (RefreshMode::Newer, None) => true,
            (_, Some(order)) => order != Ordering::Less,
            (_, None) => true,
        };
        if write {
            Verdict::Write
        } else {
            Verdict::Keep(self.standing(new, stored, order))
        }
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
        self.decode(new.encoded, &mut as_stored).is_some()
            && as_stored.root().is_some_and(|new| equal_data(new, stored))
    }

    /// Whether the record is written whatever the data are that are stored: so it is with most that
    /// have changed, and then a few members of stored MessagePack are enough. To decode all of it
    /// takes longer than with JSON. What is broken among the others is overwritten without a word.
    fn is_plainly_newer(&self, new: Candidate<'_>, stored: &[u8], scratch: &mut Tape) -> bool {
        let Some(key) = &self.replication_key else {
            return false;
        };
        let decides = |name: &[u8]| {
            name == key.name.as_bytes()
                || packed::is_metadata(name)
                || self.watched.iter().any(|it| it.as_bytes() == name)
        };
        let Some(stored) = packed::pick(stored, decides) else {
            return false;
        };
        self.read(&stored, scratch).is_ok_and(|stored| {
            // Else all of the data may have to be compared, or tell how the two stand.
            self.order(new.value, stored) == Some(Ordering::Greater)
                && !self.is_of_another(new, stored)
                && self.decide(new, stored) == Verdict::Write
        })
    }

    /// Whether `stored` has the very bytes of `new` up to the `_sdc_*` members at its end: by far
    /// the commonest case of a second load, and ten times quicker than to decode.
    fn has_same_bytes(&self, new: Candidate<'_>, stored: &[u8]) -> bool {
        if !self.is_ordered_by_data {
            return false;
        }
        if stored.first() == Some(&b'{') {
            return data_text(new.value).is_some_and(|data| {
                stored
                    .strip_prefix(data.as_bytes())
                    .is_some_and(only_metadata_follows)
            });
        }
        packed::data_bytes(new.encoded).is_some_and(|(data, rest)| {
            stored
                .strip_prefix(data)
                .is_some_and(|stored| packed::only_metadata_follows(stored, rest))
        })
    }
}

/// Whether a record is of a newer version of its table than what is stored: then it is written
/// whatever its data are, or ACTIVATE_VERSION would take it for gone. What was stored without a
/// version gets one, unless its replication key is greater.
fn is_of_newer_version(new: Value<'_>, stored: Value<'_>, order: Option<Ordering>) -> bool {
    if is_deleted(stored) {
        return false;
    }
    match (version_of(new), version_of(stored)) {
        (Some(new), Some(stored)) => new > stored,
        (Some(_), None) => order != Some(Ordering::Less),
        (None, _) => false,
    }
}

fn is_data(name: &str) -> bool {
    !name.starts_with(METADATA)
}

/// Whether metadata of this name may decide what becomes of a record, unless it is null.
fn may_tell(name: &[u8]) -> bool {
    [DELETED_AT.as_bytes(), TABLE_VERSION.as_bytes()].contains(&name)
}

fn equal_data(left: Value<'_>, right: Value<'_>) -> bool {
    left.equals_in(right, is_data)
}
