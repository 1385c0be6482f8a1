//! The writer: the one thread that touches files.
//!
//! Syncing a file takes milliseconds in which a thousand records are parsed. So the sink lets
//! several batches be in flight, and the writer takes all that wait, in order, and syncs them
//! together: the slower the disk, the more records share a sync.

use std::collections::HashMap;
use std::sync::Arc;

use singer_target::{Batch, Encoder, Report, SinkError, Stream};
use tokio::sync::{mpsc, oneshot};

use super::error::{At, FileError};
use super::framing::{Compressor, Framing};
use super::output::{Layouts, Output};
use super::resume::fingerprint;

type Reply<T> = oneshot::Sender<Result<T, SinkError>>;

/// What the sink asks of the writer.
pub(super) enum Job {
    Open(Arc<Stream>, Reply<()>),
    Write(Batch, Reply<Report>),
    Close(Reply<()>),
}

/// All that the thread owns.
pub(super) struct Writer {
    pub(super) layouts: Layouts,
    pub(super) encoder: Arc<dyn Encoder>,
    pub(super) framing: Framing,
    pub(super) compressor: Compressor,
    pub(super) outputs: HashMap<String, Output>,
    pub(super) end: End,
}

/// What is known of the run.
pub(super) enum End {
    Open,
    Closed,
    /// Nothing is written any more: what follows a gap could not be told from a later run's.
    Failed(String),
}

impl Writer {
    /// Does jobs until the sink is dropped, which the framework does once the last STATE is
    /// printed. Then the tap sends nothing again, and the journals can go.
    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        while let Some(job) = jobs.blocking_recv() {
            let mut waiting = Vec::new();
            let mut next = Some(job);
            while let Some(job) = next.take() {
                match job {
                    Job::Write(batch, reply) => {
                        match self.guard(|writer| writer.append(&batch)) {
                            Ok(report) => waiting.push((reply, report)),
                            Err(error) => answer(reply, Err(error)),
                        }
                        next = jobs.try_recv().ok();
                    }
                    Job::Open(stream, reply) => {
                        answer(reply, self.guard(|writer| writer.open(stream.name())));
                    }
                    Job::Close(reply) => answer(reply, self.guard(Self::close)),
                }
            }
            self.sync(waiting);
        }
        if matches!(self.end, End::Closed) {
            for (stream, output) in self.outputs {
                if let Err(error) = output.forget() {
                    tracing::warn!("stream '{stream}': {error}; remove it, the run is complete");
                }
            }
        }
    }

    /// Does `work` unless something failed before, and remembers if it fails.
    fn guard<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, FileError>,
    ) -> Result<T, SinkError> {
        if let End::Failed(problem) = &self.end {
            return Err(SinkError::permanent(problem.clone()));
        }
        work(self).map_err(|error| {
            self.end = End::Failed(error.to_string());
            error.into()
        })
    }

    fn open(&mut self, stream: &str) -> Result<(), FileError> {
        if !self.outputs.contains_key(stream) {
            let output = self.layouts.open(stream)?;
            self.outputs.insert(stream.to_owned(), output);
        }
        Ok(())
    }

    fn append(&mut self, batch: &Batch) -> Result<Report, FileError> {
        let stream = batch.stream();
        self.open(stream.name())?;
        let output = self
            .outputs
            .get_mut(stream.name())
            .expect("it was opened above");
        let mut report = Report::default();
        let mut bytes = Vec::new();
        let mut records = Vec::with_capacity(batch.len());
        let mut starts = Vec::with_capacity(batch.len());
        for (index, record) in batch.records().enumerate() {
            // A batch that comes again may have been written, only that nobody heard of it.
            if batch.attempt() > 0 && output.has_line(record.line()) {
                report.written += 1;
                continue;
            }
            starts.push(bytes.len());
            match self
                .framing
                .push(&*self.encoder, record.value(), &mut bytes)
            {
                Ok(()) => records.push(fingerprint(record)),
                Err(error) => {
                    starts.pop();
                    let reason = error.to_string();
                    report.reject(index, reason);
                }
            }
        }
        let known = output.skip(&records, !stream.key_properties().is_empty())?;
        report.unchanged = known;
        report.written += records.len() - known;
        let new = starts.get(known).map_or(bytes.len(), |start| *start);
        bytes.drain(..new);
        if known < records.len() {
            let path = output.path();
            let bytes = self.compressor.compress(bytes).at("compress", &path)?;
            output.append(&bytes, &records[known..])?;
        }
        output.took(batch);
        Ok(report)
    }

    /// Makes everything durable, and only then says so.
    fn sync(&mut self, waiting: Vec<(Reply<Report>, Report)>) {
        for output in self.outputs.values_mut() {
            // Never after a failure: a sync that is tried again may succeed without the data.
            if matches!(self.end, End::Failed(_)) {
                break;
            }
            if let Err(error) = output.sync() {
                self.end = End::Failed(error.to_string());
            }
        }
        for (reply, report) in waiting {
            answer(reply, self.guard(|_| Ok(report)));
        }
    }

    fn close(&mut self) -> Result<(), FileError> {
        for output in self.outputs.values_mut() {
            output.finish()?;
        }
        self.end = End::Closed;
        Ok(())
    }
}

/// Nobody may be there to hear: a run that ends at once drops its batches.
fn answer<T>(reply: Reply<T>, result: Result<T, SinkError>) {
    let _ = reply.send(result);
}
