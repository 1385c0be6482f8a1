//! What was measured, as Markdown.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use target_tests::{place, server_binary};

use crate::samples::Samples;
use crate::trial::{Trial, best};

/// A page of tables.
#[derive(Default)]
pub(crate) struct Report {
    text: String,
    /// What of it the README shows: the first table, and what it was measured on.
    rates: String,
}

/// What is to be reached.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    /// This part of the ceiling.
    OfCeiling(f64),
    /// This part of what the target reaches in JSON.
    OfJson(f64),
    /// Nothing in particular.
    None,
}

/// A figure that has an upper limit.
pub(crate) struct Cost {
    pub(crate) what: String,
    pub(crate) figure: f64,
    pub(crate) limit: f64,
    pub(crate) unit: &'static str,
}

impl Report {
    /// What was added until now goes into the README.
    pub(crate) fn mark_rates(&mut self) {
        self.rates.clone_from(&self.text);
    }

    /// A page that begins with what it was measured on.
    pub(crate) fn new(runs: usize) -> Self {
        let mut report = Self::default();
        report.line(&format!(
            "Commit {}, {}, {} of {}. Medians of {runs} rounds; in each round the raw client and the target \
             take turns.",
            commit(),
            server_version(),
            cores(),
            processor()
        ));
        report
    }

