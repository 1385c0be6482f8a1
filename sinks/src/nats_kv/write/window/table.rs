//! Who waits in which place of the window. Pure.
//!
//! A place is reused under the same token, and so with the same reply subject, as long as nothing
//! is in doubt: the server remembers where it sends what, and a subject that it has not met before
//! costs it a tenth of the whole write. A token must never be read as the ack of another write, so
//! a place gets a new one where an ack may still be on its way: after a round that has given up
//! (free places, too, since revisions may start anew), after an answer that is not an ack, and for
//! another bucket. What remains are acks that come twice, as from a leader that has taken over: they
//! repeat a revision, and what is written later has a greater one. Then nothing is known of the
//! later write, and the bucket is looked at.

use std::sync::Arc;

use async_nats::Subject;
use tokio::sync::Notify;

use super::super::super::error::Failure;
use super::super::answer::Answer;
use super::pace::Pace;

/// The places of a window and the rounds that hold them.
pub(super) struct Table {
    /// What all reply subjects begin with.
    inbox: String,
    places: Vec<Place>,
    free: Vec<u32>,
    rounds: Vec<Option<RoundState>>,
    /// Revisions of one bucket say nothing of another.
    buckets: Vec<String>,
    pace: Pace,
}

#[derive(Default)]
struct Place {
    generation: u32,
    /// The reply subject of this generation.
    reply: Option<Subject>,
    held: Option<(u32, usize)>,
    /// The last ack of this generation.
    acked: Option<Acked>,
}

/// Where a write was stored.
#[derive(Clone, Copy)]
struct Acked {
    bucket: u32,
    revision: u64,
}

impl Place {
    /// From now on no answer to an earlier write is one to the next.
    fn renew(&mut self) {
        self.generation = self.generation.wrapping_add(1);
        self.reply = None;
        self.acked = None;
    }
}

/// What a round waits for.
struct RoundState {
    bucket: u32,
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
    /// Replies go to subjects that begin with `inbox`.
    pub(super) fn new(inbox: String, pace: Pace) -> Self {
        Self {
            inbox,
            places: Vec::new(),
            free: Vec::new(),
            rounds: Vec::new(),
            buckets: Vec::new(),
            pace,
        }
    }

    pub(super) fn size(&self) -> usize {
        self.pace.most()
    }

    /// Starts a round of writes into `bucket`.
    pub(super) fn open_round(&mut self, bucket: &str, complete: Arc<Notify>) -> u32 {
        let known = self.buckets.iter().position(|name| name == bucket);
        let bucket = known.unwrap_or_else(|| {
            self.buckets.push(bucket.to_owned());
            self.buckets.len() - 1
        });
        let state = Some(RoundState {
            bucket: bucket as u32,
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

    /// Whether one more write may be in flight.
    pub(super) fn has_place(&self) -> bool {
        self.places.len() - self.free.len() < self.pace.limit()
    }

    /// A place for the write `item` of a round, as the subject for its ack; if the window has room.
    pub(super) fn take(&mut self, round: u32, item: usize) -> Option<Subject> {
        if !self.has_place() {
            self.pace.note_full();
            return None;
        }
        if self.places.len() == self.free.len() {
            self.pace.note_pause();
        }
        let state = open(&mut self.rounds, round)?;
        state.open += 1;
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            self.places.len() as u32 - 1
        });
        let held = &mut self.places[place as usize];
        if held.acked.is_some_and(|acked| acked.bucket != state.bucket) {
            held.renew();
        }
        held.held = Some((round, item));
        let generation = held.generation;
        let reply = || Token { place, generation }.under(&self.inbox);
        Some(held.reply.get_or_insert_with(reply).clone())
    }

    /// Hands an answer to the round whose it is; to nobody if its place was given back since.
    pub(super) fn settle(&mut self, token: Token, answer: impl FnOnce() -> Answer) {
        let Some(place) = self.places.get_mut(token.place as usize) else {
            return;
        };
        if place.generation != token.generation {
            return;
        }
        let Some((index, item)) = place.held else {
            return;
        };
        let Some(round) = open(&mut self.rounds, index) else {
            return;
        };
        let answer = match answer() {
            Ok(Some(revision)) if place.acked.is_some_and(|acked| revision <= acked.revision) => {
                Err(Failure::OldRevision)
            }
            answer => answer,
        };
        match answer {
            Ok(Some(revision)) => {
                let bucket = round.bucket;
                place.acked = Some(Acked { bucket, revision });
            }
            Ok(None) | Err(_) => place.renew(),
        }
        place.held = None;
        self.free.push(token.place);
        self.pace.note_ack();
        round.given.push((item, answer));
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
        open(&mut self.rounds, round)
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
            match place.held {
                Some((holder, _)) if holder == index => {
                    place.held = None;
                    place.renew();
                    self.free.push(at);
                }
                Some(_) => {}
                // What has gone wrong may concern revisions as well.
                None => place.renew(),
            }
        }
        true
    }
}

