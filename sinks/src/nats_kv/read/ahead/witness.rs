//! Whether anybody else has changed a bucket since a moment in this run.
//!
//! What was read ahead of a record may be outdated when the record comes, and to skip the record
//! for that would lose it. A stream counts its messages and numbers its revisions; if both are what
//! they were, but for what this run itself has written since, then nothing has changed.

mod account;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;

use super::super::super::lock;
use account::Account;

/// What a stream says of itself at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super::super) struct Position {
    /// When the stream was made.
    pub(in super::super::super) created: String,
    pub(in super::super::super) last_revision: u64,
    pub(in super::super::super) messages: u64,
}

/// See the module. One for each bucket; streams of one bucket share its epochs.
#[derive(Default)]
pub(in super::super::super) struct Witness {
    notes: Mutex<Notes>,
    /// Whether anybody asks: else there is nothing to note.
    is_watched: AtomicBool,
    /// Told when a round of writes has ended.
    ended: Notify,
}

#[derive(Default)]
struct Notes {
    /// The account of the epoch that is under way.
    account: Option<Account>,
    epoch: u64,
    /// How many read ahead in it.
    watchers: usize,
    /// Rounds of writes whose revisions are not all known yet.
    open_rounds: BTreeSet<u64>,
    rounds: u64,
}

/// A round of writes. Its revisions are [noted](Witness::note) before this is dropped.
pub(in super::super::super) struct RoundOfWrites {
    witness: Arc<Witness>,
    number: u64,
}

impl Witness {
    /// Begins to take notes, unless that is being done already. The position of the stream is to be
    /// asked for after this. Returns which epoch it is.
    pub(super) fn watch(&self) -> u64 {
        let mut notes = self.notes();
        self.is_watched.store(true, Ordering::Release);
        if notes.account.is_none() {
            notes.epoch += 1;
            notes.watchers = 0;
            notes.account = Some(Account::default());
        }
        notes.watchers += 1;
        notes.epoch
    }

    /// The position of the stream after somebody began to watch.
    pub(super) fn begin(&self, epoch: u64, position: Position) {
        if let Some(account) = self.notes().account_of(epoch) {
            account.begin(position);
        }
    }

    /// One who watched does so no more.
    pub(super) fn leave(&self, epoch: u64) {
        let mut notes = self.notes();
        if notes.account_of(epoch).is_some() {
            notes.watchers -= 1;
            if notes.watchers == 0 {
                self.end(&mut notes);
            }
        }
    }

    /// A round of writes begins.
    pub(in super::super::super) fn round(self: &Arc<Self>) -> RoundOfWrites {
        let mut notes = self.notes();
        notes.rounds += 1;
        let number = notes.rounds;
        notes.open_rounds.insert(number);
        RoundOfWrites {
            witness: Arc::clone(self),
            number,
        }
    }

    /// This run has written `revision`, of a key that was not there before if `is_new`.
    pub(in super::super::super) fn note(&self, revision: u64, is_new: bool) {
        if !self.is_watched.load(Ordering::Acquire) {
            return;
        }
        let mut notes = self.notes();
        if let Some(account) = &mut notes.account {
            account.note(revision, is_new);
            if account.is_too_long() {
                self.end(&mut notes);
            }
        }
    }

    /// Whether up to `position`, which was asked for just now, nobody else has changed anything
    /// since the epoch began; if somebody has, the epoch is over. Waits for own writes that may be
    /// part of the position.
    pub(super) async fn confirms(&self, epoch: u64, position: &Position) -> bool {
        let asked_at = self.notes().rounds;
        loop {
            let ended = self.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            if let Some(answer) = self.answer(epoch, position, asked_at) {
                return answer;
            }
            ended.await;
        }
    }

