//! A run of the pipeline, from the settings to the exit code: a load, a rehearsal of one, or a
//! check of what one has left.

use std::fs::File;
use std::future::Future;
use std::io::{self, Read};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use crate::cli::{self, ReportFormat};
use crate::config::{OnInvalidRecord, Settings, TargetSettings, VersionSettings};
use crate::dead_letter::DeadLetter;
use crate::emitter::Emitter;
use crate::map::Mapper;
use crate::metadata::Columns;
use crate::metrics::{Progress, Reports, Summary};
use crate::pipeline::{End, Pipeline, Plan};
use crate::plugin::{ErasedSink, SinkContext, SinkEntry};
use crate::preview::{Differences, Forecasts};
use crate::reader;
use crate::retry::Retry;
use crate::run_error::RunError;
use crate::shutdown::Shutdown;
use crate::sink::SinkError;
use crate::state_store::{ErasedStateStore, Keeper};
use crate::terminal::{Above, LiveLine};

/// What a run is made of.
pub(crate) struct Load<'a> {
    pub(crate) target_name: &'static str,
    pub(crate) entry: SinkEntry,
    pub(crate) settings: &'a Settings,
    pub(crate) mapper: Option<Mapper>,
    /// Whether records get the times of their extraction in any case.
    pub(crate) extraction_times: bool,
    /// `None` for standard input.
    pub(crate) input: Option<&'a Path>,
}

impl Load<'_> {
    /// Loads all records, and prints each STATE once everything before it is safe.
    pub(crate) async fn run(self, context: SinkContext) -> Result<ExitCode, RunError> {
        let (target_name, settings) = (self.target_name, self.settings);
        let target: TargetSettings = settings.section()?;
        let shutdown = listen()?;
        let input = self.open_input()?;
        let dead_letter = match (target.on_invalid_record, &target.dead_letter_file) {
            (OnInvalidRecord::DeadLetter, Some(path)) => Some(DeadLetter::in_file(path)?),
            // Then the sink has a place for it, or the settings would have been refused.
            (OnInvalidRecord::DeadLetter, None) => Some(DeadLetter::at_sink()),
            _ => None,
        };
        let opening = async {
            let sink = (self.entry.open)(settings, context.clone()).await?;
            Ok((sink, open_state(self.entry, settings, context).await?))
        };
        let Some((sink, store)) = unless_stopped(&shutdown, opening).await? else {
            return Ok(stopped(&shutdown));
        };
        let lines = reader::spawn(input, target.max_line_bytes)?;
        let keeper = store.map(|store| Keeper::new(store, Retry::new(&target, &shutdown)));
        let emitter = emitter(&target, Above(io::stdout()))?.keeping(keeper);
        let plan = self.plan(target)?;
        let pipeline = Pipeline::new(plan, sink, emitter, dead_letter, shutdown.clone());
        let summary = pipeline.summary();
        let reports = Reports::start(summary.clone(), &settings.section()?).await?;
        let live = LiveLine::start(&summary);
        let outcome = pipeline.run(lines).await;
        let progress = match outcome {
            Ok(End::Complete) => Progress::Succeeded,
            _ => Progress::Ended,
        };
        reports.finish(progress).await;
        match live {
            Some(live) => live.finish(),
            None => summary.log(progress),
        }
        end(target_name, outcome, &shutdown)
    }

    /// Tells what [`run`](Self::run) would do.
    pub(crate) async fn dry_run(
        self,
        context: SinkContext,
        format: ReportFormat,
    ) -> Result<ExitCode, RunError> {
        let open = cli::offered(self.entry, self.entry.dry_run, "load --dry-run")?;
        let forecasts = Forecasts::default();
        let opening = open(self.settings, context, forecasts.clone());
        let (code, summary) = self.rehearse(opening).await?;
        if code == ExitCode::SUCCESS {
            cli::print_forecasts(&forecasts.with(&summary), format)?;
        }
        Ok(code)
    }

    /// Tells what the destination lacks of what [`run`](Self::run) must have left there. Exit code
    /// 1 if that is anything.
    pub(crate) async fn verify(
        self,
        context: SinkContext,
        format: ReportFormat,
    ) -> Result<ExitCode, RunError> {
        let open = cli::offered(self.entry, self.entry.verify, "verify")?;
        let differences = Differences::default();
        let opening = open(self.settings, context, differences.clone());
        let (code, summary) = self.rehearse(opening).await?;
        if code != ExitCode::SUCCESS {
            return Ok(code);
        }
        let found = differences.with(&summary);
        cli::print_differences(&found, format)?;
        let good = found.values().all(|stream| stream.is_good());
        Ok(ExitCode::from(u8::from(!good)))
    }

    /// Runs the pipeline with a sink that writes nothing, and prints no STATE.
    async fn rehearse(
        self,
        opening: impl Future<Output = Result<Arc<dyn ErasedSink>, SinkError>>,
    ) -> Result<(ExitCode, Summary), RunError> {
        let target_name = self.target_name;
        let mut target: TargetSettings = self.settings.section()?;
        if target.on_invalid_record == OnInvalidRecord::DeadLetter {
            target.on_invalid_record = OnInvalidRecord::Skip;
        }
        let shutdown = listen()?;
        let input = self.open_input()?;
        let Some(sink) = unless_stopped(&shutdown, opening).await? else {
            return Ok((stopped(&shutdown), Summary::default()));
        };
        let lines = reader::spawn(input, target.max_line_bytes)?;
        let emitter = emitter(&target, io::sink())?;
        let pipeline = Pipeline::new(self.plan(target)?, sink, emitter, None, shutdown.clone());
        let summary = pipeline.summary();
        let live = LiveLine::start(&summary);
        let outcome = pipeline.run(lines).await;
        drop(live);
        Ok((end(target_name, outcome, &shutdown)?, summary))
    }

    fn open_input(&self) -> Result<Box<dyn Read + Send>, RunError> {
        let Some(path) = self.input else {
            return Ok(Box::new(io::stdin()));
        };
        let file = File::open(path).map_err(|source| {
            RunError::io(format!("cannot open the input {}", path.display()), source)
        })?;
        Ok(Box::new(file))
    }

    fn plan(self, target: TargetSettings) -> Result<Plan, RunError> {
        let versions = if self.entry.activates_versions {
            self.settings.section()?
        } else {
            VersionSettings::default()
        };
        let columns = match (target.add_record_metadata, self.extraction_times) {
            (true, _) => Columns::All,
            (false, true) => Columns::Times,
            (false, false) => Columns::None,
        };
        Ok(Plan {
            target,
            versions,
            mapper: self.mapper,
            columns,
        })
    }
}

