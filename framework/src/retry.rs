//! Writing a batch until every record of it is settled.
//!
//! Transient errors and unsettled records are tried again with growing, jittered pauses, within
//! `max_retry_seconds` of the first failure in a row. A batch that makes progress starts anew.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::time::Instant;

use crate::batch::Batch;
use crate::config::TargetSettings;
use crate::metrics::Summary;
use crate::plugin::ErasedSink;
use crate::shutdown::Shutdown;
use crate::sink::{Rejection, Report, SinkError};

/// How long and how often to try again.
#[derive(Debug, Clone)]
pub(crate) struct Retry {
    pub(crate) max: Duration,
    /// The first pause; each further one is twice as long.
    pub(crate) pause: Duration,
    pub(crate) shutdown: Shutdown,
}

/// The first pause of a run.
const PAUSE: Duration = Duration::from_millis(50);

/// A batch of which every record is settled.
#[derive(Debug)]
pub(crate) struct Delivered {
    pub(crate) batch: Batch,
    pub(crate) written: usize,
    pub(crate) unchanged: usize,
    pub(crate) conflicting: usize,
    pub(crate) deleted: usize,
    pub(crate) rejected: Vec<Rejection>,
    /// How long it took, pauses included.
    pub(crate) elapsed: Duration,
}

impl Retry {
    /// As the settings say, until the run ends.
    pub(crate) fn new(settings: &TargetSettings, shutdown: &Shutdown) -> Self {
        Self {
            max: Duration::from_secs_f64(settings.max_retry_seconds),
            pause: PAUSE,
            shutdown: shutdown.clone(),
        }
    }

    /// Writes `batch` with as many attempts as it takes. Those after the first are counted at once:
    /// a batch that is given up had them, too.
    pub(crate) async fn write(
        &self,
        sink: Arc<dyn ErasedSink>,
        batch: Batch,
        summary: &Summary,
    ) -> Result<Delivered, SinkError> {
        let mut done = Delivered {
            batch: batch.clone(),
            written: 0,
            unchanged: 0,
            conflicting: 0,
            deleted: 0,
            rejected: Vec::new(),
            elapsed: Duration::ZERO,
        };
        let began = Instant::now();
        let mut pauses = self.pauses();
        let mut current = batch;
        // Where the records of `current` are in the first batch.
        let mut origin: Vec<usize> = (0..current.len()).collect();
        loop {
            let (open, cause) = match sink.write(&current).await {
                Ok(mut report) => {
                    check(&report, &current)?;
                    let open = with_later_equals(&current, &report.unsettled);
                    let cause = report.cause.take().map_or_else(
                        || SinkError::transient("the destination did not confirm every record"),
                        SinkError::Transient,
                    );
                    // Records that are written again although they were stored count once.
                    let rejected_again = |it: &&Rejection| open.contains(&it.index);
                    let again = open.len()
                        - report.unsettled.len()
                        - report.rejected.iter().filter(rejected_again).count();
                    report.unsettle_some(again);
                    done.written += report.written;
                    done.unchanged += report.unchanged;
                    done.conflicting += report.conflicting;
                    done.deleted += report.deleted;
                    done.rejected.extend(
                        report
                            .rejected
                            .into_iter()
                            .filter(|it| !open.contains(&it.index))
                            .map(|it| Rejection::new(origin[it.index], it.reason)),
                    );
                    if open.len() < current.len() {
                        pauses = self.pauses();
                    }
                    (open, cause)
                }
                Err(error @ SinkError::Transient(_)) => ((0..current.len()).collect(), error),
                Err(error) => return Err(error),
            };
            if open.is_empty() {
                done.elapsed = began.elapsed();
                return Ok(done);
            }
            pauses
                .wait(
                    &self.shutdown,
                    &format!("stream '{}'", current.stream().name()),
                    cause,
                )
                .await?;
            summary.retried(current.stream());
            current = current.retry(&open);
            origin = open.iter().map(|index| origin[*index]).collect();
        }
    }

    /// The pauses after failures in a row.
    pub(crate) fn pauses(&self) -> Pauses {
        Pauses {
            backoff: ExponentialBuilder::default()
                .with_min_delay(self.pause)
                .with_max_delay(Duration::from_secs(5))
                .with_factor(2.0)
                .without_max_times()
                .with_jitter()
                .build(),
            max: self.max,
            since: None,
        }
    }
}

/// The pauses after failures in a row, and when to stop trying.
pub(crate) struct Pauses {
    backoff: backon::ExponentialBackoff,
    max: Duration,
    since: Option<Instant>,
}

impl Pauses {
    /// Waits before the next attempt, or returns `cause` when there should be none.
    pub(crate) async fn wait(
        &mut self,
        shutdown: &Shutdown,
        what: &str,
        cause: SinkError,
    ) -> Result<(), SinkError> {
        let since = *self.since.get_or_insert_with(Instant::now);
        let pause = self.backoff.next().unwrap_or(self.max);
        let text = cause.to_string();
        if shutdown.requested() {
            return Err(SinkError::permanent(format!(
                "{what}: {text}; not tried again, since the run is ending"
            )));
        }
        if since.elapsed() + pause > self.max {
            return Err(SinkError::permanent(format!(
                "{what}: {text}; given up after {:.0} s (setting max_retry_seconds)",
                since.elapsed().as_secs_f64()
            )));
        }
        tracing::warn!(
            "{what}: {text}; trying again in {:.1} s",
            pause.as_secs_f64()
        );
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shutdown.wait() => {}
        }
        Ok(())
    }
}

/// A sink that forgets a record must not lose it.
pub(crate) fn check(report: &Report, batch: &Batch) -> Result<(), SinkError> {
    let mut indexes = HashSet::new();
    let sound = report.total() == batch.len()
        && report
            .unsettled
            .iter()
            .chain(report.rejected.iter().map(|rejection| &rejection.index))
            .all(|index| *index < batch.len() && indexes.insert(*index));
    if sound {
        return Ok(());
    }
    Err(SinkError::permanent(format!(
        "internal error: the sink's report of a batch of {} records tells of {}; please report it",
        batch.len(),
        report.total()
    )))
}

/// The unsettled records, and all later ones with a key of theirs: an older value that is written
/// again must be followed by the newer one.
pub(crate) fn with_later_equals(batch: &Batch, unsettled: &[usize]) -> Vec<usize> {
    // The sink may name them in any order; missing one would lose it.
    let Some(&first) = unsettled.iter().min() else {
        return Vec::new();
    };
    let unsettled: HashSet<usize> = unsettled.iter().copied().collect();
    let mut keys = HashSet::new();
    (first..batch.len())
        .filter(|index| {
            let key = batch.key_hash(*index);
            (unsettled.contains(index) && {
                keys.insert(key);
                true
            }) || keys.contains(&key)
        })
        .collect()
}

#[cfg(test)]
mod tests;
