//! What is to be written, and what became of it: pure bookkeeping, without a connection.
//!
//! The records of one key form a chain, in their order. Of a chain at most one write is under way,
//! so that nothing older can land after something newer. Where the bucket keeps no history, only
//! the record that would be left standing is written; otherwise one after the other.

mod choose;

use std::collections::HashMap;
use std::ops::Range;

use foldhash::fast::RandomState;
use singer_target::Batch;
use singer_target::value::Tape;
use singer_target::{Rejection, Report};

use super::super::compare::Comparison;
use super::super::read::Found;
use super::prepare::Prepared;

/// No record.
const NONE: u32 = u32::MAX;

/// How a chain's next write is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Policy {
    /// Whether every record is to be stored, and not only the last.
    pub(super) keep_history: bool,
    /// Whether some of the records may be stored already.
    pub(super) written_before: bool,
}

/// The chains of a batch.
pub(super) struct Chains<'a> {
    batch: &'a Batch,
    prepared: &'a Prepared,
    comparison: &'a Comparison,
    policy: Policy,
    chains: Vec<Chain>,
    /// For each record the next one of its key.
    next: Vec<u32>,
    fates: Vec<Fate>,
    rejected: Vec<Rejection>,
    repairs: Vec<Repair>,
    scratch: Tape,
}

struct Chain {
    /// The first record that is not settled.
    head: u32,
    tail: u32,
    /// The record whose write is under way.
    candidate: u32,
    known: Known,
    conflicts: u32,
}

/// What is known to be stored under a key.
enum Known {
    /// Nothing is known and nothing expected.
    Unread,
    Absent,
    Stored(Found),
    /// This run has written it; others may have written since.
    Own(Found),
    /// A record of this batch.
    Record {
        revision: u64,
        record: u32,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Open,
    Written,
    Unchanged,
    Conflicting,
    Rejected,
    Unsettled,
}

/// A stored value that had to be overwritten since it was broken.
struct Repair {
    line: u64,
    key: String,
    what: &'static str,
}

/// A write to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Write {
    pub(super) record: u32,
    /// The revision that must still be the last one of the key; 0 for none.
    pub(super) expected: Option<u64>,
}

impl<'a> Chains<'a> {
    pub(super) fn new(
        batch: &'a Batch,
        prepared: &'a Prepared,
        comparison: &'a Comparison,
        policy: Policy,
    ) -> Self {
        let length = prepared.len();
        let mut by_key = HashMap::with_capacity_and_hasher(length, RandomState::default());
        let mut chains: Vec<Chain> = Vec::with_capacity(length);
        let mut next = vec![NONE; length];
        let mut fates = vec![Fate::Open; length];
        for record in 0..length as u32 {
            if prepared.is_rejected(record) {
                fates[record as usize] = Fate::Rejected;
                continue;
            }
            let chain = *by_key.entry(prepared.key(record)).or_insert(chains.len());
            match chains.get_mut(chain) {
                Some(chain) => {
                    next[chain.tail as usize] = record;
                    chain.tail = record;
                }
                None => chains.push(Chain {
                    head: record,
                    tail: record,
                    candidate: NONE,
                    known: Known::Unread,
                    conflicts: 0,
                }),
            }
        }
        Self {
            batch,
            prepared,
            comparison,
            policy,
            chains,
            next,
            fates,
            rejected: Vec::new(),
            repairs: Vec::new(),
            scratch: Tape::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.chains.len()
    }

    /// Whether some of the records may be stored already.
    pub(super) fn may_be_stored(&self) -> bool {
        self.policy.written_before
    }

    pub(super) fn key(&self, chain: usize) -> &'a str {
        self.prepared.key(self.chains[chain].tail)
    }

