//! The way in: what is known of the streams, and the batches that are open.

mod lines;

pub(super) use lines::{Admitted, Refused, before_schema};

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use foldhash::quality::RandomState;
use tokio::time::Instant;

use super::schema::Input;
use crate::batch::{OpenBatch, SpareTapes};
use crate::map::{Mapper, Tapes};
use crate::metadata::{Columns, Stamp};
use crate::stream::Stream;
use crate::value::Tape;

/// Open batches of all streams together may take this many times `batch_size_bytes`; beyond it the
/// oldest is closed early, so that memory does not grow with the number of streams.
const OPEN_BATCHES: usize = 4;

/// What is known of the streams, and their open batches.
pub(super) struct Intake {
    /// The streams of the input, by their names there.
    pub(super) inputs: HashMap<String, Input, RandomState>,
    /// The streams that are loaded. Without stream maps, they have the names of the input.
    pub(super) streams: HashMap<String, Source, RandomState>,
    /// The tape of the line that is being taken in.
    line: Tape,
    hasher: RandomState,
    /// What becomes of streams and their records, if they do not stay as they are.
    pub(super) mapper: Option<Mapper>,
    /// The tapes of the record that it writes.
    pub(super) mapped: Tapes,
    /// The tape of the record that the sink writes in the place of another.
    preprocessed: Tape,
    pub(super) columns: Columns,
    stamp: Stamp,
    /// The line of the last STATE.
    last_state: u64,
    /// Bytes of all open batches.
    open_bytes: usize,
    /// Tapes of batches that are done, whose memory the next ones use.
    pub(super) spare: SpareTapes,
}

/// A stream with its open batch.
pub(super) struct Source {
    pub(super) stream: Arc<Stream>,
    batch: Option<OpenBatch>,
    /// When that was opened.
    batched_at: String,
    /// The last line of the input that was about it.
    last_line: u64,
}

impl Source {
    pub(super) fn new(stream: Arc<Stream>, line: u64) -> Self {
        Self {
            stream,
            batch: None,
            batched_at: String::new(),
            last_line: line,
        }
    }
}

impl Intake {
    pub(super) fn new(columns: Columns, versions: bool, mapper: Option<Mapper>) -> Self {
        Self {
            inputs: HashMap::default(),
            streams: HashMap::default(),
            line: Tape::new(),
            hasher: RandomState::default(),
            mapper,
            mapped: Tapes::default(),
            preprocessed: Tape::new(),
            columns,
            stamp: Stamp::new(columns, versions),
            last_state: 0,
            open_bytes: 0,
            spare: SpareTapes::default(),
        }
    }

    /// Lines of one chunk were received at the same time.
    pub(super) fn start_chunk(&mut self) {
        self.stamp.receive();
    }

    /// The stream of that name, which a line of the input is about of which no record is taken in.
    pub(super) fn note(&mut self, stream: &str, line: u64) -> Option<Arc<Stream>> {
        let source = self.streams.get_mut(stream)?;
        source.last_line = line;
        Some(Arc::clone(&source.stream))
    }

    /// All streams, and whether a STATE follows the last line that was about each.
    pub(super) fn ends(&self) -> Vec<(Arc<Stream>, bool)> {
        let end = |source: &Source| {
            let is_followed = source.last_line < self.last_state;
            (Arc::clone(&source.stream), is_followed)
        };
        self.streams.values().map(end).collect()
    }

    /// When the oldest open batch was opened.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.streams
            .values()
            .filter_map(|source| source.batch.as_ref())
            .map(OpenBatch::opened)
            .min()
    }

    /// Takes a batch that was opened longer than `age` ago.
    pub(super) fn close_older_than(&mut self, age: Duration) -> Option<OpenBatch> {
        let oldest = self.oldest()?;
        (oldest.elapsed() >= age)
            .then(|| self.close_oldest())
            .flatten()
    }

    fn close_oldest(&mut self) -> Option<OpenBatch> {
        let source = self
            .streams
            .values_mut()
            .filter(|source| source.batch.is_some())
            .min_by_key(|source| source.batch.as_ref().map(OpenBatch::opened))?;
        let batch = source.batch.take()?;
        self.open_bytes -= batch.bytes();
        Some(batch)
    }

    /// Takes all open batches, the oldest first.
    pub(super) fn close_all(&mut self) -> Vec<OpenBatch> {
        std::iter::from_fn(|| self.close_oldest()).collect()
    }
}
