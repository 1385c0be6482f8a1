//! The sink `nats-kv`: a NATS JetStream key/value bucket.
//!
//! | module      | what it does                                                             |
//! |-------------|--------------------------------------------------------------------------|
//! | [`config`]  | the settings                                                             |
//! | `connect`   | the connection, and what becomes of it                                   |
//! | `api`       | requests to the JetStream API                                            |
//! | `bucket`    | finds or creates the bucket                                              |
//! | `key`       | the key of a record                                                      |
//! | `compare`   | whether a record is newer than what is stored                            |
//! | `read`      | what is stored under many keys                                           |
//! | `scan`      | all that is stored below a subject, page by page                         |
//! | `write`     | a batch: decide, publish, wait for the acks                              |
//! | `dead_letter` | records that cannot be loaded, in a stream of their own                |
//! | `error`     | what the server's refusals mean                                          |

mod api;
mod bucket;
mod check;
mod compare;
pub mod config;
mod connect;
mod dead_letter;
mod discover;
mod error;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod internals;
mod key;
mod read;
mod scan;
mod write;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use singer_target::Batch;
use singer_target::Encoder;
use singer_target::Stream;
use singer_target::activation::{Activated, Activation};
use singer_target::catalog::Catalog;
use singer_target::check::Finding;
use singer_target::config::{FilledIn, Given, Problem};
use singer_target::{CheckPlugin, DiscoverPlugin, Encoders, SinkContext, SinkEntry, SinkPlugin};
use singer_target::{DeadLetters, Ending, Report, Sink, SinkError, StreamEnd};

use bucket::Bucket;
use compare::Comparison;
use config::NatsKvConfig;
use config::{DeleteMode, KeyFormat, LoadMethod, RefreshMode, ReviveDeleted, WritePath};
use connect::Connection;
use dead_letter::DeadLetterStream;
use error::Failure;
use key::{Collisions, KeyRules, KeyWriter};
use read::{Ahead, Reader, Way, Witness};
use write::{Form, Identity, Lane, Lifeline, Novelty, StoredSizes, StreamWriter, Sweep, Window};

inventory::submit! {
    SinkEntry::of::<NatsKv>().with_check::<NatsKv>().with_discover::<NatsKv>()
}

/// Batches in flight at once: one is prepared and one is read for while others wait for acks.
const CONCURRENCY: usize = 4;

/// The sink: one connection, one window of unacknowledged writes, and a writer for each stream.
pub struct NatsKv {
    config: NatsKvConfig,
    connection: Connection,
    window: Arc<Window>,
    encoder: Arc<dyn Encoder>,
    encoders: Encoders,
    collisions: Option<Arc<Mutex<Collisions>>>,
    buckets: tokio::sync::Mutex<HashMap<String, OpenBucket>>,
    writers: Mutex<HashMap<String, Arc<StreamWriter>>>,
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

impl SinkPlugin for NatsKv {
    const NAME: &'static str = "nats-kv";
    const DESCRIPTION: &'static str = "NATS JetStream key/value bucket";
    type Config = NatsKvConfig;
    type Sink = Self;
    const DEAD_LETTER_SETTING: Option<&'static str> = Some("dead_letter_stream");

    fn fill_in(given: &Given<'_>) -> Result<Vec<FilledIn>, Vec<Problem>> {
        config::elsewhere::fill_in(given)
    }

    fn validate(config: &NatsKvConfig) -> Vec<Problem> {
        config.validate()
    }

