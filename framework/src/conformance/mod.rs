//! The contract of a [`Sink`] as a test kit: every sink that is worth a name runs it.
//!
//! You say how a sink is opened and how one looks into its destination; the [`Kit`] writes batches
//! in all the ways in which a run can write them, and compares. It also puts the sink into whole
//! runs, with faults, kills and signals at random moments, and checks every STATE that they print.
//! What it finds it says in a sentence: which [`Rule`] is broken, and how that showed.
//!
//! ```
//! use singer_target::conformance::{Kit, Violations, memory::Memory};
//! # use serde_json::json;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! // #[tokio::test]
//! async fn main() -> Result<(), Violations> {
//!     Kit::new(async || Ok(Memory::upserting()))
//!         .rejecting(json!({"text": "x".repeat(20_000)}))
//!         .check_all()
//!         .await
//! }
//! ```
//!
//! [`Memory`](memory::Memory) is a [`Destination`] that comes with the kit: read its source for an
//! example. Do not pause Tokio's clock: parts of a run are threads.
//!
//! The kit's records have the members `id`, the key; `n`, an integer that grows with each record;
//! `text`; and a few more that nothing is expected of. Each is less than 512 bytes of JSON.

mod activation;
mod chaos;
mod direct;
mod fixtures;
mod held;
mod input;
pub mod memory;
mod preprocessing;
mod rule;
mod run;
mod state_store;
mod trial;

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use serde_json::Value as Json;

pub use fixtures::{batch, open, open_state, stream};
pub use rule::{Rule, Violation, Violations};
pub use state_store::check_state_store;

use crate::error::BoxError;
use crate::sink::{Sink, SinkError};
use trial::Trial;

/// A destination under test: one place that sinks are opened on, one after the other.
///
/// Here the sink appends each record to a log in memory, and the destination is read as a log is:
/// of each key the last one counts.
///
/// ```
/// use std::collections::BTreeMap;
/// use std::sync::{Arc, Mutex};
///
/// use serde_json::Value as Json;
/// use singer_target::conformance::{Destination, Kit, Rule};
/// use singer_target::{Batch, BoxError, Report, Sink, SinkError};
///
/// #[derive(Clone, Default)]
/// struct Log(Arc<Mutex<Vec<(String, String)>>>);
///
/// impl Sink for Log {
///     async fn write(&self, batch: &Batch) -> Result<Report, SinkError> {
///         let lines = batch.records().map(|record| record.value().to_json());
///         let named = lines.map(|line| (batch.stream().name().to_owned(), line));
///         self.0.lock().unwrap().extend(named);
///         Ok(Report::all_written(batch))
///     }
/// }
///
/// impl Destination for Log {
///     type Sink = Self;
///
///     async fn open(&self) -> Result<Self, SinkError> {
///         Ok(self.clone())
///     }
///
///     async fn read(&self, stream: &str) -> Result<Vec<Json>, BoxError> {
///         let mut newest = BTreeMap::new();
///         for (_, line) in self.0.lock().unwrap().iter().filter(|(name, _)| name == stream) {
///             let record: Json = serde_json::from_str(line)?;
///             newest.insert(record["id"].to_string(), record);
///         }
///         Ok(newest.into_values().collect())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// Kit::new(async || Ok(Log::default())).check(Rule::Order).await.unwrap();
/// # }
/// ```
pub trait Destination: Send + Sync + 'static {
    /// The sink under test.
    type Sink: Sink;

    /// Opens a sink, as a run does when it starts: [`open`] does it with settings. What earlier ones
    /// have stored stays.
    ///
    /// # Errors
    /// Any error fails the check.
    fn open(&self) -> impl Future<Output = Result<Self::Sink, SinkError>> + Send;

    /// Reads back all records of a stream: of each key the one that is held, or, in a destination
    /// that [appends](Kit::appending), all of them in their order.
    ///
    /// Other members than the kit's own are ignored. A stream that was never written has none.
    ///
    /// # Errors
    /// Any error fails the check.
    fn read(&self, stream: &str) -> impl Future<Output = Result<Vec<Json>, BoxError>> + Send;
}

/// Checks the [rules](Rule) of the contract. See [the module](self) for an example.
#[derive(Debug, Clone)]
pub struct Kit<F> {
    fresh: F,
    options: Options,
}

