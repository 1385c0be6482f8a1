//! The way in: from a line to an open batch.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use foldhash::quality::RandomState;
use tokio::time::Instant;

use super::Pipeline;
use super::admission::{Rules, check, preprocess};
use super::schema::Input;
use crate::batch::{OpenBatch, SpareTapes};
use crate::dead_letter::{Content, Invalid};
use crate::map::{Mapper, Tapes};
use crate::message::{self, Message, RecordMessage};
use crate::metadata::{Columns, Stamp};
use crate::reader;
use crate::run_error::RunError;
use crate::state::Ticket;
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

impl Pipeline {
    /// Takes in one line.
    pub(super) async fn take_line(&mut self, number: u64, line: &[u8]) -> Result<(), RunError> {
        reader::check_length(number, line.len(), self.settings.max_line_bytes)?;
        // The tape is lent to the message, and comes back when the line is done.
        let mut tape = std::mem::take(&mut self.intake.line);
        let outcome = match message::parse(line, &mut tape) {
            // Not by `take_record`, whose future would be made for every line.
            Ok(Message::Record(record)) if self.intake.mapper.is_none() => {
                match self.admit(number, record) {
                    Ok(Some(full)) => self.dispatch(full).await,
                    Ok(None) => Ok(()),
                    Err(error) => Err(error),
                }
            }
            Ok(Message::Record(record)) => Box::pin(self.take_mapped(number, record)).await,
            Ok(Message::State(Some(state))) => {
                self.ledger.state(state.to_json());
                self.intake.last_state = number;
                Ok(())
            }
            Ok(Message::State(None)) => Ok(()),
            Ok(Message::Unreadable { stream, problem }) => {
                self.take_unreadable(number, line, &stream, &problem)
            }
            // Boxed, since these are rare, and the future of a record is made for every line.
            Ok(Message::ActivateVersion(message)) => {
                Box::pin(self.take_activation(number, message)).await
            }
            Ok(Message::Batch(message)) => Box::pin(self.take_batch(number, message)).await,
            Ok(Message::Schema(schema)) => self.take_schema(number, schema).await,
            Err(problem) => Err(RunError::input(number, problem)),
        };
        self.intake.line = tape;
        outcome
    }

    /// Takes in a record.
    pub(super) async fn take_record(
        &mut self,
        number: u64,
        message: RecordMessage<'_>,
    ) -> Result<(), RunError> {
        if self.intake.mapper.is_some() {
            return Box::pin(self.take_mapped(number, message)).await;
        }
        match self.admit(number, message)? {
            Some(full) => self.dispatch(full).await,
            None => Ok(()),
        }
    }

    /// Adds a record to the batch of its stream. Returns a batch that must be written now.
    pub(super) fn admit(
        &mut self,
        number: u64,
        message: RecordMessage<'_>,
    ) -> Result<Option<OpenBatch>, RunError> {
        match self.try_admit(number, message)? {
            Admitted::Taken(full) => Ok(full),
            Admitted::Refused(refused) => {
                let content = Content::Record {
                    record: message.record,
                    time_extracted: message.time_extracted,
                    version: message.version,
                };
                let stream = Arc::clone(&refused.stream);
                self.refuse(number, refused, &stream, content)?;
                Ok(None)
            }
        }
    }

    /// Deals with a record that may not be loaded. `came` is the stream in which it came, with
    /// `content`.
    pub(super) fn refuse(
        &mut self,
        number: u64,
        refused: Refused,
        came: &Arc<Stream>,
        content: Content<'_>,
    ) -> Result<(), RunError> {
        let Refused {
            stream,
            ticket,
            problem,
        } = refused;
        let invalid = Invalid {
            stream: came,
            content,
            line: number,
            reason: &problem,
        };
        self.reject_of(&stream, &invalid, ticket)
    }

    /// Adds a record to the batch of its stream, if it is valid.
    pub(super) fn try_admit(
        &mut self,
        number: u64,
        message: RecordMessage<'_>,
    ) -> Result<Admitted, RunError> {
        if !self.delivery.preprocesses() {
            return self.admit_as(number, message, None);
        }
        // The tape is lent to the record, and comes back when that is in its batch.
        let mut tape = std::mem::take(&mut self.intake.preprocessed);
        let outcome = self.admit_as(number, message, Some(&mut tape));
        self.intake.preprocessed = tape;
        outcome
    }

