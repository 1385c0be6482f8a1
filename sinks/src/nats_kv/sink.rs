//! The sink: one connection, one window of unacknowledged writes, and a writer for each stream.

use std::collections::HashMap;
use std::sync::Arc;

use singer_target::activation::{Activated, Activation};
use singer_target::{
    Batch, DeadLetters, Ending, Report, Sink, SinkContext, SinkError, Stream, StreamEnd,
};

use super::bucket::Bucket;
use super::config::{LoadMethod, NatsKvConfig, WritePath};
use super::dead_letter::DeadLetterStream;
use super::error::Failure;
use super::read::{Ahead, Witness};
use super::session::Session;
use super::streams::Streams;
use super::write::{
    Identity, Lane, Novelty, OwnRevisions, OwnValues, StoredSizes, StreamWriter, Sweep, Window,
};

/// Batches in flight at once: one is prepared and one is read for while others wait for acks.
pub(super) const CONCURRENCY: usize = 4;

/// See the module.
pub struct NatsKv {
    session: Session,
    streams: Streams<StreamWriter>,
    window: Arc<Window>,
    own: Arc<OwnValues>,
    buckets: tokio::sync::Mutex<HashMap<String, OpenBucket>>,
    dead_letter: Option<DeadLetterStream>,
}

/// A bucket, and whether it still is the same.
#[derive(Clone)]
struct OpenBucket {
    bucket: Arc<Bucket>,
    identity: Arc<Identity>,
    fast_lane: Option<Arc<Lane>>,
    witness: Arc<Witness>,
}

impl NatsKv {
    /// Connects, and finds or creates what the settings name.
    pub(super) async fn connect(
        config: NatsKvConfig,
        context: SinkContext,
    ) -> Result<Self, SinkError> {
        let session = Session::open(config, context).await?;
        let Session {
            config, connection, ..
        } = &session;
        let window = session.window().await?;
        let dead_letter = match &config.dead_letter_stream {
            Some(name) => Some(DeadLetterStream::open(connection, config, name).await?),
            None => None,
        };
        let sink = Self {
            session,
            streams: Streams::default(),
            window: Arc::new(window),
            own: Arc::default(),
            buckets: tokio::sync::Mutex::default(),
            dead_letter,
        };
        let config = &sink.session.config;
        if !config.has_bucket_per_stream() {
            sink.bucket(&config.bucket).await?;
        }
        Ok(sink)
    }
}

impl Sink for NatsKv {
    const ACTIVATES_VERSIONS: bool = true;

    async fn open_stream(&self, stream: &Arc<Stream>) -> Result<(), SinkError> {
        let name = self.session.config.bucket_of(stream.name());
        let bucket = self.bucket(&name).await?;
        self.streams
            .open(stream, self.writer(stream, &bucket).await?)
    }

    fn concurrency(&self) -> usize {
        CONCURRENCY
    }

    fn takes_null_keys(&self) -> bool {
        self.session.takes_null_keys()
    }

    async fn write(&self, batch: &Batch) -> Result<Report, SinkError> {
        let writer = self.streams.get(batch.stream())?;
        writer.write(batch, self.session.lifeline().await?).await
    }

    async fn activate_version(
        &self,
        stream: &Arc<Stream>,
        activation: &Activation,
    ) -> Result<Activated, SinkError> {
        let writer = self.streams.get(stream)?;
        let deleted = writer
            .sweep(
                &Sweep::Activation(activation),
                self.session.lifeline().await?,
            )
            .await
            .map_err(Failure::into_sink_error)?;
        Ok(Activated::new(deleted))
    }

    async fn close_stream(&self, stream: &Arc<Stream>, end: &StreamEnd) -> Result<u64, SinkError> {
        warn_of_ties(stream, end);
        if self.session.config.load_method != LoadMethod::Overwrite {
            return Ok(0);
        }
        let writer = self.streams.get(stream)?;
        if let Some(gap) = end.gap() {
            tracing::warn!(
                "stream '{}': nothing of earlier runs was deleted (load_method 'overwrite'): {gap}",
                stream.name()
            );
            return Ok(0);
        }
        let since = writer.began_at;
        writer
            .sweep(
                &Sweep::Overwrite { since, end },
                self.session.lifeline().await?,
            )
            .await
            .map_err(Failure::into_sink_error)
    }

