//! The program: from the command line to the exit code.

use std::process::ExitCode;

use crate::about::{About, PluginInfo, TargetInfo};
use crate::catalog::Discovery;
use crate::cli::{self, Args, Command};
use crate::config::{Environment, Settings, SettingsSchema, Sources};
use crate::load::Load;
use crate::manifest::BatchFiles;
use crate::map::Mapper;
use crate::plugin::{Registry, SinkContext, SinkEntry};
use crate::run_error::RunError;
use crate::telemetry;

/// A Singer target. The whole of a `main`:
///
/// ```no_run
/// # use std::process::ExitCode;
/// // use my_plugins as _;
/// fn main() -> ExitCode {
///     singer_target::Target::new("target-example", "1.0.0", "Loads streams into an example")
///         .sink("example")
///         .run()
/// }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Target {
    info: TargetInfo,
    sink: &'static str,
    extraction_times: bool,
}

impl Target {
    /// A target with the name of its executable, its version and one line on what it does.
    #[must_use]
    pub const fn new(name: &'static str, version: &'static str, description: &'static str) -> Self {
        Self {
            info: TargetInfo {
                name,
                version,
                description,
            },
            sink: "",
            extraction_times: false,
        }
    }

    /// Chooses the sink by its plugin's name.
    #[must_use]
    pub const fn sink(mut self, name: &'static str) -> Self {
        self.sink = name;
        self
    }

    /// Adds `_sdc_extracted_at` and `_sdc_received_at` to every record that has them not.
    #[must_use]
    pub const fn with_extraction_times(mut self) -> Self {
        self.extraction_times = true;
        self
    }

    /// Runs the program that the command line asks for.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let args = match Args::parse(&self.info) {
            Ok(args) => args,
            Err(error) => error.exit(),
        };
        match self.execute(&args) {
            Ok(code) => code,
            Err(error) => {
                // Also when logs are off or not set up yet: a failure is never silent.
                cli::print_error(self.info.name, &error);
                ExitCode::from(error.exit_code())
            }
        }
    }

    fn execute(self, args: &Args) -> Result<ExitCode, RunError> {
        let registry = Registry::linked()?;
        let sink = registry.sink(self.sink)?;
        let schema = registry.settings_schema(sink)?;
        match &args.command {
            Some(Command::About { format }) => {
                cli::print(&self.about(&registry, sink, &schema).render(*format))?;
                return Ok(ExitCode::SUCCESS);
            }
            Some(Command::Completions { shell }) => {
                let script = cli::completions(&self.info, *shell);
                cli::print(&String::from_utf8_lossy(&script))?;
                return Ok(ExitCode::SUCCESS);
            }
            Some(Command::Man) => {
                let page = cli::manual(&self.info)
                    .map_err(|source| RunError::io("cannot write the manual page", source))?;
                cli::print(&String::from_utf8_lossy(&page))?;
                return Ok(ExitCode::SUCCESS);
            }
            _ => {}
        }
        let environment = Environment::of_process()?;
        let crates = [env!("CARGO_CRATE_NAME"), (sink.crate_name)()];
        telemetry::init(self.info.name, &crates, args.log, &environment)?;
        let sources = Sources::new(args.config(), environment);
        let settings = Settings::load(self.info.name, &sources, &schema, sink.fill_in)?;
        (sink.validate)(&settings)?;
        let mapper = Mapper::new(&settings.section()?, settings.section()?)?;
        let context = SinkContext {
            target_name: self.info.name,
            target_version: self.info.version,
            encoders: registry.build_encoders(&settings)?,
            origins: settings.origins().clone().into(),
        };
        runtime()?.block_on(async {
            let load = Load {
                target_name: self.info.name,
                entry: sink,
                settings: &settings,
                mapper,
                extraction_times: self.extraction_times,
                input: args.input(),
            };
            match &args.command {
                Some(Command::Check { .. }) => cli::check(sink, &settings, context).await,
                Some(Command::Discover { format, sample, .. }) => {
                    let discovery = Discovery { sample: *sample };
                    cli::discover(sink, &settings, context, discovery, *format).await
                }
                Some(Command::State { action, .. }) => {
                    cli::state(sink, &settings, context, *action).await
                }
                Some(Command::Load {
                    dry_run: true,
                    format,
                    ..
                }) => load.dry_run(context, format.unwrap_or_default()).await,
                Some(Command::Verify { format, .. }) => load.verify(context, *format).await,
                Some(Command::Migrate {
                    catalog,
                    dry_run,
                    format,
                    ..
                }) => {
                    let migration = cli::migration(catalog.as_deref(), *dry_run)?;
                    cli::migrate(sink, &settings, context, migration, *format).await
                }
                _ => load.run(context).await,
            }
        })
    }

    fn about<'a>(
        self,
        registry: &Registry,
        sink: SinkEntry,
        schema: &'a SettingsSchema,
    ) -> About<'a> {
        let plugin = |kind, name, description| PluginInfo {
            kind,
            name,
            description,
        };
        let encoders = registry
            .encoders
            .iter()
            .map(|entry| plugin("encoder", entry.name, entry.description));
        let mut capabilities = vec![
            "about",
            "structured-logging",
            "validate-records",
            "stream-maps",
            "schema-flattening",
            "batch",
        ];
        if sink.activates_versions {
            capabilities.extend(["activate-version", "soft-delete", "hard-delete"]);
        }
        About {
            target: self.info,
            schema,
            capabilities,
            batch: BatchFiles::supported(),
            plugins: std::iter::once(plugin("sink", sink.name, sink.description))
                .chain(encoders)
                .collect(),
        }
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, RunError> {
    // One thread: the work is done by the server, and a second thread would take its core.
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| RunError::io("cannot start the async runtime", source))
}
