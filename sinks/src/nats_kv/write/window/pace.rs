//! How many writes may be in flight, learnt from how quickly acks come in. Pure but for the clock.
//!
//! A server beside us is busy with a few hundred; one that is far away, or slow to answer but
//! quick to take, needs more to be kept busy. More than it needs only makes acks late. So the
//! window starts small and is doubled as long as that makes acks come in faster.

use std::time::Instant;

/// Enough for a server on the same machine.
const START: usize = 512;
/// A window is worth its size if acks come in this much faster than with half of it.
const WORTH: f64 = 1.15;

#[derive(Debug)]
pub(super) struct Pace {
    limit: usize,
    most: usize,
    /// When the current measurement began, and the acks since.
    since: Option<Instant>,
    acks: usize,
    /// Whether there was more to send than the window had places for.
    was_full: bool,
    /// Acks a second with half of the window.
    rate_before: f64,
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
            rate_before: 0.0,
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

    /// An ack came in.
    pub(super) fn note_ack(&mut self) {
        self.acks += 1;
        // Some turns of the window, so that a hiccup does not count.
        if self.acks >= self.limit * 4 {
            self.measure(Instant::now());
        }
    }

    fn measure(&mut self, now: Instant) {
        let acks = std::mem::take(&mut self.acks);
        let was_full = std::mem::take(&mut self.was_full);
        let Some(since) = self.since.replace(now) else {
            return;
        };
        if !was_full || self.limit == self.most {
            return;
        }
        let rate = acks as f64 / (now - since).as_secs_f64().max(1e-6);
        if rate > self.rate_before * WORTH {
            self.rate_before = rate;
            self.limit = (self.limit * 2).min(self.most);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// The limit at which a server comes to rest that acknowledges after `latency`, but not more
    /// than `rate` a second.
    fn rest(most: usize, latency: f64, rate: f64) -> usize {
        let mut pace = Pace::new(most);
        let mut now = Instant::now();
        for _ in 0..100 {
            pace.note_full();
            pace.acks = pace.limit * 4;
            let actual = rate.min(pace.limit as f64 / latency);
            now += Duration::from_secs_f64(pace.acks as f64 / actual);
            pace.measure(now);
        }
        pace.limit()
    }

    #[test]
    fn the_window_fits_the_distance() {
        // One doubling is tried, and found to bring nothing.
        assert_eq!(rest(8192, 0.000_5, 200_000.0), 1024);
        assert_eq!(rest(8192, 0.020, 200_000.0), 8192);
        assert_eq!(rest(4096, 0.050, 200_000.0), 4096);
        assert_eq!(rest(8192, 0.010, 200_000.0), 4096);
        assert_eq!(rest(100, 0.050, 200_000.0), 100);
        // Every write is synced to a slow disk.
        assert_eq!(rest(8192, 0.001, 500.0), 1024);
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
