//! How many writes may be in flight, learnt from how quickly acks come in. Pure but for the clock.
//!
//! A server beside us is busy with a few hundred; one that is far away, or slow to answer but
//! quick to take, needs more to be kept busy. More than it needs makes acks late, and the server
//! work more: it remembers the way to some five hundred reply subjects. So the window starts small,
//! and now and then twice and half of it is tried for a while. Of two windows the larger one must
//! be worth it.

use std::time::{Duration, Instant};

/// Enough for a server on the same machine, and a little less than it remembers.
const START: usize = 480;
/// A window is worth its size if acks come in this much faster than with the next smaller one.
const WORTH: f64 = 1.3;
/// So many turns of the window, and so long, are measured, that a hiccup does not count.
const TURNS: usize = 4;
const TIME: Duration = Duration::from_millis(50);
/// So many measurements later another window is tried.
const REST: u32 = 50;

#[derive(Debug)]
pub(super) struct Pace {
    limit: usize,
    most: usize,
    /// When the current measurement began, and the acks since.
    since: Option<Instant>,
    acks: usize,
    /// Whether there was more to send than the window had places for.
    was_full: bool,
    step: Step,
}

/// What the measurement under way is for.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// So many more, until another window is tried: a larger one, or a smaller one.
    Rest { left: u32, larger: bool },
    /// To compare it with what another window, `before`, brought in acks a second.
    Trial { before: usize, rate: f64 },
}

impl Pace {
    /// At most `most` in flight.
    pub(super) fn new(most: usize) -> Self {
        Self {
            limit: START.min(most),
            most,
            since: None,
            acks: 0,
            was_full: false,
            step: Step::Rest {
                left: 0,
                larger: true,
            },
        }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// Somebody had to wait for a place.
    pub(super) fn note_full(&mut self) {
        self.was_full = true;
    }

    /// Nothing is in flight: how long it was so says nothing of the server.
    pub(super) fn note_pause(&mut self) {
        self.since = None;
        self.acks = 0;
        self.was_full = false;
    }

    /// An ack came in.
    pub(super) fn note_ack(&mut self) {
        self.acks += 1;
        if self.acks >= self.limit * TURNS && self.acks.is_multiple_of(self.limit) {
            self.measure(Instant::now());
        }
    }

    fn measure(&mut self, now: Instant) {
        let taken = self.since.map(|since| now - since);
        if taken.is_some_and(|taken| taken < TIME) {
            return;
        }
        let acks = std::mem::take(&mut self.acks);
        let was_full = std::mem::take(&mut self.was_full);
        self.since = Some(now);
        if let Some(taken) = taken
            && was_full
        {
            self.learn(acks as f64 / taken.as_secs_f64());
        }
    }

    fn learn(&mut self, rate: f64) {
        match self.step {
            Step::Rest { left: 0, larger } => self.try_other(larger, rate),
            Step::Rest { left, larger } => {
                let left = left - 1;
                self.step = Step::Rest { left, larger };
            }
            Step::Trial {
                before,
                rate: other,
            } if self.limit > before => {
                if rate > other * WORTH {
                    self.try_other(true, rate);
                } else {
                    self.settle_for(before, false);
                }
            }
            Step::Trial {
                before,
                rate: other,
            } => {
                if other > rate * WORTH {
                    self.settle_for(before, true);
                } else {
                    self.try_other(false, rate);
                }
            }
        }
    }

    fn try_other(&mut self, larger: bool, rate: f64) {
        let other = if larger {
            (self.limit * 2).min(self.most)
        } else {
            (self.limit / 2).max(START.min(self.most))
        };
        if other == self.limit {
            return self.settle_for(other, !larger);
        }
        let before = std::mem::replace(&mut self.limit, other);
        self.step = Step::Trial { before, rate };
    }

    fn settle_for(&mut self, limit: usize, larger: bool) {
        self.limit = limit;
        self.step = Step::Rest { left: REST, larger };
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// The limit at which a server comes to rest that acknowledges after `latency`, but not more
    /// than `rate` a second.
    fn rest(pace: &mut Pace, latency: f64, rate: f64) -> usize {
        let mut now = Instant::now();
        pace.since = None;
        let mut rests = Vec::new();
        for _ in 0..1_000 {
            pace.note_full();
            let actual = rate.min(pace.limit as f64 / latency);
            let taken = Duration::from_secs_f64((pace.limit * TURNS) as f64 / actual).max(TIME);
            pace.acks = (taken.as_secs_f64() * actual) as usize;
            now += taken;
            pace.measure(now);
            if let Step::Rest { .. } = pace.step {
                rests.push(pace.limit);
            }
        }
        assert!(rests.len() > 900, "it tries others too often");
        let last = rests[rests.len() - 1];
        assert!(rests[100..].iter().all(|limit| *limit == last), "{rests:?}");
        last
    }

    #[test]
    fn the_window_fits_the_distance() {
        for (most, latency, rate, limit) in [
            (8192, 0.000_5, 200_000.0, 480),
            (8192, 0.020, 200_000.0, 3840),
            (4096, 0.050, 200_000.0, 3840),
            (8192, 0.010, 200_000.0, 1920),
            (100, 0.050, 200_000.0, 100),
            // Every write is synced to a slow disk.
            (8192, 0.001, 500.0, 480),
        ] {
            assert_eq!(rest(&mut Pace::new(most), latency, rate), limit);
        }
    }

    #[test]
    fn a_window_shrinks_again_when_the_server_is_near() {
        let mut pace = Pace::new(8192);
        assert_eq!(rest(&mut pace, 0.020, 200_000.0), 3840);
        for _ in 0..1_000 {
            pace.learn(50_000.0);
        }
        assert_eq!(rest(&mut pace, 0.000_5, 200_000.0), 480);
    }

    #[test]
    fn a_pause_is_not_measured() {
        let mut pace = Pace::new(8192);
        let mut now = Instant::now();
        let mut measure = |pace: &mut Pace, taken| {
            now += taken;
            pace.note_full();
            pace.acks = START * TURNS;
            pace.measure(now);
        };
        // The first has no beginning, and the second is the base of a trial.
        measure(&mut pace, TIME);
        measure(&mut pace, TIME);
        assert_eq!(pace.limit(), 2 * START);
        // The trial is judged by what comes behind the pause.
        pace.note_pause();
        measure(&mut pace, Duration::from_secs(60));
        assert_eq!(pace.limit(), 2 * START);
        measure(&mut pace, TIME / 2);
        measure(&mut pace, TIME / 2);
        assert_eq!(pace.limit(), START);
    }

    #[test]
    fn a_window_that_is_never_full_stays() {
        let mut pace = Pace::new(8192);
        for _ in 0..100_000 {
            pace.note_ack();
        }
        assert_eq!(pace.limit(), START);
    }
}
