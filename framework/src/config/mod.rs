//! Settings: one field of one struct each, and everything else follows from it.
//!
//! The framework, a sink and an encoder each describe their settings in one struct with doc
//! comments. Validation, environment variables, `about` in all its formats and the settings page
//! are derived from its JSON Schema, so a setting cannot be documented differently from how it is
//! checked.
//!
//! ```
//! use schemars::JsonSchema;
//! use serde::Deserialize;
//! use singer_target::config::Secret;
//!
//! /// Where the records go.
//! #[derive(Deserialize, JsonSchema)]
//! struct Config {
//!     /// The server's address. A field without a default is required.
//!     #[schemars(length(min = 1))]
//!     host: String,
//!     /// The password. It is never shown.
//!     password: Option<Secret>,
//!     /// How many seconds a request may take.
//!     #[serde(default = "ten")]
//!     #[schemars(range(min = 1, max = 600))]
//!     timeout_seconds: u32,
//! }
//!
//! fn ten() -> u32 {
//!     10
//! }
//! ```
//!
//! All values are checked against that schema before the struct is filled, and every problem is
//! told at once. Names must be unique among the framework's, the sink's and the encoders' settings.
//!
//! Where a value comes from, later wins:
//!
//! 1. the default of the field,
//! 2. whatever else the sink looks into (`SinkPlugin::fill_in`), such as variables that all programs
//!    for a database heed,
//! 3. each `--config` file in the order given; a null means "not set", so it takes an earlier
//!    file's value away,
//! 4. the variable `<TARGET_NAME>_<SETTING>` from `.env` in the working directory,
//! 5. the same variable in the environment.
//!
//! The environment wins over files, as in the Meltano SDK. Unlike there it is always read, not
//! only with `--config ENV`: that spelling is accepted and changes nothing. An empty variable
//! counts as not set.
//!
//! Deliberately absent: settings within settings. Meltano, environment variables and people all
//! cope better with a flat list.

mod compat;
mod describe;
mod env;
mod flattening;
mod given;
mod maps;
mod metrics;
mod problem;
mod schema;
mod secret;
mod simplify;
mod source;
mod target;
mod validate;
mod versions;

pub(crate) use env::{Environment, variable};
pub(crate) use flattening::FlatteningSettings;
pub(crate) use given::FillIn;
pub use given::{FilledIn, Given};
pub(crate) use maps::MapSettings;
pub(crate) use metrics::MetricsSettings;
pub(crate) use problem::ConfigError;
pub use problem::Problem;
pub(crate) use schema::{Section, SectionDocs, Setting, SettingsSchema};
pub use secret::Secret;
pub(crate) use source::{Sources, yaml};
pub(crate) use target::{OnInvalidRecord, TargetSettings, dead_letter_rule};
pub(crate) use versions::VersionSettings;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// What the user gave: merged from all sources and found valid.
#[derive(Clone)]
pub(crate) struct Settings {
    values: Map<String, Value>,
    origins: Origins,
    schema: SettingsSchema,
}

/// Where the settings come from: files, environment variables, or what the sink has found.
pub(crate) type Origins = BTreeMap<String, String>;

/// Only the names: the values may be secrets.
impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

impl Settings {
    /// Reads all sources, later ones winning, lets the sink fill in what it finds elsewhere, and
    /// checks the result against the schema.
    ///
    /// # Errors
    /// Every problem there is, not only the first one.
    pub(crate) fn load(
        target_name: &str,
        sources: &Sources,
        schema: &SettingsSchema,
        fill_in: FillIn,
    ) -> Result<Self, ConfigError> {
        let merged = source::merge(target_name, sources, schema, fill_in)?;
        Self::checked(merged, schema)
    }

    fn checked(merged: source::Merged, schema: &SettingsSchema) -> Result<Self, ConfigError> {
        let origins = merged
            .iter()
            .map(|(name, given)| (name.clone(), given.origin.clone()))
            .collect();
        let values = validate::check(merged, schema)?;
        Ok(Self {
            values,
            origins,
            schema: schema.clone(),
        })
    }

    /// Where each setting that was given comes from.
    pub(crate) fn origins(&self) -> &Origins {
        &self.origins
    }

    /// Adds to what a sink finds wrong where it was set.
    pub(crate) fn with_origins(&self, mut problems: Vec<Problem>) -> Vec<Problem> {
        for problem in &mut problems {
            problem.origin = self.origins.get(&problem.setting).cloned();
        }
        problems
    }

    /// Settings that come from a test rather than from files and the environment.
    ///
    /// # Errors
    /// Every problem there is.
    #[cfg(feature = "conformance")]
    pub(crate) fn of(given: Value, schema: &SettingsSchema) -> Result<Self, ConfigError> {
        let Value::Object(given) = given else {
            return Err(ConfigError::of("settings", "must be an object"));
        };
        Self::checked(source::from_test(given), schema)
    }

    /// One struct's settings: only the fields of `T` are looked at, the rest belongs to others.
    ///
    /// # Errors
    /// A value passed the schema, but the struct cannot hold it.
    pub(crate) fn section<T: DeserializeOwned + JsonSchema>(&self) -> Result<T, ConfigError> {
        let fields: Map<_, _> = self
            .schema
            .of::<T>()
            .filter_map(|setting| self.values.get_key_value(&setting.name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        serde_path_to_error::deserialize(Value::Object(fields)).map_err(|error| {
            let name = error
                .path()
                .to_string()
                .split(['.', '['])
                .next()
                .unwrap_or_default()
                .to_owned();
            // The struct's own message may quote the value, which may be a URL with a password.
            let value = self.values.get(&name);
            let hidden = self.schema.get(&name).is_some_and(Setting::is_secret)
                || value.is_some_and(|value| value.to_string().contains('@'));
            let reason = if hidden {
                "cannot be used (its value is not shown)".to_owned()
            } else {
                error.inner().to_string()
            };
            ConfigError::of(name, reason)
        })
    }
}

#[cfg(test)]
mod tests;
