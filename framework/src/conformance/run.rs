//! Whole runs with faults, kills and signals at random moments, and the oracle of their STATEs.
//!
//! Everything between the input and the output is the real thing: reader, pipeline, retries, ledger
//! and emitter. A run that was killed is followed by one that goes on from the last STATE.

use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use serde_json::Value as Json;
use tokio::sync::{Notify, oneshot};

use super::chaos::{Chaos, Fault, Journal, locked};
use super::held::{Copies, Entry, Held};
use super::input::{Input, Kind};
use super::trial::{PAUSE, Trial};
use super::{Destination, Rule, Violation};
use crate::batch::Batch;
use crate::config::{OnInvalidRecord, TargetSettings};
use crate::emitter::Emitter;
use crate::pipeline::{End, Pipeline};
use crate::reader;
use crate::run_error::RunError;
use crate::shutdown::{Shutdown, Signal};

/// What ends a run before its input does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blow {
    None,
    /// The process is killed.
    Kill,
    /// The process is asked to end.
    Signal,
    /// The sink fails for good.
    Failure,
}

impl fmt::Display for Blow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "transient faults",
            Self::Kill => "transient faults and a kill",
            Self::Signal => "transient faults and a signal",
            Self::Failure => "transient faults and a permanent one",
        })
    }
}

pub(super) async fn check<D: Destination>(
    trial: &Trial<'_, D>,
    seed: u64,
) -> Result<(), Violation> {
    let outcome = run_twice(trial, Rng::with_seed(seed)).await;
    outcome.map_err(|violation| violation.in_run(seed))
}

/// A run that is disturbed, and one that goes on from the last STATE of it.
async fn run_twice<D: Destination>(trial: &Trial<'_, D>, mut rng: Rng) -> Result<(), Violation> {
    let input = Arc::new(Input::random(&mut rng, trial.options.rejected.clone()));
    let blow = [
        Blow::None,
        Blow::Kill,
        Blow::Kill,
        Blow::Signal,
        Blow::Failure,
    ][rng.usize(..5)];
    let settings = settings(&mut rng);
    let broken = |what: String| trial.broken(format!("in a run with {blow}, {what}"));

    let first = run(
        trial,
        input.text(),
        &input,
        settings.clone(),
        Some((blow, rng)),
    )
    .await?;
    let printed = first.printed(&input).map_err(broken)?;
    first.ended_well(blow, &input, printed).map_err(broken)?;
    for (stream, name) in input.streams() {
        let held = trial.held(name).await?;
        look(&input, stream, &held, &first, printed, trial)
            .map_err(|what| broken(format!("stream '{name}': {what}")))?;
    }

    let broken = |what: String| trial.broken(format!("in a run after one with {blow}, {what}"));
    let rest = input.after(printed.unwrap_or(0));
    let second = run(trial, rest, &input, settings, None).await?;
    if let Some(Err(error)) = &second.outcome {
        return Err(broken(format!(
            "it failed, though nothing was wrong: {error}"
        )));
    }
    for (stream, name) in input.streams() {
        let held = trial.held(name).await?;
        let all: Vec<Entry> = input.good(stream).cloned().collect();
        held.is(&all, trial.in_another_run())
            .map_err(|what| broken(format!("stream '{name}': {what}")))?;
    }
    Ok(())
}

/// Compares what a stream holds with what was acknowledged and what was printed.
fn look<D: Destination>(
    input: &Input,
    stream: usize,
    held: &Held,
    ran: &Ran,
    printed: Option<u64>,
    trial: &Trial<'_, D>,
) -> Result<(), String> {
    let good: Vec<Entry> = input.good(stream).cloned().collect();
    let known = |(id, n): &(&str, u64)| good.iter().any(|it| it.id == *id && it.n == *n);
    if let Some((id, n)) = held.entries().find(|it| !known(it)) {
        return Err(format!(
            "key {id} holds record {n}, which should not be stored under it"
        ));
    }
    let copies = if trial.options.appends {
        Copies::AtLeastOne
    } else {
        Copies::Newest
    };
    let before = |line: Option<u64>| -> Vec<Entry> {
        good.iter()
            .filter(|it| line.is_some_and(|line| it.n < line))
            .cloned()
            .collect()
    };
    held.has(&before(printed), copies)
        .map_err(|what| format!("{what}, and a STATE that comes after it was printed"))?;
    let acknowledged: Vec<Entry> = good
        .iter()
        .filter(|it| ran.journal.stored.contains(&it.n))
        .cloned()
        .collect();
    held.has(&acknowledged, copies)
        .map_err(|what| format!("{what}, and it was acknowledged"))?;
    if matches!(ran.outcome, Some(Ok(End::Complete))) {
        held.is(&good, trial.again())?;
    }
    Ok(())
}

