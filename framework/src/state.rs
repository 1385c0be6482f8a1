//! The state ledger: which STATE may be printed.
//!
//! STATEs cut the input into epochs. Every record opens one ticket in the epoch that it was read
//! in, and settles it when it is safe. An epoch is closed when all its tickets are settled and all
//! earlier epochs are closed; only then may the STATE at its end be printed. A ticket that gets
//! lost stops the states: never the other way round.
//!
//! The ledger is pure: no clock, no input, no output.

use std::collections::VecDeque;

/// The open promise of one record. Not `Clone`: each promise is kept once.
#[derive(Debug)]
#[must_use = "a ticket that is dropped stops all later states"]
pub(crate) struct Ticket {
    epoch: u64,
}

/// The tickets of a batch.
#[derive(Debug, Default)]
#[must_use = "tickets that are dropped stop all later states"]
pub(crate) struct Tickets {
    /// Epochs and how many tickets of each, in ascending order.
    counts: Vec<(u64, u64)>,
}

impl Tickets {
    /// Takes over the ticket of a later record.
    pub(crate) fn push(&mut self, ticket: Ticket) {
        match self.counts.last_mut() {
            Some((epoch, count)) if *epoch == ticket.epoch => *count += 1,
            _ => self.counts.push((ticket.epoch, 1)),
        }
    }

    /// Takes out the tickets of the records at `indexes`, in the order in which the tickets were
    /// pushed.
    pub(crate) fn take(&mut self, indexes: impl Iterator<Item = usize>) -> Vec<Ticket> {
        let ends: Vec<u64> = self
            .counts
            .iter()
            .scan(0, |end, (_, count)| {
                *end += count;
                Some(*end)
            })
            .collect();
        indexes
            .filter_map(|index| {
                let run = ends.partition_point(|end| *end <= index as u64);
                let (epoch, count) = self.counts.get_mut(run)?;
                *count -= 1;
                Some(Ticket { epoch: *epoch })
            })
            .collect()
    }
}

impl From<Ticket> for Tickets {
    fn from(ticket: Ticket) -> Self {
        Self {
            counts: vec![(ticket.epoch, 1)],
        }
    }
}

#[derive(Debug, Default)]
struct Epoch {
    open: u64,
    state: Option<String>,
}

/// Keeps the tickets of all epochs that are not closed.
#[derive(Debug)]
pub(crate) struct Ledger {
    /// The number of the epoch at the front.
    first: u64,
    /// Never empty: the last one is the epoch that is being read.
    epochs: VecDeque<Epoch>,
    printable: Option<String>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            first: 0,
            epochs: VecDeque::from([Epoch::default()]),
            printable: None,
        }
    }
}

impl Ledger {
    /// Opens a ticket for a record that was read.
    pub(crate) fn admit(&mut self) -> Ticket {
        let current = self.epochs.len() - 1;
        self.epochs[current].open += 1;
        Ticket {
            epoch: self.first + current as u64,
        }
    }

    /// Ends the current epoch with a STATE that was read.
    pub(crate) fn state(&mut self, state: String) {
        let current = self.epochs.len() - 1;
        if current > 0 && self.epochs[current].open == 0 {
            // No record since the last STATE: this one takes its place, so that a tap which sends
            // nothing but STATEs takes no memory.
            self.epochs[current - 1].state = Some(state);
            return;
        }
        self.epochs[current].state = Some(state);
        self.epochs.push_back(Epoch::default());
        self.close();
    }

    /// The records of these tickets are safe.
    pub(crate) fn settle(&mut self, tickets: impl Into<Tickets>) {
        for (epoch, count) in tickets.into().counts {
            // A ticket's epoch is open as long as the ticket is, so it is still there.
            let index = (epoch - self.first) as usize;
            self.epochs[index].open -= count;
        }
        self.close();
    }

    /// The newest STATE that may be printed and was not taken yet.
    pub(crate) fn take_printable(&mut self) -> Option<String> {
        self.printable.take()
    }

    /// Whether no ticket is open.
    pub(crate) fn is_settled(&self) -> bool {
        self.epochs.iter().all(|epoch| epoch.open == 0)
    }

