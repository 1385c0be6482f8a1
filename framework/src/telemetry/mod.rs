//! Logs, on stderr: stdout belongs to state.
//!
//! The level and the form come from the command line, then from the target's own variable, then from
//! the file that `SINGER_SDK_LOG_CONFIG` names (Meltano sets it), then (the level) from `LOGLEVEL`.

mod sdk_config;
mod singer;

use std::io::IsTerminal;
use std::sync::OnceLock;

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry, fmt};

use crate::config::{ConfigError, Environment, variable};
use crate::metrics;
use crate::terminal::{self, Above};
use sdk_config::SdkConfig;
use singer::Singer;

/// How much is logged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
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
    /// One JSON object a line, as the Meltano SDK writes it and Meltano reads it
    Singer,
    /// Message and fields
    #[value(skip)]
    Message,
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
    let mut choice = Choice::of(target_name, options, environment)?;
    let is_terminal = std::io::stderr().is_terminal();
    let ansi = is_terminal && environment.get("NO_COLOR").is_none();
    if is_terminal && choice.format == LogFormat::Text && choice.level >= Level::Info {
        terminal::enliven();
        // They are for programs, and whoever debugs wants to see all.
        choice.metrics &= choice.level > Level::Info;
    }
    let own_crate = target_name.replace('-', "_");
    let own = crates.iter().copied().chain([own_crate.as_str()]);
    let lines = lines(
        choice.format,
        target_name,
        ansi,
        || Above(std::io::stderr()),
    );
    let layer = lines.with_filter(targets(&choice, own));
    let _ = FORMAT.set(choice.format);
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

/// Whether errors are told by the log, in its form, and need not be printed.
pub(crate) fn tells_errors() -> bool {
    matches!(FORMAT.get(), Some(LogFormat::Json | LogFormat::Singer))
        && tracing::enabled!(tracing::Level::ERROR)
}

/// The form of the log, once it is started.
static FORMAT: OnceLock<LogFormat> = OnceLock::new();

/// What is logged, and how.
#[derive(Debug, PartialEq, Eq)]
struct Choice {
    level: Level,
    format: LogFormat,
    metrics: bool,
}

impl Choice {
    fn of(
        target_name: &str,
        options: LogOptions,
        environment: &Environment,
    ) -> Result<Self, ConfigError> {
        let sdk = SdkConfig::of(target_name, environment)?;
        let [own, common] = level_variables(target_name);
        let level = match options.log_level {
            None => named(environment, &own)?.or(sdk.level),
            given => given,
        };
        let level = match level {
            None => named(environment, &common)?,
            given => given,
        };
        let format = match options.log_format {
            None => named(environment, &format_variable(target_name))?.or(sdk.format),
            given => given,
        };
        Ok(Self {
            level: level.unwrap_or_default(),
            format: format.unwrap_or_default(),
            metrics: !sdk.without_metrics,
        })
    }
}

/// What the variable names, if it is set.
fn named<T: ValueEnum>(
    environment: &Environment,
    variable: &str,
) -> Result<Option<T>, ConfigError> {
    let Some(text) = environment.get(variable) else {
        return Ok(None);
    };
    T::from_str(text, true).map(Some).map_err(|_| {
        let names: Vec<_> = T::value_variants()
            .iter()
            .filter_map(|variant| Some(variant.to_possible_value()?.get_name().to_owned()))
            .collect();
        let message = format!("{text:?} is unknown; allowed: one of {}", names.join(", "));
        ConfigError::of(variable, message)
    })
}

/// Our own crates at the level, all others at warn at most.
fn targets<'a>(choice: &Choice, own: impl Iterator<Item = &'a str>) -> Targets {
    let level = match choice.level {
        Level::Off => LevelFilter::OFF,
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    };
    let metrics = if choice.metrics {
        level
    } else {
        LevelFilter::OFF
    };
    let framework = env!("CARGO_CRATE_NAME");
    Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_targets(own.chain([framework]).map(|name| (name.to_owned(), level)))
        .with_target(metrics::TARGET, metrics)
}

