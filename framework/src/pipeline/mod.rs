//! The pipeline: lines in, batches to the sink, states out. One loop, one direction, one way to end.
//!
//! ```text
//! chunk → message → ledger.admit → stream → validate → batch → sink → report → ledger.settle → state
//! ```
//!
//! [`intake`] is the way in, up to the batch; [`delivery`] the way from the batch to the sink and
//! back. Both are parts of one [`Pipeline`] that a single task owns, so there are no locks.

mod activation;
mod admission;
mod closing;
mod delivery;
mod files;
mod intake;
mod mapped;
mod schema;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, Interval};

use crate::config::{TargetSettings, VersionSettings};
use crate::dead_letter::{DeadLetter, DeadLetters};
use crate::emitter::Emitter;
use crate::map::Mapper;
use crate::metadata::Columns;
use crate::metrics::Summary;
use crate::plugin::ErasedSink;
use crate::reader::Chunk;
use crate::retry::Retry;
use crate::run_error::RunError;
use crate::shutdown::{Shutdown, Signal};
use crate::sink::Ending;
use crate::state::Ledger;
use crate::terminal;

use delivery::Delivery;
use intake::Intake;

/// How often progress is logged.
const PROGRESS: Duration = Duration::from_secs(30);

/// What the framework's own settings say of a run.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) target: TargetSettings,
    pub(crate) versions: VersionSettings,
    /// `None` if all streams and records stay as they are.
    pub(crate) mapper: Option<Mapper>,
    pub(crate) columns: Columns,
}

#[cfg(any(test, feature = "conformance", feature = "internals"))]
impl From<TargetSettings> for Plan {
    fn from(target: TargetSettings) -> Self {
        Self {
            target,
            versions: VersionSettings::default(),
            mapper: None,
            columns: Columns::None,
        }
    }
}

/// A run of a target, from the first line to the last state.
pub(crate) struct Pipeline {
    settings: TargetSettings,
    versions: VersionSettings,
    intake: Intake,
    delivery: Delivery,
    ledger: Ledger,
    emitter: Emitter,
    dead_letter: Option<DeadLetter>,
    shutdown: Shutdown,
    summary: Summary,
    progress: Interval,
}

/// What a turn of the loop has brought.
enum Turn {
    /// Lines, or why there are no more.
    Chunk(Result<Chunk, RunError>),
    /// The end of the input.
    End,
    /// A signal has asked to stop.
    Stop,
    /// Something else that has been dealt with.
    Nothing,
}

/// How a run ended that did not fail.
pub(crate) enum End {
    /// The input ended and everything is settled.
    Complete,
    /// A signal ended the input early; what was read is settled.
    Stopped(Signal),
}

impl Pipeline {
    pub(crate) fn new(
        plan: Plan,
        sink: Arc<dyn ErasedSink>,
        emitter: Emitter,
        dead_letter: Option<DeadLetter>,
        shutdown: Shutdown,
    ) -> Self {
        let Plan {
            target: settings,
            versions,
            mapper,
            columns,
        } = plan;
        let retry = Retry::new(&settings, &shutdown);
        Self {
            intake: Intake::new(
                columns,
                versions.process_activate_version_messages && sink.activates_versions(),
                mapper,
            ),
            versions,
            delivery: Delivery::new(sink, retry),
            settings,
            ledger: Ledger::default(),
            emitter,
            dead_letter,
            shutdown,
            summary: Summary::default(),
            progress: tokio::time::interval_at(Instant::now() + PROGRESS, PROGRESS),
        }
    }

    /// Tries again after shorter pauses than a run does.
    #[cfg(feature = "conformance")]
    pub(crate) fn with_pause(mut self, pause: Duration) -> Self {
        self.delivery.retry.pause = pause;
        self
    }

    /// What the run counts.
    pub(crate) fn summary(&self) -> Summary {
        self.summary.clone()
    }

    /// Loads the whole input. However it ends, what is in flight is finished and every STATE that
    /// is true is printed; `Ok` only if all that was read is settled.
    pub(crate) async fn run(
        mut self,
        mut input: mpsc::Receiver<Result<Chunk, RunError>>,
    ) -> Result<End, RunError> {
        let read = self.pump(&mut input).await;
        // No more lines: a tap that still writes gets a closed pipe when the process ends.
        drop(input);
        self.note_failure(&read);
        let drained = match &read {
            // Lines before a bad one are as good as ever, so they are loaded as well.
            Ok(_) | Err(RunError::Input { .. }) => self.flush().await,
            Err(_) => self.settle_in_flight().await,
        };
        if let (Err(_), Err(error)) = (&read, &drained) {
            // Only the first failure is returned.
            tracing::error!("while ending the run: {error}");
        }
        // Before the sink is closed, which may be the one that keeps it.
        let kept = self.sync_dead_letter().await;
        self.note_failure(&kept);
        let complete = matches!(read, Ok(End::Complete)) && drained.is_ok() && kept.is_ok();
        let ending = if complete {
            Ending::Complete
        } else {
            Ending::Early
        };
        if let (true, Some(mapper)) = (complete, &self.intake.mapper) {
            mapper.warn_of_unmatched();
        }
        let closed_streams = self.close_streams(complete).await;
        self.note_failure(&closed_streams);
        let closed = self.delivery.close(ending).await;
        let closed = closed_streams.and(closed.map_err(RunError::from));
        if closed.is_ok() {
            self.collect_state();
        } else {
            // What the sink lost at its end nobody knows.
            self.emitter.discard();
        }
        let emitted = self.emitter.finish().await;
        read.and_then(|end| {
            drained?;
            kept?;
            closed?;
            emitted?;
            if self.ledger.is_settled() {
                return Ok(end);
            }
            Err(RunError::Internal(
                "records were read that were never settled".to_owned(),
            ))
        })
    }

