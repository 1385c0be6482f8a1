//! From a line to the open batch of its stream.

use std::sync::Arc;

use super::super::Pipeline;
use super::super::admission::{Rules, check, preprocess};
use super::OPEN_BATCHES;
use crate::batch::OpenBatch;
use crate::dead_letter::{Content, Invalid};
use crate::message::{self, Message, RecordMessage};
use crate::reader;
use crate::run_error::RunError;
use crate::state::Ticket;
use crate::stream::Stream;
use crate::value::Tape;

impl Pipeline {
    /// Takes in one line.
    pub(in super::super) async fn take_line(
        &mut self,
        number: u64,
        line: &[u8],
    ) -> Result<(), RunError> {
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
    pub(in super::super) async fn take_record(
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
    pub(in super::super) fn admit(
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
    pub(in super::super) fn refuse(
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
    pub(in super::super) fn try_admit(
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
    pub(in super::super) fn take_unreadable(
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
    pub(in super::super) async fn settle_input(&mut self, input: &str) -> Result<(), RunError> {
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

pub(in super::super) fn before_schema(number: u64, stream: &str) -> RunError {
    RunError::input(
        number,
        format!("a RECORD of stream '{stream}' before its SCHEMA"),
    )
}

/// What became of a record.
pub(in super::super) enum Admitted {
    /// It is in the batch of its stream. A batch that must be written now.
    Taken(Option<OpenBatch>),
    Refused(Refused),
}

/// A record that may not be loaded.
pub(in super::super) struct Refused {
    /// The stream that it would have been loaded into.
    pub(in super::super) stream: Arc<Stream>,
    pub(in super::super) ticket: Ticket,
    pub(in super::super) problem: String,
}
