//! What would be written of a stream, and whether it was: the decisions of a write, without one.

mod memory;

pub(in super::super) use memory::Memory;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use singer_target::activation::{Activation, version_of};
use singer_target::value::{Tape, Value};
use singer_target::{Batch, Foreseen, Held};

use super::super::compare::{Candidate, Removal, Standing, Verdict};
use super::super::config::RefreshMode;
use super::super::error::Failure;
use super::super::read::{Content, Found, Reader};
use super::chains::Write;
use super::prepare::{Limit, Prepared};
use super::rules::COLLISION;
use super::sweep::{Counted, count};
use super::{Lifeline, StoredSizes, StreamRules};
use memory::{Lacking, Seen};

/// Compares the batches of one stream with its bucket.
pub(in super::super) struct StreamForecast {
    rules: StreamRules,
    /// `None` while there is no bucket.
    reader: Option<Reader>,
    limit: Limit,
    sizes: StoredSizes,
    memory: Arc<Memory>,
}

/// A record that can be loaded, and what is under its key.
struct Met<'b, 'f> {
    index: usize,
    key: &'b str,
    candidate: Candidate<'b>,
    /// If it removes what is there.
    removal: Option<&'b Removal>,
    found: Option<&'f Found>,
}

impl Met<'_, '_> {
    fn content(&self) -> Option<&Content> {
        self.found.map(|found| &found.content)
    }
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
        lifeline: Lifeline,
    ) -> Result<Vec<Foreseen>, Failure> {
        let prepared = self.rules.prepare(batch, self.limit);
        // The record of this batch that would be stored under a key.
        let mut written: HashMap<&str, usize> = HashMap::new();
        let mut scratch = Tape::new();
        self.walk(batch, &prepared, lifeline, Foreseen::Rejected, |met| {
            let (verdict, has_value) = match written.get(met.key).copied() {
                Some(earlier) => {
                    let value = batch.record(earlier).value();
                    let verdict = self.rules.comparison.with_record(met.candidate, value);
                    (verdict, prepared.removal(earlier as u32).is_none())
                }
                None => (
                    self.verdict(met, &mut scratch),
                    matches!(met.content(), Some(Content::Value(_))),
                ),
            };
            if let Verdict::Keep(standing) = verdict {
                self.memory.see_if_new(met.key);
                return kept(standing);
            }
            if verdict == Verdict::Collision {
                self.memory.see_if_new(met.key);
                return Foreseen::Rejected(COLLISION.to_owned());
            }
            let outcome = self.written(met, has_value, &prepared);
            if matches!(outcome, Foreseen::Rejected(_)) {
                self.memory.see_if_new(met.key);
            } else {
                written.insert(met.key, met.index);
                let version = version_of(met.candidate.value);
                self.memory.see(met.key, Seen::Written(version));
            }
            outcome
        })
        .await
    }

    /// Whether the bucket holds what each record of a batch must have left there.
    pub(in super::super) async fn verify(
        &self,
        batch: &Batch,
        lifeline: Lifeline,
    ) -> Result<Vec<Held>, Failure> {
        let prepared = self.rules.prepare(batch, self.limit);
        let mut scratch = Tape::new();
        self.walk(batch, &prepared, lifeline, Held::Rejected, |met| {
            let key = met.key;
            self.memory.see_if_new(key);
            let mut lacking = self.memory.lacking();
            let stands = |lacking: &Lacking| {
                !lacking.gives_way_to(met.candidate, &self.rules.comparison, &mut scratch)
            };
            if lacking.get(key).is_some_and(stands) {
                return Held::Superseded(key.to_owned());
            }
            let held = self.held(met, &mut scratch);
            if matches!(held, Held::Same(_)) {
                self.memory.see(key, Seen::Held);
            }
            if matches!(held, Held::Rejected(_)) {
                return held;
            }
            if matches!(held, Held::Same(_) | Held::Newer(_) | Held::Superseded(_)) {
                lacking.remove(key);
            } else {
                let lacks = match met.removal {
                    Some(removal) => Lacking::Removal(removal.told.clone()),
                    None => Lacking::Value(Bytes::copy_from_slice(met.candidate.encoded)),
                };
                lacking.insert(key.to_owned(), lacks);
            }
            held
        })
        .await
    }

    /// Meets each record of a batch with what is stored under its key, and returns what was said
    /// of them.
    async fn walk<'b, T>(
        &self,
        batch: &'b Batch,
        prepared: &'b Prepared,
        mut lifeline: Lifeline,
        reject: impl Fn(String) -> T,
        mut judge: impl FnMut(&Met<'b, '_>) -> T,
    ) -> Result<Vec<T>, Failure> {
        let mut judged = Vec::with_capacity(batch.len());
        for part in self.parts(batch.len()) {
            let stored = self.read(prepared, part.clone(), &mut lifeline).await?;
            for index in part {
                if let Some(reason) = prepared.rejection(index) {
                    judged.push(reject(reason.to_owned()));
                    continue;
                }
                let record = index as u32;
                let key = prepared.key(record);
                let met = Met {
                    index,
                    key,
                    candidate: Candidate {
                        value: batch.record(index).value(),
                        encoded: prepared.payload_bytes(record),
                    },
                    removal: prepared.removal(record),
                    found: stored.get(key),
                };
                judged.push(judge(&met));
            }
        }
        Ok(judged)
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
        self.memory.lacking().retain(|_, lacking| {
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

    /// What a write would decide of a record.
    fn verdict(&self, met: &Met<'_, '_>, scratch: &mut Tape) -> Verdict {
        let comparison = &self.rules.comparison;
        match met.content() {
            None => Verdict::Write,
            Some(Content::Marker(told)) => {
                comparison.with_marker(met.candidate, told.as_deref(), scratch)
            }
            Some(Content::Value(bytes)) => comparison.with_stored(met.candidate, bytes, scratch),
        }
    }

    /// What becomes of a record that is to be written.
    fn written(&self, met: &Met<'_, '_>, has_value: bool, prepared: &Prepared) -> Foreseen {
        let write = Write {
            record: met.index as u32,
            expected: Some(met.found.map_or(0, |found| found.revision)),
        };
        match self.rules.form.fit(write, prepared, self.limit) {
            Err(reason) => Foreseen::Rejected(reason),
            Ok(_) if met.removal.is_some() => Foreseen::Deleted,
            Ok(_) if has_value || self.memory.seen(met.key).is_some() => Foreseen::Updated,
            Ok(_) => Foreseen::Created,
        }
    }

    /// Whether what is there is what a record must have left.
    fn held(&self, met: &Met<'_, '_>, scratch: &mut Tape) -> Held {
        let key = met.key.to_owned();
        let removes = met.removal.is_some();
        let bytes = match met.content() {
            Some(Content::Value(bytes)) => bytes,
            _ if removes => return Held::Same(key),
            _ => {
                return match self.verdict(met, scratch) {
                    Verdict::Keep(_) => Held::Newer(key),
                    _ => Held::Missing(key),
                };
            }
        };
        let mode = self.rules.mode;
        match self.rules.comparison.examine(met.candidate, bytes, scratch) {
            (Verdict::Keep(_), Standing::Same) => Held::Same(key),
            (Verdict::Keep(_), Standing::Newer) => Held::Newer(key),
            // The first of two that are as new stays.
            (Verdict::Keep(_), Standing::Other) if self.memory.seen(&key) == Some(Seen::Held) => {
                Held::Superseded(key)
            }
            (Verdict::Keep(_), Standing::Other) => Held::Conflicting(key),
            (Verdict::Collision, _) => Held::Rejected(COLLISION.to_owned()),
            _ if removes => Held::Remaining(key),
            // In these modes a write repeats what is there.
            (Verdict::Write, Standing::Same) if mode != RefreshMode::Newer => Held::Same(key),
            (_, Standing::Newer) if mode == RefreshMode::Full => Held::Newer(key),
            _ => Held::Different(key),
        }
    }
}

/// What becomes of a record that is not written.
fn kept(standing: Standing) -> Foreseen {
    match standing {
        Standing::Same => Foreseen::Unchanged,
        Standing::Newer => Foreseen::Outdated,
        Standing::Other => Foreseen::Conflicting,
    }
}
