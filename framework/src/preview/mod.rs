//! What a load would do, and whether it has done it: `load --dry-run` and `verify`.
//!
//! Both are runs of the pipeline with another sink at its end: one that compares each record with
//! what the destination holds, and writes nothing. So a record takes the same way as in a load, and
//! what is said of it is true of the load. No STATE is printed.

mod dry_run;
mod rehearsal;
mod verification;

pub(crate) use dry_run::{Forecast, Forecasts};
pub(crate) use rehearsal::{Rehearsal, Tally};
pub(crate) use verification::{Differences, Kind, Verified};

use std::future::Future;
use std::sync::Arc;

use crate::activation::Activation;
use crate::batch::Batch;
use crate::sink::SinkError;
use crate::stream::Stream;
use crate::stream_end::StreamEnd;

/// Compares records with what a destination holds, and changes nothing: what a
/// [`PreviewPlugin`](crate::PreviewPlugin) opens.
///
/// Batches come as they come to a [`Sink`](crate::Sink): never two at once that share a key, and
/// again after [`SinkError::Transient`].
///
/// ```
/// use std::collections::HashMap;
///
/// use singer_target::{Batch, Foreseen, Held, Preview, SinkError};
///
/// /// A table that was read into memory: JSON by key.
/// struct Stored(HashMap<String, String>);
///
/// fn key_and_json(record: singer_target::Record<'_>) -> (String, String) {
///     let key: Vec<String> = record.key().map(|part| part.to_json()).collect();
///     (key.join(","), record.value().to_json())
/// }
///
/// impl Preview for Stored {
///     async fn foresee(&self, batch: &Batch) -> Result<Vec<Foreseen>, SinkError> {
///         let foresee = |record| {
///             let (key, json) = key_and_json(record);
///             match self.0.get(&key) {
///                 None => Foreseen::Created,
///                 Some(stored) if *stored == json => Foreseen::Unchanged,
///                 Some(_) => Foreseen::Updated,
///             }
///         };
///         Ok(batch.records().map(foresee).collect())
///     }
///
///     async fn verify(&self, batch: &Batch) -> Result<Vec<Held>, SinkError> {
///         let verify = |record| {
///             let (key, json) = key_and_json(record);
///             match self.0.get(&key) {
///                 None => Held::missing(key),
///                 Some(stored) if *stored == json => Held::same(key),
///                 Some(_) => Held::different(key),
///             }
///         };
///         Ok(batch.records().map(verify).collect())
///     }
/// }
/// ```
pub trait Preview: Send + Sync + 'static {
    /// Says what a load would make of each record of a batch, in their order.
    ///
    /// # Errors
    /// As for [`Sink::write`](crate::Sink::write).
    fn foresee(
        &self,
        batch: &Batch,
    ) -> impl Future<Output = Result<Vec<Foreseen>, SinkError>> + Send;

    /// Says of each record of a batch, in their order, whether the destination holds what a load of
    /// all records up to it must have left there.
    ///
    /// # Errors
    /// As for [`Sink::write`](crate::Sink::write).
    fn verify(&self, batch: &Batch) -> impl Future<Output = Result<Vec<Held>, SinkError>> + Send;

    /// Called once before the first batch of a stream, and again after its SCHEMA has changed.
    ///
    /// # Errors
    /// Any error ends the run.
    fn open_stream(
        &self,
        stream: &Arc<Stream>,
    ) -> impl Future<Output = Result<(), SinkError>> + Send {
        let _ = stream;
        async { Ok(()) }
    }

    /// As [`Sink::takes_null_keys`](crate::Sink::takes_null_keys).
    fn takes_null_keys(&self) -> bool {
        false
    }

    /// How many stored records [`Sink::activate_version`](crate::Sink::activate_version) would
    /// delete, if the records before it were loaded.
    ///
    /// # Errors
    /// As there, but [`Activation::check_share`] is left to the caller.
    fn activate_version(
        &self,
        stream: &Arc<Stream>,
        activation: &Activation,
    ) -> impl Future<Output = Result<Swept, SinkError>> + Send {
        let _ = (stream, activation);
        async { Ok(Swept::default()) }
    }

    /// How many stored records [`Sink::close_stream`](crate::Sink::close_stream) would remove, if
    /// all records before it were loaded.
    ///
    /// # Errors
    /// As there, but [`StreamEnd::check_share`] is left to the caller.
    fn close_stream(
        &self,
        stream: &Arc<Stream>,
        end: &StreamEnd,
    ) -> impl Future<Output = Result<Swept, SinkError>> + Send {
        let _ = (stream, end);
        async { Ok(Swept::default()) }
    }

    /// Called once at the end.
    ///
    /// # Errors
    /// An error makes the run fail.
    fn close(&self) -> impl Future<Output = Result<(), SinkError>> + Send {
        async { Ok(()) }
    }
}

/// What a load would make of a record. [`Preview`] has an example.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Foreseen {
    /// Nothing is stored under its key.
    Created,
    /// It takes the place of what is stored.
    Updated,
    /// It says that it is gone, and what is stored is removed.
    Deleted,
    /// What is stored is the same, and stays.
    Unchanged,
    /// What is stored is newer, and stays.
    Outdated,
    /// What is stored is neither older nor newer, but other, and stays.
    Conflicting,
    /// The destination cannot take it, for this reason, which holds none of its values.
    Rejected(String),
}

/// Whether the destination holds what a record has left there. [`Preview`] has an example.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Held {
    /// Under this key is what it must be.
    Same(String),
    /// Under this key is something newer, as another run or writer has left it.
    Newer(String),
    /// Under this key is something else that is neither older nor newer, so that a load leaves it.
    Conflicting(String),
    /// Under this key is nothing.
    Missing(String),
    /// Under this key is something else.
    Different(String),
    /// The record says that it is gone, and under this key it still is.
    Remaining(String),
    /// An earlier record of this key is newer, or as new: what was said of that one stands.
    Superseded(String),
    /// The destination cannot hold it, for this reason, which holds none of its values.
    Rejected(String),
}

/// How many stored records of a stream would be deleted by something else than a record.
///
/// ```
/// # use singer_target::Swept;
/// let rows = [1, 2, 2, 3];
/// let old = rows.iter().filter(|version| **version < 3).count();
/// let swept = Swept::new(old as u64, rows.len() as u64);
/// assert_eq!((swept.deleted, swept.stored), (3, 4));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Swept {
    /// Those that would be deleted.
    pub deleted: u64,
    /// All that there are.
    pub stored: u64,
}

impl Swept {
    /// Of the `stored` records, `deleted` would go.
    #[must_use]
    pub fn new(deleted: u64, stored: u64) -> Self {
        Self { deleted, stored }
    }
}

impl Held {
    /// What must be under this key is.
    pub fn same(key: impl Into<String>) -> Self {
        Self::Same(key.into())
    }

    /// Nothing is under this key.
    pub fn missing(key: impl Into<String>) -> Self {
        Self::Missing(key.into())
    }

    /// Something else is under this key.
    pub fn different(key: impl Into<String>) -> Self {
        Self::Different(key.into())
    }
}
