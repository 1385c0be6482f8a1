//! What a forecast remembers of the keys that records had.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;
use singer_target::value::Tape;

use super::super::super::compare::{Candidate, Comparison, Verdict};
use super::super::super::lock;

/// What is known of the keys of a stream that records had. It outlives a change of the SCHEMA.
#[derive(Default)]
pub(in super::super::super) struct Memory {
    hasher: RandomState,
    /// By the hash of a key.
    seen: Mutex<HashMap<u64, Seen>>,
    /// What the bucket must hold and does not, by key: what a later record is compared with.
    lacking: Mutex<HashMap<String, Lacking>>,
}

/// What would be under a key by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// What is there.
    Stored,
    /// What is there, which is what a record of this input has left.
    Held,
    /// A record of this version of its table, or of none.
    Written(Option<i64>),
}

/// What a key should have and has not.
pub(super) enum Lacking {
    Value(Bytes),
    /// A deletion, and what its marker tells.
    Removal(Option<String>),
}

impl Memory {
    pub(super) fn see(&self, key: &str, what: Seen) {
        lock(&self.seen).insert(self.hasher.hash_one(key), what);
    }

    pub(super) fn see_if_new(&self, key: &str) {
        let mut seen = lock(&self.seen);
        seen.entry(self.hasher.hash_one(key))
            .or_insert(Seen::Stored);
    }

    pub(super) fn seen(&self, key: &str) -> Option<Seen> {
        lock(&self.seen).get(&self.hasher.hash_one(key)).copied()
    }

    pub(super) fn lacking(&self) -> MutexGuard<'_, HashMap<String, Lacking>> {
        lock(&self.lacking)
    }
}

impl Lacking {
    /// Whether a record takes the place of this.
    pub(super) fn gives_way_to(
        &self,
        candidate: Candidate<'_>,
        comparison: &Comparison,
        scratch: &mut Tape,
    ) -> bool {
        let verdict = match self {
            Self::Value(bytes) => comparison.with_stored(candidate, bytes, scratch),
            Self::Removal(told) => comparison.with_marker(candidate, told.as_deref(), scratch),
        };
        !matches!(verdict, Verdict::Keep(_))
    }
}
