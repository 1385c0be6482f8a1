//! `verify`: keeps the keys under which the destination does not hold what it must.
//!
//! A later record of the same key may show that all is well, so differences are only known at the
//! end, and kept in memory until then: no more than [`MOST`].

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::{Held, Preview, Swept, Tally};
use crate::activation::{Activation, version_of};
use crate::batch::{Batch, Record};
use crate::metrics::Summary;
use crate::sink::{Report, SinkError};
use crate::stream::Stream;
use crate::stream_end::StreamEnd;

/// Differences that are kept. With more, something else is wrong than some records.
const MOST: usize = 100_000;

/// What the destination holds of a stream.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Verified {
    /// Records that were compared.
    pub(crate) records: u64,
    /// Of these, records where something newer is stored.
    pub(crate) newer: u64,
    /// Records that cannot be loaded, and so were not looked for.
    pub(crate) rejected: u64,
    /// Stored records that must have been deleted by a new version of their table, or at the end
    /// of the run.
    pub(crate) left_over: u64,
    /// What differs, by key.
    pub(crate) differences: BTreeMap<String, Difference>,
}

/// What differs under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Difference {
    pub(crate) kind: Kind,
    /// The line of the record that must be there.
    pub(crate) line: u64,
    /// The version of the table that it is of.
    #[serde(skip)]
    version: Option<i64>,
}

/// How it differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Missing,
    Different,
    Remaining,
    Conflicting,
}

/// What was found, by stream. Clones share it.
#[derive(Debug, Default, Clone)]
pub(crate) struct Differences(Arc<Mutex<BTreeMap<String, Verified>>>);

impl Differences {
    /// What was found, with what never came as far as the sink.
    pub(crate) fn with(&self, summary: &Summary) -> BTreeMap<String, Verified> {
        let mut found = self.streams().clone();
        for (stream, counts) in summary.counts() {
            found.entry(stream).or_default().rejected = counts.rejected;
        }
        found
    }

    fn streams(&self) -> MutexGuard<'_, BTreeMap<String, Verified>> {
        // Nothing panics between two records.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note<T>(&self, stream: &Stream, note: impl FnOnce(&mut Verified) -> T) -> T {
        note(self.streams().entry(stream.name().to_owned()).or_default())
    }
}

impl Tally for Differences {
    fn open(&self, stream: &Stream) {
        self.note(stream, |_| {});
    }

    async fn compare<P: Preview>(&self, preview: &P, batch: &Batch) -> Result<Report, SinkError> {
        let held = preview.verify(batch).await?;
        let mut report = Report::default();
        let found = self.note(batch.stream(), |verified| {
            for (index, held) in held.into_iter().enumerate() {
                if let Held::Rejected(reason) = held {
                    report.reject(index, reason);
                } else {
                    report.unchanged += 1;
                    verified.note(held, batch.record(index));
                }
            }
            verified.differences.len()
        });
        if found > MOST {
            return Err(SinkError::permanent(format!(
                "stream '{}' differs under more than {MOST} keys, so the rest was not compared: \
                 are these the settings that it was loaded with?",
                batch.stream().name()
            )));
        }
        Ok(report)
    }

    fn activate(
        &self,
        stream: &Stream,
        activation: &Activation,
        swept: Swept,
    ) -> Result<u64, SinkError> {
        self.note(stream, |verified| {
            verified.left_over += swept.deleted;
            if activation.is_hard() {
                verified.forget_older(activation.version());
            }
        });
        Ok(0)
    }

    fn close(&self, stream: &Stream, _: &StreamEnd, swept: Swept) -> Result<u64, SinkError> {
        self.note(stream, |verified| verified.left_over += swept.deleted);
        Ok(0)
    }
}

impl Verified {
    fn note(&mut self, held: Held, record: Record<'_>) {
        self.note_at(held, record.line(), version_of(record.value()));
    }

    fn note_at(&mut self, held: Held, line: u64, version: Option<i64>) {
        self.records += 1;
        let (key, kind) = match held {
            Held::Missing(key) => (key, Kind::Missing),
            Held::Different(key) => (key, Kind::Different),
            Held::Remaining(key) => (key, Kind::Remaining),
            Held::Conflicting(key) => (key, Kind::Conflicting),
            Held::Same(key) => {
                self.differences.remove(&key);
                return;
            }
            Held::Newer(key) => {
                self.newer += 1;
                self.differences.remove(&key);
                return;
            }
            Held::Superseded(_) | Held::Rejected(_) => return,
        };
        let difference = Difference {
            kind,
            line,
            version,
        };
        self.differences.insert(key, difference);
    }

    /// What is of an older version of the table need not be there any more; whether it is, is
    /// counted by itself.
    fn forget_older(&mut self, version: i64) {
        self.differences
            .retain(|_, it| it.version.is_none_or(|own| own >= version));
    }

    /// Whether the destination holds all that it must, and nothing that it must not.
    pub(crate) fn is_good(&self) -> bool {
        self.differences.is_empty() && self.left_over == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_record_of_a_key_decides() {
        let mut verified = Verified::default();
        verified.note_at(Held::missing("a"), 1, None);
        verified.note_at(Held::different("b"), 2, None);
        verified.note_at(Held::same("a"), 3, None);
        verified.note_at(Held::missing("b"), 4, Some(1));
        verified.note_at(Held::Newer("c".to_owned()), 5, None);
        verified.note_at(Held::Superseded("b".to_owned()), 6, None);
        let left = [(
            "b".to_owned(),
            Difference {
                kind: Kind::Missing,
                line: 4,
                version: Some(1),
            },
        )];
        assert_eq!(verified.differences, left.into());
        assert_eq!((verified.records, verified.newer), (6, 1));
        verified.forget_older(1);
        assert!(!verified.is_good());
        verified.forget_older(2);
        assert!(verified.is_good());
    }
}
