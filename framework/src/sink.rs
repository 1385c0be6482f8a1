//! The sink: where batches go. The one trait that an author of a target must implement.
//!
//! A sink never sees tickets or states. It says of every record what became of it, and the return
//! value is the acknowledgement: so no sink can acknowledge by mistake, only by lying.

use std::future::Future;
use std::sync::Arc;

use crate::activation::{Activated, Activation};
use crate::batch::Batch;
use crate::dead_letter::DeadLetters;
use crate::error::{BoxError, with_causes};
use crate::stream::Stream;
use crate::stream_end::StreamEnd;
use crate::value::{Tape, Value};

/// Writes batches to a destination.
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::Mutex;
///
/// use singer_target::{Batch, Report, Sink, SinkError};
///
/// /// Keeps the newest record of each key in memory.
/// #[derive(Default)]
/// struct Table(Mutex<HashMap<String, String>>);
///
/// impl Sink for Table {
///     async fn write(&self, batch: &Batch) -> Result<Report, SinkError> {
///         let mut table = self.0.lock().map_err(|_| SinkError::permanent("a write panicked"))?;
///         let mut report = Report::default();
///         for (index, record) in batch.records().enumerate() {
///             let value = record.value().to_json();
///             if value.len() > 1_000_000 {
///                 report.reject(index, "larger than 1,000,000 bytes");
///                 continue;
///             }
///             let key: Vec<String> = record.key().map(|part| part.to_json()).collect();
///             table.insert(key.join(","), value);
///             report.written += 1;
///         }
///         Ok(report)
///     }
/// }
/// ```
///
/// The feature `conformance` of this crate brings a kit that checks whether a sink keeps the
/// contract described here.
///
/// # Order
/// The pipeline keeps at most [`concurrency`](Self::concurrency) batches in flight and never two
/// that share a key. Within a batch a key may occur more than once: the sink must leave the last
/// one standing.
///
/// # Retrying
/// The same batch, or a part of it, may be written again after [`SinkError::Transient`] or for
/// [`Report::unsettled`] records. A sink must therefore accept that a record is already there.
/// [`Batch::attempt`] tells, within one run; a later run writes everything behind the last STATE
/// again with attempt 0.
///
/// What a failed write has left half-written is the sink's to remove.
///
/// # Being dropped
/// The future of a write may be dropped at any `await`, and the same batch written again. What is
/// stored by then must be whole records, and no lock or half a request may outlive it.
///
/// # Blocking
/// All of a run but reading and printing shares one thread. A write that blocks it for longer than
/// a few milliseconds holds up the batches beside it: use `tokio::task::spawn_blocking` then.
///
/// # Hanging
/// Nothing but the sink limits how long a write may take: one that waits for ever stops the run. A
/// sink should return [`SinkError::Transient`] when its destination has not answered for long.
pub trait Sink: Send + Sync + 'static {
    /// Whether [`activate_version`](Self::activate_version) is implemented.
    const ACTIVATES_VERSIONS: bool = false;

    /// Whether [`preprocess`](Self::preprocess) is implemented.
    const PREPROCESSES: bool = false;

    /// Writes a batch. What has to be done at its start and at its end is done here;
    /// [`Batch::attempt`] tells whether it is the first time.
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

    /// Writes to `into` what takes the place of a record, and returns `true`; or `false`, if the
    /// record stays as it is. It is called for each record that its schema allows, and what it makes
    /// joins a batch; `_sdc_*` columns are added after it. A sink that implements it sets
    /// [`PREPROCESSES`](Self::PREPROCESSES).
    ///
    /// The same record must always become the same: after a failure the tap sends it again.
    ///
    /// # Errors
    /// What is wrong with the record, without its values: it is invalid then.
    fn preprocess(
        &self,
        stream: &Stream,
        record: Value<'_>,
        into: &mut Tape,
    ) -> Result<bool, String> {
        let _ = (stream, record, into);
        Ok(false)
    }

    /// Checks a record, as it would be written, beyond what its schema says, before it joins a batch. A record that fails is
    /// dealt with as `on_invalid_record` says.
    ///
    /// # Errors
    /// What is wrong with the record, without its values.
    fn validate(&self, stream: &Stream, record: Value<'_>) -> Result<(), String> {
        let _ = (stream, record);
        Ok(())
    }

    /// How many batches may be in flight at once. One, the default, keeps all batches in order.
    fn concurrency(&self) -> usize {
        1
    }

    /// Whether this sink can tell a record whose key property is null from all others. If not, the
    /// default, such a record is invalid and never reaches it.
    fn takes_null_keys(&self) -> bool {
        false
    }

    /// Deletes what is stored of an older version of a stream's table: each stored record that
    /// [`Activation::deletes`] says, and no other.
    ///
    /// Called when all earlier records of the stream are settled and none is in flight. A sink that
    /// implements it sets [`ACTIVATES_VERSIONS`](Self::ACTIVATES_VERSIONS); for others, the message
    /// is ignored with a warning.
    ///
    /// # Errors
    /// After [`SinkError::Transient`] it is called again, so what was deleted before must not
    /// matter. Any other error ends the run before a later STATE.
    fn activate_version(
        &self,
        stream: &Arc<Stream>,
        activation: &Activation,
    ) -> impl Future<Output = Result<Activated, SinkError>> + Send {
        let _ = (stream, activation);
        async { Err(SinkError::permanent("this sink deletes no older versions")) }
    }

    /// Called once for each stream at the end of a run, however that ends, when no batch is in
    /// flight: the place to clean up what [`open_stream`](Self::open_stream) has set up, or to
    /// remove what the run has not written from a table that it replaces. Returns how many stored
    /// records were removed.
    ///
    /// # Errors
    /// After [`SinkError::Transient`] it is called again. Any error makes the run fail, and no
    /// later STATE is printed.
    fn close_stream(
        &self,
        stream: &Arc<Stream>,
        end: &StreamEnd,
    ) -> impl Future<Output = Result<u64, SinkError>> + Send {
        let _ = (stream, end);
        async { Ok(0) }
    }

    /// Keeps records that could not be loaded where
    /// [`SinkPlugin::DEAD_LETTER_SETTING`](crate::SinkPlugin::DEAD_LETTER_SETTING) says, apart from
    /// all others. What is kept must be Singer messages: a RECORD of `letters` after their SCHEMA.
    ///
    /// Called between batches while others are in flight, only if that setting is set.
    ///
    /// # Errors
    /// `Ok` says that all of them are durable, and a later STATE may say so. After
    /// [`SinkError::Transient`] it is called again with the same; any other error ends the run.
    fn write_dead_letters(
        &self,
        letters: &DeadLetters,
    ) -> impl Future<Output = Result<(), SinkError>> + Send {
        let _ = letters;
        async { Err(SinkError::permanent("this sink keeps no dead letters")) }
    }

    /// Called once at the end, when no batch is in flight. The last STATE is printed only if this
    /// succeeds.
    ///
    /// # Errors
    /// An error makes the run fail.
    fn close(&self, ending: Ending) -> impl Future<Output = Result<(), SinkError>> + Send {
        let _ = ending;
        async { Ok(()) }
    }
}

