//! The sink at the end of a run that compares and writes nothing.

use std::future::Future;
use std::sync::Arc;

use super::{Preview, Swept};
use crate::activation::{Activated, Activation};
use crate::batch::Batch;
use crate::sink::{Ending, Report, Sink, SinkError};
use crate::stream::Stream;
use crate::stream_end::StreamEnd;

/// What is made of the comparisons.
pub(crate) trait Tally: Send + Sync + 'static {
    /// A stream is there, if only with its SCHEMA.
    fn open(&self, stream: &Stream);

    /// Compares a batch.
    fn compare<P: Preview>(
        &self,
        preview: &P,
        batch: &Batch,
    ) -> impl Future<Output = Result<Report, SinkError>> + Send;

    /// A new version of a table would sweep these. Returns how many the run counts.
    fn activate(
        &self,
        stream: &Stream,
        activation: &Activation,
        swept: Swept,
    ) -> Result<u64, SinkError>;

    /// The end of a run would sweep these. Returns how many the run counts.
    fn close(&self, stream: &Stream, end: &StreamEnd, swept: Swept) -> Result<u64, SinkError>;
}

/// See the module.
pub(crate) struct Rehearsal<P, T> {
    pub(crate) preview: P,
    pub(crate) tally: T,
}

impl<P: Preview, T: Tally> Sink for Rehearsal<P, T> {
    const ACTIVATES_VERSIONS: bool = true;

    async fn write(&self, batch: &Batch) -> Result<Report, SinkError> {
        self.tally.compare(&self.preview, batch).await
    }

    async fn open_stream(&self, stream: &Arc<Stream>) -> Result<(), SinkError> {
        self.tally.open(stream);
        self.preview.open_stream(stream).await
    }

    fn takes_null_keys(&self) -> bool {
        self.preview.takes_null_keys()
    }

    async fn activate_version(
        &self,
        stream: &Arc<Stream>,
        activation: &Activation,
    ) -> Result<Activated, SinkError> {
        let swept = self.preview.activate_version(stream, activation).await?;
        let counted = self.tally.activate(stream, activation, swept)?;
        Ok(Activated::new(counted))
    }

    async fn close_stream(&self, stream: &Arc<Stream>, end: &StreamEnd) -> Result<u64, SinkError> {
        let swept = self.preview.close_stream(stream, end).await?;
        self.tally.close(stream, end, swept)
    }

    async fn close(&self, _: Ending) -> Result<(), SinkError> {
        self.preview.close().await
    }
}
