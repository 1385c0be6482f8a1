//! The rules that show on a sink alone.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value as Json;

use super::activation;
use super::chaos::Fault;
use super::fixtures::numbered_batch;
use super::held::{Entry, mark};
use super::trial::Trial;
use super::{Destination, Rule, Violation, preprocessing};
use crate::sink::{Ending, Sink};

pub(super) async fn check<D: Destination>(trial: &Trial<'_, D>) -> Result<(), Violation> {
    match trial.rule {
        // Every write is checked for it, so the plainest check will do.
        Rule::Acknowledgement | Rule::Report => acknowledgement(trial).await,
        Rule::Order => order(trial).await,
        Rule::Rejection => rejection(trial).await,
        Rule::Retry => retry(trial).await,
        Rule::Idempotence => idempotence(trial).await,
        Rule::Barrier => barrier(trial).await,
        Rule::Activation => activation::check(trial).await,
        Rule::Cancellation => cancellation(trial).await,
        Rule::Preprocessing => preprocessing::check(trial).await,
        Rule::Close => close(trial).await,
        Rule::StateSafety | Rule::KeptState => Ok(()),
    }
}

/// Numbered records, each with a key of its own.
fn distinct(prefix: &str, numbers: std::ops::Range<u64>) -> Vec<Entry> {
    numbers
        .map(|n| Entry::new(format!("{prefix}{n}"), n))
        .collect()
}

/// Numbered records that take turns with `keys` keys.
fn taking_turns(prefix: &str, keys: u64, numbers: std::ops::Range<u64>) -> Vec<Entry> {
    numbers
        .map(|n| Entry::new(format!("{prefix}{}", n * 7 % keys), n))
        .collect()
}

async fn acknowledgement<D: Destination>(trial: &Trial<'_, D>) -> Result<(), Violation> {
    let session = trial.open().await?;
    let lanes = session.sink.concurrency().clamp(1, 8) as u64;
    let mut all = Vec::new();
    for round in 0..3 {
        let batches: Vec<_> = (0..lanes)
            .map(|lane| {
                let first = 1 + (round * lanes + lane) * 40;
                distinct("key-", first..first + 40)
            })
            .collect();
        // As many at once as the sink says that it can take.
        let written = join_all(batches.iter().map(|entries| session.write(entries))).await;
        written.into_iter().collect::<Result<(), _>>()?;
        all.extend(batches.into_iter().flatten());
        trial
            .verify(&all, trial.once(), "after a write that was acknowledged")
            .await?;
    }
    Ok(())
}

async fn order<D: Destination>(trial: &Trial<'_, D>) -> Result<(), Violation> {
    let session = trial.open().await?;
    let mut all = Vec::new();
    for numbers in [1..40, 40..80, 80..81, 81..120] {
        let entries = taking_turns("key-", 9, numbers);
        session.write(&entries).await?;
        all.extend(entries);
        let when = "after batches in which keys come again";
        trial.verify(&all, trial.once(), when).await?;
    }
    Ok(())
}

