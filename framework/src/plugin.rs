//! Plugins: sinks and encoders that a binary finds by name.
//!
//! A crate registers its plugins with [`inventory::submit!`]; nothing else names them. The trap of
//! that: a crate which is a dependency but is never mentioned is not linked, and its plugins are
//! silently absent. So a binary says `use my_sinks as _;`, and [`Registry`] refuses to be empty.

use std::future::Future;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::batch::Batch;
use crate::catalog::Catalog;
use crate::check::Finding;
use crate::config::{ConfigError, Problem, Section, Settings};
use crate::encoder::Encoder;
use crate::sink::{Ending, Report, Sink, SinkError};
use crate::stream::Stream;
use crate::value::Value;

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
#[derive(Clone)]
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

    /// All of them with their names, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Arc<dyn Encoder>)> {
        self.0.iter().map(|(name, encoder)| (*name, encoder))
    }
}

/// For the tests of a sink; a run collects the registered ones.
impl FromIterator<(&'static str, Arc<dyn Encoder>)> for Encoders {
    fn from_iter<I: IntoIterator<Item = (&'static str, Arc<dyn Encoder>)>>(encoders: I) -> Self {
        let mut encoders: Vec<_> = encoders.into_iter().collect();
        encoders.sort_by_key(|(name, _)| *name);
        Self(encoders.into())
    }
}

type Operation<T> = fn(&Settings, SinkContext) -> BoxFuture<'static, Result<T, SinkError>>;

/// The registration of a [`SinkPlugin`].
///
/// ```
/// use singer_target::{
///     Batch, Report, Sink, SinkContext, SinkEntry, SinkError, SinkPlugin, inventory,
/// };
///
/// /// The settings of the sink.
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Config {
///     /// The server's address.
///     server_url: String,
/// }
///
/// struct Somewhere;
///
/// impl Sink for Somewhere {
///     async fn write(&self, batch: &Batch) -> Result<Report, SinkError> {
///         // …
///         Ok(Report::all_written(batch))
///     }
/// }
///
/// impl SinkPlugin for Somewhere {
///     const NAME: &'static str = "somewhere";
///     const DESCRIPTION: &'static str = "Loads records into somewhere";
///     type Config = Config;
///     type Sink = Self;
///
///     async fn open(config: Config, _context: SinkContext) -> Result<Self, SinkError> {
///         if config.server_url.is_empty() {
///             return Err(SinkError::config("server_url is empty"));
///         }
///         Ok(Self)
///     }
/// }
///
/// inventory::submit! { SinkEntry::of::<Somewhere>() }
///
/// // It is found by its name in every binary that this crate is linked into.
/// let registry = singer_target::plugin::Registry::linked().unwrap();
/// assert!(registry.sink("somewhere").is_ok());
/// ```
#[derive(Clone, Copy)]
pub struct SinkEntry {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) section: Section,
    /// The crate that it comes from, whose logs are shown as the framework's own are.
    pub(crate) crate_name: fn() -> &'static str,
    pub(crate) validate: fn(&Settings) -> Result<(), ConfigError>,
    pub(crate) open: Operation<Arc<dyn ErasedSink>>,
    pub(crate) check: Option<Operation<Vec<Finding>>>,
    pub(crate) discover: Option<Operation<Catalog>>,
}

inventory::collect!(SinkEntry);

impl SinkEntry {
    /// Describes `P`.
    #[must_use]
    pub const fn of<P: SinkPlugin>() -> Self {
        Self {
            name: P::NAME,
            description: P::DESCRIPTION,
            section: Section::of::<P::Config>(P::DESCRIPTION),
            crate_name: || {
                std::any::type_name::<P>()
                    .split("::")
                    .next()
                    .unwrap_or_default()
            },
            validate: |settings| {
                ConfigError::unless_empty(P::validate(&settings.section::<P::Config>()?))
            },
            open: |settings, context| {
                let config = settings.section::<P::Config>();
                Box::pin(async move {
                    let sink = P::open(config.map_err(SinkError::config)?, context).await?;
                    Ok(Arc::new(sink) as Arc<dyn ErasedSink>)
                })
            },
            check: None,
            discover: None,
        }
    }

