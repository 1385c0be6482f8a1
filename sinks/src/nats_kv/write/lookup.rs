//! What is known of keys before they are written: from what this run wrote itself, from what was
//! read ahead, by a read, or from the leader after a conflict.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use super::super::error::Failure;
use super::super::read::Manner;
use super::chains::Chains;
use super::{Lifeline, StreamWriter};

/// How often a key is decided again before the framework is asked to try later.
pub(super) const MAX_CONFLICTS: u32 = 20;

impl StreamWriter {
    /// Recalls what this run wrote under the keys of some chains. Returns those of which nothing is
    /// known.
    pub(super) fn recall(&self, chains: &mut Chains<'_>, open: &[usize]) -> Vec<usize> {
        // An earlier attempt may have written later than we know.
        if chains.may_be_stored() || !self.own.is_kept() {
            return open.to_vec();
        }
        let own = self.own.last(&chains.keys(open));
        let mut others = Vec::with_capacity(open.len());
        for (chain, own) in open.iter().zip(own) {
            match own {
                Some(own) => chains.recall(*chain, own),
                None => others.push(*chain),
            }
        }
        others
    }

    /// Reads what is stored under the keys of some chains, ahead where that pays.
    pub(super) async fn read(
        &self,
        chains: &mut Chains<'_>,
        open: &[usize],
        lifeline: &mut Lifeline,
    ) -> Result<(), Failure> {
        if chains.may_be_stored() {
            return self.look_up(chains, open, lifeline).await;
        }
        if open.is_empty() {
            return Ok(());
        }
        let keys = chains.keys(open);
        let manner = Manner {
            connection: lifeline.connection(),
            at_once: self.sizes.keys_at_once(),
        };
        let found = self.ahead.last(&self.reader, &keys, manner);
        let found = lifeline.bind(found).await?;
        self.sizes.note(found.iter().map(Option::as_ref));
        self.novelty.note_read(&found);
        self.own.note_read(keys.len(), found.iter().flatten());
        chains.found_all(open, found);
        Ok(())
    }

    /// Reads what is stored under the keys of some chains by now.
    pub(super) async fn look_up(
        &self,
        chains: &mut Chains<'_>,
        open: &[usize],
        lifeline: &mut Lifeline,
    ) -> Result<(), Failure> {
        if open.is_empty() {
            return Ok(());
        }
        let keys = chains.keys(open);
        let found = lifeline.bind(self.reader.last(&keys)).await?;
        self.sizes.note(found.iter().map(Option::as_ref));
        chains.found_all(open, found);
        Ok(())
    }

    /// Reads what came first, at the leader: a direct get might not know of it yet. Returns the
    /// chains to decide again.
    pub(super) async fn read_again(
        &self,
        chains: &mut Chains<'_>,
        mut conflicts: Vec<usize>,
        cause: &mut Option<Failure>,
        lifeline: &mut Lifeline,
    ) -> Result<Vec<usize>, Failure> {
        let mut times = 0;
        conflicts.retain(|chain| {
            let conflicts = chains.conflict(*chain);
            times = times.max(conflicts);
            if conflicts > MAX_CONFLICTS {
                cause.get_or_insert(Failure::Conflict);
                chains.give_up(*chain);
            }
            conflicts <= MAX_CONFLICTS
        });
        if conflicts.is_empty() {
            return Ok(conflicts);
        }
        if times > 1 {
            tokio::time::sleep(jitter(times)).await;
        }
        let keys = chains.keys(&conflicts);
        let found = lifeline.bind(self.reader.last_at_leader(&keys)).await?;
        self.own.note_read(chains.len(), found.iter().flatten());
        chains.found_all(&conflicts, found);
        Ok(conflicts)
    }
}

/// A pause that two writers in each other's way do not share.
pub(super) fn jitter(times: u32) -> Duration {
    let random = RandomState::new().hash_one(times);
    Duration::from_micros(random % (u64::from(times) * 1_000))
}