/// How a run ended, for [`Sink::close`].
///
/// ```
/// # use singer_target::{Batch, Ending, Report, Sink, SinkError};
/// # struct Files;
/// # impl Files {
/// #     fn forget_what_was_resumed(&self) -> Result<(), SinkError> { Ok(()) }
/// # }
/// impl Sink for Files {
///     # async fn write(&self, batch: &Batch) -> Result<Report, SinkError> {
///     #     Ok(Report::all_written(batch))
///     # }
///     async fn close(&self, ending: Ending) -> Result<(), SinkError> {
///         match ending {
///             // Nothing is sent again after this: the journal has done its work.
///             Ending::Complete => self.forget_what_was_resumed(),
///             _ => Ok(()),
///         }
///     }
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// All of the input was read and all of it is settled.
    Complete,
    /// A signal, a bad line or a failure ended the run. The tap will send again what comes after
    /// the last STATE, so that a sink should keep what it needs to know it again.
    Early,
}

/// What became of the records of a batch. Its numbers must add up to the batch's length: a record
/// that a sink forgets is an error, never a loss.
///
/// ```
/// # use singer_target::Report;
/// // Of four records two are stored, one is too large, and one got no answer: that one is written
/// // again.
/// let mut report = Report::default();
/// report.written += 2;
/// report.reject(1, "larger than 1,000,000 bytes");
/// report.unsettle(3, "no answer after 5 s");
/// # assert_eq!((report.rejected[0].index, &report.unsettled[..]), (1, &[3][..]));
/// ```
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// Records that are durably stored.
    pub written: usize,
    /// Records that were not needed, since what is stored is equal or newer.
    pub unchanged: usize,
    /// Records that lost a tie: what is stored has other data, is neither older nor newer, and
    /// stays. Users want to know of them, since their source changes records without a new
    /// replication key. A sink that cannot tell counts them as unchanged.
    pub conflicting: usize,
    /// Records that say that they are gone, and for which what was stored was removed.
    pub deleted: usize,
    /// Records that the destination can never take; `on_invalid_record` decides what happens.
    pub rejected: Vec<Rejection>,
    /// Indexes, in any order, of records of which nothing is known yet. They are written again, and
    /// with them every later record of the batch with the same key.
    pub unsettled: Vec<usize>,
    /// Why some are unsettled.
    pub cause: Option<BoxError>,
}

