//! What the commands besides loading print.
//!
//! While records are loaded, standard output belongs to the state emitter; nothing here runs then.

use std::io::Write;
use std::process::ExitCode;

use serde::Serialize;

use super::DiscoverFormat;
use crate::catalog::{Catalog, CatalogStream, Discovery};
use crate::check::Verdict;
use crate::config::Settings;
use crate::plugin::{SinkContext, SinkEntry};
use crate::run_error::RunError;
use crate::sink::SinkError;
use crate::table::{printable, row, table};
use crate::telemetry;

/// Prints to standard output. A reader who has seen enough, such as `head`, is no failure.
pub(crate) fn print(text: &str) -> Result<(), RunError> {
    let mut output = std::io::stdout().lock();
    match output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush())
    {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.map_err(|source| RunError::io("cannot write to the output", source)),
    }
}

/// Prints indented JSON.
pub(super) fn print_json(value: &impl Serialize) -> Result<(), RunError> {
    let json = serde_json::to_string_pretty(value)
        .map_err(|error| RunError::Internal(error.to_string()))?;
    print(&format!("{json}\n"))
}

/// Tells why a run failed, a line for each problem.
pub(crate) fn print_error(name: &str, error: &RunError) {
    let in_log = telemetry::tells_errors();
    let mut output = std::io::stderr();
    for line in error.to_string().lines() {
        let line = printable(line);
        if in_log {
            tracing::error!("{line}");
            continue;
        }
        // There is nobody left to tell if this fails.
        let _ = writeln!(output, "{name}: error: {line}");
    }
}

/// The `check` command. Exit code 3 if a run could not use the destination.
pub(crate) async fn check(
    entry: SinkEntry,
    settings: &Settings,
    context: SinkContext,
) -> Result<ExitCode, RunError> {
    let check = offered(entry, entry.check, "check")?;
    let findings = check(settings, context).await?;
    let mut text = String::new();
    for finding in &findings {
        let mark = match finding.verdict {
            Verdict::Good => "ok     ",
            Verdict::Warning => "warning",
            Verdict::Bad => "FAILED ",
        };
        text.push_str(&format!("{mark}  {}\n", finding.text));
    }
    print(&text)?;
    let bad = findings
        .iter()
        .any(|finding| finding.verdict == Verdict::Bad);
    Ok(ExitCode::from(if bad { 3 } else { 0 }))
}

/// The `discover` command.
pub(crate) async fn discover(
    entry: SinkEntry,
    settings: &Settings,
    context: SinkContext,
    discovery: Discovery,
    format: DiscoverFormat,
) -> Result<ExitCode, RunError> {
    let discover = offered(entry, entry.discover, "discover")?;
    let catalog = discover(settings, context, discovery).await?;
    match format {
        DiscoverFormat::Catalog => print_json(&catalog)?,
        DiscoverFormat::Text => print(&streams(&catalog))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What the command needs of the sink.
///
/// # Errors
/// The sink does not offer it.
pub(crate) fn offered<T>(
    entry: SinkEntry,
    operation: Option<T>,
    command: &str,
) -> Result<T, SinkError> {
    operation.ok_or_else(|| {
        SinkError::config(format!(
            "the sink '{}' does not offer the command '{command}'",
            entry.name
        ))
    })
}

/// The streams as a table for people.
fn streams(catalog: &Catalog) -> String {
    let headings = [
        "stream",
        "keys",
        "encodings",
        "key properties",
        "properties",
    ];
    let mut rows = vec![headings.map(str::to_owned)];
    for stream in &catalog.streams {
        let properties: Vec<_> = stream
            .schema
            .get("properties")
            .and_then(serde_json::Value::as_object)
            .map(|properties| properties.keys().cloned().collect())
            .unwrap_or_default();
        let key_properties = if stream.key_properties.is_empty() {
            "?".to_owned()
        } else {
            stream.key_properties.join(", ")
        };
        rows.push(row([
            &stream.stream,
            &stream.row_count,
            &encodings(stream),
            &key_properties,
            &properties.join(", "),
        ]));
    }
    table(&rows)
}

/// How many values are in which encoding; and of how many, where not all were read.
fn encodings(stream: &CatalogStream) -> String {
    let counts = stream.encodings.iter();
    let mut text = counts
        .map(|(name, count)| format!("{name} {count}"))
        .collect::<Vec<_>>()
        .join(", ");
    let read: u64 = stream.encodings.values().sum();
    if read < stream.row_count {
        let gap = if text.is_empty() { "" } else { " " };
        text.push_str(&format!("{gap}(of {read} read)"));
    }
    text
}
