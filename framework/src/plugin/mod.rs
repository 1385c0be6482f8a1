//! Plugins: sinks and encoders that a binary finds by name.

mod entry;
mod erased;
mod registry;

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

pub use entry::{EncoderEntry, SinkEntry};
pub(crate) use erased::ErasedSink;
pub(crate) use registry::{Registry, RegistryError};

use crate::catalog::Catalog;
use crate::check::Finding;
use crate::config::Problem;
use crate::encoder::Encoder;
use crate::sink::{Sink, SinkError};

/// A sink that can be chosen by name.
pub trait SinkPlugin: 'static {
    /// Its name, lower case with hyphens: `nats-kv`.
    const NAME: &'static str;
    /// What it does, in one line.
    const DESCRIPTION: &'static str;
    /// Its settings. Doc comments become their descriptions: this is the only place where they
    /// are described.
    type Config: DeserializeOwned + JsonSchema + Send + 'static;
    /// What it opens.
    type Sink: Sink;

    /// What is wrong with settings that are each valid but do not go together. Pure: nothing is
    /// opened yet.
    #[must_use]
    fn validate(config: &Self::Config) -> Vec<Problem> {
        let _ = config;
        Vec::new()
    }

    /// Connects to the destination.
    ///
    /// # Errors
    /// If it cannot be used as the settings say.
    fn open(
        config: Self::Config,
        context: SinkContext,
    ) -> impl Future<Output = Result<Self::Sink, SinkError>> + Send;
}

/// A sink that can tell whether it would work, without changing anything.
pub trait CheckPlugin: SinkPlugin {
    /// Looks at everything that a run needs and reports each thing found.
    ///
    /// # Errors
    /// If the destination cannot be looked at.
    fn check(
        config: Self::Config,
        context: SinkContext,
    ) -> impl Future<Output = Result<Vec<Finding>, SinkError>> + Send;
}

/// A sink that can tell what its destination holds.
pub trait DiscoverPlugin: SinkPlugin {
    /// Describes the streams that the destination holds.
    ///
    /// # Errors
    /// If the destination cannot be read.
    fn discover(
        config: Self::Config,
        context: SinkContext,
    ) -> impl Future<Output = Result<Catalog, SinkError>> + Send;
}

/// An encoder that can be chosen by name.
pub trait EncoderPlugin: 'static {
    /// Its name, lower case: `json`.
    const NAME: &'static str;
    /// What it does, in one line.
    const DESCRIPTION: &'static str;
    /// Its settings; an empty struct if it has none.
    type Config: DeserializeOwned + JsonSchema + 'static;
    /// What it builds.
    type Encoder: Encoder;

    /// Builds the encoder.
    fn build(config: Self::Config) -> Self::Encoder;
}

/// What the framework gives to a sink that is opened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SinkContext {
    /// The target's name, for a connection's name.
    pub target_name: &'static str,
    /// The target's version.
    pub target_version: &'static str,
    /// All encoders of the target, configured.
    pub encoders: Encoders,
}

/// The encoders of a target, by name.
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
