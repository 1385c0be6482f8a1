//! Which pages of values are under way. Pure.
//!
//! Pages are numbered in the order in which they are asked for, and their values come in the same
//! order. So it is known of each value that it was read after its page was asked for.

use std::collections::VecDeque;

/// How many pages may be under way: with one, the server would have nothing to do between two.
pub(super) const UNDER_WAY: usize = 2;

/// See the module.
pub(super) struct Pages {
    /// The number of the page that was asked for last.
    last: u64,
    under_way: VecDeque<Page>,
    /// How many values the server has beyond these pages.
    pending: u64,
}

/// Values that are asked for together.
struct Page {
    number: u64,
    /// How many are still to come; never 0.
    due: u64,
}

impl Pages {
    /// Of this many values.
    pub(super) fn new(pending: u64) -> Self {
        Self {
            last: 0,
            under_way: VecDeque::with_capacity(UNDER_WAY),
            pending,
        }
    }

    /// Whether there is something to come.
    pub(super) fn are_under_way(&self) -> bool {
        !self.under_way.is_empty()
    }

    /// Whether the next page can be asked for.
    pub(super) fn may_ask(&self) -> bool {
        self.under_way.len() < UNDER_WAY && self.pending > 0
    }

    /// A page of at most `size` values is asked for. Returns how many they are.
    pub(super) fn ask(&mut self, size: usize) -> u64 {
        let due = self.pending.min(size as u64);
        self.pending -= due;
        self.last += 1;
        self.under_way.push_back(Page {
            number: self.last,
            due,
        });
        due
    }

    /// A value has come, behind which the server has `pending` more. Returns the number of its
    /// page; `None` if none was asked for, or the server no longer has what was: values were removed.
    pub(super) fn came(&mut self, pending: u64) -> Option<u64> {
        let page = self.under_way.front_mut()?;
        let number = page.number;
        page.due = page.due.saturating_sub(1);
        if page.due == 0 {
            self.under_way.pop_front();
        }
        let due: u64 = self.under_way.iter().map(|page| page.due).sum();
        self.pending = pending.checked_sub(due)?;
        Some(number)
    }

    /// No value is still to come of an earlier page than this.
    pub(super) fn oldest(&self) -> u64 {
        let oldest = self.under_way.front();
        oldest.map_or(self.last, |page| page.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_belongs_to_the_page_it_was_asked_for_with() {
        let mut pages = Pages::new(7);
        assert_eq!((pages.ask(3), pages.ask(3)), (3, 3));
        assert!(!pages.may_ask(), "two are under way");
        let mut numbers = Vec::new();
        for left in [6, 5, 4] {
            assert_eq!(pages.oldest(), 1);
            numbers.push(pages.came(left));
        }
        assert_eq!(pages.oldest(), 2, "of the first, nothing is still to come");
        assert!(pages.may_ask());
        // Three values were stored meanwhile.
        for left in [6, 5, 4] {
            numbers.push(pages.came(left));
        }
        assert!(!pages.are_under_way());
        assert_eq!(pages.oldest(), 2);
        assert_eq!((pages.ask(3), pages.ask(3)), (3, 1));
        numbers.extend([3, 2, 1, 0].map(|left| pages.came(left)));
        assert_eq!(numbers, [1, 1, 1, 2, 2, 2, 3, 3, 3, 4].map(Some));
        assert!(!pages.may_ask(), "the server has no more");
        assert_eq!(pages.came(0), None);
    }

    #[test]
    fn values_that_are_removed_meanwhile_are_not_waited_for() {
        let mut pages = Pages::new(7);
        let _ = (pages.ask(3), pages.ask(3));
        assert_eq!(pages.came(6), Some(1));
        assert_eq!(pages.came(3), None, "four are due");
    }
}