    /// `None` if it takes another look when a round has ended.
    fn answer(&self, epoch: u64, position: &Position, asked_at: u64) -> Option<bool> {
        let mut notes = self.notes();
        let first = notes.open_rounds.first();
        let may_explain_more = first.is_some_and(|round| *round <= asked_at);
        let Some(account) = notes.account_of(epoch) else {
            return Some(false);
        };
        let answer = account.explains(position);
        if answer.is_none() && may_explain_more {
            return None;
        }
        let confirmed = answer == Some(true);
        if !confirmed {
            self.end(&mut notes);
        }
        Some(confirmed)
    }

    fn end(&self, notes: &mut Notes) {
        notes.account = None;
        self.is_watched.store(false, Ordering::Release);
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        lock(&self.notes)
    }
}

impl Notes {
    fn account_of(&mut self, epoch: u64) -> Option<&mut Account> {
        self.account.as_mut().filter(|_| self.epoch == epoch)
    }
}

impl Drop for RoundOfWrites {
    fn drop(&mut self) {
        self.witness.notes().open_rounds.remove(&self.number);
        self.witness.ended.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    pub(super) fn at(last_revision: u64, messages: u64) -> Position {
        Position {
            created: "then".to_owned(),
            last_revision,
            messages,
        }
    }

    fn witness() -> (Arc<Witness>, u64) {
        let witness = Arc::<Witness>::default();
        let epoch = witness.watch();
        witness.begin(epoch, at(100, 60));
        (witness, epoch)
    }

    #[test]
    fn who_is_not_asked_for_long_gives_up() {
        let (witness, epoch) = witness();
        (101..=100_000).for_each(|revision| witness.note(revision, true));
        assert!(witness.notes().account.is_some());
        (100_001..=100_101).for_each(|revision| witness.note(revision, true));
        let position = at(100_101, 100_061);
        let answer = witness.confirms(epoch, &position);
        assert_eq!(answer.now_or_never(), Some(false));
    }

    #[test]
    fn writes_that_are_under_way_are_waited_for() {
        let (witness, epoch) = witness();
        let round = witness.round();
        let position = at(101, 60);
        let answer = witness.confirms(epoch, &position);
        tokio::pin!(answer);
        assert_eq!(answer.as_mut().now_or_never(), None);
        let later = witness.round();
        witness.note(101, false);
        drop(round);
        assert_eq!(answer.now_or_never(), Some(true));
        let position = at(102, 60);
        let answer = witness.confirms(epoch, &position);
        tokio::pin!(answer);
        assert_eq!(answer.as_mut().now_or_never(), None);
        // What begins after the question cannot explain what was there before it.
        let _after = witness.round();
        drop(later);
        assert_eq!(answer.now_or_never(), Some(false));
    }

    #[test]
    fn a_change_by_others_ends_the_epoch_for_all() {
        let (witness, epoch) = witness();
        assert_eq!(witness.watch(), epoch);
        let confirms = |position| witness.confirms(epoch, &position).now_or_never();
        assert_eq!(confirms(at(100, 60)), Some(true));
        assert_eq!(confirms(at(101, 61)), Some(false));
        assert_eq!(confirms(at(100, 60)), Some(false), "it is over");
        let next = witness.watch();
        assert_ne!(next, epoch);
        // A straggler of the last epoch.
        witness.leave(epoch);
        witness.begin(next, at(101, 61));
        let confirmed = witness.confirms(next, &at(101, 61)).now_or_never();
        assert_eq!(confirmed, Some(true));
        witness.leave(next);
        let confirmed = witness.confirms(next, &at(101, 61)).now_or_never();
        assert_eq!(confirmed, Some(false), "nobody watched");
    }

    #[test]
    fn what_was_acknowledged_before_the_answer_counts_as_well() {
        let witness = Arc::<Witness>::default();
        let epoch = witness.watch();
        for revision in [99, 102, 101] {
            witness.note(revision, true);
        }
        witness.begin(epoch, at(100, 60));
        let confirmed = witness.confirms(epoch, &at(102, 62)).now_or_never();
        assert_eq!(confirmed, Some(true));
    }
}
