//! Keys that this run has written while values were read ahead. Pure.
//!
//! A value that was asked for before such a write was acknowledged may be the one that it replaced.

use std::collections::{HashSet, VecDeque};
use std::hash::BuildHasher;

use foldhash::fast::RandomState;

/// See the module.
#[derive(Default)]
pub(super) struct Touched {
    /// The hashes of the keys, by the page that was asked for last at that time; none while nothing
    /// is read ahead.
    pages: VecDeque<HashSet<u64, RandomState>>,
    /// The number of the first of these pages.
    first: u64,
    hasher: RandomState,
}

impl Touched {
    /// Begins to take notes, before the first page is asked for.
    pub(super) fn begin(&mut self) {
        self.first = 0;
        self.pages = VecDeque::from([HashSet::default()]);
    }

    /// Ends it.
    pub(super) fn end(&mut self) {
        self.pages.clear();
    }

    /// The next page is about to be asked for.
    pub(super) fn next_page(&mut self) {
        self.pages.push_back(HashSet::default());
    }

    /// A write of `key` was acknowledged.
    pub(super) fn note(&mut self, key: &str) {
        if let Some(page) = self.pages.back_mut() {
            page.insert(self.hasher.hash_one(key));
        }
    }

    /// Whether the value of `key` that came with `page` may be outdated. Now and then it says so of
    /// one that is not.
    pub(super) fn outdates(&self, page: u64, key: &str) -> bool {
        let skipped = usize::try_from(page.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let mut pages = self.pages.iter().skip(skipped);
        pages.any(|page| !page.is_empty() && page.contains(&self.hasher.hash_one(key)))
    }

    /// Nobody will ask for values of earlier pages than this.
    pub(super) fn forget_before(&mut self, page: u64) {
        while self.first < page && self.pages.len() > 1 {
            self.pages.pop_front();
            self.first += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_asked_for_before_the_ack_is_outdated() {
        let mut touched = Touched::default();
        touched.note("early");
        touched.begin();
        touched.note("a");
        touched.next_page();
        touched.note("b");
        touched.next_page();
        touched.next_page();
        touched.note("c");
        for (page, key, expected) in [
            (1, "early", false),
            (1, "a", false),
            (1, "b", true),
            (2, "b", false),
            (1, "c", true),
            (3, "c", true),
            (3, "d", false),
        ] {
            assert_eq!(touched.outdates(page, key), expected, "{page} {key}");
        }
        touched.forget_before(2);
        assert!(touched.outdates(2, "c") && !touched.outdates(2, "b"));
        touched.end();
        touched.note("d");
        assert!(!touched.outdates(3, "c") && !touched.outdates(3, "d"));
    }
}