fn listen() -> Result<Shutdown, RunError> {
    Shutdown::listen().map_err(|source| RunError::io("cannot listen for signals", source))
}

fn emitter(
    target: &TargetSettings,
    output: impl io::Write + Send + 'static,
) -> Result<Emitter, RunError> {
    Emitter::spawn(
        output,
        Duration::from_secs_f64(target.state_interval_seconds),
    )
}

/// What keeps states, ready for a run, if the settings ask for it.
async fn open_state(
    entry: SinkEntry,
    settings: &Settings,
    context: SinkContext,
) -> Result<Option<Arc<dyn ErasedStateStore>>, SinkError> {
    let Some(open) = entry.open_state else {
        return Ok(None);
    };
    let store = open(settings, context).await?;
    if let Some(store) = &store {
        store.prepare().await?;
    }
    Ok(store)
}

/// `None` if a signal came first.
async fn unless_stopped<T>(
    shutdown: &Shutdown,
    opening: impl Future<Output = Result<T, SinkError>>,
) -> Result<Option<T>, SinkError> {
    tokio::select! {
        opened = opening => opened.map(Some),
        () = shutdown.wait() => Ok(None),
    }
}

fn end(
    target_name: &str,
    outcome: Result<End, RunError>,
    shutdown: &Shutdown,
) -> Result<ExitCode, RunError> {
    match (outcome, shutdown.signal()) {
        (Ok(End::Complete), _) => Ok(ExitCode::SUCCESS),
        (Ok(End::Stopped(signal)), _) => Ok(ExitCode::from(signal.exit_code())),
        (Err(error), Some(signal)) => {
            cli::print_error(target_name, &error);
            Ok(ExitCode::from(signal.exit_code()))
        }
        (Err(error), None) => Err(error),
    }
}

fn stopped(shutdown: &Shutdown) -> ExitCode {
    shutdown.signal().map_or(ExitCode::FAILURE, |signal| {
        ExitCode::from(signal.exit_code())
    })
}