fn settings(rng: &mut Rng) -> TargetSettings {
    TargetSettings {
        on_invalid_record: OnInvalidRecord::Skip,
        batch_size_rows: rng.usize(1..=20),
        batch_wait_limit_seconds: [0.0, 0.002, 60.0][rng.usize(..3)],
        state_interval_seconds: [0.0, 0.0, 0.005][rng.usize(..3)],
        max_retry_seconds: 60.0,
        ..TargetSettings::default()
    }
}

/// What came of a run.
struct Ran {
    /// `None` if it was killed.
    outcome: Option<Result<End, RunError>>,
    journal: Journal,
    output: Vec<u8>,
    /// What was wrong when it was printed.
    too_early: Option<String>,
}

/// Runs a pipeline over `text`; with `chaos`, something goes wrong.
async fn run<D: Destination>(
    trial: &Trial<'_, D>,
    text: Vec<u8>,
    input: &Arc<Input>,
    settings: TargetSettings,
    chaos: Option<(Blow, Rng)>,
) -> Result<Ran, Violation> {
    let sink = trial.open_sink().await?;
    let journal = Arc::new(Mutex::new(Journal::default()));
    let printed = Arc::new(Mutex::new(Printed::default()));
    let shutdown = Shutdown::new();
    let kill = Arc::new(Notify::new());
    let oracle = chaos
        .is_some()
        .then(|| (Arc::clone(input), Arc::clone(&journal)));
    let choose = faults(
        chaos,
        trial.options.appends,
        shutdown.clone(),
        Arc::clone(&kill),
    );
    let sink = Arc::new(Chaos::new(sink, choose, Arc::clone(&journal)));
    let (closed, ended) = oneshot::channel();
    let output = Output {
        oracle,
        printed: Arc::clone(&printed),
        _closed: closed,
    };
    let outcome = {
        let internal = |error: RunError| trial.broken(error.to_string());
        let lines = reader::spawn(std::io::Cursor::new(text), settings.max_line_bytes);
        let lines = lines.map_err(internal)?;
        let interval = Duration::from_secs_f64(settings.state_interval_seconds);
        let emitter = Emitter::spawn(output, interval).map_err(internal)?;
        let pipeline =
            Pipeline::new(settings.into(), sink.clone(), emitter, None, shutdown).with_pause(PAUSE);
        tokio::select! {
            biased;
            () = kill.notified() => None,
            outcome = pipeline.run(lines) => Some(outcome),
        }
    };
    // What a killed process has begun to print or to write ends before the next one starts.
    let _ = ended.await;
    while Arc::strong_count(&sink) > 1 {
        tokio::time::sleep(PAUSE).await;
    }
    let journal = std::mem::take(&mut *locked(&journal));
    if let Some(what) = &journal.unsound {
        return Err(Violation::new(Rule::Report, what.as_str()));
    }
    let Printed { bytes, too_early } = std::mem::take(&mut *locked(&printed));
    Ok(Ran {
        outcome,
        journal,
        output: bytes,
        too_early,
    })
}

