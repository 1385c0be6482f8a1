//! What a load would do with a bucket, and whether it has done it. Nothing is written, and no bucket
//! is made: one that does not exist yet holds nothing.

use std::sync::Arc;

use singer_target::activation::Activation;
use singer_target::value::Value;
use singer_target::{
    Batch, Foreseen, Held, Preview, SinkContext, SinkError, Stream, StreamEnd, Swept,
};

use super::bucket::{self, Bucket};
use super::config::{LoadMethod, NatsKvConfig};
use super::error::Failure;
use super::session::Session;
use super::write::{Counted, StreamForecast};

/// See the module.
pub struct NatsKvPreview(Session<StreamForecast>);

impl NatsKvPreview {
    /// Connects.
    pub(super) async fn connect(
        config: NatsKvConfig,
        context: SinkContext,
    ) -> Result<Self, SinkError> {
        Session::open(config, context).await.map(Self)
    }

    async fn forecast(&self, stream: &Stream) -> Result<StreamForecast, SinkError> {
        let Session {
            config, connection, ..
        } = &self.0;
        let name = config.bucket_of(stream.name());
        let max_payload = connection.client.max_payload();
        let Some(bucket) = Bucket::find(connection, &name).await? else {
            if !config.create_bucket {
                return Err(bucket::missing(&name));
            }
            let rules = self.0.rules(stream, &format!("$KV.{name}."))?;
            let size = config.bucket_max_value_size;
            let size = size.and_then(|size| usize::try_from(size).ok());
            return Ok(StreamForecast::new(rules, None, max_payload, size));
        };
        bucket.require_usable()?;
        bucket.require_for(config)?;
        let rules = self.0.rules(stream, &bucket.write_prefix)?;
        let reader = self.0.reader(&bucket).await?;
        let size = bucket.max_value_size();
        Ok(StreamForecast::new(rules, Some(reader), max_payload, size))
    }
}

impl Preview for NatsKvPreview {
    async fn foresee(&self, batch: &Batch) -> Result<Vec<Foreseen>, SinkError> {
        let forecast = self.0.stream(batch.stream())?;
        let foreseen = forecast.foresee(batch, self.0.lifeline().await?).await;
        foreseen.map_err(Failure::into_sink_error)
    }

    async fn verify(&self, batch: &Batch) -> Result<Vec<Held>, SinkError> {
        let forecast = self.0.stream(batch.stream())?;
        let held = forecast.verify(batch, self.0.lifeline().await?).await;
        held.map_err(Failure::into_sink_error)
    }

    async fn open_stream(&self, stream: &Arc<Stream>) -> Result<(), SinkError> {
        self.0.add(stream, self.forecast(stream).await?)
    }

    fn takes_null_keys(&self) -> bool {
        self.0.takes_null_keys()
    }

    async fn activate_version(
        &self,
        stream: &Arc<Stream>,
        activation: &Activation,
    ) -> Result<Swept, SinkError> {
        let forecast = self.0.stream(stream)?;
        let deletes = |entry: Value<'_>| activation.deletes(entry);
        let counted = forecast.count(deletes, self.0.lifeline().await?).await;
        swept(counted)
    }

    async fn close_stream(
        &self,
        stream: &Arc<Stream>,
        end: &StreamEnd,
    ) -> Result<Swept, SinkError> {
        if self.0.config.load_method != LoadMethod::Overwrite || end.gap().is_some() {
            return Ok(Swept::default());
        }
        let forecast = self.0.stream(stream)?;
        let counted = forecast
            .count(|_: Value<'_>| true, self.0.lifeline().await?)
            .await;
        swept(counted)
    }

    async fn close(&self) -> Result<(), SinkError> {
        self.0.connection.close().await;
        Ok(())
    }
}

fn swept(counted: Result<Counted, Failure>) -> Result<Swept, SinkError> {
    let Counted { deleted, stored } = counted.map_err(Failure::into_sink_error)?;
    Ok(Swept::new(deleted, stored))
}
