//! A layer around a sink that makes its writes fail, and notes what it acknowledges.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::activation::{Activated, Activation};
use crate::batch::Batch;
use crate::retry;
use crate::sink::{Ending, Rejection, Report, Sink, SinkError};
use crate::stream::Stream;
use crate::stream_end::StreamEnd;
use crate::value::{Tape, Value};

/// What goes wrong with one write.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// Nothing.
    None,
    /// It fails before the sink has seen it.
    Before,
    /// It fails after the sink has written it.
    After,
    /// It takes this long, and fails after the sink has written it.
    HangAfter(Duration),
    /// It takes this long before the sink sees it.
    Hang(Duration),
    /// The sink writes all, but is not believed about these records.
    Unsettled(Vec<usize>),
    /// The sink does not see these records.
    Withheld(Vec<usize>),
    /// It fails for good before the sink has seen it.
    PermanentBefore,
    /// It fails for good after the sink has written it.
    PermanentAfter,
}

impl Fault {
    /// Withholds `indexes`. A sink that appends stops at the first record that it cannot write, so
    /// of its batches the rest is withheld.
    pub(super) fn withheld(indexes: Vec<usize>, len: usize, appends: bool) -> Self {
        match indexes.iter().min() {
            Some(&first) if appends => Self::Withheld((first..len).collect()),
            _ => Self::Withheld(indexes),
        }
    }
}

/// What was acknowledged, by the lines of the records.
#[derive(Debug, Default)]
pub(super) struct Journal {
    pub(super) stored: BTreeSet<u64>,
    pub(super) rejected: BTreeSet<u64>,
    /// A report that does not add up.
    pub(super) unsound: Option<String>,
}

type Choose = Box<dyn FnMut(&Batch) -> Fault + Send>;

pub(super) struct Chaos<S> {
    inner: Arc<S>,
    choose: Mutex<Choose>,
    journal: Arc<Mutex<Journal>>,
}

impl<S: Sink> Chaos<S> {
    /// Lets `choose` say what goes wrong with each write.
    pub(super) fn new(
        inner: Arc<S>,
        choose: impl FnMut(&Batch) -> Fault + Send + 'static,
        journal: Arc<Mutex<Journal>>,
    ) -> Self {
        Self {
            inner,
            choose: Mutex::new(Box::new(choose)),
            journal,
        }
    }

    /// Gives a batch to the sink, and looks whether its report is sound.
    async fn pass(&self, batch: &Batch) -> Result<Report, SinkError> {
        let report = self.inner.write(batch).await?;
        retry::check(&report, batch).inspect_err(|error| {
            locked(&self.journal).unsound = Some(error.to_string());
        })?;
        Ok(report)
    }

    async fn write_with(&self, fault: Fault, batch: &Batch) -> Result<Report, SinkError> {
        match fault {
            Fault::None => self.pass(batch).await,
            Fault::Before => Err(injected()),
            Fault::After => self.pass(batch).await.and(Err(injected())),
            Fault::HangAfter(time) => {
                let report = self.pass(batch).await;
                tokio::time::sleep(time).await;
                report.and(Err(injected()))
            }
            Fault::Hang(time) => {
                tokio::time::sleep(time).await;
                self.pass(batch).await
            }
            Fault::Unsettled(indexes) => Ok(disbelieve(self.pass(batch).await?, &indexes)),
            Fault::Withheld(indexes) => self.write_part(&indexes, batch).await,
            Fault::PermanentBefore => Err(SinkError::permanent("an injected fault, for good")),
            Fault::PermanentAfter => {
                let report = self.pass(batch).await;
                report.and(Err(SinkError::permanent("an injected fault, for good")))
            }
        }
    }

    async fn write_part(&self, withheld: &[usize], batch: &Batch) -> Result<Report, SinkError> {
        let given: Vec<usize> = (0..batch.len())
            .filter(|index| !withheld.contains(index))
            .collect();
        if given.is_empty() {
            return Err(injected());
        }
        let mut report = self.pass(&batch.part(&given)).await?;
        report.rejected = report
            .rejected
            .into_iter()
            .map(|it| Rejection::new(given[it.index], it.reason))
            .collect();
        let unsettled = report.unsettled.iter().map(|index| given[*index]);
        report.unsettled = unsettled.chain(withheld.iter().copied()).collect();
        Ok(report)
    }
}

impl<S: Sink> Sink for Chaos<S> {
    const ACTIVATES_VERSIONS: bool = S::ACTIVATES_VERSIONS;
    const PREPROCESSES: bool = S::PREPROCESSES;

    async fn write(&self, batch: &Batch) -> Result<Report, SinkError> {
        let fault = locked(&self.choose)(batch);
        let report = self.write_with(fault, batch).await?;
        // An older record that is written again takes the newer ones of its key along.
        let open = retry::with_later_equals(batch, &report.unsettled);
        let mut journal = locked(&self.journal);
        for index in 0..batch.len() {
            let line = batch.record(index).line();
            if open.contains(&index) {
                continue;
            }
            if report.rejected.iter().any(|it| it.index == index) {
                journal.rejected.insert(line);
            } else {
                journal.stored.insert(line);
            }
        }
        drop(journal);
        Ok(report)
    }

    async fn open_stream(&self, stream: &Arc<Stream>) -> Result<(), SinkError> {
        self.inner.open_stream(stream).await
    }

    fn concurrency(&self) -> usize {
        self.inner.concurrency()
    }

    fn preprocess(
        &self,
        stream: &Stream,
        record: Value<'_>,
        into: &mut Tape,
    ) -> Result<bool, String> {
        self.inner.preprocess(stream, record, into)
    }

    fn validate(&self, stream: &Stream, record: Value<'_>) -> Result<(), String> {
        self.inner.validate(stream, record)
    }

    fn takes_null_keys(&self) -> bool {
        self.inner.takes_null_keys()
    }

    async fn activate_version(
        &self,
        stream: &Arc<Stream>,
        activation: &Activation,
    ) -> Result<Activated, SinkError> {
        self.inner.activate_version(stream, activation).await
    }

    async fn close_stream(&self, stream: &Arc<Stream>, end: &StreamEnd) -> Result<u64, SinkError> {
        self.inner.close_stream(stream, end).await
    }

    async fn close(&self, ending: Ending) -> Result<(), SinkError> {
        self.inner.close(ending).await
    }
}

/// The report of a sink whose acknowledgement of `indexes` got lost.
fn disbelieve(mut report: Report, indexes: &[usize]) -> Report {
    let settled = |index: &&usize| {
        !report.unsettled.contains(index) && !report.rejected.iter().any(|it| it.index == **index)
    };
    let lost: Vec<usize> = indexes.iter().filter(settled).copied().collect();
    report.unsettle_some(lost.len());
    report.unsettled.extend(lost);
    report
}

fn injected() -> SinkError {
    SinkError::transient("an injected fault")
}

/// What a lock holds, also after a panic: then the check has failed anyway.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
