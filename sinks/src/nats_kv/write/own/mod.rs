//! What this run has written itself: a key that comes again needs no read.
//!
//! A tap that sends changes, and not rows, sends a key many times. What stands under it is then
//! what this run wrote last, and its revision is known; a write that expects this revision proves
//! that nobody else came between. Only a record that would *not* be written is looked up all the
//! same.
//!
//! It costs a copy of each value. So they are kept only where reads have shown that keys come
//! again, as long as that pays, and only the newest.

mod recent;

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use foldhash::fast::RandomState;

use super::super::lock;
use super::super::read::Found;
use recent::Recent;

/// What the kept values of all streams may take, in bytes.
const LIMIT: usize = 12 * 1024 * 1024;
/// From this share of keys that this run has written before on, in percent, it pays to keep them.
const OFTEN: usize = 10;
/// Below this share of keys that were kept, in percent, it pays no longer.
const SELDOM: usize = 5;
/// Fewer keys than these say nothing of the first share.
const ENOUGH: usize = 50;
/// After so many keys the second share is looked at: about as many as can be kept.
const TRIAL: usize = 50_000;
/// How often a stream begins: where keys come again too late, it never pays.
const MOST_BEGINNINGS: u32 = 4;

/// What the streams of a run have written last, in one bounded room.
#[derive(Default)]
pub(in super::super) struct OwnValues {
    recent: Mutex<Recent>,
    hasher: RandomState,
}

/// See the module. One for each stream.
pub(in super::super) struct OwnRevisions {
    values: Arc<OwnValues>,
    /// Another bucket may have the same keys, and revisions.
    bucket: String,
    /// Whatever was written during this run has a greater revision.
    began_at: u64,
    is_kept: AtomicBool,
    trial: Mutex<Trial>,
}

/// Whether it pays.
#[derive(Default)]
struct Trial {
    beginnings: u32,
    asked: usize,
    known: usize,
}

impl OwnRevisions {
    /// Of a bucket whose last revision was `began_at` when the run began.
    pub(in super::super) fn new(values: Arc<OwnValues>, bucket: &str, began_at: u64) -> Self {
        Self {
            values,
            bucket: bucket.to_owned(),
            began_at,
            is_kept: AtomicBool::new(false),
            trial: Mutex::default(),
        }
    }

    /// Learns from `keys` keys that were looked at: what was found under some of them.
    pub(super) fn note_read<'f>(&self, keys: usize, found: impl Iterator<Item = &'f Found>) {
        if keys < ENOUGH || self.is_kept() {
            return;
        }
        let own = found.filter(|found| found.revision > self.began_at).count();
        if own * 100 < keys * OFTEN {
            return;
        }
        let mut trial = lock(&self.trial);
        if trial.beginnings < MOST_BEGINNINGS {
            trial.begin();
            self.is_kept.store(true, Ordering::Relaxed);
        }
    }

    /// This run has written `value` under `key`, or removed what was there. Without a revision,
    /// all that is known is that it is no longer what it was.
    pub(super) fn wrote(&self, key: &str, revision: Option<u64>, value: Option<&[u8]>) {
        if self.is_kept() {
            let mut recent = lock(&self.values.recent);
            match (revision, value) {
                (Some(revision), Some(value)) => {
                    recent.keep(self.hash(key), revision, value, LIMIT)
                }
                _ => recent.forget(self.hash(key)),
            }
        }
    }

    /// What this run has written last under each of `keys`, if it is known. Others may have written
    /// since.
    pub(super) fn last(&self, keys: &[&str]) -> Vec<Option<Found>> {
        if !self.is_kept() {
            return vec![None; keys.len()];
        }
        let recent = lock(&self.values.recent);
        let found = keys.iter().map(|key| recent.get(self.hash(key)).cloned());
        let found: Vec<_> = found.collect();
        drop(recent);
        let known = found.iter().flatten().count();
        if !lock(&self.trial).pays(keys.len(), known) {
            self.is_kept.store(false, Ordering::Relaxed);
        }
        found
    }

    fn hash(&self, key: &str) -> u64 {
        self.values.hasher.hash_one((&self.bucket, key))
    }

    /// Whether it may know something.
    pub(super) fn is_kept(&self) -> bool {
        self.is_kept.load(Ordering::Relaxed)
    }
}

impl Trial {
    fn begin(&mut self) {
        self.beginnings += 1;
        (self.asked, self.known) = (0, 0);
    }

    /// Takes note of keys that were asked for, and of how many were known.
    fn pays(&mut self, asked: usize, known: usize) -> bool {
        self.asked += asked;
        self.known += known;
        if self.asked < TRIAL {
            return true;
        }
        let pays = self.known * 100 >= self.asked * SELDOM;
        (self.asked, self.known) = (0, 0);
        pays
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::read::Content;
    use super::*;

    fn found(revision: u64) -> Found {
        let content = Content::Value("old".into());
        Found { revision, content }
    }

    fn last(own: &OwnRevisions, key: &str) -> Option<u64> {
        own.last(&[key])[0].as_ref().map(|found| found.revision)
    }

    #[test]
    fn values_are_kept_from_when_keys_come_again() {
        let own = OwnRevisions::new(Arc::default(), "b", 100);
        let before: Vec<_> = (1..=100).map(found).collect();
        own.note_read(100, before.iter());
        own.wrote("a", Some(101), Some(b"value"));
        assert_eq!(last(&own, "a"), None);
        own.note_read(
            100,
            before
                .iter()
                .chain((101..=112).map(found).collect::<Vec<_>>().iter()),
        );
        own.wrote("a", Some(113), Some(b"value"));
        assert_eq!(last(&own, "a"), Some(113));
        assert_eq!(last(&own, "b"), None);
    }

    #[test]
    fn another_bucket_has_other_values() {
        let values = Arc::<OwnValues>::default();
        let both = ["a", "b"].map(|bucket| OwnRevisions::new(Arc::clone(&values), bucket, 0));
        for own in &both {
            own.note_read(100, (1..=100).map(found).collect::<Vec<_>>().iter());
        }
        both[0].wrote("key", Some(7), Some(b"value"));
        assert_eq!(
            (last(&both[0], "key"), last(&both[1], "key")),
            (Some(7), None)
        );
        both[0].wrote("key", None, Some(b"value"));
        assert_eq!(last(&both[0], "key"), None, "its revision is not known");
        both[0].wrote("key", Some(8), Some(b"value"));
        both[0].wrote("key", Some(9), None);
        assert_eq!(last(&both[0], "key"), None, "it was removed");
    }

    #[test]
    fn they_are_kept_as_long_as_it_pays() {
        let own = OwnRevisions::new(Arc::default(), "b", 0);
        let again: Vec<_> = (1..=100).map(found).collect();
        for _ in 0..MOST_BEGINNINGS {
            own.note_read(100, again.iter());
            own.wrote("a", Some(1), Some(b"value"));
            let _ = own.last(&vec!["a"; TRIAL / 10]);
            let _ = own.last(&vec!["b"; TRIAL]);
            assert_eq!(last(&own, "a"), Some(1), "a tenth is enough");
            let _ = own.last(&vec!["b"; TRIAL]);
            assert_eq!(last(&own, "a"), None);
        }
        own.note_read(100, again.iter());
        assert_eq!(last(&own, "a"), None, "it began too often");
    }
}