fn lines<W>(
    format: LogFormat,
    target_name: &str,
    ansi: bool,
    writer: W,
) -> Box<dyn Layer<Registry> + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_writer(writer).with_ansi(ansi);
    match format {
        LogFormat::Text => lines.with_target(false).boxed(),
        LogFormat::Message => lines
            .with_target(false)
            .with_level(false)
            .without_time()
            .boxed(),
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .boxed(),
        LogFormat::Singer => lines.event_format(Singer::of(target_name)).boxed(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::captured::Captured;

    /// What is written when the framework and a driver log at each level.
    fn logged(level: Level, format: LogFormat) -> Vec<String> {
        logged_by(Choice {
            level,
            format,
            metrics: true,
        })
    }

    fn logged_by(choice: Choice) -> Vec<String> {
        let buffer = Captured::default();
        let writer = buffer.clone();
        let lines = lines(choice.format, "target-x", false, move || writer.clone());
        let layer = lines.with_filter(targets(&choice, ["target_x"].into_iter()));
        tracing::subscriber::with_default(Registry::default().with(layer), || {
            tracing::info!(stream = "s", records = 7, "loaded");
            tracing::debug!(target: "target_x::sink", "sent");
            tracing::info!(target: "some_driver", "pinged");
            tracing::warn!(target: "some_driver", "slow");
            tracing::debug!(target: metrics::TARGET, "METRIC: {}", r#"{"value":7}"#);
        });
        buffer.text().lines().map(str::to_owned).collect()
    }

    #[test]
    fn drivers_are_heard_only_when_they_warn() {
        let lines = logged(Level::Info, LogFormat::Text);
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(
            lines[0].ends_with(r#"INFO loaded stream="s" records=7"#),
            "{lines:?}"
        );
        assert!(lines[1].ends_with("WARN slow"), "{lines:?}");
        let lines = logged(Level::Debug, LogFormat::Text);
        assert_eq!(lines.len(), 4, "{lines:?}");
        assert!(lines[3].ends_with(r#"METRIC: {"value":7}"#), "{lines:?}");
        let without_metrics = logged_by(Choice {
            level: Level::Debug,
            format: LogFormat::Text,
            metrics: false,
        });
        assert_eq!(without_metrics.len(), 3);
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
    fn lines_for_meltano_have_the_sdks_members() {
        let lines = logged(Level::Debug, LogFormat::Singer);
        let lines: Vec<serde_json::Value> = lines
            .iter()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        let info = &lines[0];
        assert_eq!(info["level"], "info");
        assert_eq!(info["message"], r#"loaded stream="s" records=7"#);
        assert_eq!(info["stream_name"], "s");
        assert_eq!(info["extra"], serde_json::json!({"records": 7}));
        assert_eq!(info["app_name"], "target-x");
        assert_eq!(lines[2]["level"], "warning");
        assert_eq!(lines[3]["logger_name"], "singer_sdk.metrics");
        assert_eq!(lines[3]["message"], "METRIC");
        assert_eq!(lines[3]["metric_info"]["value"], 7);
    }

    #[test]
    fn only_the_message_is_written_where_that_is_asked_for() {
        let lines = logged(Level::Info, LogFormat::Message);
        assert_eq!(lines[0], r#"loaded stream="s" records=7"#);
    }

    #[test]
    fn the_command_line_wins_then_the_targets_variable_then_the_sdks_file() {
        let file = std::env::temp_dir().join(format!("singer-log-{}.yaml", std::process::id()));
        std::fs::write(&file, "root: {level: DEBUG}").expect("writes");
        let sdk = file.to_string_lossy().into_owned();
        let level = |option, variables: &[(&str, &str)]| {
            let options = LogOptions {
                log_level: option,
                ..LogOptions::default()
            };
            let environment = variables.iter().copied().collect();
            Choice::of("target-x", options, &environment).map(|choice| choice.level)
        };
        let (own, common) = (("TARGET_X_LOGLEVEL", "Warning"), ("LOGLEVEL", "ERROR"));
        let sdk = ("SINGER_SDK_LOG_CONFIG", sdk.as_str());
        assert_eq!(
            level(Some(Level::Trace), &[own, sdk, common]),
            Ok(Level::Trace)
        );
        assert_eq!(level(None, &[own, sdk, common]), Ok(Level::Warn));
        assert_eq!(level(None, &[sdk, common]), Ok(Level::Debug));
        assert_eq!(level(None, &[common]), Ok(Level::Error));
        assert_eq!(level(None, &[]), Ok(Level::Info));
        assert_eq!(
            level(None, &[("LOGLEVEL", "loud")])
                .expect_err("unknown")
                .to_string(),
            "LOGLEVEL: \"loud\" is unknown; allowed: one of off, error, warn, info, debug, trace"
        );
        std::fs::write(&file, "root: [").expect("writes");
        let error = level(None, &[sdk]).expect_err("no YAML").to_string();
        assert!(error.starts_with("SINGER_SDK_LOG_CONFIG: "), "{error}");
        std::fs::remove_file(&file).expect("removes");
    }
}
