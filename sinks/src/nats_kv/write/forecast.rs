//! What would be written of a stream, and whether it was: the decisions of a write, without one.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use singer_target::activation::{Activation, version_of};
use singer_target::value::{Tape, Value};
use singer_target::{Batch, Foreseen, Held};

use super::super::compare::{Candidate, Standing, Verdict};
use super::super::config::RefreshMode;
use super::super::error::Failure;
use super::super::lock;
use super::super::read::{Content, Found, Reader};
use super::chains::Write;
use super::prepare::{Limit, Prepared};
use super::sweep::{Counted, count};
use super::{Lifeline, StoredSizes, StreamRules};

/// Compares the batches of one stream with its bucket.
pub(in super::super) struct StreamForecast {
    rules: StreamRules,
    /// `None` while there is no bucket.
    reader: Option<Reader>,
    limit: Limit,
    sizes: StoredSizes,
    memory: Arc<Memory>,
}

/// What is known of the keys of a stream that records had. It outlives a change of the SCHEMA.
#[derive(Default)]
pub(in super::super) struct Memory {
    hasher: RandomState,
    /// By the hash of a key.
    seen: Mutex<HashMap<u64, Seen>>,
    /// What the bucket must hold and does not, by key: what a later record is compared with.
    lacking: Mutex<HashMap<String, Lacking>>,
}

/// What would be under a key by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// What is there.
    Stored,
    /// What is there, which is what a record of this input has left.
    Held,
    /// A record of this version of its table, or of none.
    Written(Option<i64>),
}

/// What a key should have and has not.
enum Lacking {
    Value(Bytes),
    /// A deletion, and what its marker tells.
    Removal(Option<String>),
}

impl AsRef<StreamRules> for StreamForecast {
    fn as_ref(&self) -> &StreamRules {
        &self.rules
    }
}

impl StreamForecast {
    /// `max_payload` and `max_value_size` are the limits of the server and of the bucket.
    pub(in super::super) fn new(
        rules: StreamRules,
        reader: Option<Reader>,
        max_payload: usize,
        max_value_size: Option<usize>,
        memory: Arc<Memory>,
    ) -> Self {
        Self {
            rules,
            reader,
            limit: Limit::new(max_payload, max_value_size),
            sizes: StoredSizes::default(),
            memory,
        }
    }

    /// What would become of each record of a batch.
    pub(in super::super) async fn foresee(
        &self,
        batch: &Batch,
        mut lifeline: Lifeline,
    ) -> Result<Vec<Foreseen>, Failure> {
        let prepared = self.rules.prepare(batch, self.limit);
        let mut foreseen = Vec::with_capacity(batch.len());
        // The record of this batch that would be stored under a key.
        let mut written: HashMap<&str, usize> = HashMap::new();
        let mut scratch = Tape::new();
        for part in self.parts(batch.len()) {
            let found = self.read(&prepared, part.clone(), &mut lifeline).await?;
            for index in part {
                if let Some(reason) = prepared.rejection(index) {
                    foreseen.push(Foreseen::Rejected(reason.to_owned()));
                    continue;
                }
                let record = index as u32;
                let key = prepared.key(record);
                let stored = found.get(key);
                let earlier = written.get(key).copied();
                let (verdict, standing) =
                    self.compare(batch, &prepared, record, earlier, stored, &mut scratch);
                let outcome = match verdict {
                    Verdict::Keep => kept(standing, prepared.removal(record).is_some()),
                    Verdict::Write | Verdict::Repair(_) => {
                        let expected = Some(stored.map_or(0, |found| found.revision));
                        match self
                            .rules
                            .form
                            .fit(Write { record, expected }, &prepared, self.limit)
                        {
                            Err(reason) => Foreseen::Rejected(reason),
                            Ok(_) if prepared.removal(record).is_some() => Foreseen::Deleted,
                            Ok(_) if standing.is_some() || self.memory.seen(key).is_some() => {
                                Foreseen::Updated
                            }
                            Ok(_) => Foreseen::Created,
                        }
                    }
                };
                let is_written = matches!(
                    outcome,
                    Foreseen::Created | Foreseen::Updated | Foreseen::Deleted
                );
                if is_written {
                    written.insert(key, index);
                    let version = version_of(batch.record(index).value());
                    self.memory.see(key, Seen::Written(version));
                } else {
                    self.memory.see_if_new(key);
                }
                foreseen.push(outcome);
            }
        }
        Ok(foreseen)
    }