    /// A table of the target's rates beside those of the raw client; `amount` says how much of
    /// `unit` a trial loads.
    pub(crate) fn rates(
        &mut self,
        unit: &str,
        rows: &[(String, &Trial<'_>, Goal)],
        amount: impl Fn(&Trial<'_>) -> f64,
        json: impl Fn(&Trial<'_>) -> Option<f64>,
    ) {
        self.line(&format!(
            "\n| case | raw, {unit} | | target, {unit} | ratio | lowest–highest | goal | |\n\
             |---|---:|---|---:|---:|---|---|---|"
        ));
        for (case, trial, goal) in rows {
            let rate = |seconds: &Samples| amount(trial) / seconds.median();
            let Some(ceiling) = trial.ceiling() else {
                continue;
            };
            let target = rate(&trial.target.seconds);
            let ratio = target / rate(&ceiling.seconds);
            let (least, greatest) = ceiling.seconds.spread_over(&trial.target.seconds);
            let (wanted, is_met) = match goal {
                Goal::OfCeiling(part) => (format!("≥ {part:.2}"), Some(ratio >= *part)),
                Goal::OfJson(part) => {
                    let reached = json(trial).map_or(1.0, |json| target / json);
                    let text = format!("≥ {part:.2} of JSON: {reached:.2}");
                    (text, Some(reached >= *part))
                }
                Goal::None => (String::new(), None),
            };
            self.line(&format!(
                "| {case} | {} | {} | {} | {ratio:.2} | {least:.2}–{greatest:.2} | {wanted} | {} |",
                thousands(rate(&ceiling.seconds)),
                ceiling.name,
                thousands(target),
                is_met.map_or("", met)
            ));
        }
    }

    /// A table of the processor time that a record costs client and server, in microseconds.
    pub(crate) fn processor(&mut self, rows: &[(String, &Trial<'_>, Goal)]) {
        self.line(
            "\nProcessor time a record, µs:\n\n\
             | case | raw client | its server | target | its server |\n|---|---:|---:|---:|---:|",
        );
        for (case, trial, _) in rows {
            let Some(ceiling) = trial.ceiling() else {
                continue;
            };
            let target = &trial.target;
            self.line(&format!(
                "| {case} | {:.2} | {:.1} | {:.2} | {:.1} |",
                ceiling.client.median(),
                ceiling.server.median(),
                target.client.median(),
                target.server.median()
            ));
        }
    }

    /// A table of what the raw client reaches that computes for `burden` microseconds a record and
    /// can tell which write was refused.
    pub(crate) fn burdened(
        &mut self,
        burden: f64,
        rows: &[(String, &Trial<'_>, Goal)],
        amount: impl Fn(&Trial<'_>) -> f64,
    ) {
        self.line(&format!(
            "\nA raw client that computes for {burden} µs a record, and can tell which write was \
             refused:\n\n\
             | case | raw, records/s | with {burden} µs | | ratio | lowest–highest | target's ratio |\n\
             |---|---:|---:|---|---:|---|---:|"
        ));
        for (case, trial, _) in rows {
            let (Some(ceiling), Some(burdened)) = (trial.ceiling(), best(&trial.burdened)) else {
                continue;
            };
            let rate = |seconds: &Samples| amount(trial) / seconds.median();
            let raw = rate(&ceiling.seconds);
            let (least, greatest) = ceiling.seconds.spread_over(&burdened.seconds);
            self.line(&format!(
                "| {case} | {} | {} | {} | {:.2} | {least:.2}–{greatest:.2} | {:.2} |",
                thousands(raw),
                thousands(rate(&burdened.seconds)),
                burdened.name,
                rate(&burdened.seconds) / raw,
                rate(&trial.target.seconds) / raw,
            ));
        }
    }

    /// A table of figures with upper limits.
    pub(crate) fn costs(&mut self, costs: &[Cost]) {
        self.line("\n| cost | measured | goal | |\n|---|---:|---:|---|");
        for cost in costs {
            let Cost {
                what,
                figure,
                limit,
                unit,
            } = cost;
            let text = format!(
                "| {what} | {figure:.1} {unit} | ≤ {limit} {unit} | {} |",
                met(figure <= limit)
            );
            self.line(&text);
        }
    }

    /// Appends a line.
    pub(crate) fn line(&mut self, text: &str) {
        let _ = writeln!(self.text, "{text}");
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Writes it to a file of its own.
    pub(crate) fn write(&self, file: &Path) {
        if let Some(directory) = file.parent() {
            fs::create_dir_all(directory).expect("the directory can be made");
        }
        fs::write(file, &self.text).expect("the file can be written");
    }

    /// Puts it into the page about performance, and the table of rates into the README.
    pub(crate) fn publish(&self, section: &str) {
        insert("docs/performance.md", section, &self.text);
        if !self.rates.is_empty() {
            insert("README.md", "rates", &self.rates);
        }
    }
}

/// Replaces what a page has between the marks of a section.
///
/// # Panics
/// If the page has no such section.
fn insert(page: &str, section: &str, text: &str) {
    let page = place::repository().join(page);
    let (start, end) = (
        format!("<!-- {section} -->\n"),
        format!("<!-- /{section} -->"),
    );
    let old = fs::read_to_string(&page).expect("the page exists");
    let (before, rest) = old.split_once(&start).expect("the page has the section");
    let (_, after) = rest.split_once(&end).expect("the section ends");
    let new = format!("{before}{start}{text}{end}{after}");
    fs::write(page, new).expect("the page can be written");
}

fn met(is_met: bool) -> &'static str {
    if is_met { "met" } else { "**missed**" }
}

/// A number that is easy to read: 241,000; 1,234; 87.
pub(crate) fn thousands(number: f64) -> String {
    let rounded = match number {
        number if number >= 10_000.0 => (number / 1_000.0).round() * 1_000.0,
        number => number.round(),
    };
    let digits = format!("{rounded}");
    let mut out = String::new();
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Bytes, in megabytes.
pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{} MB", thousands(bytes as f64 / 1e6))
}

/// What was measured: the commit that is checked out, unless the target was built elsewhere.
fn commit() -> String {
    if std::env::var_os("TARGET_NATS_KV_BIN").is_some() {
        return "unknown, given by `TARGET_NATS_KV_BIN`".to_owned();
    }
    let described = Command::new("git")
        .args(["describe", "--always", "--dirty"])
        .current_dir(place::repository())
        .output();
    described.map_or_else(
        |_| "unknown".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

fn server_version() -> String {
    let output = Command::new(server_binary::any()).arg("--version").output();
    let output = output.expect("it runs, so it can be asked");
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().replace(": v", " ")
}

fn cores() -> String {
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{count} cores")
}

fn processor() -> String {
    let information = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = information
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    model
        .map_or("an unknown processor", |model| {
            model.trim_start_matches(['\t', ' ', ':'])
        })
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_and_grouped() {
        for (number, text) in [
            (87.4, "87"),
            (1_234.0, "1,234"),
            (241_499.0, "241,000"),
            (12_345_678.0, "12,346,000"),
        ] {
            assert_eq!(thousands(number), text);
        }
    }
}
