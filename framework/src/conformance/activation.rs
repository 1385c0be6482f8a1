//! The rule of ACTIVATE_VERSION: what is strictly older is deleted, and nothing else.

use serde_json::Value as Json;

use super::fixtures::numbered_batch;
use super::held::Entry;
use super::trial::{STREAM, Session, Trial};
use super::{Destination, Violation};
use crate::activation::{Activated, Activation, DELETED_AT, TABLE_VERSION};
use crate::sink::{Sink, SinkError};

/// More records than a page of most destinations.
const MANY: u64 = 700;

pub(super) async fn check<D: Destination>(trial: &Trial<'_, D>) -> Result<(), Violation> {
    if !D::Sink::ACTIVATES_VERSIONS || trial.options.appends {
        return Ok(());
    }
    let mut session = trial.open().await?;
    let mut n = 0;
    let mut entries = |prefix: &str, count: u64| -> Vec<Entry> {
        let numbers = n + 1..=n + count;
        n += count;
        numbers
            .map(|n| Entry::new(format!("{prefix}{n}"), n))
            .collect()
    };
    let (old, stays, current) = (
        entries("old-", MANY),
        entries("own-", 5),
        entries("new-", 5),
    );
    write(&session, &old, Some(1)).await?;
    write(&session, &stays, None).await?;
    write(&session, &current, Some(2)).await?;
    // The same record again, of the version that is going to count.
    let (again, gone) = old.split_at(10);
    let again: Vec<Entry> = again
        .iter()
        .map(|it| Entry::new(it.id.clone(), it.n + 10_000))
        .collect();
    write(&session, &again, Some(2)).await?;

    let limited = activate(&session, Activation::new(2, false, 0.5, moment())).await;
    if limited.is_ok() {
        let what = "more was deleted than max_delete_fraction allows, or it was not counted";
        return Err(trial.broken(what));
    }
    expect_marked(trial, &[], "after an activation that was refused").await?;

    for version in [1, 2, 2] {
        let activated = activate(&session, Activation::new(version, false, 1.0, moment())).await;
        let activated = activated.map_err(|error| trial.broken(format!("it failed: {error}")))?;
        let already = marked(trial).await?.len();
        if version == 1 && (activated.deleted, already) != (0, 0) {
            return Err(trial.broken("records of the version itself were deleted"));
        }
    }
    expect_marked(trial, gone, "after a version was activated").await?;

    // Marked ones are still there, and are removed with the others in the end.
    session.open_stream(false).await?;
    let hard = activate(&session, Activation::new(3, true, 1.0, moment())).await;
    hard.map_err(|error| trial.broken(format!("it failed: {error}")))?;
    trial
        .verify(
            &stays,
            trial.once(),
            "after a version was activated that removes",
        )
        .await
}

fn moment() -> String {
    "2024-02-29T12:00:00.000000+00:00".to_owned()
}

async fn activate<D: Destination>(
    session: &Session<'_, D>,
    activation: Activation,
) -> Result<Activated, SinkError> {
    session
        .sink
        .activate_version(&session.stream, &activation)
        .await
}

async fn write<D: Destination>(
    session: &Session<'_, D>,
    entries: &[Entry],
    version: Option<i64>,
) -> Result<(), Violation> {
    let records = entries.iter().map(|entry| {
        let mut record = entry.to_json();
        if let Some(version) = version {
            record[TABLE_VERSION] = version.into();
        }
        (entry.n, record)
    });
    session
        .take(numbered_batch(&session.stream, records), Vec::new())
        .await
}

/// The keys of the records that are marked as deleted.
async fn marked<D: Destination>(trial: &Trial<'_, D>) -> Result<Vec<String>, Violation> {
    let rows = trial.destination.read(STREAM).await;
    let rows = rows.map_err(|error| trial.broken(format!("nothing can be read back: {error}")))?;
    let mut keys: Vec<String> = rows
        .iter()
        .filter(|row| row.get(DELETED_AT).is_some_and(|at| !at.is_null()))
        .filter_map(|row| row.get("id").and_then(Json::as_str).map(str::to_owned))
        .collect();
    keys.sort_unstable();
    Ok(keys)
}

async fn expect_marked<D: Destination>(
    trial: &Trial<'_, D>,
    expected: &[Entry],
    when: &str,
) -> Result<(), Violation> {
    let mut expected: Vec<&str> = expected.iter().map(|it| it.id.as_str()).collect();
    expected.sort_unstable();
    let marked = marked(trial).await?;
    if let Some(key) = marked.iter().find(|key| !expected.contains(&key.as_str())) {
        return Err(trial.broken(format!("{when}, key {key} is marked and should not be")));
    }
    match expected
        .iter()
        .find(|key| !marked.iter().any(|it| it == *key))
    {
        Some(key) => Err(trial.broken(format!("{when}, key {key} is not marked"))),
        None => Ok(()),
    }
}