    /// Whether the bucket holds what each record of a batch must have left there.
    pub(in super::super) async fn verify(
        &self,
        batch: &Batch,
        mut lifeline: Lifeline,
    ) -> Result<Vec<Held>, Failure> {
        let prepared = self.rules.prepare(batch, self.limit);
        let mut held = Vec::with_capacity(batch.len());
        let mut scratch = Tape::new();
        for part in self.parts(batch.len()) {
            let found = self.read(&prepared, part.clone(), &mut lifeline).await?;
            for index in part {
                if let Some(reason) = prepared.rejection(index) {
                    held.push(Held::Rejected(reason.to_owned()));
                    continue;
                }
                let record = index as u32;
                let key = prepared.key(record);
                self.memory.see_if_new(key);
                let value = batch.record(index).value();
                let candidate = Candidate {
                    value,
                    encoded: prepared.payload_bytes(record),
                };
                let mut lacking = lock(&self.memory.lacking);
                if lacking
                    .get(key)
                    .is_some_and(|lacking| !self.supersedes(candidate, lacking, &mut scratch))
                {
                    held.push(Held::Superseded(key.to_owned()));
                    continue;
                }
                let stored = found.get(key);
                let (verdict, standing) =
                    self.compare(batch, &prepared, record, None, stored, &mut scratch);
                let removal = prepared.removal(record);
                let is = self.holds(verdict, standing, removal.is_some(), key);
                if matches!(is, Held::Same(_)) {
                    self.memory.see(key, Seen::Held);
                }
                if matches!(is, Held::Same(_) | Held::Newer(_) | Held::Superseded(_)) {
                    lacking.remove(key);
                } else {
                    let lacks = match removal {
                        Some(removal) => Lacking::Removal(removal.told.clone()),
                        None => Lacking::Value(Bytes::copy_from_slice(candidate.encoded)),
                    };
                    lacking.insert(key.to_owned(), lacks);
                }
                held.push(is);
            }
        }
        Ok(held)
    }

