//! How a plugin is registered: a descriptor of function pointers that is known at compile time.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{
    CheckPlugin, DiscoverPlugin, EncoderPlugin, ErasedSink, MigratePlugin, PreviewPlugin,
    SinkContext, SinkPlugin, StatePlugin,
};
use crate::catalog::{Catalog, Discovery};
use crate::check::Finding;
use crate::config::{ConfigError, FillIn, Section, Settings};
use crate::encoder::Encoder;
use crate::migration::{Migrated, Migration};
use crate::preview::{Differences, Forecasts, Rehearsal, Tally};
use crate::sink::{Sink, SinkError};
use crate::state_store::ErasedStateStore;

type Operation<T> = fn(&Settings, SinkContext) -> BoxFuture<'static, Result<T, SinkError>>;

/// The same with what the command says besides the settings.
type OperationWith<With, T> =
    fn(&Settings, SinkContext, With) -> BoxFuture<'static, Result<T, SinkError>>;

/// The registration of a [`SinkPlugin`].
///
/// ```
/// use singer_target::{
///     Batch, Report, Sink, SinkContext, SinkEntry, SinkError, SinkPlugin, Target, inventory,
/// };
///
/// /// The settings of the sink.
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Config {
///     /// The server's address.
///     #[schemars(length(min = 1))]
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
///     async fn open(_: Config, _: SinkContext) -> Result<Self, SinkError> {
///         Ok(Self)
///     }
/// }
///
/// inventory::submit! { SinkEntry::of::<Somewhere>() }
///
/// // It is found by its name in every binary that this crate is linked into.
/// let target = Target::new("target-somewhere", "1.0.0", Somewhere::DESCRIPTION).sink(Somewhere::NAME);
/// # let _ = target;
/// ```
#[derive(Clone, Copy)]
pub struct SinkEntry {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) section: Section,
    /// The crate that it comes from, whose logs are shown as the framework's own are.
    pub(crate) crate_name: fn() -> &'static str,
    pub(crate) activates_versions: bool,
    pub(crate) dead_letter_setting: Option<&'static str>,
    pub(crate) fill_in: FillIn,
    pub(crate) validate: fn(&Settings) -> Result<(), ConfigError>,
    pub(crate) open: Operation<Arc<dyn ErasedSink>>,
    pub(crate) check: Option<Operation<Vec<Finding>>>,
    pub(crate) discover: Option<OperationWith<Discovery, Catalog>>,
    pub(crate) open_state: Option<Operation<Option<Arc<dyn ErasedStateStore>>>>,
    pub(crate) dry_run: Option<OperationWith<Forecasts, Arc<dyn ErasedSink>>>,
    pub(crate) verify: Option<OperationWith<Differences, Arc<dyn ErasedSink>>>,
    pub(crate) migrate: Option<OperationWith<Migration, Migrated>>,
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
            activates_versions: <P::Sink as Sink>::ACTIVATES_VERSIONS,
            dead_letter_setting: P::DEAD_LETTER_SETTING,
            fill_in: P::fill_in,
            validate: |settings| {
                let problems = P::validate(&settings.section::<P::Config>()?);
                ConfigError::unless_empty(settings.with_origins(problems))
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
            open_state: None,
            dry_run: None,
            verify: None,
            migrate: None,
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
        self.discover = Some(|settings, context, discovery| {
            let config = settings.section::<P::Config>();
            Box::pin(async move {
                P::discover(config.map_err(SinkError::config)?, context, discovery).await
            })
        });
        self
    }

    /// Adds what `P` offers as a [`StatePlugin`].
    #[must_use]
    pub const fn with_state<P: StatePlugin>(mut self) -> Self {
        self.open_state = Some(|settings, context| {
            let config = settings.section::<P::Config>();
            Box::pin(async move {
                let store = P::open_state(config.map_err(SinkError::config)?, context).await?;
                Ok(store.map(|store| Arc::new(store) as Arc<dyn ErasedStateStore>))
            })
        });
        self
    }

    /// Adds what `P` offers as a [`PreviewPlugin`].
    #[must_use]
    pub const fn with_preview<P: PreviewPlugin>(mut self) -> Self {
        self.dry_run = Some(rehearse::<P, Forecasts>);
        self.verify = Some(rehearse::<P, Differences>);
        self
    }

    /// Adds what `P` offers as a [`MigratePlugin`].
    #[must_use]
    pub const fn with_migrate<P: MigratePlugin>(mut self) -> Self {
        self.migrate = Some(|settings, context, migration| {
            let config = settings.section::<P::Config>();
            Box::pin(async move {
                P::migrate(config.map_err(SinkError::config)?, context, migration).await
            })
        });
        self
    }
}

/// Opens the sink of a run that only compares.
fn rehearse<P: PreviewPlugin, T: Tally>(
    settings: &Settings,
    context: SinkContext,
    tally: T,
) -> BoxFuture<'static, Result<Arc<dyn ErasedSink>, SinkError>> {
    let config = settings.section::<P::Config>();
    Box::pin(async move {
        let preview = P::preview(config.map_err(SinkError::config)?, context).await?;
        Ok(Arc::new(Rehearsal { preview, tally }) as Arc<dyn ErasedSink>)
    })
}

/// The registration of an [`EncoderPlugin`], which has an example.
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
