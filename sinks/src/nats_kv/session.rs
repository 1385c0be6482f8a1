//! What a load and a preview of one have in common: the settings, the connection, and the streams
//! that are open.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use singer_target::{Encoders, SinkContext, SinkError, Stream};

use super::bucket::Bucket;
use super::config::{KeyFormat, NatsKvConfig};
use super::connect::Connection;
use super::error::Failure;
use super::key::Collisions;
use super::read::{Reader, Way};
use super::write::{Lifeline, StreamRules, Window};

/// A run; `T` is what it has for each stream.
pub(super) struct Session<T> {
    pub(super) config: NatsKvConfig,
    pub(super) connection: Connection,
    encoders: Encoders,
    /// In the legacy key format, which cannot tell all records apart.
    collisions: Option<Arc<Mutex<Collisions>>>,
    streams: Mutex<HashMap<String, Arc<T>>>,
}

impl<T: AsRef<StreamRules>> Session<T> {
    /// Connects, and logs what the user should know of settings and server.
    pub(super) async fn open(
        config: NatsKvConfig,
        context: SinkContext,
    ) -> Result<Self, SinkError> {
        // Before anything is done: there must be such an encoder.
        context.encoders.choose("encoding", config.encoding())?;
        let connection = Connection::open(&config, &context).await?;
        for warning in config.warnings().into_iter().chain(connection.warnings()) {
            tracing::warn!("{warning}");
        }
        let legacy = config.key_format == KeyFormat::Legacy;
        Ok(Self {
            connection,
            encoders: context.encoders,
            collisions: legacy.then(Arc::default),
            streams: Mutex::default(),
            config,
        })
    }

    /// The rules for the records of a stream below `subject_prefix`.
    pub(super) fn rules(
        &self,
        stream: &Stream,
        subject_prefix: &str,
    ) -> Result<StreamRules, SinkError> {
        let collisions = self.collisions.clone();
        StreamRules::new(
            &self.config,
            &self.encoders,
            collisions,
            stream,
            subject_prefix,
        )
    }

    /// Opens a stream, or opens it again.
    ///
    /// # Errors
    /// Another open stream may have the same keys.
    pub(super) fn add(&self, stream: &Stream, opened: T) -> Result<(), SinkError> {
        let rules = opened.as_ref();
        let mut streams = self.streams();
        for (name, other) in streams.iter() {
            let other = (**other).as_ref();
            if name != stream.name()
                && other.subject_prefix == rules.subject_prefix
                && other.keys.may_meet(&rules.keys)
            {
                return Err(SinkError::permanent(format!(
                    "its records may have the same keys as those of the stream '{name}'; give each \
                     stream a bucket of its own with {{stream}} in the setting 'bucket'"
                )));
            }
        }
        streams.insert(stream.name().to_owned(), Arc::new(opened));
        Ok(())
    }

    /// A stream that was opened.
    pub(super) fn stream(&self, stream: &Stream) -> Result<Arc<T>, SinkError> {
        let name = stream.name();
        self.streams().get(name).cloned().ok_or_else(|| {
            SinkError::permanent(format!("stream '{name}' was used before it was opened"))
        })
    }

    fn streams(&self) -> MutexGuard<'_, HashMap<String, Arc<T>>> {
        super::lock(&self.streams)
    }

    /// The Python target wrote null keys as `None`.
    pub(super) fn takes_null_keys(&self) -> bool {
        self.config.key_format == KeyFormat::Legacy
    }

    /// The connection as it is now.
    pub(super) async fn lifeline(&self) -> Result<Lifeline, SinkError> {
        Lifeline::grasp(&self.connection.link, self.connection.request_timeout)
            .await
            .map_err(Failure::into_sink_error)
    }

    /// A window for writes that wait for their acks.
    pub(super) async fn window(&self) -> Result<Window, SinkError> {
        Window::open(
            &self.connection.client,
            self.config.max_in_flight,
            self.connection.request_timeout,
        )
        .await
        .map_err(|error| SinkError::unavailable(format!("cannot subscribe to acks: {error}")))
    }

    /// Reads `bucket`, the quickest way that it allows.
    pub(super) async fn reader(&self, bucket: &Bucket) -> Result<Reader, SinkError> {
        let way = if bucket.allows_multi_get() {
            Way::Batched
        } else if bucket.allows_direct_get() {
            Way::Direct
        } else {
            Way::Leader
        };
        let connection = &self.connection;
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
}
