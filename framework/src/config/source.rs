//! Where the settings come from: files, then the environment.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::env;
use super::given::{self, FillIn};
use super::problem::{ConfigError, Problem};
use super::{Environment, SettingsSchema};

/// All that a configuration is read from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sources {
    files: Vec<PathBuf>,
    environment: Environment,
}

impl Sources {
    /// The values of `--config` in their order, and the environment.
    ///
    /// The value `ENV` is not a file: it asks for the environment, which is read anyway.
    pub(crate) fn new<S: AsRef<str>>(
        config: impl IntoIterator<Item = S>,
        environment: Environment,
    ) -> Self {
        let files = config
            .into_iter()
            .filter(|value| value.as_ref() != "ENV")
            .map(|value| PathBuf::from(value.as_ref()))
            .collect();
        Self { files, environment }
    }
}

/// A setting's value and where it came from.
pub(super) struct Given {
    pub(super) value: Value,
    pub(super) origin: String,
}

/// What the user gave, by name. Nulls are gone.
pub(super) type Merged = Vec<(String, Given)>;

/// Settings that a test gives.
#[cfg(feature = "conformance")]
pub(super) fn from_test(given: Map<String, Value>) -> Merged {
    let given = given.into_iter().filter(|(_, value)| !value.is_null());
    let origin = || "the test".to_owned();
    given
        .map(|(name, value)| {
            (
                name,
                Given {
                    value,
                    origin: origin(),
                },
            )
        })
        .collect()
}

/// Reads every source, the later ones winning.
pub(super) fn merge(
    target_name: &str,
    sources: &Sources,
    schema: &SettingsSchema,
    fill_in: FillIn,
) -> Result<Merged, ConfigError> {
    let mut merged = Merged::new();
    let mut problems = Vec::new();
    let mut set = |name: String, value: Value, origin: String| {
        let given = Given { value, origin };
        match merged.iter_mut().find(|(known, _)| *known == name) {
            Some((_, earlier)) => *earlier = given,
            None => merged.push((name, given)),
        }
    };
    for file in &sources.files {
        match read(file) {
            Ok(members) => {
                for (name, value) in members {
                    set(name, value, file.display().to_string());
                }
            }
            Err(message) => problems.push(Problem {
                setting: file.display().to_string(),
                message,
                origin: None,
            }),
        }
    }
    ConfigError::unless_empty(problems)?;
    for (name, value, variable) in env::settings(target_name, &sources.environment, schema) {
        set(name, value, variable);
    }
    merged.retain(|(_, given)| !given.value.is_null());
    given::fill_in(&mut merged, &sources.environment, schema, fill_in)
        .map_err(|problems| ConfigError { problems })?;
    Ok(merged)
}

/// Reads one file in the format of its extension: JSON unless it is YAML or TOML.
///
/// The parsers' own messages would quote the line, which may hold a password: only the place and
/// the kind of the error are told.
fn read(file: &Path) -> Result<Map<String, Value>, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("cannot be read: {error}"))?;
    let text = text.trim_start_matches('\u{feff}');
    let extension = file.extension().and_then(|extension| extension.to_str());
    let value = match extension {
        Some("yaml" | "yml") => yaml(text),
        Some("toml") => toml(text),
        _ => json(text),
    }?;
    match value {
        Value::Object(members) => Ok(members),
        Value::Null => Ok(Map::new()),
        _ => Err("is not an object of settings".to_owned()),
    }
}

fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("is not valid JSON: {error}"))
}

/// Reads YAML. The error says where it is wrong and quotes nothing.
pub(crate) fn yaml(text: &str) -> Result<Value, String> {
    // Only `true` and `false` are booleans: a password `no` stays what it is.
    let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| match error.location() {
        Some(at) => format!(
            "is not valid YAML at line {} column {}",
            at.line(),
            at.column()
        ),
        None => "is not valid YAML".to_owned(),
    })
}

fn toml(text: &str) -> Result<Value, String> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().map_or(0, |span| span.start.min(text.len()));
        let line = text.as_bytes()[..before]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
            + 1;
        format!("is not valid TOML at line {line}")
    })
}