/// Chooses what goes wrong with each write of a run.
fn faults(
    chaos: Option<(Blow, Rng)>,
    appends: bool,
    shutdown: Shutdown,
    kill: Arc<Notify>,
) -> impl FnMut(&Batch) -> Fault + Send + 'static {
    let mut chaos = chaos.map(|(blow, mut rng)| {
        let at = rng.u32(1..12);
        (blow, at, rng)
    });
    let mut writes = 0;
    let mut left = 8;
    move |batch| {
        let Some((blow, at, rng)) = &mut chaos else {
            return Fault::None;
        };
        writes += 1;
        if writes == *at {
            match blow {
                Blow::None => {}
                Blow::Kill => kill.notify_one(),
                Blow::Signal => shutdown.request(Signal::Terminate),
                Blow::Failure if rng.bool() => return Fault::PermanentBefore,
                Blow::Failure => return Fault::PermanentAfter,
            }
        }
        if left == 0 || rng.u32(..3) > 0 {
            return Fault::None;
        }
        left -= 1;
        let time = Duration::from_micros(rng.u64(..3000));
        match rng.u32(..6) {
            0 => Fault::Before,
            1 => Fault::After,
            2 => Fault::Hang(time),
            3 => Fault::HangAfter(time),
            4 => Fault::Unsettled(some(batch, rng)),
            _ => Fault::withheld(some(batch, rng), batch.len(), appends),
        }
    }
}

/// Some indexes of a batch, in no order.
fn some(batch: &Batch, rng: &mut Rng) -> Vec<usize> {
    let mut indexes: Vec<usize> = (0..batch.len()).filter(|_| rng.bool()).collect();
    rng.shuffle(&mut indexes);
    indexes
}

#[derive(Default)]
struct Printed {
    bytes: Vec<u8>,
    too_early: Option<String>,
}

/// Takes the place of standard output, and looks at each STATE at the moment of printing.
struct Output {
    oracle: Option<(Arc<Input>, Arc<Mutex<Journal>>)>,
    printed: Arc<Mutex<Printed>>,
    /// Tells by being dropped that the thread which prints has ended.
    _closed: oneshot::Sender<()>,
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut printed = locked(&self.printed);
        printed.bytes.extend_from_slice(bytes);
        if let Some((input, journal)) = &self.oracle
            && let Some(line) = state_line(bytes)
        {
            let journal = locked(journal);
            let open = input.records().find(|(_, entry, kind)| {
                let settled = match kind {
                    Kind::Good => journal.stored.contains(&entry.n),
                    Kind::Rejected => journal.rejected.contains(&entry.n),
                    Kind::Invalid => true,
                };
                entry.n < line && !settled
            });
            if let Some((_, entry, _)) = open {
                printed.too_early = Some(format!(
                    "the STATE of line {line} was printed before record {} was acknowledged",
                    entry.n
                ));
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The line of the input that a printed STATE comes from.
fn state_line(printed: &[u8]) -> Option<u64> {
    let value: Json = serde_json::from_slice(printed).ok()?;
    value.get("line")?.as_u64()
}

impl Ran {
    /// The line of the last STATE that was printed.
    fn printed(&self, input: &Input) -> Result<Option<u64>, String> {
        if let Some(what) = &self.too_early {
            return Err(what.clone());
        }
        let mut last = None;
        let whole = self.output.is_empty() || self.output.ends_with(b"\n");
        for line in self
            .output
            .split(|byte| *byte == b'\n')
            .filter(|it| !it.is_empty())
        {
            let state = state_line(line).filter(|line| input.is_state(*line));
            let Some(state) = state.filter(|_| whole) else {
                return Err("a line was printed that is not a STATE of the input".to_owned());
            };
            if last.is_some_and(|last| state <= last) {
                return Err(format!(
                    "the STATE of line {state} was printed after a later one"
                ));
            }
            last = Some(state);
        }
        Ok(last)
    }

    /// A run that nothing ended early stores everything and prints its last STATE.
    fn ended_well(&self, blow: Blow, input: &Input, printed: Option<u64>) -> Result<(), String> {
        match &self.outcome {
            None | Some(Ok(End::Stopped(_))) => return Ok(()),
            Some(Ok(End::Complete)) => {}
            // Nothing is tried again any more, so a transient fault may have been the last.
            Some(Err(_)) if matches!(blow, Blow::Failure | Blow::Signal) => return Ok(()),
            Some(Err(RunError::Input { .. })) if input.ends_badly() => {}
            Some(Err(error)) => {
                return Err(format!(
                    "it failed though every fault was transient: {error}"
                ));
            }
        }
        if printed != input.last_state() {
            return Err(format!(
                "it ended and printed the STATE of line {printed:?} last, rather than that of {:?}",
                input.last_state()
            ));
        }
        Ok(())
    }
}