async fn rejection<D: Destination>(trial: &Trial<'_, D>) -> Result<(), Violation> {
    let Some(members) = &trial.options.rejected else {
        return Ok(());
    };
    let session = trial.open().await?;
    let mut good = Vec::new();
    // At the start, in the middle, next to each other, at the end; and nothing else at all.
    for (round, bad) in [vec![0, 7, 8, 19], vec![], vec![0]].into_iter().enumerate() {
        let first = 1 + round as u64 * 20;
        let count = if round == 2 { 1 } else { 20 };
        let entries = distinct("key-", first..first + count);
        let records = entries.iter().enumerate().map(|(index, entry)| {
            let mut record = entry.to_json();
            if bad.contains(&index) {
                replace(&mut record, members);
            }
            (entry.n, record)
        });
        let batch = numbered_batch(&session.stream, records);
        let delivered = session.deliver(batch, Vec::new()).await?;
        let delivered = delivered.map_err(|error| {
            trial.broken(format!(
                "a batch with a record that cannot be stored failed as a whole: {error}"
            ))
        })?;
        let mut rejected: Vec<_> = delivered.rejected.iter().map(|it| it.index).collect();
        rejected.sort_unstable();
        if let Some(index) = bad.iter().find(|index| !rejected.contains(index)) {
            return Err(trial.broken(format!(
                "the record at index {index} cannot be stored, and was not reported as rejected"
            )));
        }
        if let Some(index) = rejected.iter().find(|index| !bad.contains(index)) {
            return Err(trial.broken(format!(
                "the record at index {index} was rejected, and nothing is wrong with it"
            )));
        }
        for rejection in &delivered.rejected {
            if rejection.reason.is_empty() {
                return Err(trial.broken("a rejection has no reason"));
            }
            if quotes(&rejection.reason, &entries[rejection.index], members) {
                return Err(trial.broken("the reason of a rejection quotes the record's values"));
            }
        }
        let stored = entries.into_iter().enumerate();
        good.extend(
            stored
                .filter(|(index, _)| !bad.contains(index))
                .map(|(_, it)| it),
        );
        let when = "after a batch with records that cannot be stored";
        trial.verify(&good, trial.once(), when).await?;
    }
    Ok(())
}

pub(super) fn replace(record: &mut Json, members: &Json) {
    for (name, value) in members.as_object().into_iter().flatten() {
        record[name] = value.clone();
    }
}

/// Whether a reason holds the record's text, or a long text that made it unfit.
fn quotes(reason: &str, entry: &Entry, members: &Json) -> bool {
    let long = |value: &Json| {
        let start: Option<String> = value.as_str().map(|text| text.chars().take(12).collect());
        start.is_some_and(|start| start.len() >= 8 && reason.contains(&start))
    };
    let mut members = members.as_object().into_iter().flatten();
    reason.contains(&mark(entry.n)) || members.any(|(_, value)| long(value))
}