    async fn open(config: NatsKvConfig, context: SinkContext) -> Result<Self, SinkError> {
        let encoder = context.encoders.choose("encoding", config.encoding())?;
        let connection = Connection::open(&config, &context).await?;
        for warning in config.warnings().into_iter().chain(connection.warnings()) {
            tracing::warn!("{warning}");
        }
        let window = Window::open(
            &connection.client,
            config.max_in_flight,
            connection.request_timeout,
        )
        .await
        .map_err(|error| SinkError::unavailable(format!("cannot subscribe to acks: {error}")))?;
        let dead_letter = match &config.dead_letter_stream {
            Some(name) => Some(DeadLetterStream::open(&connection, &config, name).await?),
            None => None,
        };
        let legacy = config.key_format == KeyFormat::Legacy;
        let sink = Self {
            connection,
            window: Arc::new(window),
            encoder,
            encoders: context.encoders,
            collisions: legacy.then(Arc::default),
            buckets: tokio::sync::Mutex::default(),
            writers: Mutex::default(),
            dead_letter,
            config,
        };
        if !sink.config.has_bucket_per_stream() {
            sink.bucket(&sink.config.bucket).await?;
        }
        Ok(sink)
    }
}

impl CheckPlugin for NatsKv {
    async fn check(config: NatsKvConfig, context: SinkContext) -> Result<Vec<Finding>, SinkError> {
        check::check(config, context).await
    }
}

impl DiscoverPlugin for NatsKv {
    async fn discover(config: NatsKvConfig, context: SinkContext) -> Result<Catalog, SinkError> {
        discover::discover(config, context).await
    }
}

impl Sink for NatsKv {
    const ACTIVATES_VERSIONS: bool = true;

    async fn open_stream(&self, stream: &Arc<Stream>) -> Result<(), SinkError> {
        let bucket = self.bucket(&self.config.bucket_of(stream.name())).await?;
        let writer = Arc::new(self.writer(stream, &bucket).await?);
        let mut writers = self.writers.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, other) in writers.iter() {
            if name != stream.name()
                && other.subject_prefix == writer.subject_prefix
                && other.keys.may_meet(&writer.keys)
            {
                return Err(SinkError::permanent(format!(
                    "its records may have the same keys as those of the stream '{name}'; give each \
                     stream a bucket of its own with {{stream}} in the setting 'bucket'"
                )));
            }
        }
        writers.insert(stream.name().to_owned(), writer);
        Ok(())
    }

    fn concurrency(&self) -> usize {
        CONCURRENCY
    }

    /// The Python target wrote them as `None`.
    fn takes_null_keys(&self) -> bool {
        self.config.key_format == KeyFormat::Legacy
    }

    async fn write(&self, batch: &Batch) -> Result<Report, SinkError> {
        let writer = self.writer_of(batch.stream())?;
        writer.write(batch, self.lifeline().await?).await
    }

    async fn activate_version(
        &self,
        stream: &Arc<Stream>,
        activation: &Activation,
    ) -> Result<Activated, SinkError> {
        let writer = self.writer_of(stream)?;
        let deleted = writer
            .sweep(&Sweep::Activation(activation), self.lifeline().await?)
            .await
            .map_err(Failure::into_sink_error)?;
        Ok(Activated::new(deleted))
    }

    async fn close_stream(&self, stream: &Arc<Stream>, end: &StreamEnd) -> Result<u64, SinkError> {
        if self.config.load_method != LoadMethod::Overwrite {
            return Ok(0);
        }
        let writer = self.writer_of(stream)?;
        if let Some(gap) = end.gap() {
            tracing::warn!(
                "stream '{}': nothing of earlier runs was deleted (load_method 'overwrite'): {gap}",
                stream.name()
            );
            return Ok(0);
        }
        let since = writer.began_at;
        writer
            .sweep(&Sweep::Overwrite { since, end }, self.lifeline().await?)
            .await
            .map_err(Failure::into_sink_error)
    }

    async fn write_dead_letters(&self, letters: &DeadLetters) -> Result<(), SinkError> {
        let Some(dead_letter) = &self.dead_letter else {
            return Err(SinkError::config("dead_letter_stream: is not set"));
        };
        dead_letter.write(letters, self.lifeline().await?).await
    }

    async fn close(&self, _: Ending) -> Result<(), SinkError> {
        self.connection.close().await;
        Ok(())
    }
}

impl NatsKv {
    /// The writer of a stream that was opened.
    fn writer_of(&self, stream: &Stream) -> Result<Arc<StreamWriter>, SinkError> {
        let writers = self.writers.lock().unwrap_or_else(PoisonError::into_inner);
        let name = stream.name();
        writers.get(name).cloned().ok_or_else(|| {
            SinkError::permanent(format!("stream '{name}' was written before it was opened"))
        })
    }

