//! The newest values that were written, as many as fit into a bound. Pure.

use std::collections::{HashMap, VecDeque};

use foldhash::fast::RandomState;

use super::super::super::read::{Content, Found};

/// What an entry takes besides its value, in bytes.
const FRAME: usize = 128;

/// Values by the hashes of their keys. Should two keys of a bucket have one hash, then each write
/// expects a revision of the other, and is a conflict.
#[derive(Default)]
pub(super) struct Recent {
    values: Values,
    /// The keys in the order in which they were written, each with its revision at that time.
    order: VecDeque<(u64, u64)>,
    /// What the values take, in bytes.
    bytes: usize,
}

type Values = HashMap<u64, Found, RandomState>;

impl Recent {
    /// Keeps a value, unless a later one is known. All together take `limit` bytes at most.
    pub(super) fn keep(&mut self, key: u64, revision: u64, value: &[u8], limit: usize) {
        if self.get(key).is_some_and(|kept| kept.revision > revision) {
            return;
        }
        self.forget(key);
        let content = Content::Value(value.to_vec().into());
        self.bytes += value.len() + FRAME;
        self.values.insert(key, Found { revision, content });
        self.order.push_back((key, revision));
        while self.bytes > limit {
            let Some(oldest) = self.order.pop_front() else {
                return;
            };
            if is_current(&self.values, oldest) {
                self.forget(oldest.0);
            }
        }
        if self.order.len() > 2 * self.values.len() {
            let values = &self.values;
            self.order.retain(|it| is_current(values, *it));
        }
    }

    pub(super) fn forget(&mut self, key: u64) {
        let forgotten = self.values.remove(&key);
        self.bytes -= forgotten.as_ref().map_or(0, size_of_entry);
    }

    pub(super) fn get(&self, key: u64) -> Option<&Found> {
        self.values.get(&key)
    }
}

/// Whether the key was not written again, or forgotten, since it had this revision.
fn is_current(values: &Values, (key, revision): (u64, u64)) -> bool {
    values
        .get(&key)
        .is_some_and(|kept| kept.revision == revision)
}

fn size_of_entry(entry: &Found) -> usize {
    let value = match &entry.content {
        Content::Value(value) => value.len(),
        Content::Marker(_) => 0,
    };
    value + FRAME
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUE: &[u8] = &[b'x'; 128];
    /// Room for eight values.
    const LIMIT: usize = 8 * (128 + FRAME);

    fn revision(recent: &Recent, key: u64) -> Option<u64> {
        recent.get(key).map(|found| found.revision)
    }

    #[test]
    fn the_latest_revision_counts() {
        let mut recent = Recent::default();
        for revision in [5, 9, 7] {
            recent.keep(1, revision, VALUE, LIMIT);
        }
        assert_eq!(revision(&recent, 1), Some(9));
        assert_eq!(revision(&recent, 2), None);
    }

    #[test]
    fn the_oldest_are_let_go_of() {
        let mut recent = Recent::default();
        for key in 0..9 {
            recent.keep(key, key, VALUE, LIMIT);
            // It is written again and again, and takes its room once.
            recent.keep(100, key, VALUE, LIMIT);
            recent.keep(100, key, VALUE, LIMIT);
        }
        let kept: Vec<_> = (0..9)
            .filter(|key| revision(&recent, *key).is_some())
            .collect();
        assert_eq!(kept, [2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(revision(&recent, 100), Some(8));
        assert!(recent.order.len() <= 2 * recent.values.len());
    }

    #[test]
    fn what_is_too_large_is_not_kept() {
        let mut recent = Recent::default();
        recent.keep(1, 1, &[0; LIMIT], LIMIT);
        assert_eq!(revision(&recent, 1), None);
        // Nor is what it replaced.
        recent.keep(2, 1, VALUE, LIMIT);
        recent.keep(2, 2, &[0; LIMIT], LIMIT);
        assert_eq!((revision(&recent, 2), recent.bytes), (None, 0));
    }
}
