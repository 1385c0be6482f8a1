//! Sweeps: passes over the stored entries of a stream that delete some of them, each by
//! compare-and-set at the revision that was seen.
//!
//! ACTIVATE_VERSION deletes what is of an older version; `load_method: overwrite`, at the end of a
//! run, what was not written since it began. A key alone does not tell whose entry it is: below
//! `a.` there may be entries of a stream `a.b`, or of somebody else. An entry is taken for one of
//! the stream only if its own key properties give its key.

use async_nats::Subject;
use bytes::Bytes;
use singer_target::activation::Activation;
use singer_target::value::{Tape, Value};
use singer_target::{Encoder, SinkError, StreamEnd};

use super::super::error::Failure;
use super::super::read::{Found, Reader};
use super::super::scan::{Page, Scan};
use super::lookup::{MAX_CONFLICTS, jitter};
use super::round::{Outgoing, publish};
use super::{Lifeline, StoredSizes, StreamRules, StreamWriter};

/// Which entries are deleted.
pub(in super::super) enum Sweep<'a> {
    /// Those of an older version.
    Activation(&'a Activation),
    /// Those that have not been written since this revision.
    Overwrite { since: u64, end: &'a StreamEnd },
}

impl Sweep<'_> {
    /// Whether an entry might be deleted, as far as its revision tells.
    fn concerns(&self, found: &Found) -> bool {
        match self {
            Self::Activation(_) => true,
            Self::Overwrite { since, .. } => found.revision <= *since,
        }
    }

    /// Whether an entry is deleted that may be.
    fn deletes(&self, entry: Value<'_>) -> bool {
        match self {
            Self::Activation(activation) => activation.deletes(entry),
            Self::Overwrite { .. } => true,
        }
    }

    /// The mark of a deletion, if it is not removed; in `into`.
    fn mark(&self, entry: Value<'_>, into: &mut Tape) -> bool {
        match self {
            Self::Activation(activation) if !activation.is_hard() => {
                activation.mark(entry, into);
                true
            }
            _ => false,
        }
    }

    fn is_limited(&self) -> bool {
        match self {
            Self::Activation(activation) => activation.is_limited(),
            Self::Overwrite { end, .. } => end.is_limited(),
        }
    }

    fn check_share(&self, deleted: u64, stored: u64) -> Result<(), SinkError> {
        match self {
            Self::Activation(activation) => activation.check_share(deleted, stored),
            Self::Overwrite { end, .. } => end.check_share(deleted, stored),
        }
    }
}

/// An entry that is to be deleted.
struct Old {
    key: String,
    revision: u64,
    /// What takes its place; nothing, if it is removed.
    marked: Option<Bytes>,
}

impl StreamWriter {
    /// Deletes the entries that `sweep` says. Returns how many.
    pub(in super::super) async fn sweep(
        &self,
        sweep: &Sweep<'_>,
        mut lifeline: Lifeline,
    ) -> Result<u64, Failure> {
        self.bucket.verify_once(&mut lifeline).await?;
        let mut deleted = 0;
        let Some(filter) = self.rules.keys.filter() else {
            return Ok(deleted);
        };
        if sweep.is_limited() {
            self.check_share(sweep, &mut lifeline).await?;
        }
        let mut scan = lifeline.bind(self.reader.scan(&filter)).await?;
        let mut scratch = Scratch::default();
        loop {
            let page = next_page(&mut scan, &self.sizes, &mut lifeline).await?;
            if page.is_empty() {
                return Ok(deleted);
            }
            let old = self.choose(page, sweep, &mut scratch)?;
            deleted += self.delete(old, sweep, &mut scratch, &mut lifeline).await?;
        }
    }

