//! One rule, one destination: opening sinks, writing to them, looking into the destination.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::chaos::{Chaos, Fault, Journal, locked};
use super::fixtures::numbered_batch;
use super::held::{Copies, Entry, Held};
use super::{Destination, Options, Rule, Violation};
use crate::batch::Batch;
use crate::metrics::Summary;
use crate::retry::{Delivered, Retry};
use crate::shutdown::Shutdown;
use crate::sink::{Ending, Sink, SinkError};
use crate::stream::Stream;
use crate::stream_end::StreamEnd;
use crate::validate::Validator;

/// The stream of the checks that need only one.
pub(super) const STREAM: &str = "orders";

/// The first pause before another attempt: short, since nothing has to recover.
pub(super) const PAUSE: Duration = Duration::from_millis(1);

pub(super) struct Trial<'k, D> {
    pub(super) rule: Rule,
    pub(super) options: &'k Options,
    pub(super) destination: D,
}

impl<D: Destination> Trial<'_, D> {
    pub(super) fn broken(&self, what: impl Into<String>) -> Violation {
        Violation::new(self.rule, what)
    }

    /// What the destination makes of records that were never written again.
    pub(super) fn once(&self) -> Copies {
        if self.options.appends {
            Copies::Each
        } else {
            Copies::Newest
        }
    }

    /// What the destination makes of records that were written again to the same sink.
    pub(super) fn again(&self) -> Copies {
        if self.options.appends && self.options.duplicates {
            Copies::AtLeastOne
        } else {
            self.once()
        }
    }

    /// What the destination makes of records that were written again in another run.
    pub(super) fn in_another_run(&self) -> Copies {
        if self.options.appends {
            Copies::AtLeastOne
        } else {
            Copies::Newest
        }
    }

    pub(super) async fn open_sink(&self) -> Result<Arc<D::Sink>, Violation> {
        let sink = self.destination.open().await;
        sink.map(Arc::new)
            .map_err(|error| self.broken(format!("the sink cannot be opened: {error}")))
    }

    /// Opens a sink with a stream.
    pub(super) async fn open(&self) -> Result<Session<'_, D>, Violation> {
        let mut session = Session {
            trial: self,
            sink: self.open_sink().await?,
            stream: stream(STREAM, false),
        };
        session.open_stream(false).await?;
        Ok(session)
    }

    pub(super) async fn held(&self, stream: &str) -> Result<Held, Violation> {
        let rows = self.destination.read(stream).await;
        let rows =
            rows.map_err(|error| self.broken(format!("nothing can be read back: {error}")))?;
        Held::of(&rows).map_err(|what| self.broken(what))
    }

    /// Exactly these records must be there.
    pub(super) async fn verify(
        &self,
        expected: &[Entry],
        copies: Copies,
        when: &str,
    ) -> Result<(), Violation> {
        let held = self.held(STREAM).await?;
        held.is(expected, copies)
            .map_err(|what| self.broken(format!("{when}, {what}")))
    }
}

/// An open sink.
pub(super) struct Session<'t, D: Destination> {
    pub(super) trial: &'t Trial<'t, D>,
    pub(super) sink: Arc<D::Sink>,
    pub(super) stream: Arc<Stream>,
}

impl<D: Destination> Session<'_, D> {
    /// Opens the stream, with its first schema or the changed one.
    pub(super) async fn open_stream(&mut self, changed: bool) -> Result<(), Violation> {
        self.stream = stream(STREAM, changed);
        let opened = self.sink.open_stream(&self.stream).await;
        opened.map_err(|error| {
            let what = format!("the stream cannot be opened: {error}");
            self.trial.broken(what)
        })
    }

    pub(super) fn batch(&self, entries: &[Entry]) -> Batch {
        let records = entries.iter().map(|entry| (entry.n, entry.to_json()));
        numbered_batch(&self.stream, records)
    }

    /// Writes records that the sink must take.
    pub(super) async fn write(&self, entries: &[Entry]) -> Result<(), Violation> {
        self.take(self.batch(entries), Vec::new()).await
    }

    /// Writes a batch that the sink must take, while `faults` happen to its attempts.
    pub(super) async fn take(&self, batch: Batch, faults: Vec<Fault>) -> Result<(), Violation> {
        let delivered = self.deliver(batch, faults).await?;
        let delivered =
            delivered.map_err(|error| self.trial.broken(format!("a write failed: {error}")))?;
        match delivered.rejected.first() {
            None => Ok(()),
            Some(rejection) => Err(self.trial.broken(format!(
                "a record was rejected that the destination should take: {}",
                rejection.reason
            ))),
        }
    }

    /// Writes a batch as a run does.
    pub(super) async fn deliver(
        &self,
        batch: Batch,
        faults: Vec<Fault>,
    ) -> Result<Result<Delivered, SinkError>, Violation> {
        let journal = Arc::new(Mutex::new(Journal::default()));
        let mut faults = faults.into_iter();
        let choose = move |_: &Batch| faults.next().unwrap_or(Fault::None);
        let chaos = Chaos::new(Arc::clone(&self.sink), choose, Arc::clone(&journal));
        let retry = Retry {
            max: self.trial.options.patience,
            pause: PAUSE,
            shutdown: Shutdown::new(),
        };
        let outcome = retry
            .write(Arc::new(chaos), batch, &Summary::default())
            .await;
        match locked(&journal).unsound.take() {
            Some(what) => Err(Violation::new(Rule::Report, what)),
            None => Ok(outcome),
        }
    }

    /// Closes the sink, as a run does that has not seen all of the stream.
    pub(super) async fn close(&self) -> Result<(), Violation> {
        let end = StreamEnd::new(Some("the kit has only a part of it"), 1.0, 0);
        match self.sink.close_stream(&self.stream, &end).await {
            Ok(0) => {}
            Ok(_) => {
                let what =
                    "records were removed at the end of a stream that was not read as a whole";
                return Err(self.trial.broken(what));
            }
            Err(error) => {
                let what = format!("the stream cannot be closed: {error}");
                return Err(self.trial.broken(what));
            }
        }
        let closed = self.sink.close(Ending::Complete).await;
        closed.map_err(|error| {
            let what = format!("the sink cannot be closed: {error}");
            self.trial.broken(what)
        })
    }
}

/// The schema of the kit's records; the changed one has a property more.
pub(super) fn schema(changed: bool) -> Json {
    let mut schema = json!({
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "n": {"type": "integer"},
            "text": {"type": "string"},
            "flag": {"type": "boolean"},
            "amount": {"type": "number"},
            "nothing": {"type": ["string", "null"]},
            "nested": {"type": "object"},
        },
        "required": ["id", "n"],
    });
    if changed {
        schema["properties"]["later"] = json!({"type": ["string", "null"]});
    }
    schema
}

fn stream(name: &str, changed: bool) -> Arc<Stream> {
    let schema = schema(changed);
    let validator = Validator::new(&schema).expect("the kit's schema is valid");
    Stream::new(
        name.to_owned(),
        schema,
        vec!["id".to_owned()],
        vec!["n".to_owned()],
        validator,
    )
}