    async fn lifeline(&self) -> Result<Lifeline, SinkError> {
        Lifeline::grasp(&self.connection.link, self.connection.request_timeout)
            .await
            .map_err(Failure::into_sink_error)
    }

    async fn bucket(&self, name: &str) -> Result<OpenBucket, SinkError> {
        let mut buckets = self.buckets.lock().await;
        if let Some(open) = buckets.get(name) {
            return Ok(open.clone());
        }
        let bucket = Bucket::open(&self.connection, &self.config, name).await?;
        let identity = Arc::new(Identity::new(self.connection.clone(), &bucket));
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
        match (self.config.write_path, obstacle) {
            (WritePath::Ack, _) | (WritePath::Auto, Some(_)) => Ok(None),
            (WritePath::Fast, Some(why)) => Err(SinkError::config(format!(
                "write_path: 'fast' is not possible with bucket '{}': {why}",
                bucket.name
            ))),
            (WritePath::Auto | WritePath::Fast, None) => {
                Ok(Some(Arc::new(Lane::new(&bucket.name))))
            }
        }
    }

    async fn writer(&self, stream: &Stream, open: &OpenBucket) -> Result<StreamWriter, SinkError> {
        let OpenBucket {
            bucket,
            identity,
            fast_lane,
            witness,
        } = open;
        let Self {
            config, connection, ..
        } = self;
        let rules = KeyRules::new(config, &bucket.write_prefix);
        let keys = KeyWriter::new(&rules, stream.name(), stream.key_properties())
            .map_err(SinkError::permanent)?;
        let mode = RefreshMode::from(config.refresh_mode);
        let replication_key = config
            .replication_key_of(stream.name())
            .or_else(|| stream.bookmark_properties().first().map(String::as_str));
        if let Some(key) = replication_key
            && stream
                .schema()
                .get("properties")
                .is_some_and(|all| all.get(key).is_none())
        {
            tracing::warn!(
                "stream '{}': its schema has no property '{key}', which is to tell newer records \
                 from older ones; without it, the data decide",
                stream.name()
            );
        }
        let comparison = Comparison::new(
            stream.schema(),
            mode,
            config.revive_deleted == ReviveDeleted::Newer,
            config.delete_mode != DeleteMode::Soft,
            replication_key,
            self.encoders
                .iter()
                .map(|(_, encoder)| Arc::clone(encoder))
                .collect(),
        );
        let filter = keys.filter().filter(|_| bucket.can_be_read_ahead());
        Ok(StreamWriter {
            client: connection.client.clone(),
            window: Arc::clone(&self.window),
            fast_lane: fast_lane.clone(),
            bucket: Arc::clone(identity),
            reader: reader(connection, bucket).await?,
            ahead: Ahead::new(Arc::clone(witness), filter),
            witness: Arc::clone(witness),
            encoder: Arc::clone(&self.encoder),
            keys,
            collisions: self.collisions.clone(),
            comparison,
            subject_prefix: bucket.write_prefix.clone(),
            max_value_size: bucket.max_value_size(),
            mode,
            keep_history: bucket.history() != Some(1),
            began_at: bucket.last_revision,
            sizes: StoredSizes::default(),
            novelty: Novelty::default(),
            form: Form::new(
                config.record_ttl_seconds,
                mode == RefreshMode::Full,
                config.delete_mode,
            ),
        })
    }
}

async fn reader(connection: &Connection, bucket: &Bucket) -> Result<Reader, SinkError> {
    let way = if bucket.allows_multi_get() {
        Way::Batched
    } else if bucket.allows_direct_get() {
        Way::Direct
    } else {
        Way::Leader
    };
    let stream = connection
        .jetstream
        .get_stream_no_info(&bucket.stream_name)
        .await;
    Ok(Reader {
        client: connection.client.clone(),
        stream: stream.map_err(SinkError::permanent)?,
        stream_name: bucket.stream_name.clone(),
        api_prefix: connection.api_prefix.clone(),
        subject_prefix: bucket.read_prefix.clone(),
        way,
        patience: connection.request_timeout,
    })
}
