//! Counts of a run, by stream.

use std::collections::BTreeMap;

use tokio::time::Instant;

use crate::retry::Delivered;
use crate::stream::Stream;

/// What became of the records that were read.
#[derive(Debug)]
pub(crate) struct Summary {
    started: Instant,
    streams: BTreeMap<String, Counts>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    written: usize,
    unchanged: usize,
    skipped: usize,
    dead_lettered: usize,
    deleted: u64,
    retries: usize,
}

impl Default for Summary {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            streams: BTreeMap::new(),
        }
    }
}

impl Summary {
    fn counts(&mut self, stream: &Stream) -> &mut Counts {
        self.streams.entry(stream.name().to_owned()).or_default()
    }

    pub(super) fn delivered(&mut self, delivered: &Delivered) {
        let counts = self.counts(delivered.batch.stream());
        counts.written += delivered.written;
        counts.unchanged += delivered.unchanged;
        counts.deleted += delivered.deleted as u64;
        counts.retries += delivered.retries;
    }

    pub(super) fn skipped(&mut self, stream: &Stream) {
        self.counts(stream).skipped += 1;
    }

    pub(super) fn dead_lettered(&mut self, stream: &Stream) {
        self.counts(stream).dead_lettered += 1;
    }

    /// Stored records that an ACTIVATE_VERSION deleted.
    pub(super) fn deleted(&mut self, stream: &Stream, records: u64) {
        self.counts(stream).deleted += records;
    }

    /// Whether records of the stream were not loaded.
    pub(super) fn lost(&mut self, stream: &Stream) -> bool {
        let counts = self.counts(stream);
        counts.skipped + counts.dead_lettered > 0
    }

    /// Says how far the run is.
    pub(super) fn log_progress(&self) {
        let settled: usize = self
            .streams
            .values()
            .map(|counts| counts.written + counts.unchanged)
            .sum();
        tracing::info!(records = settled, seconds = self.seconds(), "loading");
    }

    /// Says what the run did.
    pub(crate) fn log(&self) {
        let seconds = self.seconds();
        for (stream, counts) in &self.streams {
            let Counts {
                written,
                unchanged,
                skipped,
                dead_lettered,
                deleted,
                retries,
            } = counts;
            tracing::info!(
                stream,
                written,
                unchanged,
                skipped,
                dead_lettered,
                deleted,
                retries,
                seconds,
                "loaded"
            );
        }
    }

    fn seconds(&self) -> f64 {
        (self.started.elapsed().as_secs_f64() * 1000.0).round() / 1000.0
    }
}
