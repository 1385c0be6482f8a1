//! `SINGER_SDK_LOG_CONFIG`: a file in which Meltano, or a user of the Meltano SDK, says how to log.
//!
//! It is a `dictConfig` of Python's logging in YAML. What Python's classes do cannot be done here,
//! so this takes from it what it says of the log as a whole: the level, the form of the handler
//! of the root logger, and whether metrics are logged.

use clap::ValueEnum;
use serde_json::Value;

use super::{Level, LogFormat};
use crate::config::{ConfigError, Environment, yaml};
use crate::metrics;

/// The variable that names the file.
const VARIABLE: &str = "SINGER_SDK_LOG_CONFIG";

/// What the file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct SdkConfig {
    pub(super) level: Option<Level>,
    pub(super) format: Option<LogFormat>,
    pub(super) without_metrics: bool,
}

impl SdkConfig {
    /// Reads the file, if the variable names one. One that is missing is ignored, as the SDK does.
    ///
    /// # Errors
    /// It is no YAML.
    pub(super) fn of(target_name: &str, environment: &Environment) -> Result<Self, ConfigError> {
        let file = environment.get(VARIABLE);
        let Some(text) = file.and_then(|file| std::fs::read_to_string(file).ok()) else {
            return Ok(Self::default());
        };
        let config = yaml(&text).map_err(|problem| {
            ConfigError::of(VARIABLE, format!("the file that it names {problem}"))
        })?;
        Ok(Self::read(target_name, &config))
    }

    fn read(target_name: &str, config: &Value) -> Self {
        let logger = |name: &str| &config["loggers"][name];
        let root = match &config["root"] {
            Value::Null => logger(""),
            root => root,
        };
        let metrics = level(&logger(metrics::TARGET)["level"]);
        Self {
            level: level(&logger(target_name)["level"]).or_else(|| level(&root["level"])),
            format: format(config, root),
            without_metrics: metrics.is_some_and(|level| level < Level::Info),
        }
    }
}

/// A level by its name or its number.
fn level(value: &Value) -> Option<Level> {
    match value {
        Value::String(name) => Level::from_str(name, true).ok(),
        Value::Number(_) => Some(match value.as_u64()? {
            0..10 => Level::Trace,
            10..20 => Level::Debug,
            20..30 => Level::Info,
            30..40 => Level::Warn,
            _ => Level::Error,
        }),
        _ => None,
    }
}

/// The form of what the root logger's first handler writes that has a formatter.
fn format(config: &Value, root: &Value) -> Option<LogFormat> {
    let handlers = root["handlers"].as_array()?.iter();
    let mut formatters = handlers.filter_map(|handler| {
        let formatter = config["handlers"][handler.as_str()?]["formatter"].as_str()?;
        config["formatters"].get(formatter)
    });
    let formatter = formatters.next()?;
    let class = [&formatter["()"], &formatter["class"]];
    let class = class.into_iter().find_map(Value::as_str);
    let class = class.unwrap_or_default().to_lowercase();
    let words = [&formatter["format"], &formatter["fmt"]];
    let words = words.into_iter().find_map(Value::as_str);
    Some(if class.ends_with("structuredformatter") {
        LogFormat::Singer
    } else if class.contains("json") {
        LogFormat::Json
    } else if words.is_some_and(|words| !words.contains("asctime")) {
        LogFormat::Message
    } else {
        LogFormat::Text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> SdkConfig {
        SdkConfig::read("target-x", &yaml(text).expect("YAML"))
    }

    /// As Meltano 4.4 writes it.
    fn meltano(formatter: &str) -> String {
        format!(
            r#"{{
  "version": 1,
  "disable_existing_loggers": false,
  "formatters": {{"singer_formatter": {formatter}}},
  "handlers": {{
    "console": {{
      "class": "logging.StreamHandler",
      "formatter": "singer_formatter",
      "stream": "ext://sys.stderr"
    }}
  }},
  "root": {{"handlers": ["console"], "level": "WARNING"}}
}}"#
        )
    }

    #[test]
    fn the_form_and_the_level_are_those_that_meltano_asks_for() {
        for (formatter, format) in [
            (
                r#"{"()": "singer_sdk.logging.StructuredFormatter"}"#,
                LogFormat::Singer,
            ),
            (r#"{"format": "%(message)s"}"#, LogFormat::Message),
            (
                r#"{"()": "singer_sdk.logging.ConsoleFormatter"}"#,
                LogFormat::Text,
            ),
            (r#"{"format": "%(asctime)s %(message)s"}"#, LogFormat::Text),
            (
                r#"{"()": "pythonjsonlogger.json.JsonFormatter"}"#,
                LogFormat::Json,
            ),
        ] {
            let expected = SdkConfig {
                level: Some(Level::Warn),
                format: Some(format),
                without_metrics: false,
            };
            assert_eq!(read(&meltano(formatter)), expected, "{formatter}");
        }
    }

    #[test]
    fn a_users_own_file_may_say_less_or_more() {
        assert_eq!(read("version: 1"), SdkConfig::default());
        let config = read(
            "root: {level: 10}
loggers:
  target-x: {level: ERROR}
  singer_sdk.metrics: {level: CRITICAL}
",
        );
        assert_eq!(config.level, Some(Level::Error));
        assert!(config.without_metrics && config.format.is_none());
    }

    #[test]
    fn a_file_that_is_missing_is_ignored() {
        let environment = [(VARIABLE, "/nowhere/at/all.yaml")].into_iter().collect();
        let config = SdkConfig::of("target-x", &environment);
        assert_eq!(config, Ok(SdkConfig::default()));
    }
}
