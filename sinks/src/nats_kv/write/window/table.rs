//! Who waits in which place of the window. Pure.

use std::sync::Arc;

use tokio::sync::Notify;

use super::super::answer::Answer;
use super::pace::Pace;

/// The places of a window and the rounds that hold them.
pub(super) struct Table {
    places: Vec<Place>,
    free: Vec<u32>,
    rounds: Vec<Option<RoundState>>,
    pace: Pace,
}

#[derive(Default)]
struct Place {
    generation: u32,
    held: Option<(u32, usize)>,
}

/// What a round waits for.
struct RoundState {
    open: u32,
    given: Vec<(usize, Answer)>,
    count: u64,
    complete: Arc<Notify>,
}

/// A place and its generation, as the last token of a reply subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    place: u32,
    generation: u32,
}

impl Table {
    pub(super) fn new(pace: Pace) -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
            rounds: Vec::new(),
            pace,
        }
    }

    pub(super) fn size(&self) -> usize {
        self.pace.most()
    }

    pub(super) fn open_round(&mut self, complete: Arc<Notify>) -> u32 {
        let state = Some(RoundState {
            open: 0,
            given: Vec::new(),
            count: 0,
            complete,
        });
        let index = self.rounds.iter().position(Option::is_none);
        let index = index.unwrap_or_else(|| {
            self.rounds.push(None);
            self.rounds.len() - 1
        });
        self.rounds[index] = state;
        index as u32
    }

    fn round(&mut self, index: u32) -> Option<&mut RoundState> {
        self.rounds.get_mut(index as usize)?.as_mut()
    }

    /// Whether one more write may be in flight.
    pub(super) fn has_place(&self) -> bool {
        self.places.len() - self.free.len() < self.pace.limit()
    }

    /// A place for the write `item` of a round, if the window has room.
    pub(super) fn take(&mut self, round: u32, item: usize) -> Option<Token> {
        if !self.has_place() {
            self.pace.note_full();
            return None;
        }
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            self.places.len() as u32 - 1
        });
        let held = &mut self.places[place as usize];
        held.held = Some((round, item));
        let generation = held.generation;
        self.round(round)?.open += 1;
        Some(Token { place, generation })
    }

    /// Hands an ack to the round whose it is; to nobody if its place was given back since.
    pub(super) fn settle(&mut self, token: Token, answer: impl FnOnce() -> Answer) {
        let Some(place) = self.places.get_mut(token.place as usize) else {
            return;
        };
        if place.generation != token.generation {
            return;
        }
        let Some((round, item)) = place.held.take() else {
            return;
        };
        place.generation = place.generation.wrapping_add(1);
        self.free.push(token.place);
        self.pace.note_ack();
        let Some(round) = self.round(round) else {
            return;
        };
        round.given.push((item, answer()));
        round.count += 1;
        round.open -= 1;
        if round.open == 0 {
            round.complete.notify_waiters();
        }
    }

    pub(super) fn is_complete(&self, round: u32) -> bool {
        let state = self.rounds.get(round as usize).and_then(Option::as_ref);
        state.is_none_or(|round| round.open == 0)
    }

    /// How many acks came in for a round.
    pub(super) fn arrived(&self, round: u32) -> u64 {
        let state = self.rounds.get(round as usize).and_then(Option::as_ref);
        state.map_or(0, |round| round.count)
    }

    pub(super) fn take_answers(&mut self, round: u32) -> Vec<(usize, Answer)> {
        self.round(round)
            .map(|round| std::mem::take(&mut round.given))
            .unwrap_or_default()
    }

    /// Forgets a round. Returns whether places became free by that.
    pub(super) fn close_round(&mut self, index: u32) -> bool {
        let state = self.rounds.get_mut(index as usize).and_then(Option::take);
        if state.is_none_or(|round| round.open == 0) {
            return false;
        }
        for (at, place) in (0..).zip(&mut self.places) {
            if place.held.is_some_and(|(holder, _)| holder == index) {
                place.held = None;
                place.generation = place.generation.wrapping_add(1);
                self.free.push(at);
            }
        }
        true
    }
}

impl Token {
    pub(super) const LENGTH: usize = 16;

    /// Hexadecimal digits.
    pub(super) fn text(self) -> [u8; Self::LENGTH] {
        let token = u64::from(self.generation) << 32 | u64::from(self.place);
        std::array::from_fn(|at| {
            let digit = token >> (4 * (Self::LENGTH - 1 - at)) & 15;
            b"0123456789abcdef"[digit as usize]
        })
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        let token = u64::from_str_radix(text, 16).ok()?;
        Some(Self {
            place: token as u32,
            generation: (token >> 32) as u32,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(size: usize) -> Table {
        Table::new(Pace::new(size))
    }

    #[test]
    fn a_late_ack_belongs_to_nobody() {
        let mut table = table(1);
        let (first, second) = (
            table.open_round(Arc::default()),
            table.open_round(Arc::default()),
        );
        let late = table.take(first, 7).expect("a place");
        assert_eq!(table.take(second, 8), None);
        assert!(!table.close_round(second));
        assert!(!table.has_place());
        assert!(table.close_round(first));
        let second = table.open_round(Arc::default());
        let again = table.take(second, 8).expect("a place");
        table.settle(late, || Ok(Some(1)));
        table.settle(Token { place: 1, ..late }, || Ok(Some(1)));
        assert!(!table.is_complete(second));
        table.settle(again, || Ok(Some(2)));
        table.settle(again, || Ok(Some(3)));
        assert!(table.is_complete(second));
        assert_eq!(table.arrived(second), 1);
        assert_eq!(table.take_answers(second), [(8, Ok(Some(2)))]);
    }

    #[test]
    fn tokens_are_read_as_they_were_written() {
        for (place, generation) in [(0, 0), (7, 1), (8191, u32::MAX)] {
            let token = Token { place, generation };
            let text = token.text();
            let text = std::str::from_utf8(&text).expect("digits");
            assert_eq!(Token::read(text), Some(token));
        }
        assert_eq!(Token::read("no token"), None);
    }
}
