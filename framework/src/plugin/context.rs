//! What a sink is given when it is opened.

use std::fmt;
use std::sync::Arc;

use crate::config::Origins;
use crate::encoder::Encoder;
use crate::sink::SinkError;

/// What the framework gives to a sink that is opened. [`SinkPlugin`](super::SinkPlugin) has an example.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SinkContext {
    /// The target's name, for a connection's name.
    pub target_name: &'static str,
    /// The target's version.
    pub target_version: &'static str,
    /// All encoders of the target, configured.
    pub encoders: Encoders,
    pub(crate) origins: Arc<Origins>,
}

impl SinkContext {
    /// Where a setting comes from, for messages: a file, an environment variable, or what
    /// [`SinkPlugin::fill_in`](super::SinkPlugin::fill_in) said. `None` if it was not given.
    #[must_use]
    pub fn origin(&self, setting: &str) -> Option<&str> {
        self.origins.get(setting).map(String::as_str)
    }
}

/// The encoders of a target, by name. [`SinkPlugin`](super::SinkPlugin) has an example.
#[derive(Clone)]
pub struct Encoders(Arc<[(&'static str, Arc<dyn Encoder>)]>);

impl Encoders {
    /// The encoder of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Arc<dyn Encoder>> {
        self.iter()
            .find(|(candidate, _)| *candidate == name)
            .map(|(_, encoder)| Arc::clone(encoder))
    }

    /// The encoder that the user chose by its name, in `setting`.
    ///
    /// # Errors
    /// There is no encoder of that name. The error tells which there are.
    pub fn choose(&self, setting: &str, name: &str) -> Result<Arc<dyn Encoder>, SinkError> {
        self.get(name).ok_or_else(|| {
            let known: Vec<_> = self.iter().map(|(name, _)| name).collect();
            let known = known.join(", ");
            SinkError::config(format!(
                "{setting}: there is no encoder '{name}', only {known}"
            ))
        })
    }

    /// All of them with their names, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Arc<dyn Encoder>)> {
        self.0.iter().map(|(name, encoder)| (*name, encoder))
    }
}

/// Only the names.
impl fmt::Debug for Encoders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.iter().map(|(name, _)| name))
            .finish()
    }
}

impl FromIterator<(&'static str, Arc<dyn Encoder>)> for Encoders {
    fn from_iter<I: IntoIterator<Item = (&'static str, Arc<dyn Encoder>)>>(encoders: I) -> Self {
        let mut encoders: Vec<_> = encoders.into_iter().collect();
        encoders.sort_by_key(|(name, _)| *name);
        Self(encoders.into())
    }
}
