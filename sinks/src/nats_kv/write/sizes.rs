//! How many stored values may be read at once.
//!
//! A batch is bounded by the size of its own records, but what is stored under their keys may be a
//! thousand times larger. So the values are read in portions, by what they took so far.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::read::{Content, Found};

/// What the stored values that are looked at together may take, in bytes.
const AT_ONCE: usize = 4 * 1024 * 1024;
/// As large as values are taken to be before one was seen.
const FIRST_GUESS: usize = 16 * 1024;
/// As small as they are taken to be: an answer has more than its value.
const SMALLEST: usize = 1024;

/// The size of a stored value, learnt from those that were read.
#[derive(Debug)]
pub(in super::super) struct StoredSizes(AtomicUsize);

impl Default for StoredSizes {
    fn default() -> Self {
        Self(AtomicUsize::new(FIRST_GUESS))
    }
}

impl StoredSizes {
    /// How many keys to read together.
    pub(super) fn keys_at_once(&self) -> usize {
        (AT_ONCE / self.0.load(Ordering::Relaxed).max(SMALLEST)).max(1)
    }

    /// Learns from values that were read: at once that they are larger, by and by that they are
    /// smaller.
    pub(super) fn note<'f>(&self, found: impl ExactSizeIterator<Item = Option<&'f Found>>) {
        let count = found.len().max(1);
        let size = |found: Option<&Found>| match found.map(|found| &found.content) {
            Some(Content::Value(value)) => value.len(),
            _ => 0,
        };
        let average = found.map(size).sum::<usize>() / count;
        let before = self.0.load(Ordering::Relaxed);
        self.0.store(average.max(before / 4), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_values_are_read_a_few_at_a_time() {
        let of = |size: usize| {
            let content = Content::Value(vec![0; size].into());
            vec![
                Some(Found {
                    revision: 1,
                    content
                });
                4
            ]
        };
        let sizes = StoredSizes::default();
        let note = |size| sizes.note(of(size).iter().map(Option::as_ref));
        assert_eq!(sizes.keys_at_once(), 256);
        note(1024 * 1024);
        assert_eq!(sizes.keys_at_once(), 4);
        note(8 * 1024 * 1024);
        assert_eq!(sizes.keys_at_once(), 1);
        for _ in 0..20 {
            note(300);
        }
        assert_eq!(sizes.keys_at_once(), 4096);
    }
}
