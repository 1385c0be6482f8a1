//! What is written again, when, and how it is counted.

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
    let summary = Summary::default();
    let outcome = retry.write(sink.clone(), batch(keys), &summary).await;
    let seen = std::mem::take(&mut *sink.seen.lock().expect("not poisoned"));
    // However it ends, each attempt but the first is counted.
    let retries = summary.counts().get("s").map_or(0, |counts| counts.retries);
    assert_eq!(retries, seen.len() as u64 - 1);
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
    assert_eq!((done.written, done.unchanged), (3, 0));
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
