//! The answers of a round: what they mean for its chains, and for what is remembered of the bucket.

use super::super::error::Failure;
use super::StreamWriter;
use super::answer::Answer;
use super::chains::Chains;

/// What the acks of a round amount to.
#[derive(Default)]
pub(super) struct Settled {
    /// Chains that have more to write.
    pub(super) open: Vec<usize>,
    /// Chains that have more to write, but it is not known which revision they have now.
    pub(super) unknown: Vec<usize>,
    pub(super) conflicts: Vec<usize>,
    /// Why some chains were given up.
    pub(super) cause: Option<Failure>,
    pub(super) fatal: Option<Failure>,
    /// Whether this may be another bucket by now, or none.
    pub(super) suspicious: bool,
}

impl StreamWriter {
    /// Takes note of the answers of a round that began after `mark` was taken.
    pub(super) fn settle(
        &self,
        chains: &mut Chains<'_>,
        answers: Vec<(usize, Answer)>,
        mark: u64,
    ) -> Settled {
        let has_conditions = self.has_conditions(chains);
        let mut settled = Settled::default();
        for (chain, answer) in answers {
            match answer {
                Ok(revision) => {
                    if let Some(revision) = revision {
                        settled.suspicious |= !self.bucket.follows(mark, revision);
                        self.witness.note(revision, chains.is_new(chain));
                    }
                    if has_conditions {
                        let key = chains.key(chain);
                        self.ahead.wrote(key);
                        self.own.wrote(key, revision, chains.written(chain));
                    }
                    let has_more = chains.store(chain, revision);
                    if has_more && has_conditions && revision.is_none() {
                        settled.unknown.push(chain);
                    } else if has_more {
                        settled.open.push(chain);
                    }
                }
                Err(Failure::Conflict) => settled.conflicts.push(chain),
                Err(Failure::Rejected(reason)) => {
                    chains.reject(chain, reason);
                    settled.open.push(chain);
                }
                Err(Failure::Permanent(why)) => {
                    let why = format!("bucket '{}': {why}", self.bucket.name());
                    settled.fatal.get_or_insert(Failure::Permanent(why));
                }
                Err(failure) => {
                    settled.suspicious |=
                        matches!(failure, Failure::NoBucket | Failure::OldRevision);
                    settled.cause.get_or_insert(failure);
                    chains.give_up(chain);
                }
            }
        }
        settled
    }
}
