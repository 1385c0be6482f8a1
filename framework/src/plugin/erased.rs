//! The engine's side of a sink: typed for its author, erased for the pipeline.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::activation::{Activated, Activation};
use crate::batch::Batch;
use crate::dead_letter::DeadLetters;
use crate::sink::{Ending, Report, Sink, SinkError};
use crate::stream::Stream;
use crate::stream_end::StreamEnd;
use crate::value::{Tape, Value};

/// The engine's side of a [`Sink`]: the same, with its futures boxed.
pub(crate) trait ErasedSink: Send + Sync {
    fn write<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Report, SinkError>>;
    fn open_stream<'a>(&'a self, stream: &'a Arc<Stream>) -> BoxFuture<'a, Result<(), SinkError>>;
    fn preprocesses(&self) -> bool;
    fn preprocess(
        &self,
        stream: &Stream,
        record: Value<'_>,
        into: &mut Tape,
    ) -> Result<bool, String>;
    fn validate(&self, stream: &Stream, record: Value<'_>) -> Result<(), String>;
    fn concurrency(&self) -> usize;
    fn takes_null_keys(&self) -> bool;
    fn activates_versions(&self) -> bool;
    fn activate_version<'a>(
        &'a self,
        stream: &'a Arc<Stream>,
        activation: &'a Activation,
    ) -> BoxFuture<'a, Result<Activated, SinkError>>;
    fn close_stream<'a>(
        &'a self,
        stream: &'a Arc<Stream>,
        end: &'a StreamEnd,
    ) -> BoxFuture<'a, Result<u64, SinkError>>;
    fn write_dead_letters<'a>(
        &'a self,
        letters: &'a DeadLetters,
    ) -> BoxFuture<'a, Result<(), SinkError>>;
    fn close(&self, ending: Ending) -> BoxFuture<'_, Result<(), SinkError>>;
}

impl<S: Sink> ErasedSink for S {
    fn write<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Report, SinkError>> {
        Box::pin(Sink::write(self, batch))
    }

    fn open_stream<'a>(&'a self, stream: &'a Arc<Stream>) -> BoxFuture<'a, Result<(), SinkError>> {
        Box::pin(Sink::open_stream(self, stream))
    }

    fn preprocesses(&self) -> bool {
        S::PREPROCESSES
    }

    fn preprocess(
        &self,
        stream: &Stream,
        record: Value<'_>,
        into: &mut Tape,
    ) -> Result<bool, String> {
        Sink::preprocess(self, stream, record, into)
    }

    fn validate(&self, stream: &Stream, record: Value<'_>) -> Result<(), String> {
        Sink::validate(self, stream, record)
    }

    fn concurrency(&self) -> usize {
        Sink::concurrency(self).max(1)
    }

    fn takes_null_keys(&self) -> bool {
        Sink::takes_null_keys(self)
    }

    fn activates_versions(&self) -> bool {
        S::ACTIVATES_VERSIONS
    }

    fn activate_version<'a>(
        &'a self,
        stream: &'a Arc<Stream>,
        activation: &'a Activation,
    ) -> BoxFuture<'a, Result<Activated, SinkError>> {
        Box::pin(Sink::activate_version(self, stream, activation))
    }

    fn close_stream<'a>(
        &'a self,
        stream: &'a Arc<Stream>,
        end: &'a StreamEnd,
    ) -> BoxFuture<'a, Result<u64, SinkError>> {
        Box::pin(Sink::close_stream(self, stream, end))
    }

    fn write_dead_letters<'a>(
        &'a self,
        letters: &'a DeadLetters,
    ) -> BoxFuture<'a, Result<(), SinkError>> {
        Box::pin(Sink::write_dead_letters(self, letters))
    }

    fn close(&self, ending: Ending) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(Sink::close(self, ending))
    }
}
