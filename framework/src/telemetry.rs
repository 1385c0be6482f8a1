//! Logs, on stderr: stdout belongs to state.
//!
//! The level and the form come from the command line, then from the target's own variable, then
//! (the level) from `LOGLEVEL`, as in the Meltano SDK.

use std::io::IsTerminal;

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry, fmt};

use crate::config::{ConfigError, Environment, variable};

/// How much is logged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Level {
    /// Nothing
    Off,
    /// Only what ends the run
    #[value(alias = "critical", alias = "fatal")]
    Error,
    /// Also what needs attention
    #[value(alias = "warning")]
    Warn,
    /// Also how the run goes
    #[default]
    Info,
    /// Also what happens to each batch
    Debug,
    /// Everything
    #[value(alias = "notset")]
    Trace,
}

/// What a line of the log looks like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Time, level, message, fields
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

/// What the command line says about logs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Logs, on stderr")]
pub(crate) struct LogOptions {
    /// How much to log
    #[arg(
        long,
        global = true,
        value_enum,
        ignore_case = true,
        value_name = "LEVEL"
    )]
    pub(crate) log_level: Option<Level>,
    /// What a line looks like
    #[arg(
        long,
        global = true,
        value_enum,
        ignore_case = true,
        value_name = "FORMAT"
    )]
    pub(crate) log_format: Option<LogFormat>,
}

/// Starts logging, for the rest of the process.
///
/// The level is for the framework, the target's own crate and `crates` (those of its plugins, as
/// in `module_path!`). Other crates are heard only when they warn: what a driver does all day is
/// not what a run is about.
///
/// # Errors
/// A variable holds an unknown level or format.
pub(crate) fn init(
    target_name: &str,
    crates: &[&str],
    options: LogOptions,
    environment: &Environment,
) -> Result<(), ConfigError> {
    let level_variables = level_variables(target_name);
    let format_variables = [format_variable(target_name)];
    let level = choose(options.log_level, environment, &level_variables)?;
    let format = choose(options.log_format, environment, &format_variables)?;
    let stderr = std::io::stderr();
    let ansi = stderr.is_terminal() && environment.get("NO_COLOR").is_none();
    let own_crate = target_name.replace('-', "_");
    let own = crates.iter().copied().chain([own_crate.as_str()]);
    let layer = layer(targets(level, own), format, ansi, std::io::stderr);
    // A program that embeds the framework may have set its own, which then stays.
    let _ = tracing::subscriber::set_global_default(Registry::default().with(layer));
    Ok(())
}

/// The variables that set the level, the first one winning.
pub(crate) fn level_variables(target_name: &str) -> [String; 2] {
    [variable(target_name, "loglevel"), "LOGLEVEL".to_owned()]
}

/// The variable that sets the format.
pub(crate) fn format_variable(target_name: &str) -> String {
    variable(target_name, "log_format")
}

/// The option, else the first variable that is set, else the default.
fn choose<T: ValueEnum + Default>(
    option: Option<T>,
    environment: &Environment,
    variables: &[String],
) -> Result<T, ConfigError> {
    if let Some(chosen) = option {
        return Ok(chosen);
    }
    let set = variables
        .iter()
        .find_map(|variable| Some((variable, environment.get(variable)?)));
    let Some((variable, text)) = set else {
        return Ok(T::default());
    };
    T::from_str(text, true).map_err(|_| {
        let names: Vec<_> = T::value_variants()
            .iter()
            .filter_map(|variant| Some(variant.to_possible_value()?.get_name().to_owned()))
            .collect();
        let message = format!("{text:?} is unknown; allowed: one of {}", names.join(", "));
        ConfigError::of(variable, message)
    })
}

/// Our own crates at the level, all others at warn at most.
fn targets<'a>(level: Level, own: impl Iterator<Item = &'a str>) -> Targets {
    let level = match level {
        Level::Off => LevelFilter::OFF,
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    };
    let framework = env!("CARGO_CRATE_NAME");
    Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_targets(own.chain([framework]).map(|name| (name.to_owned(), level)))
}

fn layer<W>(
    targets: Targets,
    format: LogFormat,
    ansi: bool,
    writer: W,
) -> Box<dyn Layer<Registry> + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_writer(writer).with_ansi(ansi);
    match format {
        LogFormat::Text => lines.with_target(false).with_filter(targets).boxed(),
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .with_filter(targets)
            .boxed(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::captured::Captured;

    /// What is written when the framework and a driver log at each level.
    fn logged(level: Level, format: LogFormat) -> Vec<String> {
        let buffer = Captured::default();
        let writer = buffer.clone();
        let targets = targets(level, ["target_x"].into_iter());
        let layer = layer(targets, format, false, move || writer.clone());
        tracing::subscriber::with_default(Registry::default().with(layer), || {
            tracing::info!(records = 7, "loaded");
            tracing::debug!(target: "target_x::sink", "sent");
            tracing::info!(target: "some_driver", "pinged");
            tracing::warn!(target: "some_driver", "slow");
        });
        buffer.text().lines().map(str::to_owned).collect()
    }

    #[test]
    fn drivers_are_heard_only_when_they_warn() {
        let lines = logged(Level::Info, LogFormat::Text);
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].ends_with("INFO loaded records=7"), "{lines:?}");
        assert!(lines[1].ends_with("WARN slow"), "{lines:?}");
        assert_eq!(logged(Level::Debug, LogFormat::Text).len(), 3);
        assert_eq!(logged(Level::Error, LogFormat::Text).len(), 0);
    }

    #[test]
    fn json_lines_have_the_fields() {
        let lines = logged(Level::Info, LogFormat::Json);
        let line: serde_json::Value = serde_json::from_str(&lines[0]).expect("JSON");
        assert_eq!(
            (&line["level"], &line["message"]),
            (&"INFO".into(), &"loaded".into())
        );
        assert_eq!(line["records"].to_string(), "7");
    }

    #[test]
    fn the_command_line_wins_then_the_targets_variable() {
        let variables = level_variables("target-x");
        let environment: Environment = [("LOGLEVEL", "ERROR"), ("TARGET_X_LOGLEVEL", "Warning")]
            .into_iter()
            .collect();
        let choose = |option, environment: &Environment| choose(option, environment, &variables);
        assert_eq!(choose(Some(Level::Trace), &environment), Ok(Level::Trace));
        assert_eq!(choose(None, &environment), Ok(Level::Warn));
        assert_eq!(choose(None, &Environment::default()), Ok(Level::Info));
        let wrong: Environment = [("LOGLEVEL", "loud")].into_iter().collect();
        assert_eq!(
            choose(None, &wrong).expect_err("unknown").to_string(),
            "LOGLEVEL: \"loud\" is unknown; allowed: one of off, error, warn, info, debug, trace"
        );
    }
}
