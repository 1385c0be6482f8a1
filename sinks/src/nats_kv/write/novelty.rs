//! Whether keys are likely to be new: then a read would find nothing, and the write itself, which
//! must not find anything either, is the cheaper way to learn the rare cases where it does.

use std::sync::atomic::{AtomicBool, Ordering};

use super::super::read::Found;

/// From this share of absent keys on, in percent, a read does not pay.
const MOSTLY: usize = 90;
/// Fewer keys say nothing.
const ENOUGH: usize = 50;

/// What is expected of the keys of a stream.
#[derive(Debug, Default)]
pub(in super::super) struct Novelty(AtomicBool);

impl Novelty {
    /// Whether keys that nothing is known of are to be taken as absent.
    pub(super) fn is_expected(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Learns from keys that were read.
    pub(super) fn note_read(&self, found: &[Option<Found>]) {
        let absent = found.iter().filter(|found| found.is_none()).count();
        self.note(absent, found.len());
    }

    /// Learns from keys that were taken as absent, and from how many of them were not.
    pub(super) fn note_written(&self, keys: usize, conflicts: usize) {
        self.note(keys.saturating_sub(conflicts), keys);
    }

    fn note(&self, absent: usize, keys: usize) {
        if keys >= ENOUGH {
            let mostly = absent * 100 >= keys * MOSTLY;
            self.0.store(mostly, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_follows_what_was_seen() {
        let novelty = Novelty::default();
        assert!(!novelty.is_expected());
        novelty.note_read(&vec![None; 10]);
        assert!(!novelty.is_expected());
        novelty.note_read(&vec![None; 100]);
        assert!(novelty.is_expected());
        novelty.note_written(1000, 100);
        assert!(novelty.is_expected());
        novelty.note_written(1000, 101);
        assert!(!novelty.is_expected());
    }
}
