//! What a load would do with a bucket, and whether it has done it. Nothing is written, and no bucket
//! is made: one that does not exist yet holds nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use singer_target::activation::Activation;
use singer_target::{
    Batch, Foreseen, Held, Preview, SinkContext, SinkError, Stream, StreamEnd, Swept,
};

use super::bucket::{self, Bucket};
use super::config::{LoadMethod, NatsKvConfig};
use super::error::Failure;
use super::lock;
use super::session::Session;
use super::streams::Streams;
use super::write::{Counted, Memory, StreamForecast};

/// See the module.
pub struct NatsKvPreview {
    session: Session,
    streams: Streams<StreamForecast>,
    /// By stream.
    memories: Mutex<HashMap<String, Arc<Memory>>>,
}

impl NatsKvPreview {
    /// Connects.
    pub(super) async fn connect(
        config: NatsKvConfig,
        context: SinkContext,
    ) -> Result<Self, SinkError> {
        Ok(Self {
            session: Session::open(config, context).await?,
            streams: Streams::default(),
            memories: Mutex::default(),
        })
    }

    async fn forecast(&self, stream: &Stream) -> Result<StreamForecast, SinkError> {
        let Session {
            config, connection, ..
        } = &self.session;
        let name = config.bucket_of(stream.name());
        let max_payload = connection.client.max_payload();
        let memory = lock(&self.memories)
            .entry(stream.name().to_owned())
            .or_default()
            .clone();
        let Some(bucket) = Bucket::find(connection, &name).await? else {
            if !config.create_bucket {
                return Err(bucket::missing(&name));
            }
            let rules = self.session.rules(stream, &format!("$KV.{name}."))?;
            let size = config.bucket_max_value_size;
            let size = size.and_then(|size| usize::try_from(size).ok());
            return Ok(StreamForecast::new(rules, None, max_payload, size, memory));
        };
        bucket.require_usable()?;
        bucket.require_for(config)?;
        let rules = self.session.rules(stream, &bucket.write_prefix)?;
        let reader = self.session.reader(&bucket).await?;
        let size = bucket.max_value_size();
        Ok(StreamForecast::new(
            rules,
            Some(reader),
            max_payload,
            size,
            memory,
        ))
    }
}

impl Preview for NatsKvPreview {
    async fn foresee(&self, batch: &Batch) -> Result<Vec<Foreseen>, SinkError> {
        let forecast = self.streams.get(batch.stream())?;
        let foreseen = forecast
            .foresee(batch, self.session.lifeline().await?)
            .await;
        foreseen.map_err(Failure::into_sink_error)
    }

    async fn verify(&self, batch: &Batch) -> Result<Vec<Held>, SinkError> {
        let forecast = self.streams.get(batch.stream())?;
        let held = forecast.verify(batch, self.session.lifeline().await?).await;
        held.map_err(Failure::into_sink_error)
    }

    async fn open_stream(&self, stream: &Arc<Stream>) -> Result<(), SinkError> {
        self.streams.open(stream, self.forecast(stream).await?)
    }

    fn takes_null_keys(&self) -> bool {
        self.session.takes_null_keys()
    }

    async fn activate_version(
        &self,
        stream: &Arc<Stream>,
        activation: &Activation,
    ) -> Result<Swept, SinkError> {
        let forecast = self.streams.get(stream)?;
        let lifeline = self.session.lifeline().await?;
        let counted = forecast.count_older(activation, lifeline).await;
        swept(counted)
    }

    async fn close_stream(
        &self,
        stream: &Arc<Stream>,
        end: &StreamEnd,
    ) -> Result<Swept, SinkError> {
        if self.session.config.load_method != LoadMethod::Overwrite || end.gap().is_some() {
            return Ok(Swept::default());
        }
        let forecast = self.streams.get(stream)?;
        let counted = forecast.count_unseen(self.session.lifeline().await?).await;
        swept(counted)
    }

    async fn close(&self) -> Result<(), SinkError> {
        self.session.connection.close().await;
        Ok(())
    }
}

fn swept(counted: Result<Counted, Failure>) -> Result<Swept, SinkError> {
    let Counted { deleted, stored } = counted.map_err(Failure::into_sink_error)?;
    Ok(Swept::new(deleted, stored))
}