#[derive(Debug, Clone)]
struct Options {
    appends: bool,
    duplicates: bool,
    rejected: Option<Json>,
    seed: u64,
    runs: u64,
    patience: Duration,
}

impl<F> Kit<F> {
    /// A kit for a sink that keeps one record a key, the newest. `fresh` gives a new and empty
    /// destination each time.
    pub fn new<D>(fresh: F) -> Self
    where
        D: Destination,
        F: AsyncFn() -> Result<D, BoxError>,
    {
        Self {
            fresh,
            options: Options {
                appends: false,
                duplicates: false,
                rejected: None,
                seed: 1,
                runs: 25,
                patience: Duration::from_secs(60),
            },
        }
    }

    /// The destination keeps every record rather than the newest of each key. Unless the sink knows
    /// what is there already, it needs [`allowing_duplicates`](Self::allowing_duplicates), too.
    #[must_use]
    pub fn appending(mut self) -> Self {
        self.options.appends = true;
        self
    }

    /// A record that is written again may be there twice. For a sink that appends and cannot know
    /// what is there already.
    #[must_use]
    pub fn allowing_duplicates(mut self) -> Self {
        self.options.duplicates = true;
        self
    }

    /// A record with these members, which replace the kit's own, is one that the destination cannot
    /// take. Without this, [`Rule::Rejection`] is not checked. If it is taken after all,
    /// [`Rule::StateSafety`] is broken as well: look at the rejection first.
    #[must_use]
    pub fn rejecting(mut self, members: Json) -> Self {
        self.options.rejected = Some(members);
        self
    }

    /// The seed of the first random run, 1 if nothing else is said. Each further run adds 1 to it; a
    /// violation names the seed of its run.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.options.seed = seed;
        self
    }

    /// How many random runs there are for [`Rule::StateSafety`]: 25 if nothing else is said.
    #[must_use]
    pub fn runs(mut self, runs: u64) -> Self {
        self.options.runs = runs;
        self
    }

    /// How long the check of one rule may take, 60 seconds if nothing else is said: a sink that
    /// hangs breaks it. One that blocks the thread cannot be interrupted.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.options.patience = patience;
        self
    }

    /// Checks every rule.
    ///
    /// # Errors
    /// All the rules that are broken.
    pub async fn check_all<D>(&self) -> Result<(), Violations>
    where
        D: Destination,
        F: AsyncFn() -> Result<D, BoxError>,
    {
        let mut violations = Vec::new();
        for &rule in Rule::ALL {
            violations.extend(self.check(rule).await.err());
        }
        if violations.is_empty() {
            Ok(())
        } else {
            Err(Violations(violations))
        }
    }

    /// Checks one rule, on a destination of its own.
    ///
    /// # Errors
    /// How it is broken. The rule can also be [`Rule::Report`].
    pub async fn check<D>(&self, rule: Rule) -> Result<(), Violation>
    where
        D: Destination,
        F: AsyncFn() -> Result<D, BoxError>,
    {
        let check = AssertUnwindSafe(self.check_calmly(rule)).catch_unwind();
        let patience = self.options.patience;
        match tokio::time::timeout(patience, check).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(panic)) => Err(Violation::new(
                rule,
                format!("the sink panicked: {}", message(&*panic)),
            )),
            Err(_) => Err(Violation::new(
                rule,
                format!("the sink was not done after {} s", patience.as_secs_f64()),
            )),
        }
    }

    async fn check_calmly<D>(&self, rule: Rule) -> Result<(), Violation>
    where
        D: Destination,
        F: AsyncFn() -> Result<D, BoxError>,
    {
        if rule == Rule::StateSafety {
            for seed in (self.options.seed..).take(self.options.runs as usize) {
                run::check(&self.trial(rule).await?, seed).await?;
            }
            return Ok(());
        }
        direct::check(&self.trial(rule).await?).await
    }

    async fn trial<D>(&self, rule: Rule) -> Result<Trial<'_, D>, Violation>
    where
        D: Destination,
        F: AsyncFn() -> Result<D, BoxError>,
    {
        let destination = (self.fresh)().await.map_err(|error| {
            Violation::new(rule, format!("there is no fresh destination: {error}"))
        })?;
        Ok(Trial {
            rule,
            options: &self.options,
            destination,
        })
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}