    /// Counts what `activation` would delete, if all records before it were loaded.
    pub(in super::super) async fn count_older(
        &self,
        activation: &Activation,
        lifeline: Lifeline,
    ) -> Result<Counted, Failure> {
        if activation.is_hard() {
            self.forget_older(activation.version());
        }
        let goes = |key: &str, _: &Found, entry: Value<'_>| match self.memory.seen(key) {
            None | Some(Seen::Stored | Seen::Held) => activation.deletes(entry),
            Some(Seen::Written(version)) => version.is_some_and(|it| it < activation.version()),
        };
        self.count(goes, lifeline).await
    }

    /// Counts the entries that no record had the key of.
    pub(in super::super) async fn count_unseen(
        &self,
        lifeline: Lifeline,
    ) -> Result<Counted, Failure> {
        let goes = |key: &str, _: &Found, _: Value<'_>| self.memory.seen(key).is_none();
        self.count(goes, lifeline).await
    }

    async fn count(
        &self,
        goes: impl Fn(&str, &Found, Value<'_>) -> bool,
        mut lifeline: Lifeline,
    ) -> Result<Counted, Failure> {
        match &self.reader {
            Some(reader) => count(&self.rules, reader, &self.sizes, goes, &mut lifeline).await,
            None => Ok(Counted::default()),
        }
    }

    /// What is of an older version of the table need not be there any more.
    fn forget_older(&self, version: i64) {
        let mut scratch = Tape::new();
        lock(&self.memory.lacking).retain(|_, lacking| {
            let Lacking::Value(bytes) = lacking else {
                return true;
            };
            let is_known = self.rules.comparison.decode(bytes, &mut scratch).is_some();
            let own = scratch.root().filter(|_| is_known).and_then(version_of);
            own.is_none_or(|own| own >= version)
        });
    }

    /// What a batch is read for at once, since values may be large.
    fn parts(&self, length: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        let size = self.sizes.keys_at_once();
        (0..length)
            .step_by(size)
            .map(move |start| start..length.min(start + size))
    }

    /// What is stored under the keys of some records.
    async fn read<'p>(
        &self,
        prepared: &'p Prepared,
        part: Range<usize>,
        lifeline: &mut Lifeline,
    ) -> Result<HashMap<&'p str, Found>, Failure> {
        let Some(reader) = &self.reader else {
            return Ok(HashMap::new());
        };
        let records = part.map(|index| index as u32);
        let usable = records.filter(|record| !prepared.is_rejected(*record));
        let mut keys: Vec<&str> = usable.map(|record| prepared.key(record)).collect();
        keys.sort_unstable();
        keys.dedup();
        let found = lifeline.bind(reader.last(&keys)).await?;
        self.sizes.note(found.iter().map(Option::as_ref));
        let found = keys.into_iter().zip(found);
        Ok(found
            .filter_map(|(key, found)| Some((key, found?)))
            .collect())
    }

    /// What a write would decide of a record, and how what is there stands to it: an `earlier`
    /// record of the batch, or what is `stored`. There is no standing where there is no value.
    fn compare(
        &self,
        batch: &Batch,
        prepared: &Prepared,
        record: u32,
        earlier: Option<usize>,
        stored: Option<&Found>,
        scratch: &mut Tape,
    ) -> (Verdict, Option<Standing>) {
        let comparison = &self.rules.comparison;
        let candidate = Candidate {
            value: batch.record(record as usize).value(),
            encoded: prepared.payload_bytes(record),
        };
        if let Some(earlier) = earlier {
            let is_value = prepared.removal(earlier as u32).is_none();
            let earlier = batch.record(earlier).value();
            let verdict = comparison.with_record(candidate, earlier);
            let standing = is_value.then(|| comparison.standing_of(candidate, earlier));
            return (verdict, standing);
        }
        match stored.map(|found| &found.content) {
            None => (Verdict::Write, None),
            Some(Content::Marker(told)) => {
                let verdict = comparison.with_marker(candidate, told.as_deref(), scratch);
                (verdict, None)
            }
            Some(Content::Value(bytes)) => {
                let verdict = comparison.with_stored(candidate, bytes, scratch);
                let standing = comparison.standing(candidate, bytes, scratch);
                (verdict, Some(standing))
            }
        }
    }

    fn holds(
        &self,
        verdict: Verdict,
        standing: Option<Standing>,
        removes: bool,
        key: &str,
    ) -> Held {
        let key = key.to_owned();
        let keeps = verdict == Verdict::Keep;
        match standing {
            None if removes => Held::Same(key),
            None if keeps => Held::Newer(key),
            None => Held::Missing(key),
            Some(Standing::Same) if keeps => Held::Same(key),
            Some(Standing::Newer) if keeps => Held::Newer(key),
            // The first of two that are as new stays.
            Some(Standing::Other) if keeps && self.memory.seen(&key) == Some(Seen::Held) => {
                Held::Superseded(key)
            }
            Some(Standing::Other) if keeps => Held::Conflicting(key),
            Some(_) if removes => Held::Remaining(key),
            // In these modes a write repeats what is there.
            Some(Standing::Same)
                if verdict == Verdict::Write && self.rules.mode != RefreshMode::Newer =>
            {
                Held::Same(key)
            }
            Some(Standing::Newer) if self.rules.mode == RefreshMode::Full => Held::Newer(key),
            Some(_) => Held::Different(key),
        }
    }

    /// Whether a record takes the place of what the bucket should have.
    fn supersedes(&self, candidate: Candidate<'_>, lacking: &Lacking, scratch: &mut Tape) -> bool {
        let comparison = &self.rules.comparison;
        let verdict = match lacking {
            Lacking::Value(bytes) => comparison.with_stored(candidate, bytes, scratch),
            Lacking::Removal(told) => comparison.with_marker(candidate, told.as_deref(), scratch),
        };
        verdict != Verdict::Keep
    }
}

impl Memory {
    fn see(&self, key: &str, what: Seen) {
        lock(&self.seen).insert(self.hasher.hash_one(key), what);
    }

    fn see_if_new(&self, key: &str) {
        let mut seen = lock(&self.seen);
        seen.entry(self.hasher.hash_one(key))
            .or_insert(Seen::Stored);
    }

    fn seen(&self, key: &str) -> Option<Seen> {
        lock(&self.seen).get(&self.hasher.hash_one(key)).copied()
    }
}

/// What becomes of a record that is not written. Where there is no value, the key was deleted.
fn kept(standing: Option<Standing>, removes: bool) -> Foreseen {
    match standing {
        Some(Standing::Same) => Foreseen::Unchanged,
        Some(Standing::Other) => Foreseen::Conflicting,
        None if removes => Foreseen::Unchanged,
        Some(Standing::Newer) | None => Foreseen::Outdated,
    }
}
