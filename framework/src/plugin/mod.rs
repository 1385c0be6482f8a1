//! Plugins: sinks and encoders that a binary finds by name.

mod context;
mod entry;
mod erased;
mod registry;

use std::future::Future;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

pub use context::{Encoders, SinkContext};
pub use entry::{EncoderEntry, SinkEntry};
pub(crate) use erased::ErasedSink;
pub(crate) use registry::{Registry, RegistryError};

use crate::catalog::{Catalog, Discovery};
use crate::check::Finding;
use crate::config::{FilledIn, Given, Problem};
use crate::encoder::Encoder;
use crate::migration::{Migrated, Migration};
use crate::preview::Preview;
use crate::sink::{Sink, SinkError};
use crate::state_store::StateStore;

/// A sink that can be chosen by name, and what it offers besides writing.
///
/// ```
/// use std::fs::File;
/// use std::io::Write;
/// use std::path::PathBuf;
/// use std::sync::Arc;
///
/// use singer_target::catalog::{Catalog, CatalogStream, Discovery};
/// use singer_target::check::Finding;
/// use singer_target::{
///     Batch, BoxError, CheckPlugin, DiscoverPlugin, Encoder, Report, Sink, SinkContext, SinkEntry,
///     SinkError, SinkPlugin,
/// };
///
/// /// Settings of the folder sink.
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Config {
///     /// The folder of the files.
///     folder: PathBuf,
///     /// How records are written: the name of an encoder.
///     encoding: Option<String>,
/// }
///
/// struct Folder {
///     folder: PathBuf,
///     encoder: Arc<dyn Encoder>,
/// }
///
/// impl Sink for Folder {
///     async fn write(&self, batch: &Batch) -> Result<Report, SinkError> {
///         let write = || -> Result<(), BoxError> {
///             for record in batch.records() {
///                 let mut bytes = Vec::new();
///                 self.encoder.encode(record.value(), &mut bytes)?;
///                 // A stream's name may be any text, and not all of it can name a file.
///                 let stream = batch.stream().name().replace(['/', '-'], "_");
///                 let name = self.folder.join(format!("{stream}-{}", record.line()));
///                 let mut file = File::create(name)?;
///                 file.write_all(&bytes)?;
///                 // What is reported as written has to be durable.
///                 file.sync_all()?;
///             }
///             Ok(())
///         };
///         write().map_err(SinkError::permanent)?;
///         Ok(Report::all_written(batch))
///     }
/// }
///
/// impl SinkPlugin for Folder {
///     const NAME: &'static str = "folder";
///     const DESCRIPTION: &'static str = "A file for each record";
///     type Config = Config;
///     type Sink = Self;
///
///     async fn open(config: Config, context: SinkContext) -> Result<Self, SinkError> {
///         let encoding = config.encoding.as_deref().unwrap_or("json");
///         let encoder = context.encoders.choose("encoding", encoding)?;
///         Ok(Self { folder: config.folder, encoder })
///     }
/// }
///
/// impl CheckPlugin for Folder {
///     async fn check(config: Config, _: SinkContext) -> Result<Vec<Finding>, SinkError> {
///         let folder = config.folder.display();
///         Ok(vec![if config.folder.is_dir() {
///             Finding::good(format!("{folder} is a folder"))
///         } else {
///             Finding::bad(format!("{folder} is no folder; create it"))
///         }])
///     }
/// }
///
/// impl DiscoverPlugin for Folder {
///     async fn discover(
///         config: Config,
///         _: SinkContext,
///         _: Discovery,
///     ) -> Result<Catalog, SinkError> {
///         let files = std::fs::read_dir(&config.folder).map_err(SinkError::unavailable)?;
///         let names = files.flatten().filter_map(|file| file.file_name().into_string().ok());
///         let mut streams: Vec<_> = names
///             .filter_map(|name| Some(name.rsplit_once('-')?.0.to_owned()))
///             .collect();
///         streams.sort();
///         streams.dedup();
///         let stream = |name| CatalogStream::new(name, serde_json::json!({"type": "object"}));
///         Ok(streams.into_iter().map(stream).collect())
///     }
/// }
///
/// singer_target::inventory::submit! {
///     SinkEntry::of::<Folder>().with_check::<Folder>().with_discover::<Folder>()
/// }
/// ```
pub trait SinkPlugin: 'static {
    /// Its name, lower case with hyphens: `nats-kv`.
    const NAME: &'static str;
    /// What it does, in one line.
    const DESCRIPTION: &'static str;
    /// Its settings. Doc comments become their descriptions: this is the only place where they
    /// are described.
    ///
    /// What a single value may be is said here too: `#[schemars(range(min = 1))]`,
    /// `#[schemars(length(min = 1))]`. A field that is no `Option` and has no `#[serde(default)]`
    /// is required. Unknown settings are refused without `deny_unknown_fields`.
    type Config: DeserializeOwned + JsonSchema + Send + 'static;
    /// What it opens.
    type Sink: Sink;

    /// The setting by which the sink keeps records that could not be loaded, if it does:
    /// [`Sink::write_dead_letters`]. Where `on_invalid_record` is `dead_letter`, either this one or
    /// `dead_letter_file` must be set.
    const DEAD_LETTER_SETTING: Option<&'static str> = None;

    /// Looks for settings that the user has not given in other places: variables that all programs
    /// for this destination heed, or the files of its own tools. What it returns counts as if it
    /// were given, and is checked like that; its origin stands in messages.
    ///
    /// ```
    /// # use singer_target::{Batch, Report, Sink, SinkContext, SinkError};
    /// use singer_target::SinkPlugin;
    /// use singer_target::config::{FilledIn, Given, Problem};
    ///
    /// /// Settings of the table sink.
    /// #[derive(serde::Deserialize, schemars::JsonSchema)]
    /// struct Config {
    ///     /// The server's name.
    ///     #[schemars(extend("fallbackVariables" = ["PGHOST"]))]
    ///     host: String,
    /// }
    /// # struct Table;
    /// # impl Sink for Table {
    /// #     async fn write(&self, batch: &Batch) -> Result<Report, SinkError> {
    /// #         Ok(Report::all_written(batch))
    /// #     }
    /// # }
    ///
    /// impl SinkPlugin for Table {
    ///     const NAME: &'static str = "table";
    ///     const DESCRIPTION: &'static str = "A table of PostgreSQL";
    ///     type Config = Config;
    ///     type Sink = Self;
    ///
    ///     fn fill_in(given: &Given<'_>) -> Result<Vec<FilledIn>, Vec<Problem>> {
    ///         let host = match given.get("host") {
    ///             Some(_) => None,
    ///             None => given.fallback("host"),
    ///         };
    ///         let filled = host.map(|(variable, host)| FilledIn::new("host", host, variable));
    ///         Ok(filled.into_iter().collect())
    ///     }
    ///
    ///     async fn open(_: Config, _: SinkContext) -> Result<Self, SinkError> {
    ///         Ok(Self)
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// What was found cannot be used, or what was named is not there.
    fn fill_in(given: &Given<'_>) -> Result<Vec<FilledIn>, Vec<Problem>> {
        let _ = given;
        Ok(Vec::new())
    }

    /// What is wrong with settings that are each valid but do not go together. Pure: nothing is
    /// opened yet. It belongs here and not in `open`, which `check` does not call.
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

/// A sink that can tell whether it would work, without changing anything: the command `check`.
/// [`SinkPlugin`] has an example.
pub trait CheckPlugin: SinkPlugin {
    /// Looks at everything that a run needs and reports each thing found. `open` is not called.
    ///
    /// # Errors
    /// If the destination cannot be looked at.
    fn check(
        config: Self::Config,
        context: SinkContext,
    ) -> impl Future<Output = Result<Vec<Finding>, SinkError>> + Send;
}

/// A sink that can tell what its destination holds: the command `discover`. [`SinkPlugin`] has an
/// example.
pub trait DiscoverPlugin: SinkPlugin {
    /// Describes the streams that the destination holds.
    ///
    /// # Errors
    /// If the destination cannot be read.
    fn discover(
        config: Self::Config,
        context: SinkContext,
        discovery: Discovery,
    ) -> impl Future<Output = Result<Catalog, SinkError>> + Send;
}

/// A sink that can tell what a load would do and whether it has done it: `load --dry-run` and
/// `verify`. [`Preview`] has an example of what it opens; it is registered by
/// [`SinkEntry::with_preview`].
pub trait PreviewPlugin: SinkPlugin {
    /// What compares.
    type Preview: Preview;

    /// Connects to the destination, in order to read. Nothing must be written or created.
    ///
    /// # Errors
    /// If it cannot be read.
    fn preview(
        config: Self::Config,
        context: SinkContext,
    ) -> impl Future<Output = Result<Self::Preview, SinkError>> + Send;
}

/// A sink that can bring what its destination holds into the form that the settings name: the
/// command `migrate`. [`Migrated`] has an example; it is registered by [`SinkEntry::with_migrate`].
pub trait MigratePlugin: SinkPlugin {
    /// Rewrites stored records, each by itself and never over what another writer has changed
    /// meanwhile, so that it can be interrupted and begun again.
    ///
    /// # Errors
    /// If the destination cannot be read or written. What is rewritten by then is whole.
    fn migrate(
        config: Self::Config,
        context: SinkContext,
        migration: Migration,
    ) -> impl Future<Output = Result<Migrated, SinkError>> + Send;
}

/// A sink whose destination can also keep the newest STATE: the command `state`, and every run where
/// the settings ask for it. [`StateStore`] has an example of what it opens; it is registered by
/// [`SinkEntry::with_state`].
pub trait StatePlugin: SinkPlugin {
    /// What keeps it.
    type Store: StateStore;

    /// Connects to where states are kept; `None` if the settings do not ask for it. Nothing must be
    /// changed. It is opened besides the sink, and used until after that is closed.
    ///
    /// # Errors
    /// If it cannot be used as the settings say.
    fn open_state(
        config: Self::Config,
        context: SinkContext,
    ) -> impl Future<Output = Result<Option<Self::Store>, SinkError>> + Send;
}

/// An encoder that can be chosen by name, in any sink that has a setting for it.
///
/// ```
/// # use singer_target::value::{Tape, Value};
/// # use singer_target::{BoxError, Encoder};
/// use singer_target::{EncoderEntry, EncoderPlugin};
///
/// /// Settings of this encoder: their names must be free in all targets that link it.
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct ReadableConfig {
///     /// Whether a line break follows each record.
///     #[serde(default)]
///     readable_final_newline: bool,
/// }
///
/// /// JSON with indents.
/// struct Readable(ReadableConfig);
/// # impl Encoder for Readable {
/// #     fn content_type(&self) -> &'static str {
/// #         "application/json"
/// #     }
/// #     fn encode(&self, record: Value<'_>, out: &mut Vec<u8>) -> Result<(), BoxError> {
/// #         serde_json::to_writer_pretty(&mut *out, &record.with_big_numbers(Default::default()))?;
/// #         if self.0.readable_final_newline {
/// #             out.push(b'\n');
/// #         }
/// #         Ok(())
/// #     }
/// #     fn decode(&self, bytes: &[u8], into: &mut Tape) -> Result<(), BoxError> {
/// #         Ok(into.parse(bytes)?)
/// #     }
/// #     fn recognises(&self, bytes: &[u8]) -> bool {
/// #         bytes.starts_with(b"{\n")
/// #     }
/// # }
///
/// impl EncoderPlugin for Readable {
///     const NAME: &'static str = "readable";
///     const DESCRIPTION: &'static str = "JSON with indents, for people";
///     type Config = ReadableConfig;
///     type Encoder = Self;
///
///     fn build(config: ReadableConfig) -> Self {
///         Self(config)
///     }
/// }
///
/// singer_target::inventory::submit! { EncoderEntry::of::<Readable>() }
/// ```
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