    fn close(&mut self) {
        while let Some(epoch) = self.epochs.front()
            && epoch.open == 0
            && epoch.state.is_some()
        {
            self.printable = self.epochs.pop_front().and_then(|epoch| epoch.state);
            self.first += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_state_waits_for_the_records_before_it() {
        let mut ledger = Ledger::default();
        let first = ledger.admit();
        ledger.state("1".to_owned());
        let second = ledger.admit();
        ledger.state("2".to_owned());
        ledger.state("3".to_owned());
        ledger.settle(second);
        assert_eq!(ledger.take_printable(), None);
        ledger.settle(first);
        assert_eq!(ledger.take_printable().as_deref(), Some("3"));
        assert_eq!(ledger.take_printable(), None);
        assert!(ledger.is_settled());
    }

    #[test]
    fn states_without_records_between_them_take_no_memory() {
        let mut ledger = Ledger::default();
        let ticket = ledger.admit();
        for n in 0..1000 {
            ledger.state(n.to_string());
        }
        assert_eq!(ledger.epochs.len(), 2);
        ledger.settle(ticket);
        assert_eq!(ledger.take_printable().as_deref(), Some("999"));
    }

    #[test]
    fn tickets_of_single_records_can_be_taken_out_of_a_batch() {
        let mut ledger = Ledger::default();
        let mut tickets = Tickets::default();
        for n in 0..4 {
            tickets.push(ledger.admit());
            tickets.push(ledger.admit());
            ledger.state(n.to_string());
        }
        let taken = tickets.take([2, 5].into_iter());
        ledger.settle(tickets);
        assert_eq!(ledger.take_printable().as_deref(), Some("0"));
        let [first, second] = taken.try_into().expect("two");
        ledger.settle(second);
        assert_eq!(ledger.take_printable(), None);
        ledger.settle(first);
        assert_eq!(ledger.take_printable().as_deref(), Some("3"));
    }

    #[test]
    fn a_lost_ticket_stops_all_later_states() {
        let mut ledger = Ledger::default();
        ledger.state("0".to_owned());
        drop(ledger.admit());
        ledger.state("1".to_owned());
        assert_eq!(ledger.take_printable().as_deref(), Some("0"));
        let later = ledger.admit();
        ledger.state("2".to_owned());
        ledger.settle(later);
        assert_eq!(ledger.take_printable(), None);
        assert!(!ledger.is_settled());
    }

    #[derive(Debug, Clone)]
    enum Step {
        Record,
        State,
        /// Settles some of the open tickets, as one batch.
        Settle(Vec<prop::sample::Index>),
        Print,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => Just(Step::Record),
            2 => Just(Step::State),
            3 => prop::collection::vec(any::<prop::sample::Index>(), 1..5).prop_map(Step::Settle),
            1 => Just(Step::Print),
        ];
        prop::collection::vec(step, 0..200)
    }

    /// The naive model: everything that was read, in order, each record settled or not.
    #[derive(Default)]
    struct Model {
        read: Vec<Result<bool, String>>,
        printed: usize,
    }

    impl Model {
        /// The newest STATE with nothing open before it, if it was not printed yet.
        fn take_printable(&mut self) -> Option<String> {
            let safe = self
                .read
                .iter()
                .position(|item| *item == Ok(false))
                .unwrap_or(self.read.len());
            let newest = self.read[..safe].iter().rposition(Result::is_err)?;
            let fresh = newest >= self.printed;
            self.printed = self.printed.max(newest + 1);
            fresh.then(|| self.read[newest].clone().expect_err("a state"))
        }
    }

    proptest! {
        #[test]
        fn the_ledger_agrees_with_the_naive_model(steps in steps()) {
            let mut ledger = Ledger::default();
            let mut model = Model::default();
            let mut open: Vec<(usize, Ticket)> = Vec::new();
            for step in steps {
                match step {
                    Step::Record => {
                        open.push((model.read.len(), ledger.admit()));
                        model.read.push(Ok(false));
                    }
                    Step::State => {
                        let state = model.read.len().to_string();
                        ledger.state(state.clone());
                        model.read.push(Err(state));
                    }
                    Step::Settle(picks) => {
                        let mut batch = Vec::new();
                        for pick in picks {
                            if !open.is_empty() {
                                batch.push(open.swap_remove(pick.index(open.len())));
                            }
                        }
                        batch.sort_by_key(|(at, _)| *at);
                        let mut tickets = Tickets::default();
                        for (at, ticket) in batch {
                            model.read[at] = Ok(true);
                            tickets.push(ticket);
                        }
                        ledger.settle(tickets);
                    }
                    Step::Print => prop_assert_eq!(ledger.take_printable(), model.take_printable()),
                }
                prop_assert_eq!(ledger.is_settled(), open.is_empty());
            }
            prop_assert_eq!(ledger.take_printable(), model.take_printable());
        }
    }
}
