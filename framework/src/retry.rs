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
    pub(crate) retries: usize,
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

    /// Writes `batch` with as many attempts as it takes.
    pub(crate) async fn write(
        &self,
        sink: Arc<dyn ErasedSink>,
        batch: Batch,
    ) -> Result<Delivered, SinkError> {
        let mut done = Delivered {
            batch: batch.clone(),
            written: 0,
            unchanged: 0,
            conflicting: 0,
            deleted: 0,
            rejected: Vec::new(),
            retries: 0,
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
            done.retries += 1;
            pauses
                .wait(
                    &self.shutdown,
                    &format!("stream '{}'", current.stream().name()),
                    cause,
                )
                .await?;
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
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;

    use proptest::prelude::*;

    use super::*;
    use crate::batch::OpenBatch;
    use crate::sink::Sink;
    use crate::state::Ledger;
    use crate::stream::Stream;
    use crate::validate::Validator;
    use crate::value::Tape;

    /// Answers each write as told, and remembers which records it was given.
    #[derive(Default)]
    struct Scripted {
        answers: Mutex<VecDeque<Result<Report, SinkError>>>,
        seen: Mutex<Vec<(u32, Vec<String>)>>,
    }

    impl Sink for Scripted {
        async fn write(&self, batch: &Batch) -> Result<Report, SinkError> {
            let records = batch
                .records()
                .map(|record| record.value().to_json())
                .collect();
            self.seen
                .lock()
                .expect("not poisoned")
                .push((batch.attempt(), records));
            let answer = self.answers.lock().expect("not poisoned").pop_front();
            answer.unwrap_or_else(|| Ok(Report::all_written(batch)))
        }
    }

    /// Records whose keys are the given numbers.
    fn batch(keys: &[u64]) -> Batch {
        let schema = serde_json::json!({});
        let validator = Validator::new(&schema).expect("valid");
        let mut open = OpenBatch::new(
            Stream::new("s".into(), schema, vec![], vec![], validator),
            Tape::new(),
        );
        let mut ledger = Ledger::default();
        for (line, key) in keys.iter().enumerate() {
            let record = Tape::parsed(&format!("{{\"n\":{line}}}"));
            open.push(
                record.root().expect("a value"),
                *key,
                line as u64,
                ledger.admit(),
            );
        }
        open.close().0
    }

    async fn write(
        keys: &[u64],
        answers: Vec<Result<Report, SinkError>>,
    ) -> (Result<Delivered, SinkError>, Vec<(u32, Vec<String>)>) {
        let sink = Arc::new(Scripted {
            answers: Mutex::new(answers.into()),
            seen: Mutex::default(),
        });
        let retry = Retry {
            max: Duration::from_secs(60),
            pause: PAUSE,
            shutdown: Shutdown::new(),
        };
        let outcome = retry.write(sink.clone(), batch(keys)).await;
        let seen = std::mem::take(&mut *sink.seen.lock().expect("not poisoned"));
        (outcome, seen)
    }

    fn records(numbers: &[usize]) -> Vec<String> {
        numbers.iter().map(|n| format!("{{\"n\":{n}}}")).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn only_unsettled_records_are_written_again_with_later_ones_of_their_key() {
        let first = Report {
            written: 2,
            unsettled: vec![1, 3],
            rejected: vec![Rejection::new(0, "too large")],
            ..Report::default()
        };
        let second = Report {
            written: 2,
            rejected: vec![Rejection::new(2, "odd")],
            ..Report::default()
        };
        let (outcome, seen) = write(&[1, 2, 3, 4, 2], vec![Ok(first), Ok(second)]).await;
        assert_eq!(
            seen,
            [(0, records(&[0, 1, 2, 3, 4])), (1, records(&[1, 3, 4]))]
        );
        let done = outcome.expect("delivered");
        assert_eq!((done.written, done.unchanged, done.retries), (3, 0, 1));
        let rejected: Vec<_> = done.rejected.iter().map(|it| it.index).collect();
        assert_eq!(rejected, [0, 4]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_rejection_that_is_repeated_takes_nothing_from_what_was_written() {
        let rejected = |index| Rejection::new(index, "odd");
        let first = Report {
            written: 1,
            unsettled: vec![1],
            rejected: vec![rejected(2)],
            ..Report::default()
        };
        let second = Report {
            written: 1,
            rejected: vec![rejected(1)],
            ..Report::default()
        };
        let (outcome, _) = write(&[1, 2, 2], vec![Ok(first), Ok(second)]).await;
        let done = outcome.expect("delivered");
        assert_eq!((done.written, done.rejected.len()), (2, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn unsettled_records_may_be_named_in_any_order() {
        let first = Report {
            written: 2,
            unsettled: vec![3, 1],
            ..Report::default()
        };
        let (outcome, seen) = write(&[1, 2, 3, 4], vec![Ok(first)]).await;
        assert_eq!(seen[1..], [(1, records(&[1, 3]))]);
        assert_eq!(outcome.expect("delivered").written, 4);
    }

    #[tokio::test(start_paused = true)]
    async fn transient_errors_are_retried_until_the_time_is_up() {
        let (outcome, seen) = write(
            &[1],
            vec![
                Err(SinkError::transient("gone")),
                Err(SinkError::transient("gone")),
            ],
        )
        .await;
        assert_eq!(outcome.expect("delivered").written, 1);
        assert_eq!(seen.len(), 3);
        let forever = (0..1000)
            .map(|_| Err(SinkError::transient("gone")))
            .collect();
        let (outcome, _) = write(&[1], forever).await;
        let error = outcome.expect_err("given up").to_string();
        assert!(
            error.contains("stream 's': gone; given up after"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_report_that_forgets_a_record_is_an_error() {
        for report in [
            Report {
                written: 1,
                ..Report::default()
            },
            Report {
                written: 3,
                ..Report::default()
            },
            Report {
                written: 1,
                unsettled: vec![2],
                ..Report::default()
            },
            Report {
                unsettled: vec![1, 1],
                ..Report::default()
            },
        ] {
            let (outcome, _) = write(&[1, 2], vec![Ok(report)]).await;
            let error = outcome.expect_err("refused").to_string();
            assert!(
                error.contains("the sink's report of a batch of 2 records"),
                "{error}"
            );
        }
    }

    #[tokio::test]
    async fn other_errors_end_the_run_at_once() {
        let (outcome, seen) = write(&[1], vec![Err(SinkError::unavailable("no"))]).await;
        assert!(matches!(outcome, Err(SinkError::Unavailable(_))));
        assert_eq!(seen.len(), 1);
    }

    proptest! {
        /// Against the rule itself: what is written again is what is unsettled, and whatever
        /// follows it under its key; in order, each once, with nothing of it changed.
        #[test]
        fn what_is_written_again_keeps_the_order_of_every_key(
            keys in prop::collection::vec(0u64..6, 1..40),
            marks in prop::collection::vec(any::<bool>(), 40),
        ) {
            let batch = batch(&keys);
            let unsettled: Vec<usize> = (0..keys.len()).filter(|index| marks[*index]).collect();
            let open = with_later_equals(&batch, &unsettled);
            let expected: Vec<usize> = (0..keys.len())
                .filter(|at| (0..=*at).any(|earlier| marks[earlier] && keys[earlier] == keys[*at]))
                .collect();
            prop_assert_eq!(&open, &expected);
            let again = batch.retry(&open);
            let records = |batch: &Batch| -> Vec<(u64, String)> {
                let records = batch.records();
                records.map(|record| (record.line(), record.value().to_json())).collect()
            };
            let all = records(&batch);
            let chosen: Vec<_> = open.iter().map(|index| all[*index].clone()).collect();
            prop_assert_eq!(records(&again), chosen);
        }
    }
}
