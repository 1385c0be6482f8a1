//! What `load --dry-run`, `verify` and `migrate` print.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use super::ReportFormat;
use super::output::{offered, print, print_json};
use crate::config::Settings;
use crate::migration::{self, Migrated, Migration};
use crate::plugin::{SinkContext, SinkEntry};
use crate::preview::{Forecast, Kind, Verified};
use crate::run_error::RunError;
use crate::sink::SinkError;
use crate::table::{printable, row, table};

/// Prints what a load would do.
pub(crate) fn print_forecasts(
    forecasts: &BTreeMap<String, Forecast>,
    format: ReportFormat,
) -> Result<(), RunError> {
    if format == ReportFormat::Json {
        return print_json(&json!({"streams": forecasts}));
    }
    let headings = [
        "stream",
        "created",
        "updated",
        "unchanged",
        "outdated",
        "conflicting",
        "deleted",
        "filtered",
        "rejected",
    ];
    let mut rows = vec![headings.map(str::to_owned)];
    for (stream, forecast) in forecasts {
        rows.push(row([
            stream,
            &forecast.created,
            &forecast.updated,
            &forecast.unchanged,
            &forecast.outdated,
            &forecast.conflicting,
            &forecast.deleted,
            &forecast.filtered,
            &forecast.rejected,
        ]));
    }
    print(&table(&rows))
}

/// Prints what differs, and then how much was compared.
pub(crate) fn print_differences(
    found: &BTreeMap<String, Verified>,
    format: ReportFormat,
) -> Result<(), RunError> {
    if format == ReportFormat::Json {
        let streams: BTreeMap<_, _> = found.iter().map(|(name, it)| (name, summary(it))).collect();
        return print_json(&json!({"streams": streams}));
    }
    let mut text = String::new();
    for (key, difference) in found.values().flat_map(|stream| &stream.differences) {
        let what = match difference.kind {
            Kind::Missing => "missing",
            Kind::Different => "different",
            Kind::Remaining => "not deleted",
            Kind::Conflicting => "conflicting",
        };
        let (key, line) = (printable(key), difference.line);
        text.push_str(&format!("{what:<11}  {key}  (line {line})\n"));
    }
    let headings = [
        "stream",
        "records",
        "newer",
        "differences",
        "left over",
        "rejected",
    ];
    let mut rows = vec![headings.map(str::to_owned)];
    for (stream, verified) in found {
        rows.push(row([
            stream,
            &verified.records,
            &verified.newer,
            &verified.differences.len(),
            &verified.left_over,
            &verified.rejected,
        ]));
    }
    text.push_str(&table(&rows));
    print(&text)
}

fn summary(verified: &Verified) -> serde_json::Value {
    let Verified {
        records,
        newer,
        rejected,
        left_over,
        differences,
    } = verified;
    json!({
        "records": records,
        "newer": newer,
        "rejected": rejected,
        "left_over": left_over,
        "differences": differences,
    })
}

/// What the command line says of a migration.
pub(crate) fn migration(catalog: Option<&Path>, dry_run: bool) -> Result<Migration, RunError> {
    let mut migration = Migration {
        dry_run,
        ..Migration::default()
    };
    if let Some(path) = catalog {
        let shown = path.display();
        let bytes = std::fs::read(path)
            .map_err(|source| RunError::io(format!("cannot read the catalog {shown}"), source))?;
        migration.key_properties = migration::key_properties(&bytes).map_err(|error| {
            SinkError::config(format!("--catalog: {shown} is no Singer catalog: {error}"))
        })?;
    }
    Ok(migration)
}

/// The `migrate` command. Exit code 1 if keys were left that are not in the form that the settings
/// name.
pub(crate) async fn migrate(
    entry: SinkEntry,
    settings: &Settings,
    context: SinkContext,
    migration: Migration,
    format: ReportFormat,
) -> Result<ExitCode, RunError> {
    let migrate = offered(entry, entry.migrate, "migrate")?;
    let migrated = migrate(settings, context, migration).await?;
    match format {
        ReportFormat::Json => print_json(&migrated)?,
        ReportFormat::Text => print(&keys(&migrated))?,
    }
    Ok(ExitCode::from(u8::from(migrated.is_incomplete())))
}

fn keys(migrated: &Migrated) -> String {
    let headings = [
        "stream",
        "unchanged",
        "rewritten",
        "moved",
        "conflicting",
        "unknown",
    ];
    let mut rows = vec![headings.map(str::to_owned)];
    for (stream, counts) in &migrated.streams {
        rows.push(row([
            stream,
            &counts.unchanged,
            &counts.rewritten,
            &counts.moved,
            &counts.conflicting,
            &counts.unknown,
        ]));
    }
    table(&rows)
}
