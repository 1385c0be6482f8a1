//! Whether a bucket is written by fast ingest, and how many messages an ack may cover.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, Ordering};
use std::time::Duration;

use super::super::super::lock;
use super::calm::Calm;

/// As many messages as the server lets an ack cover at most.
const MOST: u16 = 500;
/// What the first batch asks for.
const FIRST: u16 = 64;
/// Acks that come more often than this are a waste, and ones that come less often look like
/// silence.
const OFTEN: Duration = Duration::from_millis(50);
const SELDOM: Duration = Duration::from_millis(500);
/// Batches that fail in a row, after which fast ingest is given up.
const FAILURES: u32 = 3;

/// Fast ingest into one bucket, for the whole run.
#[derive(Debug)]
pub(in super::super::super) struct Lane {
    bucket: String,
    open: AtomicBool,
    /// Rounds of fewer writes do not go this way.
    least: usize,
    /// How many messages an ack shall cover.
    wanted: AtomicU16,
    /// How many the server let it cover the last time.
    granted: AtomicU16,
    failures: AtomicU32,
    calm: Mutex<Calm>,
}

impl Lane {
    /// A round of fewer writes is quicker with an ack each: to open a batch and to commit it costs
    /// the server as much as a good part of them.
    pub(in super::super::super) const FEW: usize = 256;

    /// For rounds of at `least` so many writes.
    pub(in super::super::super) fn new(bucket: &str, least: usize) -> Self {
        Self {
            bucket: bucket.to_owned(),
            open: AtomicBool::new(true),
            least,
            wanted: AtomicU16::new(FIRST),
            // The first batch waits for the server's word.
            granted: AtomicU16::new(1),
            failures: AtomicU32::new(0),
            calm: Mutex::default(),
        }
    }

    /// Whether a round of so many writes goes this way, if their conditions do not forbid it.
    pub(in super::super) fn takes(&self, writes: usize) -> bool {
        writes >= self.least && self.open.load(Ordering::Relaxed)
    }

    /// Whether conflicts are so rare that writes with a condition may go this way.
    pub(in super::super) fn takes_conditions(&self) -> bool {
        lock(&self.calm).is_enough()
    }

    /// A round of writes with a condition has ended, whichever way it went.
    pub(in super::super) fn note_conditions(&self, had_conflicts: bool) {
        lock(&self.calm).note(had_conflicts);
    }

    /// How many messages to ask an ack for, where `most` may be in flight: two acks shall be
    /// outstanding, so that the server has work while one is on its way.
    pub(super) fn wanted(&self, most: usize) -> u16 {
        let half = u16::try_from(most / 2).unwrap_or(MOST).max(1);
        self.wanted.load(Ordering::Relaxed).min(half)
    }

    pub(super) fn granted(&self) -> u16 {
        self.granted.load(Ordering::Relaxed)
    }

    /// A batch of `count` messages took so long.
    pub(super) fn note_success(&self, count: usize, granted: u16, took: Duration) {
        self.failures.store(0, Ordering::Relaxed);
        self.granted.store(granted, Ordering::Relaxed);
        let wanted = self.wanted.load(Ordering::Relaxed);
        if count < usize::from(wanted) {
            return;
        }
        let between = took * u32::from(wanted) / u32::try_from(count).unwrap_or(u32::MAX);
        let better = if between < OFTEN {
            (wanted * 2).min(MOST)
        } else if between > SELDOM {
            (wanted / 2).max(1)
        } else {
            return;
        };
        self.wanted.store(better, Ordering::Relaxed);
    }

    /// A batch has failed, though the connection was up.
    pub(super) fn note_failure(&self, why: &str) {
        self.granted.store(1, Ordering::Relaxed);
        if self.failures.fetch_add(1, Ordering::Relaxed) + 1 >= FAILURES {
            self.close(why);
        }
    }

    /// The other path is taken from now on.
    pub(super) fn close(&self, why: &str) {
        if self.open.swap(false, Ordering::Relaxed) {
            tracing::warn!(
                "bucket '{}': fast ingest does not work ({why}); waiting for an acknowledgement of \
                 each write from now on",
                self.bucket
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acks_become_rarer_while_they_come_often() {
        let lane = Lane::new("b", 10);
        assert_eq!((lane.wanted(1024), lane.granted()), (64, 1));
        for _ in 0..4 {
            lane.note_success(1000, 64, Duration::from_millis(10));
        }
        assert_eq!(
            (lane.wanted(1024), lane.wanted(100), lane.wanted(1)),
            (500, 50, 1)
        );
        // 500 messages a second.
        lane.note_success(1000, 500, Duration::from_secs(2));
        lane.note_success(1000, 250, Duration::from_secs(2));
        assert_eq!(lane.wanted(1024), 250);
    }

    #[test]
    fn few_writes_go_another_way() {
        let lane = Lane::new("b", Lane::FEW);
        assert!(lane.takes(Lane::FEW) && !lane.takes(Lane::FEW - 1));
    }

    #[test]
    fn failures_in_a_row_close_it() {
        let lane = Lane::new("b", 10);
        for _ in 0..2 {
            lane.note_failure("lost");
        }
        lane.note_success(1, 1, Duration::ZERO);
        for _ in 0..2 {
            lane.note_failure("lost");
        }
        assert!(lane.takes(10));
        lane.note_failure("lost");
        assert!(!lane.takes(10));
    }
}