    async fn write_dead_letters(&self, letters: &DeadLetters) -> Result<(), SinkError> {
        let Some(dead_letter) = &self.dead_letter else {
            return Err(SinkError::config("dead_letter_stream: is not set"));
        };
        dead_letter
            .write(letters, self.session.lifeline().await?)
            .await
    }

    async fn close(&self, _: Ending) -> Result<(), SinkError> {
        self.session.connection.close().await;
        Ok(())
    }
}

/// A source that changes records without their bookmark is noticed by nobody who reads no counts.
fn warn_of_ties(stream: &Stream, end: &StreamEnd) {
    if end.conflicting() > 0 {
        tracing::warn!(
            "stream '{}': {} conflicting: as new as what is stored by the replication key, with other \
             data, and so left out: the source changes records without a new bookmark. refresh_mode \
             'same' writes them (docs/refresh-modes.md)",
            stream.name(),
            end.conflicting()
        );
    }
}

impl NatsKv {
    async fn bucket(&self, name: &str) -> Result<OpenBucket, SinkError> {
        let Session {
            config, connection, ..
        } = &self.session;
        let mut buckets = self.buckets.lock().await;
        if let Some(open) = buckets.get(name) {
            return Ok(open.clone());
        }
        let bucket = Bucket::open(connection, config, name).await?;
        let identity = Arc::new(Identity::new(connection.clone(), &bucket));
        let fast_lane = self.fast_lane(&bucket)?;
        let open = OpenBucket {
            bucket: Arc::new(bucket),
            identity,
            fast_lane,
            witness: Arc::default(),
        };
        buckets.insert(name.to_owned(), open.clone());
        Ok(open)
    }

    /// Fast ingest into a bucket, where it can take it and the settings allow it.
    fn fast_lane(&self, bucket: &Bucket) -> Result<Option<Arc<Lane>>, SinkError> {
        let obstacle = bucket.obstacle_to_fast_ingest();
        match (self.session.config.write_path, obstacle) {
            (WritePath::Ack, _) | (WritePath::Auto, Some(_)) => Ok(None),
            (WritePath::Fast, Some(why)) => Err(SinkError::config(format!(
                "write_path: 'fast' is not possible with bucket '{}': {why}",
                bucket.name
            ))),
            (WritePath::Auto, None) => Ok(Some(Arc::new(Lane::new(&bucket.name, Lane::FEW)))),
            (WritePath::Fast, None) => Ok(Some(Arc::new(Lane::new(&bucket.name, 0)))),
        }
    }

    async fn writer(&self, stream: &Stream, open: &OpenBucket) -> Result<StreamWriter, SinkError> {
        let OpenBucket {
            bucket,
            identity,
            fast_lane,
            witness,
        } = open;
        let rules = self.session.rules(stream, &bucket.write_prefix)?;
        let filter = rules.keys.filter();
        let filter = filter.filter(|_| bucket.can_be_read_ahead());
        Ok(StreamWriter {
            rules,
            client: self.session.connection.client.clone(),
            window: Arc::clone(&self.window),
            fast_lane: fast_lane.clone(),
            bucket: Arc::clone(identity),
            reader: self.session.reader(bucket).await?,
            ahead: Ahead::new(Arc::clone(witness), filter, bucket.last_revision),
            witness: Arc::clone(witness),
            max_value_size: bucket.max_value_size(),
            keep_history: bucket.history() != Some(1),
            began_at: bucket.last_revision,
            sizes: StoredSizes::default(),
            novelty: Novelty::default(),
            own: OwnRevisions::new(Arc::clone(&self.own), &bucket.name, bucket.last_revision),
        })
    }
}
