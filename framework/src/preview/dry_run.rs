//! `load --dry-run`: counts what a load would do.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::{Foreseen, Preview, Swept, Tally};
use crate::activation::Activation;
use crate::batch::Batch;
use crate::metrics::Summary;
use crate::sink::{Report, SinkError};
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

impl Tally for Forecasts {
    fn open(&self, stream: &Stream) {
        self.count(stream, |_| {});
    }

    async fn compare<P: Preview>(&self, preview: &P, batch: &Batch) -> Result<Report, SinkError> {
        let mut report = Report::default();
        let mut counts = Forecast::default();
        for (index, foreseen) in preview.foresee(batch).await?.into_iter().enumerate() {
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
        self.count(batch.stream(), |all| all.add(&counts));
        Ok(report)
    }

    fn activate(
        &self,
        stream: &Stream,
        activation: &Activation,
        swept: Swept,
    ) -> Result<u64, SinkError> {
        let Swept { deleted, stored } = swept;
        activation.check_share(deleted, stored)?;
        self.count(stream, |all| all.deleted += deleted);
        Ok(deleted)
    }

    fn close(&self, stream: &Stream, end: &StreamEnd, swept: Swept) -> Result<u64, SinkError> {
        let Swept { deleted, stored } = swept;
        end.check_share(deleted, stored)?;
        self.count(stream, |all| all.deleted += deleted);
        Ok(deleted)
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
