//! Which record of a chain is written next.

use super::super::super::compare::{Candidate, Standing, Verdict};
use super::super::super::read::{Content, Found};
use super::super::rules::COLLISION;
use super::{Chains, Fate, Known, NONE, Repair, Write};

impl Chains<'_> {
    /// The next write of a chain; `None` if nothing is left to be written, or it [is in
    /// doubt](Self::is_in_doubt) whether there is.
    pub(in super::super) fn choose(&mut self, chain: usize) -> Option<Write> {
        if self.policy.written_before || self.chains[chain].conflicts > 0 {
            self.skip_what_is_there(chain);
        }
        let unread = matches!(self.chains[chain].known, Known::Unread);
        let mut winner = NONE;
        let mut record = self.chains[chain].head;
        while record != NONE {
            let next = self.next[record as usize];
            if self.fates[record as usize] != Fate::Rejected {
                let verdict = if unread {
                    Verdict::Write
                } else {
                    self.verdict(chain, winner, record)
                };
                if let Verdict::Keep(standing) = verdict {
                    self.fates[record as usize] = match standing {
                        Standing::Same | Standing::Newer => Fate::Unchanged,
                        Standing::Other => Fate::Conflicting,
                    };
                } else if verdict == Verdict::Collision {
                    self.reject_record(record, COLLISION.to_owned());
                } else {
                    // What it supersedes is safe as soon as it is.
                    if winner != NONE {
                        self.fates[winner as usize] = Fate::Written;
                    }
                    if let Verdict::Repair(what) = verdict
                        && winner == NONE
                    {
                        let line = self.batch.record(record as usize).line();
                        let key = self.prepared.key(record).to_owned();
                        self.repairs.push(Repair { line, key, what });
                    }
                    winner = record;
                    if self.policy.keep_history {
                        break;
                    }
                }
            }
            record = next;
        }
        self.chains[chain].candidate = winner;
        if winner == NONE {
            if !self.is_in_doubt(chain) {
                self.chains[chain].head = NONE;
            }
            return None;
        }
        let expected = match &self.chains[chain].known {
            Known::Unread => None,
            Known::Absent => Some(0),
            Known::Stored(found) | Known::Own(found) => Some(found.revision),
            Known::Record { revision, .. } => Some(*revision),
        };
        Some(Write {
            record: winner,
            expected,
        })
    }

    /// How `record` compares with the `winner` so far, or with what is stored.
    fn verdict(&mut self, chain: usize, winner: u32, record: u32) -> Verdict {
        let value = |record: u32| self.batch.record(record as usize).value();
        let candidate = Candidate {
            value: value(record),
            encoded: self.prepared.payload_bytes(record),
        };
        if winner != NONE {
            return self.comparison.with_record(candidate, value(winner));
        }
        match &self.chains[chain].known {
            Known::Unread | Known::Absent => Verdict::Write,
            Known::Record { record, .. } => self.comparison.with_record(candidate, value(*record)),
            Known::Stored(found) | Known::Own(found) => match &found.content {
                Content::Marker(told) => {
                    self.comparison
                        .with_marker(candidate, told.as_deref(), &mut self.scratch)
                }
                Content::Value(bytes) => {
                    self.comparison
                        .with_stored(candidate, bytes, &mut self.scratch)
                }
            },
        }
    }

    /// Settles what was stored by an earlier attempt whose ack never came. Records hold the time
    /// at which they were received, so equal bytes are ours.
    fn skip_what_is_there(&mut self, chain: usize) {
        let Known::Stored(Found {
            content: Content::Value(stored),
            ..
        }) = &self.chains[chain].known
        else {
            return;
        };
        let mut last = NONE;
        let mut record = self.chains[chain].head;
        while record != NONE {
            let is_value = self.fates[record as usize] != Fate::Rejected
                && self.prepared.removal(record).is_none();
            if is_value && self.prepared.payload_bytes(record) == stored {
                last = record;
            }
            record = self.next[record as usize];
        }
        if last != NONE {
            self.settle_up_to(chain, last);
        }
    }
}