async fn retry<D: Destination>(trial: &Trial<'_, D>) -> Result<(), Violation> {
    use Fault::{After, Before, Hang, HangAfter, Unsettled};

    let session = trial.open().await?;
    let moment = Duration::from_millis(5);
    let first: Vec<usize> = vec![0];
    let odd: Vec<usize> = (0..30).filter(|index| index % 2 == 1).collect();
    let late: Vec<usize> = vec![29, 20];
    let withheld = |indexes| Fault::withheld(indexes, 30, trial.options.appends);
    let mut all = Vec::new();
    for (number, (faults, when)) in [
        (
            vec![Before],
            "after a write that failed before the sink saw it",
        ),
        (vec![After], "after a write that failed behind the sink"),
        (vec![Hang(moment)], "after a write that hung"),
        (
            vec![HangAfter(moment)],
            "after a write that hung and failed",
        ),
        (
            vec![Unsettled(first.clone())],
            "after the first record was unsettled",
        ),
        (
            vec![Unsettled(odd.clone())],
            "after every second record was unsettled",
        ),
        (
            vec![withheld(first)],
            "after the first record was held back",
        ),
        (
            vec![withheld(odd.clone())],
            "after every second record was held back",
        ),
        (
            vec![Before, withheld(late), After, Before, Unsettled(vec![0])],
            "after many failures of one batch",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let from = 1 + number as u64 * 30;
        let entries = taking_turns(&format!("batch-{number}-key-"), 20, from..from + 30);
        session.take(session.batch(&entries), faults).await?;
        all.extend(entries);
        trial.verify(&all, trial.again(), when).await?;
    }
    // A run that failed for good, and is run again with a new sink.
    let entries = taking_turns("last-key-", 20, 1001..1031);
    let failed = session
        .deliver(session.batch(&entries), vec![Fault::PermanentAfter])
        .await?;
    if failed.is_ok() {
        return Err(trial.broken("a permanent error was tried again"));
    }
    drop(session);
    let session = trial.open().await?;
    session.write(&entries).await?;
    all.extend(entries);
    let when = "after a run that failed and was run again";
    trial.verify(&all, trial.in_another_run(), when).await
}

async fn idempotence<D: Destination>(trial: &Trial<'_, D>) -> Result<(), Violation> {
    let session = trial.open().await?;
    let mut all = Vec::new();
    for round in 0..2 {
        let entries = taking_turns("key-", 12, 1 + round * 30..31 + round * 30);
        let batch = session.batch(&entries);
        all.extend(entries);
        let everything: Vec<usize> = (0..batch.len()).collect();
        // The later part: whatever is written again is followed by all newer records of its key.
        let later: Vec<usize> = (10..batch.len()).collect();
        session.take(batch.clone(), Vec::new()).await?;
        let second = batch.retry(&everything);
        for (attempt, when) in [
            (second.clone(), "after a batch was written twice"),
            (
                second.retry(&later),
                "after a part of a batch was written again",
            ),
        ] {
            session.take(attempt, Vec::new()).await?;
            trial.verify(&all, trial.again(), when).await?;
        }
    }
    Ok(())
}

async fn barrier<D: Destination>(trial: &Trial<'_, D>) -> Result<(), Violation> {
    let mut session = trial.open().await?;
    let mut all = taking_turns("key-", 12, 1..21);
    session.write(&all).await?;
    session.open_stream(false).await?;
    let when = "after the stream was opened again";
    trial.verify(&all, trial.once(), when).await?;
    session.open_stream(true).await?;
    let when = "after the stream was opened with a changed schema";
    trial.verify(&all, trial.once(), when).await?;
    let entries = taking_turns("key-", 15, 21..41);
    let records = entries.iter().map(|entry| {
        let mut record = entry.to_json();
        record["later"] = "new".into();
        (entry.n, record)
    });
    let changed = numbered_batch(&session.stream, records);
    session.take(changed, Vec::new()).await?;
    all.extend(entries);
    let when = "after records with the changed schema";
    trial.verify(&all, trial.once(), when).await
}

async fn cancellation<D: Destination>(trial: &Trial<'_, D>) -> Result<(), Violation> {
    let session = trial.open().await?;
    let mut all = Vec::new();
    for polls in 0..24 {
        let from = 1 + polls * 20;
        let keys = format!("round-{polls}-key-");
        let entries = taking_turns(&keys, 8, from..from + 16);
        let batch = session.batch(&entries);
        let done = poll_at_most(polls, session.sink.write(&batch)).await;
        let everything: Vec<usize> = (0..batch.len()).collect();
        session.take(batch.retry(&everything), Vec::new()).await?;
        all.extend(entries);
        let when = format!("after a write was dropped when it was polled {polls} times");
        trial.verify(&all, trial.again(), &when).await?;
        // Whatever the dropped write has left running must not undo what is newer.
        let newer = taking_turns(&keys, 8, from + 16..from + 20);
        session.write(&newer).await?;
        all.extend(newer);
        if done {
            break;
        }
    }
    let when = "after writes were dropped and newer ones made";
    trial.verify(&all, trial.again(), when).await
}

/// Drives a future until it is done, or was polled that often; then drops it.
async fn poll_at_most(polls: u64, future: impl Future) -> bool {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        let done = future.as_mut().poll(context).map(|_| true);
        if left == 0 && done.is_pending() {
            return Poll::Ready(false);
        }
        done
    })
    .await
}

async fn close<D: Destination>(trial: &Trial<'_, D>) -> Result<(), Violation> {
    let mut all = Vec::new();
    for (number, closes, when) in [
        (0, true, "after the sink was closed"),
        (1, false, "after the sink was dropped without being closed"),
        (2, true, "after another sink was closed"),
    ] {
        let session = trial.open().await?;
        let entries = taking_turns("key-", 12, 1 + number * 20..21 + number * 20);
        session.write(&entries).await?;
        all.extend(entries);
        if closes {
            session.close().await?;
        }
        drop(session);
        trial.verify(&all, trial.once(), when).await?;
    }
    // A run without a record.
    trial
        .open_sink()
        .await?
        .close(Ending::Complete)
        .await
        .map_err(|error| {
            trial.broken(format!(
                "a sink that was not used cannot be closed: {error}"
            ))
        })?;
    trial.open().await?.close().await?;
    let when = "after runs that wrote nothing";
    trial.verify(&all, trial.once(), when).await
}
