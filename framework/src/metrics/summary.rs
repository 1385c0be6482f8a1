//! Counts of a run, by stream.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Progress;
use crate::retry::Delivered;
use crate::stream::Stream;

/// What became of the records that were read. Clones share the counts.
#[derive(Debug, Clone)]
pub(crate) struct Summary {
    started: Instant,
    streams: Arc<Mutex<BTreeMap<String, Counts>>>,
    /// When the newest STATE became true, in milliseconds since the start; 0 for none.
    state: Arc<AtomicU64>,
}

/// The counts of a stream. Of the records that were read, each is in the end written, unchanged,
/// conflicting, deleted, filtered or rejected.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Records that were taken in.
    pub(crate) read: u64,
    /// Bytes of their JSON.
    pub(crate) bytes: u64,
    pub(crate) written: u64,
    pub(crate) unchanged: u64,
    /// Records that were left out although their data are other than what is stored.
    pub(crate) conflicting: u64,
    /// Records that deleted what was stored.
    pub(crate) deleted: u64,
    /// Stored records that were deleted by a new version of their table, or by a run that
    /// overwrites it.
    pub(crate) swept: u64,
    /// Records that the filter of a stream map has left out.
    pub(crate) filtered: u64,
    /// Records that could not be loaded, whatever was done with them.
    pub(crate) rejected: u64,
    pub(crate) skipped: u64,
    pub(crate) dead_lettered: u64,
    /// Batches that are settled.
    pub(crate) batches: u64,
    pub(crate) retries: u64,
    /// How long batches took, all together.
    pub(crate) busy: Duration,
    /// How long the slowest took since [`Summary::since_last_time`] was asked.
    pub(crate) slowest: Duration,
}

impl Counts {
    /// Records that are stored, or need not be.
    pub(crate) fn loaded(&self) -> u64 {
        self.written + self.unchanged + self.conflicting + self.deleted
    }

    /// Records that were read and of which nothing is known yet.
    pub(crate) fn in_flight(&self) -> u64 {
        let settled = self.loaded() + self.filtered + self.rejected;
        self.read.saturating_sub(settled)
    }
}

impl Default for Summary {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            streams: Arc::default(),
            state: Arc::default(),
        }
    }
}

impl Summary {
    fn streams(&self) -> MutexGuard<'_, BTreeMap<String, Counts>> {
        // Nothing panics between two counts.
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, stream: &Stream, count: impl FnOnce(&mut Counts)) {
        let mut streams = self.streams();
        match streams.get_mut(stream.name()) {
            Some(counts) => count(counts),
            None => count(streams.entry(stream.name().to_owned()).or_default()),
        }
    }

    /// Records were taken in.
    pub(crate) fn read(&self, stream: &Stream, records: usize, bytes: usize) {
        self.count(stream, |counts| {
            counts.read += records as u64;
            counts.bytes += bytes as u64;
        });
    }

    pub(crate) fn delivered(&self, delivered: &Delivered) {
        self.count(delivered.batch.stream(), |counts| {
            counts.written += delivered.written as u64;
            counts.unchanged += delivered.unchanged as u64;
            counts.conflicting += delivered.conflicting as u64;
            counts.deleted += delivered.deleted as u64;
            counts.batches += 1;
            counts.busy += delivered.elapsed;
            counts.slowest = counts.slowest.max(delivered.elapsed);
        });
    }

    /// A batch is written once more.
    pub(crate) fn retried(&self, stream: &Stream) {
        self.count(stream, |counts| counts.retries += 1);
    }

    /// A record was read that the filter of a stream map leaves out.
    pub(crate) fn filtered(&self, stream: &Stream, bytes: usize) {
        self.count(stream, |counts| {
            counts.read += 1;
            counts.bytes += bytes as u64;
            counts.filtered += 1;
        });
    }

    /// A record could not be loaded.
    pub(crate) fn rejected(&self, stream: &Stream) {
        self.count(stream, |counts| counts.rejected += 1);
    }

    /// It was left out.
    pub(crate) fn skipped(&self, stream: &Stream) {
        self.count(stream, |counts| counts.skipped += 1);
    }

    /// It was put into the dead letter.
    pub(crate) fn dead_lettered(&self, stream: &Stream) {
        self.count(stream, |counts| counts.dead_lettered += 1);
    }

    /// Stored records were deleted by something else than a record.
    pub(crate) fn swept(&self, stream: &Stream, records: u64) {
        self.count(stream, |counts| counts.swept += records);
    }

    /// A STATE has become true.
    pub(crate) fn state(&self) {
        let since = self.started.elapsed().as_millis();
        let since = u64::try_from(since).unwrap_or(u64::MAX).max(1);
        self.state.store(since, Ordering::Relaxed);
    }

    /// How long ago the newest STATE became true, if there was one.
    pub(crate) fn state_age(&self) -> Option<Duration> {
        let since = match self.state.load(Ordering::Relaxed) {
            0 => return None,
            since => Duration::from_millis(since),
        };
        Some(self.started.elapsed().saturating_sub(since))
    }

    /// Whether records of the stream were not loaded.
    pub(crate) fn lost(&self, stream: &Stream) -> bool {
        let streams = self.streams();
        let counts = streams.get(stream.name());
        counts.is_some_and(|counts| counts.rejected > 0)
    }

    /// How many records of the stream have lost a tie.
    pub(crate) fn conflicting(&self, stream: &Stream) -> u64 {
        let streams = self.streams();
        let counts = streams.get(stream.name());
        counts.map_or(0, |counts| counts.conflicting)
    }

    /// The counts as they are.
    pub(crate) fn counts(&self) -> BTreeMap<String, Counts> {
        self.streams().clone()
    }

    /// The counts as they are; the slowest batches are those since this was asked before.
    pub(crate) fn since_last_time(&self) -> BTreeMap<String, Counts> {
        let mut streams = self.streams();
        let counts = streams.clone();
        for counts in streams.values_mut() {
            counts.slowest = Duration::ZERO;
        }
        counts
    }

    /// Says how far the run is.
    pub(crate) fn log_progress(&self) {
        let streams = self.streams();
        let records: u64 = streams.values().map(Counts::loaded).sum();
        tracing::info!(records, seconds = self.seconds(), "loading");
    }

    /// Says what the run did. One that ended early may have left records `unsettled`: they are read,
    /// and it is not known whether they are stored.
    pub(crate) fn log(&self, progress: Progress) {
        let outcome = match progress {
            Progress::Succeeded => "loaded",
            Progress::Running | Progress::Ended => "ended early",
        };
        let seconds = self.seconds();
        for (stream, counts) in &*self.streams() {
            let Counts {
                read,
                bytes,
                written,
                unchanged,
                conflicting,
                filtered,
                rejected,
                skipped,
                dead_lettered,
                batches,
                retries,
                ..
            } = counts;
            let unsettled = counts.in_flight();
            let deleted = counts.deleted + counts.swept;
            // A rate is no more exact than this.
            let records_per_second = (*read as f64 / seconds.max(0.001)).round() as u64;
            tracing::info!(
                stream,
                read,
                written,
                unchanged,
                conflicting,
                deleted,
                filtered,
                rejected,
                skipped,
                dead_lettered,
                unsettled,
                bytes,
                batches,
                retries,
                seconds,
                records_per_second,
                "{outcome}"
            );
        }
    }

    /// How long the run has taken.
    pub(crate) fn seconds(&self) -> f64 {
        (self.started.elapsed().as_secs_f64() * 1000.0).round() / 1000.0
    }
}
