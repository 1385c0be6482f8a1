//! The sink `jsonl`: each stream to a file, or to a sequence of them.
//!
//! # Files
//! Records stand in a file in the order in which the tap sent them, in any encoding: JSON as one
//! line a record, other encodings as [`JsonlConfig::encoding`] says. Each batch is a complete gzip
//! member or zstd frame, which tools read as one file. While a run is not complete, a `.journal`
//! stands beside the data, and files that must not be read yet have `.partial` behind their names.
//!
//! # What is promised
//! - **A record that is acknowledged is on the disk**: its bytes, its journal entry and the names of
//!   both are synced before.
//! - **Kill it at any moment and run again from the last STATE: no record is missing, and none is
//!   there twice.** What was half written is cut off. What was written and is sent again, because
//!   its STATE was not printed yet, is recognised by fingerprints in the journal and left out. The
//!   fields that tell of the run, such as `_sdc_received_at`, are not compared; the file keeps the
//!   first.
//! - **A file without `.partial` is complete** where `path` has `{part}` or `{timestamp}`, or
//!   `load_method` is `overwrite`: it got its name by an atomic rename.
//!
//! # What it takes
//! The tap must send the same records in the same order within a stream, as from a source that is
//! sorted by the bookmark. From the first record on that differs, everything is written: then
//! records may be there twice, and still none is missing. The same holds for
//! - a stream without key properties in which equal records follow one another where the tap starts
//!   again: they cannot be told apart, and writing twice is better than losing;
//! - files that were changed or removed after the kill. Whoever removes a stream's files to start
//!   anew must remove its journal too.
//!
//! A disk that is full or a folder that is not ours ends the run at once; the next one goes on.

mod config;
mod error;
mod framing;
mod journal;
mod names;
mod output;
mod resume;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{SystemTime, UNIX_EPOCH};

use singer_target::Ending;
use singer_target::config::Problem;
use singer_target::{
    Batch, Report, Sink, SinkContext, SinkEntry, SinkError, SinkPlugin, Stream, inventory,
};
use tokio::sync::{mpsc, oneshot};

pub use config::{Compression, JsonlConfig, LoadMethod};
use framing::{Compressor, Framing};
use names::Template;
use output::Layouts;
use writer::{End, Job, Writer};

/// Batches that may share a sync. The pipeline starts them in order, and the writer keeps it.
const IN_FLIGHT: usize = 16;

inventory::submit! { SinkEntry::of::<Jsonl>() }

/// The sink `jsonl`.
#[derive(Debug)]
pub struct Jsonl {
    /// `None` only while dropping.
    jobs: Option<mpsc::Sender<Job>>,
    writer: Option<JoinHandle<()>>,
}

impl SinkPlugin for Jsonl {
    const NAME: &'static str = "jsonl";
    const DESCRIPTION: &'static str =
        "Writes each stream to a file, rotated and compressed, without duplicates after a kill";
    type Config = JsonlConfig;
    type Sink = Self;

    fn validate(config: &JsonlConfig) -> Vec<Problem> {
        config::validate(config)
    }

    async fn open(config: JsonlConfig, context: SinkContext) -> Result<Self, SinkError> {
        let template = Template::parse(&config.path)
            .map_err(|problem| SinkError::config(format!("path: {problem}")))?;
        let encoder = context.encoders.choose("encoding", &config.encoding)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let started = now.map_or(0, |now| now.as_millis() as u64);
        let writer = Writer {
            layouts: Layouts::new(&config, template, started),
            framing: Framing::of(encoder.content_type()),
            encoder,
            compressor: Compressor::new(config.compression).map_err(SinkError::permanent)?,
            outputs: HashMap::new(),
            end: End::Open,
        };
        let (jobs, queue) = mpsc::channel(IN_FLIGHT);
        let writer = thread::Builder::new()
            .name("files".to_owned())
            .spawn(move || writer.run(queue))
            .map_err(SinkError::permanent)?;
        Ok(Self {
            jobs: Some(jobs),
            writer: Some(writer),
        })
    }
}

impl Jsonl {
    async fn ask<T>(
        &self,
        job: impl FnOnce(oneshot::Sender<Result<T, SinkError>>) -> Job,
    ) -> Result<T, SinkError> {
        let (reply, answer) = oneshot::channel();
        if let Some(jobs) = &self.jobs {
            // Fails only if the thread is gone, as does the answer.
            let _ = jobs.send(job(reply)).await;
        }
        answer.await.unwrap_or_else(|_| {
            Err(SinkError::permanent(
                "internal error: the thread that writes files panicked; please report it",
            ))
        })
    }
}

impl Sink for Jsonl {
    async fn write(&self, batch: &Batch) -> Result<Report, SinkError> {
        self.ask(|reply| Job::Write(batch.clone(), reply)).await
    }

    async fn open_stream(&self, stream: &Arc<Stream>) -> Result<(), SinkError> {
        self.ask(|reply| Job::Open(Arc::clone(stream), reply)).await
    }

    fn concurrency(&self) -> usize {
        IN_FLIGHT
    }

    async fn close(&self, ending: Ending) -> Result<(), SinkError> {
        match ending {
            Ending::Complete => self.ask(Job::Close).await,
            // The journals stay, and files that are not whole get no name: the next run goes on.
            _ => Ok(()),
        }
    }
}

impl Drop for Jsonl {
    /// Lets the writer remove the journals before the process ends.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(writer) = self.writer.take() {
            // It has nothing to return; if it panicked, `ask` has said so.
            let _ = writer.join();
        }
    }
}
