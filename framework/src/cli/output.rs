//! What the commands besides loading print.
//!
//! While records are loaded, standard output belongs to the state emitter; nothing here runs then.

use std::io::Write;
use std::process::ExitCode;

use super::DiscoverFormat;
use crate::catalog::Catalog;
use crate::check::Verdict;
use crate::config::Settings;
use crate::plugin::{SinkContext, SinkEntry};
use crate::run_error::RunError;
use crate::sink::SinkError;
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

/// Tells why a run failed, a line for each problem.
pub(crate) fn print_error(name: &str, error: &RunError) {
    let in_log = telemetry::tells_errors();
    let mut output = std::io::stderr();
    for line in error.to_string().lines() {
        // Names of streams come from the tap; a terminal must not obey them.
        let line: String = line
            .chars()
            .map(|c| {
                if c.is_control() {
                    char::REPLACEMENT_CHARACTER
                } else {
                    c
                }
            })
            .collect();
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
    let check = entry.check.ok_or_else(|| unsupported(entry, "check"))?;
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
    format: DiscoverFormat,
) -> Result<ExitCode, RunError> {
    let discover = entry
        .discover
        .ok_or_else(|| unsupported(entry, "discover"))?;
    let catalog = discover(settings, context).await?;
    match format {
        DiscoverFormat::Catalog => {
            let json = serde_json::to_string_pretty(&catalog)
                .map_err(|error| RunError::Internal(error.to_string()))?;
            print(&format!("{json}\n"))?;
        }
        DiscoverFormat::Text => print(&table(&catalog))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn unsupported(entry: SinkEntry, command: &str) -> SinkError {
    SinkError::config(format!(
        "the sink '{}' does not offer the command '{command}'",
        entry.name
    ))
}

/// The streams as a table for people.
fn table(catalog: &Catalog) -> String {
    let mut rows = vec![
        [
            "stream",
            "keys",
            "encodings",
            "key properties",
            "properties",
        ]
        .map(str::to_owned),
    ];
    for stream in &catalog.streams {
        let encodings: Vec<_> = stream
            .encodings
            .iter()
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        let properties: Vec<_> = stream
            .schema
            .get("properties")
            .and_then(serde_json::Value::as_object)
            .map(|properties| properties.keys().cloned().collect())
            .unwrap_or_default();
        rows.push([
            stream.stream.clone(),
            stream.row_count.to_string(),
            encodings.join(", "),
            if stream.key_properties.is_empty() {
                "?".to_owned()
            } else {
                stream.key_properties.join(", ")
            },
            properties.join(", "),
        ]);
    }
    let widths: [usize; 4] = std::array::from_fn(|column| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    });
    let mut text = String::new();
    for row in &rows {
        for (cell, width) in row.iter().zip(widths) {
            text.push_str(&format!("{cell:width$}  "));
        }
        text.push_str(&row[4]);
        text.push('\n');
    }
    text
}
