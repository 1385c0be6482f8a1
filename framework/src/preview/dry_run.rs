//! `load --dry-run`: the sink that counts what a load would do.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::{Foreseen, Preview, Swept};
use crate::activation::{Activated, Activation};
use crate::batch::Batch;
use crate::metrics::Summary;
use crate::sink::{Ending, Report, Sink, SinkError};
use crate::stream::Stream;
use crate::stream_end::StreamEnd;

/// What a load would do with a stream: numbers of records.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Forecast {
    pub(crate) created: u64,
    pub(crate) updated: u64,
    pub(crate) unchanged: u64,
    pub(crate) outdated: u64,
    pub(crate) conflicting: u64,
    /// Stored records that a record, a new version of their table or the end of the run deletes.
    pub(crate) deleted: u64,
    /// Records that the filter of a stream map leaves out.
    pub(crate) filtered: u64,
    /// Records that cannot be loaded; `on_invalid_record` says what becomes of them.
    pub(crate) rejected: u64,
}

/// What a load would do, by stream. Clones share it.
#[derive(Debug, Default, Clone)]
pub(crate) struct Forecasts(Arc<Mutex<BTreeMap<String, Forecast>>>);

impl Forecasts {
    /// The forecasts, with what never came as far as the sink.
    pub(crate) fn with(&self, summary: &Summary) -> BTreeMap<String, Forecast> {
        let mut forecasts = self.streams().clone();
        for (stream, counts) in summary.counts() {
            let forecast = forecasts.entry(stream).or_default();
            forecast.filtered = counts.filtered;
            forecast.rejected = counts.rejected;
        }
        forecasts
    }

    fn streams(&self) -> MutexGuard<'_, BTreeMap<String, Forecast>> {
        // Nothing panics between two counts.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, stream: &Stream, count: impl FnOnce(&mut Forecast)) {
        count(self.streams().entry(stream.name().to_owned()).or_default());
    }
}

/// See the module.
pub(crate) struct DryRun<P> {
    pub(crate) preview: P,
    pub(crate) forecasts: Forecasts,
}

impl<P: Preview> Sink for DryRun<P> {
    const ACTIVATES_VERSIONS: bool = true;

    async fn write(&self, batch: &Batch) -> Result<Report, SinkError> {
        let mut report = Report::default();
        let mut counts = Forecast::default();
        for (index, foreseen) in self.preview.foresee(batch).await?.into_iter().enumerate() {
            let (count, total) = match foreseen {
                Foreseen::Created => (&mut counts.created, &mut report.written),
                Foreseen::Updated => (&mut counts.updated, &mut report.written),
                Foreseen::Deleted => (&mut counts.deleted, &mut report.deleted),
                Foreseen::Unchanged => (&mut counts.unchanged, &mut report.unchanged),
                Foreseen::Outdated => (&mut counts.outdated, &mut report.unchanged),
                Foreseen::Conflicting => (&mut counts.conflicting, &mut report.conflicting),
                Foreseen::Rejected(reason) => {
                    report.reject(index, reason);
                    continue;
                }
            };
            *count += 1;
            *total += 1;
        }
        self.forecasts.count(batch.stream(), |all| all.add(&counts));
        Ok(report)
    }

    async fn open_stream(&self, stream: &Arc<Stream>) -> Result<(), SinkError> {
        self.forecasts.count(stream, |_| {});
        self.preview.open_stream(stream).await
    }

    fn takes_null_keys(&self) -> bool {
        self.preview.takes_null_keys()
    }

    async fn activate_version(
        &self,
        stream: &Arc<Stream>,
        activation: &Activation,
    ) -> Result<Activated, SinkError> {
        let Swept { deleted, stored } = self.preview.activate_version(stream, activation).await?;
        activation.check_share(deleted, stored)?;
        self.forecasts.count(stream, |all| all.deleted += deleted);
        Ok(Activated::new(deleted))
    }

    async fn close_stream(&self, stream: &Arc<Stream>, end: &StreamEnd) -> Result<u64, SinkError> {
        let Swept { deleted, stored } = self.preview.close_stream(stream, end).await?;
        end.check_share(deleted, stored)?;
        self.forecasts.count(stream, |all| all.deleted += deleted);
        Ok(deleted)
    }

    async fn close(&self, _: Ending) -> Result<(), SinkError> {
        self.preview.close().await
    }
}

impl Forecast {
    fn add(&mut self, more: &Self) {
        let Self {
            created,
            updated,
            unchanged,
            outdated,
            conflicting,
            deleted,
            filtered: _,
            rejected: _,
        } = more;
        self.created += created;
        self.updated += updated;
        self.unchanged += unchanged;
        self.outdated += outdated;
        self.conflicting += conflicting;
        self.deleted += deleted;
    }
}