    /// Adds what `P` offers as a [`CheckPlugin`].
    #[must_use]
    pub const fn with_check<P: CheckPlugin>(mut self) -> Self {
        self.check = Some(|settings, context| {
            let config = settings.section::<P::Config>();
            Box::pin(async move { P::check(config.map_err(SinkError::config)?, context).await })
        });
        self
    }

    /// Adds what `P` offers as a [`DiscoverPlugin`].
    #[must_use]
    pub const fn with_discover<P: DiscoverPlugin>(mut self) -> Self {
        self.discover = Some(|settings, context| {
            let config = settings.section::<P::Config>();
            Box::pin(async move { P::discover(config.map_err(SinkError::config)?, context).await })
        });
        self
    }
}

/// The registration of an [`EncoderPlugin`].
#[derive(Clone, Copy)]
pub struct EncoderEntry {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) section: Section,
    pub(crate) build: fn(&Settings) -> Result<Arc<dyn Encoder>, ConfigError>,
}

inventory::collect!(EncoderEntry);

impl EncoderEntry {
    /// Describes `P`.
    #[must_use]
    pub const fn of<P: EncoderPlugin>() -> Self {
        Self {
            name: P::NAME,
            description: P::DESCRIPTION,
            section: Section::of::<P::Config>(P::DESCRIPTION),
            build: |settings| {
                Ok(Arc::new(P::build(settings.section::<P::Config>()?)) as Arc<dyn Encoder>)
            },
        }
    }
}

/// The engine's side of a [`Sink`]: the same, with its futures boxed.
pub(crate) trait ErasedSink: Send + Sync {
    fn write<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Report, SinkError>>;
    fn open_stream<'a>(&'a self, stream: &'a Arc<Stream>) -> BoxFuture<'a, Result<(), SinkError>>;
    fn validate(&self, stream: &Stream, record: Value<'_>) -> Result<(), String>;
    fn concurrency(&self) -> usize;
    fn takes_null_keys(&self) -> bool;
    fn close(&self, ending: Ending) -> BoxFuture<'_, Result<(), SinkError>>;
}

impl<S: Sink> ErasedSink for S {
    fn write<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Report, SinkError>> {
        Box::pin(Sink::write(self, batch))
    }

    fn open_stream<'a>(&'a self, stream: &'a Arc<Stream>) -> BoxFuture<'a, Result<(), SinkError>> {
        Box::pin(Sink::open_stream(self, stream))
    }

    fn validate(&self, stream: &Stream, record: Value<'_>) -> Result<(), String> {
        Sink::validate(self, stream, record)
    }

    fn concurrency(&self) -> usize {
        Sink::concurrency(self).max(1)
    }

    fn takes_null_keys(&self) -> bool {
        Sink::takes_null_keys(self)
    }

    fn close(&self, ending: Ending) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(Sink::close(self, ending))
    }
}

/// All plugins that are linked into the binary, sorted by name.
pub struct Registry {
    pub(crate) sinks: Vec<SinkEntry>,
    pub(crate) encoders: Vec<EncoderEntry>,
}

/// Why the plugins of a binary cannot be used. A fault of the binary, not of its user.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RegistryError {
    /// No plugin of that name is linked.
    #[error(
        "this binary has no {kind} '{name}' (it has: {known}); a crate of plugins must be named in \
         the code to be linked: `use the_crate as _;`"
    )]
    Missing {
        /// `sink` or `encoder`.
        kind: &'static str,
        /// The name that was asked for.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// Two plugins have the same name.
    #[error("this binary has two {kind}s with the name '{name}'")]
    Duplicate {
        /// `sink` or `encoder`.
        kind: &'static str,
        /// The name that both have.
        name: &'static str,
    },
}

impl Registry {
    /// Collects what is linked.
    ///
    /// # Errors
    /// If two plugins of a kind share a name.
    pub fn linked() -> Result<Self, RegistryError> {
        Self::new(
            inventory::iter::<SinkEntry>.into_iter().copied(),
            inventory::iter::<EncoderEntry>.into_iter().copied(),
        )
    }

