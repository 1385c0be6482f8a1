//! An account of what this run has written since a moment. Pure.

use std::collections::BTreeSet;

use super::Position;

/// More revisions than these are not kept; some 3 MB.
const MOST_KEPT: usize = 100_000;

/// See the module.
#[derive(Default)]
pub(super) struct Account {
    /// The moment. Not known before the server has answered.
    start: Option<Position>,
    /// The last revision up to which nobody else has changed anything.
    confirmed: u64,
    /// How many messages there were then.
    messages: u64,
    /// All revisions from there up to this one are of this run.
    own: u64,
    /// Own revisions beyond that.
    early: BTreeSet<u64>,
    /// Own revisions after `confirmed` that are of new keys.
    created: BTreeSet<u64>,
}

impl Account {
    /// The position at the beginning, or at any moment after it.
    pub(super) fn begin(&mut self, position: Position) {
        if self.start.is_some() {
            return;
        }
        self.confirmed = position.last_revision;
        self.messages = position.messages;
        self.own = position.last_revision;
        self.early = self.early.split_off(&(self.own + 1));
        self.created = self.created.split_off(&(self.own + 1));
        self.start = Some(position);
        self.catch_up();
    }

    /// An own write, of a key that was not there before if `is_new`.
    pub(super) fn note(&mut self, revision: u64, is_new: bool) {
        if is_new && revision > self.confirmed {
            self.created.insert(revision);
        }
        if self.start.is_some() && revision == self.own + 1 {
            self.own = revision;
            self.catch_up();
        } else if revision > self.own {
            self.early.insert(revision);
        }
    }

    fn catch_up(&mut self) {
        while self.early.first() == Some(&(self.own + 1)) {
            self.early.pop_first();
            self.own += 1;
        }
    }

    /// Whether nobody has asked for so long that it would take too much memory.
    pub(super) fn is_too_long(&self) -> bool {
        self.early.len() + self.created.len() > MOST_KEPT
    }

    /// Whether own writes explain all of a later position. `None` if it has revisions that are not
    /// known to be own ones.
    pub(super) fn explains(&mut self, position: &Position) -> Option<bool> {
        let Some(start) = &self.start else {
            return Some(false);
        };
        if position.created != start.created || position.last_revision < start.last_revision {
            return Some(false);
        }
        if position.last_revision < self.confirmed {
            // Asked for before what is confirmed by now, and answered later.
            return Some(true);
        }
        if position.last_revision > self.own {
            return None;
        }
        let later = self.created.split_off(&(position.last_revision + 1));
        let created = std::mem::replace(&mut self.created, later).len() as u64;
        self.messages += created;
        self.confirmed = position.last_revision;
        Some(self.messages == position.messages)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::at;
    use super::*;

    fn account() -> Account {
        let mut account = Account::default();
        account.begin(at(100, 60));
        account
    }

    #[test]
    fn changes_by_others_are_not_explained() {
        let other = Position {
            created: "later".to_owned(),
            ..at(100, 60)
        };
        for (position, expected) in [
            (at(100, 60), Some(true)),
            (at(101, 61), None),
            (at(101, 60), None),
            // Something was removed.
            (at(100, 59), Some(false)),
            // Another bucket of the same name.
            (at(7, 7), Some(false)),
            (other, Some(false)),
        ] {
            assert_eq!(account().explains(&position), expected, "{position:?}");
        }
    }

    #[test]
    fn own_writes_are_explained() {
        let mut account = account();
        // Acknowledged in another order, two of them for new keys.
        for (revision, is_new) in [(102, false), (101, true), (104, true), (103, false)] {
            account.note(revision, is_new);
        }
        assert_eq!(account.explains(&at(103, 61)), Some(true));
        assert_eq!(account.explains(&at(104, 62)), Some(true));
        assert_eq!(account.explains(&at(102, 61)), Some(true), "asked earlier");
        assert_eq!(account.explains(&at(105, 62)), None);
        assert_eq!(account.explains(&at(104, 61)), Some(false));
    }

    #[test]
    fn its_memory_is_bounded_by_what_is_not_confirmed() {
        let mut account = account();
        for revision in 101..10_000 {
            account.note(revision, true);
            let messages = revision - 40;
            assert_eq!(account.explains(&at(revision, messages)), Some(true));
        }
        assert!(account.early.is_empty() && account.created.is_empty());
    }
}