    /// The same; `preprocessed` is for what the sink writes in the record's place.
    fn admit_as(
        &mut self,
        number: u64,
        message: RecordMessage<'_>,
        preprocessed: Option<&mut Tape>,
    ) -> Result<Admitted, RunError> {
        let Some(source) = self.intake.streams.get_mut(message.stream) else {
            return Err(before_schema(number, message.stream));
        };
        let ticket = self.ledger.admit();
        source.last_line = number;
        let stream = &source.stream;
        let rules = Rules {
            validate: self.settings.validate_records,
            null_keys: self.delivery.takes_null_keys(),
        };
        let hasher = &self.intake.hasher;
        let checked = self
            .intake
            .stamp
            .extract(message.time_extracted)
            .and_then(|()| check(stream, &message, rules, hasher))
            .and_then(|key| {
                let Some(into) = preprocessed else {
                    return Ok((message.record, key));
                };
                preprocess(&self.delivery, stream, message.record, into, rules, hasher)
                    .map(|changed| changed.unwrap_or((message.record, key)))
            })
            .and_then(|(record, key)| {
                self.delivery.validate(stream, record)?;
                Ok((record, key))
            });
        let (record, key) = match checked {
            Ok(checked) => checked,
            Err(mut problem) => {
                if let Some(origin) = message.origin {
                    problem = format!("{origin}: {problem}");
                }
                let stream = Arc::clone(stream);
                let bytes = message.record.json_slice().map_or(0, str::len);
                self.summary.read(&stream, 1, bytes);
                return Ok(Admitted::Refused(Refused {
                    stream,
                    ticket,
                    problem,
                }));
            }
        };
        let stamp = &self.intake.stamp;
        let batch = source.batch.get_or_insert_with(|| {
            stamp.received_at().clone_into(&mut source.batched_at);
            self.intake.spare.open(stream)
        });
        let before = batch.bytes();
        batch.push(record, key, number, ticket);
        stamp.mark(batch, &source.batched_at, message.version);
        self.intake.open_bytes += batch.bytes() - before;
        let (rows, bytes) = (batch.rows(), batch.bytes());
        if rows >= self.settings.batch_size_rows || bytes >= self.settings.batch_size_bytes {
            self.intake.open_bytes -= bytes;
            return Ok(Admitted::Taken(source.batch.take()));
        }
        let most = self.settings.batch_size_bytes.saturating_mul(OPEN_BATCHES);
        let over = self.intake.open_bytes > most;
        let oldest = over.then(|| self.intake.close_oldest()).flatten();
        Ok(Admitted::Taken(oldest))
    }

    /// Deals with a record that cannot be carried.
    pub(super) fn take_unreadable(
        &mut self,
        number: u64,
        line: &[u8],
        stream: &str,
        problem: &str,
    ) -> Result<(), RunError> {
        let Some(input) = self.intake.inputs.get(stream) else {
            return Err(before_schema(number, stream));
        };
        let (came, routes) = (Arc::clone(&input.stream), Arc::clone(&input.routes));
        for route in routes.iter() {
            let Some(source) = self.intake.streams.get(&route.stream) else {
                continue;
            };
            self.summary.read(&source.stream, 1, line.len());
            let refused = Refused {
                stream: Arc::clone(&source.stream),
                ticket: self.ledger.admit(),
                problem: problem.to_owned(),
            };
            let content = Content::Line(std::str::from_utf8(line).unwrap_or_default());
            self.refuse(number, refused, &came, content)?;
        }
        Ok(())
    }

    /// A barrier: writes the open batches of all that a stream of the input becomes, and waits
    /// until nothing is in flight.
    pub(super) async fn settle_input(&mut self, input: &str) -> Result<(), RunError> {
        let routes = self.intake.inputs.get(input);
        let routes = routes.map(|input| Arc::clone(&input.routes));
        for route in routes.iter().flat_map(|routes| routes.iter()) {
            let source = self.intake.streams.get_mut(&route.stream);
            if let Some(batch) = source.and_then(|source| source.batch.take()) {
                self.intake.open_bytes -= batch.bytes();
                self.dispatch(batch).await?;
            }
        }
        self.settle_in_flight().await
    }
}

pub(super) fn before_schema(number: u64, stream: &str) -> RunError {
    RunError::input(
        number,
        format!("a RECORD of stream '{stream}' before its SCHEMA"),
    )
}

/// What became of a record.
pub(super) enum Admitted {
    /// It is in the batch of its stream. A batch that must be written now.
    Taken(Option<OpenBatch>),
    Refused(Refused),
}

/// A record that may not be loaded.
pub(super) struct Refused {
    /// The stream that it would have been loaded into.
    pub(super) stream: Arc<Stream>,
    pub(super) ticket: Ticket,
    pub(super) problem: String,
}
