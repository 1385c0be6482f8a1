//! Settings: one field of one struct each, and everything else follows from it.
//!
//! The framework, a sink and an encoder each describe their settings in one struct with doc
//! comments ([`TargetSettings`] is the framework's). [`SettingsSchema`] merges their JSON Schemas;
//! validation, environment variables, `about` in all its formats and the settings page are derived
//! from that, so a setting cannot be documented differently from how it is checked.
//!
//! Where a value comes from, later wins:
//!
//! 1. the default of the field,
//! 2. each `--config` file in the order given; a null means "not set", so it takes an earlier
//!    file's value away,
//! 3. the variable `<TARGET_NAME>_<SETTING>` from `.env` in the working directory,
//! 4. the same variable in the environment.
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
mod problem;
mod schema;
mod secret;
mod simplify;
mod source;
mod target;
mod validate;
mod versions;

pub use env::Environment;
pub(crate) use env::variable;
pub use problem::{ConfigError, Problem};
pub use schema::{Choice, Section, SectionDocs, Setting, SettingsSchema};
pub use secret::Secret;
pub use source::Sources;
pub use target::{OnInvalidRecord, TargetSettings};
pub use versions::VersionSettings;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// What the user gave: merged from all sources and found valid.
#[derive(Clone)]
pub struct Settings(Map<String, Value>);

/// Only the names: the values may be secrets.
impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Settings {
    /// Reads all sources, later ones winning, and checks the result against the schema.
    ///
    /// # Errors
    /// Every problem there is, not only the first one.
    pub fn load(
        target_name: &str,
        sources: &Sources,
        schema: &SettingsSchema,
    ) -> Result<Self, ConfigError> {
        let merged = source::merge(target_name, sources, schema)?;
        validate::check(merged, schema).map(Self)
    }

    /// One struct's settings: only the fields of `T` are looked at, the rest belongs to others.
    ///
    /// # Errors
    /// A value passed the schema, but the struct cannot hold it.
    pub fn section<T: DeserializeOwned + JsonSchema>(&self) -> Result<T, ConfigError> {
        let section = SettingsSchema::new(&[Section::of::<T>("settings")])?;
        let fields: Map<_, _> = section
            .settings()
            .filter_map(|setting| self.0.get_key_value(&setting.name))
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
            let value = self.0.get(&name);
            let hidden = section.get(&name).is_some_and(Setting::is_secret)
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
