//! `discover`: what the bucket holds, as a Singer catalog.
//!
//! One pass over all keys counts them, stream by stream, without their values; then the latest
//! values of each stream are read and their schema is inferred. Both take memory for the streams,
//! not for the keys.
//!
//! A key does not tell where a stream's name with dots ends: its first token counts as the stream,
//! as it does for consumers.

mod key_properties;
mod survey;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::{StreamExt, stream};
use singer_target::Encoder;
use singer_target::SinkContext;
use singer_target::SinkError;
use singer_target::catalog::{Catalog, CatalogStream, Discovery, Inference};
use singer_target::value::Tape;

use super::bucket::{self, Bucket};
use super::config::NatsKvConfig;
use super::connect::Connection;
use super::key::KeyRules;
use key_properties::KeyProperties;
use survey::{Latest, Survey};

/// Reads that are under way at once.
const CONCURRENT_READS: usize = 64;

/// Values that no encoder can read.
const UNKNOWN_ENCODING: &str = "unknown";

/// Describes what the settings' bucket holds.
pub(super) async fn discover(
    config: NatsKvConfig,
    context: SinkContext,
    discovery: Discovery,
) -> Result<Catalog, SinkError> {
    let connection = Connection::open(&config, &context).await?;
    let encoders: Vec<_> = context
        .encoders
        .iter()
        .map(|(name, encoder)| (name, Arc::clone(encoder)))
        .collect();
    let catalog = describe(&connection, &config, &encoders, discovery).await;
    connection.close().await;
    catalog
}

type NamedEncoder = (&'static str, Arc<dyn Encoder>);

async fn describe(
    connection: &Connection,
    config: &NatsKvConfig,
    encoders: &[NamedEncoder],
    discovery: Discovery,
) -> Result<Catalog, SinkError> {
    let mut streams = BTreeMap::new();
    for name in bucket::names(connection, config).await? {
        let bucket = Bucket::find(connection, &name).await?.ok_or_else(|| {
            SinkError::unavailable(format!(
                "bucket '{name}' does not exist, so it holds nothing"
            ))
        })?;
        let rules = KeyRules::new(config, &bucket.write_prefix);
        let survey = Survey::of(connection, &bucket, &rules, discovery.sample).await?;
        if survey.foreign > 0 {
            tracing::warn!(
                "bucket '{name}' has {} keys that these settings' key_prefix and key_format do \
                 not write; they are left out",
                survey.foreign
            );
        }
        for (stream, keys) in survey.streams {
            let described = streams
                .entry(stream.clone())
                .or_insert_with(|| Described::new(&stream, &rules));
            described.keys += keys.count;
            described
                .sample(connection, &bucket, keys.latest, encoders)
                .await?;
        }
    }
    Ok(streams
        .into_iter()
        .map(|(name, described)| described.entry(name))
        .collect())
}

/// What is known of a stream.
struct Described {
    keys: u64,
    schema: Inference,
    key_properties: KeyProperties,
    encodings: BTreeMap<String, u64>,
}

impl Described {
    fn new(stream: &str, rules: &KeyRules) -> Self {
        Self {
            keys: 0,
            schema: Inference::default(),
            key_properties: KeyProperties::new(stream, rules),
            encodings: BTreeMap::new(),
        }
    }

    /// Reads the values and learns from them.
    async fn sample(
        &mut self,
        connection: &Connection,
        bucket: &Bucket,
        latest: Latest,
        encoders: &[NamedEncoder],
    ) -> Result<(), SinkError> {
        let mut values = stream::iter(latest)
            .map(|(sequence, key)| async move { (key, read(connection, bucket, sequence).await) })
            .buffered(CONCURRENT_READS);
        let mut tape = Tape::new();
        while let Some((key, value)) = values.next().await {
            // Overwritten or deleted since it was counted.
            let Some(value) = value? else { continue };
            let encoder = encoders
                .iter()
                .find(|(_, encoder)| encoder.recognises(&value))
                .filter(|(_, encoder)| encoder.decode(&value, &mut tape).is_ok());
            let name = encoder.map_or(UNKNOWN_ENCODING, |(name, _)| name);
            *self.encodings.entry(name.to_owned()).or_default() += 1;
            if let (Some(_), Some(record)) = (encoder, tape.root()) {
                self.schema.observe(record);
                self.key_properties.observe(&key, record);
            }
        }
        Ok(())
    }

    fn entry(self, name: String) -> CatalogStream {
        let mut entry = CatalogStream::new(name, self.schema.schema());
        entry.key_properties = self.key_properties.known();
        entry.row_count = self.keys;
        entry.encodings = self.encodings;
        entry
    }
}

/// The value at a sequence number, if it is still there.
async fn read(
    connection: &Connection,
    bucket: &Bucket,
    sequence: u64,
) -> Result<Option<bytes::Bytes>, SinkError> {
    use async_nats::jetstream::stream::{DirectGetErrorKind, RawMessageErrorKind};
    let failed = |error: &dyn std::fmt::Display| {
        SinkError::unavailable(format!(
            "cannot read a value of bucket '{}': {error}",
            bucket.name
        ))
    };
    let stream = connection
        .jetstream
        .get_stream_no_info(&bucket.stream_name)
        .await
        .map_err(|error| failed(&error))?;
    if bucket.allows_direct_get() {
        return match stream.direct_get(sequence).await {
            Ok(message) => Ok(Some(message.payload)),
            Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(&error)),
        };
    }
    match stream.get_raw_message(sequence).await {
        Ok(message) => Ok(Some(message.payload)),
        Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
        Err(error) => Err(failed(&error)),
    }
}
