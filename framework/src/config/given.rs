//! What the user has given, for a sink that finds settings in other places as well.

use serde_json::Value;

use super::problem::Problem;
use super::source::{Given as GivenValue, Merged};
use super::{Environment, Setting, SettingsSchema};

/// What the user has given, before it is checked. [`SinkPlugin::fill_in`] has an example.
///
/// [`SinkPlugin::fill_in`]: crate::SinkPlugin::fill_in
#[derive(Clone, Copy)]
pub struct Given<'a> {
    merged: &'a Merged,
    environment: &'a Environment,
    schema: &'a SettingsSchema,
}

impl<'a> Given<'a> {
    /// The value that a file or the target's own environment variable gives to a setting. It may
    /// be of a wrong type.
    #[must_use]
    pub fn get(&self, setting: &str) -> Option<&'a Value> {
        let (_, given) = self.merged.iter().find(|(name, _)| name == setting)?;
        Some(&given.value)
    }

    /// An environment variable, of the process or in `.env`. An empty one counts as not set.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&'a str> {
        self.environment.get(name)
    }

    /// The first environment variable that is set of those that the setting names with
    /// `#[schemars(extend("fallbackVariables" = ["NAME"]))]`, and its value. What `about` says of
    /// the setting comes from there too.
    #[must_use]
    pub fn fallback(&self, setting: &str) -> Option<(&'a str, &'a str)> {
        let names = self.schema.get(setting).map(Setting::fallback_variables);
        names
            .into_iter()
            .flatten()
            .find_map(|name| Some((name, self.variable(name)?)))
    }
}

/// Only the names: the values may be secrets.
impl std::fmt::Debug for Given<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.merged.iter().map(|(name, _)| name);
        f.debug_set().entries(names).finish()
    }
}

/// A setting that was found in another place: see [`SinkPlugin::fill_in`].
///
/// [`SinkPlugin::fill_in`]: crate::SinkPlugin::fill_in
#[derive(Clone)]
pub struct FilledIn {
    setting: String,
    value: Value,
    origin: String,
}

impl FilledIn {
    /// The setting, its value, and where that was found, for messages: the name of a variable or
    /// of a file.
    pub fn new(
        setting: impl Into<String>,
        value: impl Into<Value>,
        origin: impl Into<String>,
    ) -> Self {
        Self {
            setting: setting.into(),
            value: value.into(),
            origin: origin.into(),
        }
    }
}

/// Not the value, which may be a secret.
impl std::fmt::Debug for FilledIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} from {}", self.setting, self.origin)
    }
}

/// What [`SinkPlugin::fill_in`](crate::SinkPlugin::fill_in) is to the engine.
pub(crate) type FillIn = fn(&Given<'_>) -> Result<Vec<FilledIn>, Vec<Problem>>;

/// Adds what the sink has found in other places. It replaces what was given.
pub(super) fn fill_in(
    merged: &mut Merged,
    environment: &Environment,
    schema: &SettingsSchema,
    fill_in: FillIn,
) -> Result<(), Vec<Problem>> {
    let given = Given {
        merged,
        environment,
        schema,
    };
    for found in fill_in(&given)? {
        merged.retain(|(name, _)| *name != found.setting);
        let given = GivenValue {
            value: found.value,
            origin: found.origin,
        };
        merged.push((found.setting, given));
    }
    Ok(())
}
