//! Markers: what stands in a bucket where a key was deleted.
//!
//! A marker has no value. One of ours tells the replication key of the record that deleted, in a
//! header, so that an older record is known to be older. Other writers' markers tell nothing, and
//! any record may follow them.

use std::cmp::Ordering;

use singer_target::value::{Tape, Value};

use super::super::config::RefreshMode;
use super::{Candidate, Comparison, Standing, Verdict, is_deleted};

/// The header in which a marker of ours tells the replication key: `{"updated_at":"2026-01-01"}`.
pub(in super::super) const MARKER_TELLS: &str = "Singer-Replication-Key";

/// A record that removes what is stored under its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Removal {
    /// What its marker tells.
    pub(in super::super) told: Option<String>,
}

impl Comparison {
    /// The record as one that removes what is stored, if it is one.
    pub(in super::super) fn removal(&self, record: Value<'_>) -> Option<Removal> {
        self.is_removal(record).then(|| Removal {
            told: self.tell(record),
        })
    }

    pub(super) fn is_removal(&self, record: Value<'_>) -> bool {
        self.removes && is_deleted(record)
    }

    /// The replication key as an object of one member; JSON text has no line break.
    fn tell(&self, record: Value<'_>) -> Option<String> {
        let key = self.replication_key.as_ref()?;
        let value = record.get(&key.name)?;
        let mut told = format!("{{{}:", serde_json::Value::from(key.name.as_str()));
        value.write_json(&mut told);
        told.push('}');
        Some(told)
    }

    /// Compares with a marker that tells this. `scratch` is reused from call to call.
    pub(in super::super) fn with_marker(
        &self,
        new: Candidate<'_>,
        told: Option<&str>,
        scratch: &mut Tape,
    ) -> Verdict {
        let told = told.filter(|told| scratch.parse(told.as_bytes()).is_ok());
        let removed = told.and_then(|_| scratch.root());
        self.after_removal(new.value, removed)
    }

    /// Compares with a record that has removed what was stored, or what its marker tells of it.
    pub(super) fn after_removal(&self, new: Value<'_>, removed: Option<Value<'_>>) -> Verdict {
        if self.mode == RefreshMode::Full {
            return Verdict::Write;
        }
        let order = removed.and_then(|removed| self.order(new, removed));
        let removes = self.is_removal(new);
        let write = match (removes, order) {
            // With equal replication keys the deletion stands.
            (false, Some(order)) => order == Ordering::Greater,
            (false, None) => true,
            (true, Some(Ordering::Greater)) => true,
            (true, Some(Ordering::Less)) => false,
            (true, Some(Ordering::Equal) | None) => self.mode == RefreshMode::Same,
        };
        match (write, removes) {
            (true, _) => Verdict::Write,
            (false, true) => Verdict::Keep(Standing::Same),
            (false, false) => Verdict::Keep(Standing::Newer),
        }
    }
}