    /// Counts first what would be deleted.
    async fn check_share(&self, sweep: &Sweep<'_>, lifeline: &mut Lifeline) -> Result<(), Failure> {
        let goes = |_: &str, found: &Found, entry: Value<'_>| {
            sweep.concerns(found) && sweep.deletes(entry)
        };
        let Counted { deleted, stored } =
            count(&self.rules, &self.reader, &self.sizes, goes, lifeline).await?;
        sweep
            .check_share(deleted, stored)
            .map_err(|error| Failure::Permanent(error.to_string()))
    }

    /// What of a page is to be deleted.
    fn choose(
        &self,
        page: Page,
        sweep: &Sweep<'_>,
        scratch: &mut Scratch,
    ) -> Result<Vec<Old>, Failure> {
        let mut old = Vec::new();
        for (key, found) in page {
            if !sweep.concerns(&found) {
                continue;
            }
            let Some((encoder, entry)) = self.rules.entry(&key, &found, &mut scratch.stored) else {
                continue;
            };
            if !sweep.deletes(entry) {
                continue;
            }
            let marked = if sweep.mark(entry, &mut scratch.marked) {
                Some(self.encode(&key, encoder, &scratch.marked)?)
            } else {
                None
            };
            old.push(Old {
                key,
                revision: found.revision,
                marked,
            });
        }
        Ok(old)
    }

    fn encode(&self, key: &str, encoder: &dyn Encoder, marked: &Tape) -> Result<Bytes, Failure> {
        let mut bytes = Vec::new();
        let encoded = match marked.root() {
            Some(marked) => encoder.encode(marked, &mut bytes),
            None => Ok(()),
        };
        encoded
            .map_err(|error| error.to_string())
            .and_then(|()| {
                let headers = self.rules.form.header_size(Some(u64::MAX));
                self.limit().check(bytes.len() + headers)
            })
            .map_err(|why| {
                Failure::Permanent(format!(
                    "the entry '{key}' cannot be marked as deleted: {why}; set hard_delete to \
                     remove such entries"
                ))
            })?;
        Ok(bytes.into())
    }

    /// Deletes entries, and looks again at those that another writer has changed meanwhile. Returns
    /// how many were deleted.
    async fn delete(
        &self,
        mut old: Vec<Old>,
        sweep: &Sweep<'_>,
        scratch: &mut Scratch,
        lifeline: &mut Lifeline,
    ) -> Result<u64, Failure> {
        let mut deleted = 0;
        for attempt in 0.. {
            let deletions = old.iter().map(|entry| self.deletion(entry));
            let answers = publish(
                &self.client,
                &self.window,
                &self.reader.stream_name,
                deletions,
                lifeline,
            )
            .await?;
            let mut conflicts = Vec::new();
            for (index, answer) in answers {
                match answer {
                    Ok(_) => deleted += 1,
                    Err(Failure::Conflict) => conflicts.push(index),
                    Err(failure) => return Err(failure),
                }
            }
            if conflicts.is_empty() {
                return Ok(deleted);
            }
            if attempt == MAX_CONFLICTS {
                return Err(Failure::Conflict);
            }
            tokio::time::sleep(jitter(attempt + 1)).await;
            let keys: Vec<&str> = conflicts.iter().map(|at| old[*at].key.as_str()).collect();
            let found = lifeline.bind(self.reader.last_at_leader(&keys)).await?;
            let again = keys.iter().zip(found);
            let again = again
                .filter_map(|(key, found)| Some(((*key).to_owned(), found?)))
                .collect();
            old = self.choose(again, sweep, scratch)?;
        }
        Ok(deleted)
    }

    fn deletion(&self, entry: &Old) -> Outgoing {
        Outgoing {
            subject: Subject::from(format!("{}{}", self.rules.subject_prefix, entry.key)),
            headers: Some(
                self.rules
                    .form
                    .deletion(entry.revision, entry.marked.is_some()),
            ),
            payload: entry.marked.clone().unwrap_or_default(),
        }
    }
}

/// Entries of a stream.
#[derive(Debug, Default, Clone, Copy)]
pub(in super::super) struct Counted {
    pub(in super::super) deleted: u64,
    pub(in super::super) stored: u64,
}

/// Counts the entries of a stream, and those of which `goes` says that they would be deleted.
pub(super) async fn count(
    rules: &StreamRules,
    reader: &Reader,
    sizes: &StoredSizes,
    goes: impl Fn(&str, &Found, Value<'_>) -> bool,
    lifeline: &mut Lifeline,
) -> Result<Counted, Failure> {
    let mut counted = Counted::default();
    let Some(filter) = rules.keys.filter() else {
        return Ok(counted);
    };
    let mut scratch = Tape::new();
    let mut scan = lifeline.bind(reader.scan(&filter)).await?;
    loop {
        let page = next_page(&mut scan, sizes, lifeline).await?;
        if page.is_empty() {
            return Ok(counted);
        }
        for (key, found) in &page {
            if let Some((_, entry)) = rules.entry(key, found, &mut scratch) {
                counted.stored += 1;
                counted.deleted += u64::from(goes(key, found, entry));
            }
        }
    }
}

/// The next entries of a pass, no more than it is good to hold at once.
pub(in super::super) async fn next_page(
    scan: &mut Scan,
    sizes: &StoredSizes,
    lifeline: &mut Lifeline,
) -> Result<Page, Failure> {
    const MOST: usize = 1_000;
    let size = sizes.keys_at_once().min(MOST);
    let page = lifeline.bind(scan.next_page(size)).await?;
    sizes.note(page.iter().map(|(_, found)| Some(found)));
    Ok(page)
}

/// Tapes that are used again and again.
#[derive(Default)]
struct Scratch {
    stored: Tape,
    marked: Tape,
}
