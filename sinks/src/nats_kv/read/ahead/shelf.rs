//! Values that were read ahead, until their keys are asked for. Pure.
//!
//! Keys are nearly always asked for in the order of their revisions, so that each is found behind
//! the last one. The others are found by a hash, and what is passed over makes room in time.

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;

use async_nats::Subject;
use foldhash::fast::RandomState;

use super::super::Found;

/// See the module.
#[derive(Default)]
pub(super) struct Shelf {
    entries: VecDeque<Option<Entry>>,
    /// How many entries were taken off the front by now: the number of the first one that is here.
    first: u64,
    /// The number of the entry behind the last one that was asked for.
    next: u64,
    /// The numbers of entries by the hashes of their keys: of those before `indexed`.
    places: HashMap<u64, u64, RandomState>,
    indexed: u64,
    hasher: RandomState,
}

struct Entry {
    subject: Subject,
    /// Where the key begins in it.
    key: usize,
    page: u64,
    found: Found,
}

impl Shelf {
    /// How many entries are behind the one that was last asked for.
    pub(super) fn ahead(&self) -> usize {
        usize::try_from(self.end() - self.next.max(self.first)).unwrap_or(usize::MAX)
    }

    fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// Puts a value of the key that `subject` has from `key` on at the end. It was read with `page`.
    pub(super) fn put(&mut self, subject: Subject, key: usize, page: u64, found: Found) {
        self.entries.push_back(Some(Entry {
            subject,
            key,
            page,
            found,
        }));
    }

    /// Takes the value of `key`, and the page that it was read with.
    pub(super) fn take(&mut self, key: &str) -> Option<(u64, Found)> {
        let number = if self.key_at(self.next) == Some(key) {
            self.next
        } else {
            self.find(key)?
        };
        let at = usize::try_from(number - self.first).ok()?;
        let entry = self.entries[at].take()?;
        self.next = number + 1;
        while let Some(None) = self.entries.front() {
            self.entries.pop_front();
            self.first += 1;
        }
        Some((entry.page, entry.found))
    }

    /// Lets go of what was passed over, all but the last `most` entries.
    pub(super) fn tidy(&mut self, most: usize) {
        while self.entries.len() > most && self.first < self.next {
            if let Some(Some(entry)) = self.entries.pop_front() {
                self.places.remove(&self.hasher.hash_one(entry.key()));
            }
            self.first += 1;
        }
        if self.entries.is_empty() {
            self.places.clear();
        }
    }

    /// The page of the oldest entry.
    pub(super) fn oldest_page(&self) -> Option<u64> {
        self.entries.iter().flatten().next().map(|entry| entry.page)
    }

    fn key_at(&self, number: u64) -> Option<&str> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.entries.get(at)?.as_ref().map(Entry::key)
    }

    fn find(&mut self, key: &str) -> Option<u64> {
        self.indexed = self.indexed.max(self.first);
        while self.indexed < self.end() {
            if let Some(key) = self.key_at(self.indexed) {
                let hash = self.hasher.hash_one(key);
                self.places.insert(hash, self.indexed);
            }
            self.indexed += 1;
        }
        // Another key of the same hash hides this one: then it is read on its own.
        let number = self.places.remove(&self.hasher.hash_one(key))?;
        (self.key_at(number) == Some(key)).then_some(number)
    }
}

impl Entry {
    fn key(&self) -> &str {
        &self.subject[self.key..]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::Content;
    use super::*;

    fn put(shelf: &mut Shelf, key: &str, revision: u64) {
        let subject = Subject::from(format!("$KV.b.{key}"));
        let found = Found {
            revision,
            content: Content::Value(bytes::Bytes::new()),
        };
        shelf.put(subject, "$KV.b.".len(), revision / 10, found);
    }

    fn take(shelf: &mut Shelf, key: &str) -> Option<u64> {
        shelf.take(key).map(|(_, found)| found.revision)
    }

    #[test]
    fn each_is_taken_once_in_any_order() {
        let mut shelf = Shelf::default();
        for (key, revision) in [("a", 1), ("b", 2), ("c", 3), ("d", 14)] {
            put(&mut shelf, key, revision);
        }
        assert_eq!(take(&mut shelf, "a"), Some(1));
        assert_eq!(take(&mut shelf, "c"), Some(3));
        assert_eq!(take(&mut shelf, "c"), None);
        assert_eq!((shelf.ahead(), shelf.oldest_page()), (1, Some(0)));
        assert_eq!(take(&mut shelf, "b"), Some(2));
        assert_eq!(take(&mut shelf, "x"), None);
        assert_eq!(shelf.take("d").map(|(page, _)| page), Some(1));
        assert_eq!((shelf.ahead(), shelf.oldest_page()), (0, None));
    }

    #[test]
    fn what_was_passed_over_makes_room_and_the_rest_stays() {
        let mut shelf = Shelf::default();
        (0..100).for_each(|n| put(&mut shelf, &n.to_string(), n));
        assert_eq!(take(&mut shelf, "90"), Some(90));
        shelf.tidy(20);
        assert_eq!(take(&mut shelf, "50"), None);
        assert_eq!(take(&mut shelf, "85"), Some(85));
        shelf.tidy(0);
        // Behind what was last asked for: it is still to come.
        assert_eq!(take(&mut shelf, "99"), Some(99));
    }

    proptest! {
        #[test]
        fn it_gives_what_a_map_would_give(
            asked in proptest::collection::vec(0_u64..60, 1..200),
            every in 1_usize..20,
        ) {
            let mut shelf = Shelf::default();
            let mut model = std::collections::BTreeMap::new();
            let mut stored = 0;
            for (step, key) in asked.into_iter().enumerate() {
                if step % every == 0 {
                    for _ in 0..5 {
                        // Each key comes once, as each has one revision.
                        put(&mut shelf, &stored.to_string(), stored);
                        model.insert(stored, stored);
                        stored += 1;
                    }
                }
                prop_assert_eq!(take(&mut shelf, &key.to_string()), model.remove(&key));
                shelf.tidy(usize::MAX);
            }
        }
    }
}