/// The round of this index, if it is open.
fn open(rounds: &mut [Option<RoundState>], index: u32) -> Option<&mut RoundState> {
    rounds.get_mut(index as usize)?.as_mut()
}

impl Token {
    fn under(self, inbox: &str) -> Subject {
        let number = u64::from(self.generation) << 32 | u64::from(self.place);
        format!("{inbox}{number}").into()
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        let token: u64 = text.parse().ok()?;
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
        Table::new("inbox.".to_owned(), Pace::new(size))
    }

    fn take(table: &mut Table, round: u32, item: usize) -> Option<Token> {
        let reply = table.take(round, item)?;
        Token::read(reply.strip_prefix("inbox.")?)
    }

    #[test]
    fn a_late_ack_belongs_to_nobody() {
        let mut table = table(1);
        let (first, second) = (
            table.open_round("b", Arc::default()),
            table.open_round("b", Arc::default()),
        );
        let late = take(&mut table, first, 7).expect("a place");
        assert_eq!(take(&mut table, second, 8), None);
        assert!(!table.close_round(second));
        assert!(!table.has_place());
        assert!(table.close_round(first));
        let second = table.open_round("b", Arc::default());
        let again = take(&mut table, second, 8).expect("a place");
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
    fn an_ack_that_is_repeated_is_not_that_of_the_next_write() {
        for repeated in [7, 3] {
            let mut table = table(1);
            let round = table.open_round("b", Arc::default());
            let tokens = [3, 7].map(|revision| {
                let token = take(&mut table, round, 0).expect("a place");
                table.settle(token, || Ok(Some(revision)));
                token
            });
            let next = take(&mut table, round, 1).expect("a place");
            assert_eq!(tokens, [next, next]);
            // Whether the next write is stored, too, this does not tell.
            table.settle(next, || Ok(Some(repeated)));
            table.settle(next, || Ok(Some(8)));
            let answers = table.take_answers(round);
            assert_eq!(answers[2..], [(1, Err(Failure::OldRevision))]);
            assert_ne!(take(&mut table, round, 2), Some(next));
        }
    }

    #[test]
    fn a_token_is_used_again_only_where_nothing_is_in_doubt() {
        let mut table = table(2);
        let mut seen = Vec::new();
        let mut next = |table: &mut Table, bucket, answer: Option<Answer>| {
            let round = table.open_round(bucket, Arc::default());
            let token = take(table, round, 0).expect("a place");
            if let Some(answer) = answer {
                table.settle(token, || answer);
            }
            table.close_round(round);
            let is_new = !seen.contains(&token);
            seen.push(token);
            is_new
        };
        assert!(next(&mut table, "b", Some(Ok(Some(9)))));
        assert!(!next(&mut table, "b", Some(Ok(Some(10)))));
        // Another bucket begins with other revisions.
        assert!(next(&mut table, "c", Some(Ok(Some(1)))));
        assert!(!next(&mut table, "c", Some(Err(Failure::Conflict))));
        assert!(next(&mut table, "c", Some(Ok(None))));
        assert!(next(&mut table, "c", Some(Ok(Some(2)))));
        assert!(!next(&mut table, "c", None));
        assert!(next(&mut table, "c", Some(Ok(Some(1)))));
    }

    #[test]
    fn a_round_that_gives_up_renews_free_places_too() {
        let mut table = table(2);
        let round = table.open_round("b", Arc::default());
        let [one, other] = [1, 2].map(|item| take(&mut table, round, item).expect("a place"));
        table.settle(one, || Ok(Some(5)));
        assert!(table.close_round(round));
        let round = table.open_round("b", Arc::default());
        for item in [1, 2] {
            let token = take(&mut table, round, item).expect("a place");
            assert!(token != one && token != other);
            table.settle(token, || Ok(Some(1)));
        }
        assert!(table.is_complete(round));
    }

    #[test]
    fn tokens_are_read_as_they_were_written() {
        for (place, generation) in [(0, 0), (7, 1), (8191, u32::MAX), (u32::MAX, u32::MAX)] {
            let token = Token { place, generation };
            let reply = token.under("inbox.");
            let text = reply.strip_prefix("inbox.").expect("the prefix");
            assert_eq!(Token::read(text), Some(token));
        }
        assert_eq!(Token::read("no token"), None);
    }
}
