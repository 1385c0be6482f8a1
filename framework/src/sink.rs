//! The sink: where batches go. The one trait that an author of a target must implement.
//!
//! A sink never sees tickets or states. It says of every record what became of it, and the return
//! value is the acknowledgement: so no sink can acknowledge by mistake, only by lying.

use std::future::Future;
use std::sync::Arc;

use crate::batch::Batch;
use crate::error::BoxError;
use crate::stream::Stream;

/// Writes batches to a destination.
///
/// # Order
/// The pipeline keeps at most [`concurrency`](Self::concurrency) batches in flight and never two
/// that share a key. Within a batch a key may occur more than once: the sink must leave the last
/// one standing.
///
/// # Retrying
/// The same batch, or a part of it, may be written again after [`SinkError::Transient`] or for
/// [`Report::unsettled`] records. A sink must therefore accept that a record is already there.
pub trait Sink: Send + Sync + 'static {
    /// Writes a batch.
    ///
    /// `Ok`: of every record the report tells what became of it, and those it counts as written
    /// are durable. `Err`: nothing is promised of any record.
    ///
    /// # Errors
    /// [`SinkError::Transient`] is retried with backoff, every other error ends the run.
    fn write(&self, batch: &Batch) -> impl Future<Output = Result<Report, SinkError>> + Send;

    /// Called once before the first batch of a stream, and again after its SCHEMA has changed and
    /// all its earlier records are settled.
    ///
    /// # Errors
    /// Any error ends the run before a record of the stream is written.
    fn open_stream(
        &self,
        stream: &Arc<Stream>,
    ) -> impl Future<Output = Result<(), SinkError>> + Send {
        let _ = stream;
        async { Ok(()) }
    }

    /// How many batches may be in flight at once. One, the default, keeps all batches in order.
    fn concurrency(&self) -> usize {
        1
    }

    /// Called once at the end, when no batch is in flight. The last STATE is printed only if this
    /// succeeds.
    ///
    /// # Errors
    /// An error makes the run fail.
    fn close(&self) -> impl Future<Output = Result<(), SinkError>> + Send {
        async { Ok(()) }
    }
}

/// What became of the records of a batch. Its numbers must add up to the batch's length: a record
/// that a sink forgets is an error, never a loss.
#[derive(Debug, Default)]
pub struct Report {
    /// Records that are durably stored.
    pub written: usize,
    /// Records that were not needed, since what is stored is equal or newer.
    pub unchanged: usize,
    /// Records that the destination can never take; `on_invalid_record` decides what happens.
    pub rejected: Vec<Rejection>,
    /// Indexes, in any order, of records of which nothing is known yet. They are written again, and
    /// with them every later record of the batch with the same key.
    pub unsettled: Vec<usize>,
    /// Why some are unsettled.
    pub cause: Option<BoxError>,
}

/// A record that the destination can never take.
#[derive(Debug, Clone)]
pub struct Rejection {
    /// The record's index in the batch.
    pub index: usize,
    /// What is wrong with it, without its values.
    pub reason: String,
}

impl Report {
    /// All records of `batch` are durably stored.
    #[must_use]
    pub fn all_written(batch: &Batch) -> Self {
        Self {
            written: batch.len(),
            ..Self::default()
        }
    }

    pub(crate) fn total(&self) -> usize {
        self.written + self.unchanged + self.rejected.len() + self.unsettled.len()
    }
}

/// Why a sink could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// May work when tried again: retried within `max_retry_seconds`.
    #[error("{0}")]
    Transient(BoxError),
    /// Will not work when tried again. The run fails with exit code 1.
    #[error("{0}")]
    Permanent(BoxError),
    /// The destination cannot be reached or does not allow it. Exit code 3.
    #[error("{0}")]
    Unavailable(BoxError),
    /// A setting is wrong in a way that only shows when it is used. Exit code 2.
    #[error("{0}")]
    Config(BoxError),
}

impl SinkError {
    /// An error that may pass.
    pub fn transient(error: impl Into<BoxError>) -> Self {
        Self::Transient(error.into())
    }

    /// An error that stays.
    pub fn permanent(error: impl Into<BoxError>) -> Self {
        Self::Permanent(error.into())
    }

    /// A destination out of reach, or one that refuses us.
    pub fn unavailable(error: impl Into<BoxError>) -> Self {
        Self::Unavailable(error.into())
    }

    /// A wrong setting.
    pub fn config(error: impl Into<BoxError>) -> Self {
        Self::Config(error.into())
    }
}