    pub(super) fn keys(&self, chains: &[usize]) -> Vec<&'a str> {
        chains.iter().map(|chain| self.key(*chain)).collect()
    }

    /// Whether nothing was stored under a chain's key before the write that is under way.
    pub(super) fn is_new(&self, chain: usize) -> bool {
        matches!(self.chains[chain].known, Known::Absent)
    }

    /// Takes note of what is stored under a chain's key.
    pub(super) fn found(&mut self, chain: usize, found: Option<Found>) {
        self.chains[chain].known = found.map_or(Known::Absent, Known::Stored);
    }

    /// Takes note of what is stored under the keys of some chains, in their order.
    pub(super) fn found_all(&mut self, chains: &[usize], found: Vec<Option<Found>>) {
        for (chain, found) in chains.iter().zip(found) {
            self.found(*chain, found);
        }
    }

    /// Takes note of what this run wrote under a chain's key.
    pub(super) fn recall(&mut self, chain: usize, own: Found) {
        self.chains[chain].known = Known::Own(own);
    }

    /// Whether nothing was chosen since what this run wrote would stand: the bucket must say so.
    pub(super) fn is_in_doubt(&self, chain: usize) -> bool {
        let Chain {
            head,
            candidate,
            known,
            ..
        } = &self.chains[chain];
        *head != NONE && *candidate == NONE && matches!(known, Known::Own(_))
    }

    /// What stands under a chain's key by its write that was stored, unless that removed it.
    pub(super) fn written(&self, chain: usize) -> Option<&[u8]> {
        let record = self.chains[chain].candidate;
        let is_value = self.prepared.removal(record).is_none();
        is_value.then(|| self.prepared.payload_bytes(record))
    }

    /// Lets go of what was stored under the keys of chains that are done: it may be large.
    pub(super) fn forget(&mut self, chains: Range<usize>) {
        for chain in &mut self.chains[chains] {
            chain.known = Known::Unread;
        }
    }

    /// The chain's write is stored. Returns whether there is more to write.
    pub(super) fn store(&mut self, chain: usize, revision: Option<u64>) -> bool {
        let record = self.chains[chain].candidate;
        // What was written without a look at what is stored goes on so.
        let known = &mut self.chains[chain].known;
        if let Some(revision) = revision
            && !matches!(known, Known::Unread)
        {
            *known = Known::Record { revision, record };
        }
        if self.policy.keep_history {
            self.settle_up_to(chain, record);
        } else {
            self.fates[record as usize] = Fate::Written;
            self.chains[chain].head = NONE;
        }
        self.chains[chain].head != NONE
    }

    /// Moves the head behind `last`; what was open up to there is written.
    fn settle_up_to(&mut self, chain: usize, last: u32) {
        let mut record = self.chains[chain].head;
        while record != NONE {
            let fate = &mut self.fates[record as usize];
            if record == last || *fate == Fate::Open {
                *fate = Fate::Written;
            }
            let next = self.next[record as usize];
            if record == last {
                self.chains[chain].head = next;
                return;
            }
            record = next;
        }
    }

    /// The server will never take the chain's write. The rest is decided again.
    pub(super) fn reject(&mut self, chain: usize, reason: String) {
        self.reject_record(self.chains[chain].candidate, reason);
    }

    fn reject_record(&mut self, record: u32, reason: String) {
        let record = record as usize;
        self.fates[record] = Fate::Rejected;
        self.rejected.push(Rejection::new(record, reason));
    }

    /// Another writer came first. Returns how many times by now.
    pub(super) fn conflict(&mut self, chain: usize) -> u32 {
        self.chains[chain].conflicts += 1;
        self.chains[chain].conflicts
    }

    /// How many of some chains were in conflict.
    pub(super) fn conflicts(&self, chains: &[usize]) -> usize {
        let conflicting = |chain: &&usize| self.chains[**chain].conflicts > 0;
        chains.iter().filter(conflicting).count()
    }

    /// Gives up on what is left of a chain: it may or may not be stored.
    pub(super) fn give_up(&mut self, chain: usize) {
        let mut record = std::mem::replace(&mut self.chains[chain].head, NONE);
        while record != NONE {
            let fate = &mut self.fates[record as usize];
            if *fate != Fate::Rejected {
                *fate = Fate::Unsettled;
            }
            record = self.next[record as usize];
        }
    }

    /// Gives up on every chain that is not finished.
    pub(super) fn give_up_all(&mut self) {
        for chain in 0..self.chains.len() {
            self.give_up(chain);
        }
    }

    /// What became of every record. Warns of what was repaired.
    pub(super) fn report(self, rejected_before: &[Rejection]) -> Report {
        let mut report = Report::default();
        for (index, fate) in self.fates.iter().enumerate() {
            match fate {
                Fate::Written if self.prepared.removal(index as u32).is_some() => {
                    report.deleted += 1;
                }
                Fate::Written => report.written += 1,
                Fate::Unchanged => report.unchanged += 1,
                Fate::Conflicting => report.conflicting += 1,
                Fate::Rejected => {}
                Fate::Open | Fate::Unsettled => report.unsettled.push(index),
            }
        }
        report.rejected.extend_from_slice(rejected_before);
        report.rejected.extend(self.rejected);
        report.rejected.sort_by_key(|rejection| rejection.index);
        warn_of(&self.repairs, self.batch.stream().name());
        report
    }
}

/// One warning for each kind of broken value, since there may be very many.
fn warn_of(repairs: &[Repair], stream: &str) {
    for (at, Repair { line, key, what }) in repairs.iter().enumerate() {
        let same = |other: &&Repair| other.what == *what;
        if repairs[..at].iter().any(|earlier| same(&earlier)) {
            continue;
        }
        let others = match repairs[at + 1..].iter().filter(same).count() {
            0 => String::new(),
            others => format!(", and {others} more like it"),
        };
        tracing::warn!(
            "stream '{stream}': the value stored under '{key}' was {what}; overwritten by the \
             record of line {line}{others}"
        );
    }
}