/// A record that the destination can never take: see [`Report::reject`].
///
/// ```
/// # use singer_target::{Rejection, Report};
/// let mut report = Report::default();
/// report.rejected = [1, 4].map(|index| Rejection::new(index, "larger than 1 MB")).into();
/// assert_eq!(report.rejected[1].index, 4);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejection {
    /// The record's index in the batch.
    pub index: usize,
    /// What is wrong with it, without its values.
    pub reason: String,
}

impl Rejection {
    /// The record at `index`, and what is wrong with it.
    pub fn new(index: usize, reason: impl Into<String>) -> Self {
        Self {
            index,
            reason: reason.into(),
        }
    }
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

    /// The destination can never take the record at `index`. The reason must not hold the record's
    /// values, since it is logged.
    pub fn reject(&mut self, index: usize, reason: impl Into<String>) {
        self.rejected.push(Rejection::new(index, reason));
    }

    /// Nothing is known of the record at `index`, for this cause: it is written again.
    pub fn unsettle(&mut self, index: usize, cause: impl Into<BoxError>) {
        self.unsettled.push(index);
        self.cause.get_or_insert_with(|| cause.into());
    }

    pub(crate) fn total(&self) -> usize {
        let settled = self.written + self.unchanged + self.conflicting + self.deleted;
        settled + self.rejected.len() + self.unsettled.len()
    }

    /// Takes `records` away from those that are settled, since they are written again. A report
    /// does not name them: most likely they were written.
    pub(crate) fn unsettle_some(&mut self, mut records: usize) {
        for count in [
            &mut self.written,
            &mut self.deleted,
            &mut self.unchanged,
            &mut self.conflicting,
        ] {
            let taken = records.min(*count);
            *count -= taken;
            records -= taken;
        }
    }
}

/// Why a sink could not do what it was asked. Its text is that of the error and of its causes; it
/// is logged, so it must not hold a record's values or a secret.
///
/// ```
/// # use singer_target::SinkError;
/// # use std::io;
/// fn why(error: io::Error) -> SinkError {
///     match error.kind() {
///         io::ErrorKind::TimedOut | io::ErrorKind::ConnectionReset => SinkError::transient(error),
///         io::ErrorKind::PermissionDenied => SinkError::unavailable(error),
///         _ => SinkError::permanent(error),
///     }
/// }
/// # assert!(matches!(why(io::ErrorKind::TimedOut.into()), SinkError::Transient(_)));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// May work when tried again: retried within `max_retry_seconds`.
    #[error("{}", with_causes(&**.0))]
    Transient(BoxError),
    /// Will not work when tried again. The run fails with exit code 1.
    #[error("{}", with_causes(&**.0))]
    Permanent(BoxError),
    /// The destination cannot be reached or does not allow it. Exit code 3.
    #[error("{}", with_causes(&**.0))]
    Unavailable(BoxError),
    /// A setting is wrong in a way that only shows when it is used. Exit code 2.
    #[error("{}", with_causes(&**.0))]
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
