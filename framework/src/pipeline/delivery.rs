//! From the batch to the sink and back: what is in flight, and what came of it.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::task::{Id, JoinError, JoinSet};

use super::Pipeline;
use crate::activation::{Activated, Activation, TABLE_VERSION};
use crate::batch::{Batch, KeysInFlight, OpenBatch};
use crate::config::OnInvalidRecord;
use crate::dead_letter::{Content, DeadLetters, Invalid};
use crate::metrics::Summary;
use crate::plugin::ErasedSink;
use crate::retry::{Delivered, Retry};
use crate::run_error::RunError;
use crate::sink::{Ending, SinkError};
use crate::state::{Ticket, Tickets};
use crate::stream::Stream;
use crate::stream_end::StreamEnd;
use crate::value::{Tape, Value};

/// The batches in flight.
pub(super) struct Delivery {
    sink: Arc<dyn ErasedSink>,
    /// Whether the sink preprocesses records: it is asked for every one.
    preprocesses: bool,
    pub(super) retry: Retry,
    tasks: JoinSet<Result<Delivered, SinkError>>,
    /// The promises of each task's records. They stay here when a task fails, and so states stop.
    tickets: HashMap<Id, Tickets>,
    keys: KeysInFlight,
}

type Done = Result<(Id, Result<Delivered, SinkError>), JoinError>;

impl Delivery {
    pub(super) fn new(sink: Arc<dyn ErasedSink>, retry: Retry) -> Self {
        Self {
            preprocesses: sink.preprocesses(),
            sink,
            retry,
            tasks: JoinSet::new(),
            tickets: HashMap::new(),
            keys: KeysInFlight::default(),
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.tasks.is_empty()
    }

    /// The next batch that is done. Cancel-safe. Waits for ever if nothing is in flight.
    pub(super) async fn next(&mut self) -> Done {
        match self.tasks.join_next_with_id().await {
            Some(done) => done,
            None => std::future::pending().await,
        }
    }

    /// Whether `batch` must wait for one in flight.
    fn must_wait(&self, batch: &Batch) -> bool {
        self.tasks.len() >= self.sink.concurrency() || self.keys.conflicts(batch)
    }

    fn start(&mut self, batch: Batch, tickets: Tickets, summary: &Summary) {
        self.keys.insert(&batch);
        let retry = self.retry.clone();
        let sink = Arc::clone(&self.sink);
        let summary = summary.clone();
        let task = self
            .tasks
            .spawn(async move { retry.write(sink, batch, &summary).await });
        self.tickets.insert(task.id(), tickets);
    }

    pub(super) fn preprocesses(&self) -> bool {
        self.preprocesses
    }

    /// What the sink writes in the place of a record, if it does.
    pub(super) fn preprocess(
        &self,
        stream: &Stream,
        record: Value<'_>,
        into: &mut Tape,
    ) -> Result<bool, String> {
        self.sink.preprocess(stream, record, into)
    }

    /// The sink's own check of a record.
    pub(super) fn validate(&self, stream: &Stream, record: Value<'_>) -> Result<(), String> {
        self.sink.validate(stream, record)
    }

    pub(super) fn takes_null_keys(&self) -> bool {
        self.sink.takes_null_keys()
    }

    /// Lets the sink prepare for a stream.
    pub(super) async fn open_stream(&self, stream: &Arc<Stream>) -> Result<(), SinkError> {
        let what = || format!("stream '{}'", stream.name());
        self.insist(what, async || self.sink.open_stream(stream).await)
            .await
    }

    pub(super) fn activates_versions(&self) -> bool {
        self.sink.activates_versions()
    }

    /// Lets the sink delete what is of an older version.
    pub(super) async fn activate_version(
        &self,
        stream: &Arc<Stream>,
        activation: &Activation,
    ) -> Result<Activated, SinkError> {
        let (name, version) = (stream.name(), activation.version());
        let what = || format!("stream '{name}': activating version {version}");
        let attempt = async || self.sink.activate_version(stream, activation).await;
        self.insist(what, attempt).await
    }

    /// Lets the sink keep records that cannot be loaded.
    pub(super) async fn write_dead_letters(&self, letters: &DeadLetters) -> Result<(), SinkError> {
        let what = || format!("stream '{}': its dead letters", letters.stream().name());
        let attempt = async || self.sink.write_dead_letters(letters).await;
        self.insist(what, attempt).await
    }

    /// Tries until it succeeds, fails for good, or `max_retry_seconds` have passed.
    async fn insist<T>(
        &self,
        what: impl Fn() -> String,
        attempt: impl AsyncFn() -> Result<T, SinkError>,
    ) -> Result<T, SinkError> {
        let mut pauses = self.retry.pauses();
        loop {
            match attempt().await {
                Err(error @ SinkError::Transient(_)) => {
                    let shutdown = &self.retry.shutdown;
                    pauses.wait(shutdown, &what(), error).await?;
                }
                outcome => return outcome,
            }
        }
    }

    /// Lets the sink end a stream. Returns how many stored records it has removed.
    pub(super) async fn close_stream(
        &self,
        stream: &Arc<Stream>,
        end: &StreamEnd,
    ) -> Result<u64, SinkError> {
        let what = || format!("the end of stream '{}'", stream.name());
        let attempt = async || self.sink.close_stream(stream, end).await;
        self.insist(what, attempt).await
    }

    pub(super) async fn close(&self, ending: Ending) -> Result<(), SinkError> {
        self.sink.close(ending).await
    }
}

impl Pipeline {
    /// Gives a batch to the sink, once there is room and none of its keys is in flight.
    pub(super) async fn dispatch(&mut self, open: OpenBatch) -> Result<(), RunError> {
        let bytes = open.bytes_read();
        let (batch, tickets) = open.close();
        self.summary.read(batch.stream(), batch.len(), bytes);
        while self.delivery.must_wait(&batch) {
            let due = self.emitter.due();
            tokio::select! {
                done = self.delivery.next() => self.settle(done)?,
                () = super::sleep_until(due), if due.is_some() => {}
            }
            self.collect_state();
            self.emitter.print_due()?;
        }
        self.delivery.start(batch, tickets, &self.summary);
        Ok(())
    }

