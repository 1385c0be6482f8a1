//! What a load, a preview of one and a migration have in common: the settings and the connection.

use std::sync::{Arc, Mutex};

use singer_target::{Encoders, SinkContext, SinkError, Stream};

use super::bucket::Bucket;
use super::config::{KeyFormat, NatsKvConfig};
use super::connect::Connection;
use super::error::Failure;
use super::key::Collisions;
use super::read::{Reader, Way};
use super::write::{Lifeline, StreamRules, Window};

/// See the module.
pub(super) struct Session {
    pub(super) config: NatsKvConfig,
    pub(super) connection: Connection,
    encoders: Encoders,
    /// In the legacy key format, which cannot tell all records apart.
    collisions: Option<Arc<Mutex<Collisions>>>,
}

impl Session {
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
            self.connection.patience(),
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
            .patient_jetstream()
            .get_stream_no_info(&bucket.stream_name)
            .await;
        Ok(Reader {
            client: connection.client.clone(),
            stream: stream.map_err(SinkError::permanent)?,
            stream_name: bucket.stream_name.clone(),
            api_prefix: connection.api_prefix.clone(),
            subject_prefix: bucket.read_prefix.clone(),
            way,
            patience: connection.patience(),
        })
    }
}