    /// The loop: reads until the end of the input, a signal or an error.
    async fn pump(
        &mut self,
        input: &mut mpsc::Receiver<Result<Chunk, RunError>>,
    ) -> Result<End, RunError> {
        loop {
            match self.turn(input).await? {
                Turn::Stop => {
                    let signal = self.shutdown.signal().unwrap_or(Signal::Terminate);
                    return Ok(End::Stopped(signal));
                }
                Turn::End => return Ok(End::Complete),
                Turn::Chunk(chunk) => self.take(chunk?).await?,
                Turn::Nothing => {}
            }
            self.keep_up().await?;
        }
    }

    /// Waits for whatever comes next.
    async fn turn(
        &mut self,
        input: &mut mpsc::Receiver<Result<Chunk, RunError>>,
    ) -> Result<Turn, RunError> {
        let wake = self.next_wake();
        tokio::select! {
            biased;
            () = self.shutdown.wait() => return Ok(Turn::Stop),
            kept = self.emitter.keep(), if self.emitter.is_keeping() => kept?,
            done = self.delivery.next(), if !self.delivery.is_idle() => self.settle(done)?,
            () = sleep_until(wake), if wake.is_some() => {}
            chunk = input.recv() => return Ok(chunk.map_or(Turn::End, Turn::Chunk)),
            _ = self.progress.tick() => self.report_progress(),
        }
        Ok(Turn::Nothing)
    }

    /// Does what is due: writes old batches, and prints states that have become true.
    async fn keep_up(&mut self) -> Result<(), RunError> {
        self.dispatch_old().await?;
        self.sync_dead_letter().await?;
        self.collect_state();
        self.emitter.print_due()
    }

    /// Takes in the lines of a chunk.
    async fn take(&mut self, chunk: Chunk) -> Result<(), RunError> {
        self.intake.start_chunk();
        for (number, line) in chunk.lines() {
            self.take_line(number, line).await?;
            if self.shutdown.requested() {
                break;
            }
        }
        // The sink's tasks run on this thread too: let them.
        tokio::task::yield_now().await;
        Ok(())
    }

    /// When the loop must turn again although nothing happens: for an old batch or a state.
    fn next_wake(&self) -> Option<Instant> {
        let batch = self
            .intake
            .oldest()
            .map(|opened| opened + self.batch_wait());
        batch.into_iter().chain(self.emitter.due()).min()
    }

    fn batch_wait(&self) -> Duration {
        Duration::from_secs_f64(self.settings.batch_wait_limit_seconds)
    }

    /// Writes every open batch and waits until all are settled: the one way to drain.
    async fn flush(&mut self) -> Result<(), RunError> {
        let mut outcome = Ok(());
        for batch in self.intake.close_all() {
            outcome = self.dispatch(batch).await;
            if outcome.is_err() {
                break;
            }
        }
        self.note_failure(&outcome);
        outcome.and(self.settle_in_flight().await)
    }

    /// Waits until nothing is in flight. The first error is returned, after all have ended.
    async fn settle_in_flight(&mut self) -> Result<(), RunError> {
        let mut outcome = Ok(());
        while !self.delivery.is_idle() {
            let done = self.delivery.next().await;
            let settled = self.settle(done);
            self.note_failure(&settled);
            outcome = outcome.and(settled);
        }
        outcome
    }

    /// Stops trying again what fails, once the run has failed for another reason than bad input.
    fn note_failure<T>(&self, outcome: &Result<T, RunError>) {
        if matches!(outcome, Err(error) if !matches!(error, RunError::Input { .. })) {
            self.shutdown.fail();
        }
    }

    /// Hands the newest STATE that is true to the emitter.
    fn collect_state(&mut self) {
        if let Some(state) = self.ledger.take_printable() {
            self.summary.state();
            self.emitter.push(state);
        }
    }

    fn report_progress(&self) {
        // A live line says more.
        if !terminal::is_live() {
            self.summary.log_progress();
        }
    }

    async fn sync_dead_letter(&mut self) -> Result<(), RunError> {
        if let Some(dead_letter) = &mut self.dead_letter
            && dead_letter.is_dirty()
        {
            let delivery = &self.delivery;
            let to_sink = async |letters: &DeadLetters| delivery.write_dead_letters(letters).await;
            let tickets = dead_letter.sync(to_sink).await?;
            self.ledger.settle(tickets);
        }
        Ok(())
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