    fn new(
        sinks: impl Iterator<Item = SinkEntry>,
        encoders: impl Iterator<Item = EncoderEntry>,
    ) -> Result<Self, RegistryError> {
        let mut registry = Self {
            sinks: sinks.collect(),
            encoders: encoders.collect(),
        };
        registry.sinks.sort_by_key(|entry| entry.name);
        registry.encoders.sort_by_key(|entry| entry.name);
        refuse_duplicates("sink", registry.sinks.iter().map(|entry| entry.name))?;
        refuse_duplicates("encoder", registry.encoders.iter().map(|entry| entry.name))?;
        Ok(registry)
    }

    /// The sink of that name.
    ///
    /// # Errors
    /// If it is not linked.
    pub fn sink(&self, name: &str) -> Result<SinkEntry, RegistryError> {
        self.sinks
            .iter()
            .find(|entry| entry.name == name)
            .copied()
            .ok_or_else(|| {
                let known: Vec<_> = self.sink_names().collect();
                let known = if known.is_empty() {
                    "none".to_owned()
                } else {
                    known.join(", ")
                };
                RegistryError::Missing {
                    kind: "sink",
                    name: name.to_owned(),
                    known,
                }
            })
    }

    /// The names of all sinks, sorted.
    pub fn sink_names(&self) -> impl Iterator<Item = &'static str> {
        self.sinks.iter().map(|entry| entry.name)
    }

    /// The names of all encoders, sorted.
    pub fn encoder_names(&self) -> impl Iterator<Item = &'static str> {
        self.encoders.iter().map(|entry| entry.name)
    }

    pub(crate) fn build_encoders(&self, settings: &Settings) -> Result<Encoders, ConfigError> {
        self.encoders
            .iter()
            .map(|entry| Ok((entry.name, (entry.build)(settings)?)))
            .collect()
    }
}

fn refuse_duplicates(
    kind: &'static str,
    sorted: impl Iterator<Item = &'static str>,
) -> Result<(), RegistryError> {
    let mut previous = None;
    for name in sorted {
        if previous == Some(name) {
            return Err(RegistryError::Duplicate { kind, name });
        }
        previous = Some(name);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nowhere;

    impl Sink for Nowhere {
        async fn write(&self, batch: &Batch) -> Result<Report, SinkError> {
            Ok(Report::all_written(batch))
        }
    }

    impl SinkPlugin for Nowhere {
        const NAME: &'static str = "nowhere";
        const DESCRIPTION: &'static str = "Drops records";
        type Config = NoSettings;
        type Sink = Self;

        async fn open(_: NoSettings, _: SinkContext) -> Result<Self, SinkError> {
            Ok(Self)
        }
    }

    #[derive(serde::Deserialize, JsonSchema)]
    struct NoSettings {}

    #[test]
    fn an_absent_sink_is_a_loud_error() {
        let empty = Registry::new(std::iter::empty(), std::iter::empty()).expect("no duplicates");
        let error = empty.sink("nats-kv").err().expect("absent").to_string();
        assert!(
            error.contains("no sink 'nats-kv' (it has: none)"),
            "{error}"
        );
        assert!(error.contains("use the_crate as _"), "{error}");
        let one = SinkEntry::of::<Nowhere>();
        let registry = Registry::new([one].into_iter(), std::iter::empty()).expect("one");
        assert!(registry.sink("nowhere").is_ok());
        assert!(
            registry
                .sink("other")
                .err()
                .expect("absent")
                .to_string()
                .contains("it has: nowhere")
        );
    }

    #[test]
    fn two_plugins_with_one_name_are_refused() {
        let entry = SinkEntry::of::<Nowhere>();
        let error = Registry::new([entry, entry].into_iter(), std::iter::empty()).err();
        assert_eq!(
            error,
            Some(RegistryError::Duplicate {
                kind: "sink",
                name: "nowhere"
            })
        );
    }

    #[test]
    fn what_a_sink_offers_is_what_it_was_registered_with() {
        let entry = SinkEntry::of::<Nowhere>();
        assert!(entry.check.is_none() && entry.discover.is_none());
        assert_eq!((entry.crate_name)(), "singer_target");
    }
}