    /// Gives the batches to the sink that have waited for `batch_wait_limit_seconds`.
    pub(super) async fn dispatch_old(&mut self) -> Result<(), RunError> {
        let wait = self.batch_wait();
        while let Some(batch) = self.intake.close_older_than(wait) {
            self.dispatch(batch).await?;
        }
        Ok(())
    }

    /// Settles the records of a batch that is done.
    pub(super) fn settle(&mut self, done: Done) -> Result<(), RunError> {
        let (id, delivered) = done
            // Not the error itself: the text of a panic may hold anything.
            .map_err(|_| RunError::Internal("a write ended unexpectedly".to_owned()))?;
        let delivered = delivered?;
        self.delivery.keys.remove(&delivered.batch);
        self.summary.delivered(&delivered);
        let Some(mut tickets) = self.delivery.tickets.remove(&id) else {
            return Err(RunError::Internal("a batch was settled twice".to_owned()));
        };
        // Rejected records settle one by one, so that a first one which ends the run stops only
        // the states behind it.
        let indexes = delivered.rejected.iter().map(|rejection| rejection.index);
        let rejected = tickets.take(indexes);
        self.ledger.settle(tickets);
        for (rejection, ticket) in delivered.rejected.iter().zip(rejected) {
            let record = delivered.batch.record(rejection.index);
            let invalid = Invalid {
                stream: delivered.batch.stream(),
                content: Content::Record {
                    record: record.value(),
                    time_extracted: None,
                    version: record.get(TABLE_VERSION),
                },
                line: record.line(),
                reason: &rejection.reason,
            };
            self.reject(&invalid, ticket)?;
        }
        self.intake.spare.keep(delivered.batch);
        Ok(())
    }

    /// Does with a record that cannot be loaded what `on_invalid_record` says.
    pub(super) fn reject(&mut self, invalid: &Invalid<'_>, ticket: Ticket) -> Result<(), RunError> {
        self.reject_of(invalid.stream, invalid, ticket)
    }

    /// The same for a record that was to be loaded into `stream`, which is not the one it came in.
    pub(super) fn reject_of(
        &mut self,
        stream: &Arc<Stream>,
        invalid: &Invalid<'_>,
        ticket: Ticket,
    ) -> Result<(), RunError> {
        let Invalid { line, reason, .. } = *invalid;
        let name = stream.name();
        self.summary.rejected(stream);
        match (self.settings.on_invalid_record, &mut self.dead_letter) {
            (OnInvalidRecord::Skip, _) => {
                self.summary.skipped(stream);
                tracing::warn!("line {line}: stream '{name}': record skipped: {reason}");
                self.ledger.settle(ticket);
            }
            (OnInvalidRecord::DeadLetter, Some(dead_letter)) => {
                self.summary.dead_lettered(stream);
                tracing::warn!(
                    "line {line}: stream '{name}': record put into the dead letter: {reason}"
                );
                dead_letter.push(invalid, ticket);
            }
            _ => {
                let problem = format!(
                    "stream '{name}': invalid record: {reason} (setting on_invalid_record: fail)"
                );
                return Err(RunError::input(line, problem));
            }
        }
        Ok(())
    }
}
