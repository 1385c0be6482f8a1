//! The bucket: found or created, and looked at before it is used.
//!
//! A bucket is a stream with rules (ADR-8): one subject a key, new messages refused when full, no
//! deletion but by marker. Its settings belong to whoever made it: they are never changed, except
//! that `tune_bucket` may switch on what makes it faster.

mod abilities;
mod settings;

use async_nats::jetstream::stream::Config as StreamConfig;
use serde_json::{Value as Json, json};
use singer_target::SinkError;

use super::api::ApiFailure;
use super::config::NatsKvConfig;
use super::connect::Connection;
use abilities::BATCHED_PUBLISHING;

/// A bucket that exists.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    pub(super) name: String,
    /// The stream that it is.
    pub(super) stream_name: String,
    /// What a key is appended to for the subject under which it is stored.
    pub(super) read_prefix: String,
    /// What a key is appended to for the subject to publish to. Longer where a domain lies between.
    pub(super) write_prefix: String,
    /// When it was created: another time means another bucket of the same name.
    pub(super) created: String,
    /// What the JetStream API can do; 0 before server 2.11.
    pub(super) api_level: u64,
    /// The server's clock, if it said.
    pub(super) server_time: Option<String>,
    /// The revision of its newest value when it was opened.
    pub(super) last_revision: u64,
    /// How many values it holds, markers and history included.
    pub(super) messages: u64,
    /// How many keys it holds, deleted ones included.
    pub(super) subjects: u64,
    /// Its settings, as the server says that they are.
    pub(super) config: StreamConfig,
}

impl Bucket {
    /// Finds the bucket, or creates it if the settings allow. Logs what the user should know.
    pub(super) async fn open(
        connection: &Connection,
        config: &NatsKvConfig,
        name: &str,
    ) -> Result<Self, SinkError> {
        let bucket = match Self::find(connection, name).await? {
            Some(bucket) if config.tune_bucket => bucket.tune(connection).await?,
            Some(bucket) => bucket,
            None if config.create_bucket => Self::create(connection, config, name).await?,
            None => return Err(missing(name)),
        };
        bucket.require_usable()?;
        bucket.require_for(config)?;
        for warning in settings::differences(config, &bucket.config)
            .into_iter()
            .chain(bucket.warnings())
        {
            tracing::warn!("bucket '{name}': {warning}");
        }
        Ok(bucket)
    }

    /// Finds the bucket. Changes nothing.
    pub(super) async fn find(
        connection: &Connection,
        name: &str,
    ) -> Result<Option<Self>, SinkError> {
        let subject = format!("STREAM.INFO.{}", stream_name(name));
        match connection.api(&subject, &json!({})).await {
            Ok(info) => {
                let api_level = api_level(connection).await?;
                Self::of_info(connection, name, api_level, &info).map(Some)
            }
            Err(ApiFailure::NotFound) => Ok(None),
            Err(failure) => Err(failure.explain(&format!("look at bucket '{name}'"), connection)),
        }
    }

    async fn create(
        connection: &Connection,
        config: &NatsKvConfig,
        name: &str,
    ) -> Result<Self, SinkError> {
        let mut wanted = settings::new_bucket(config, name);
        let api_level = api_level(connection).await?;
        wanted.allow_batch_publish = api_level >= BATCHED_PUBLISHING;
        Self::create_as(connection, name, api_level, &wanted).await
    }

    /// Finds the bucket that keeps states, or creates it if the settings allow.
    pub(super) async fn for_states(
        connection: &Connection,
        config: &NatsKvConfig,
        name: &str,
    ) -> Result<Self, SinkError> {
        let bucket = match Self::find(connection, name).await? {
            Some(bucket) => bucket,
            None if config.create_bucket => {
                let wanted = settings::bucket_for_states(config, name);
                let api_level = api_level(connection).await?;
                Self::create_as(connection, name, api_level, &wanted).await?
            }
            None => return Err(missing(name)),
        };
        bucket.require_usable()?;
        Ok(bucket)
    }

    async fn create_as(
        connection: &Connection,
        name: &str,
        api_level: u64,
        wanted: &StreamConfig,
    ) -> Result<Self, SinkError> {
        let body = serde_json::to_value(wanted).map_err(SinkError::permanent)?;
        let subject = format!("STREAM.CREATE.{}", stream_name(name));
        match connection.api(&subject, &body).await {
            Ok(info) => {
                tracing::info!("created bucket '{name}'");
                Self::of_info(connection, name, api_level, &info)
            }
            // Another writer was quicker.
            Err(ApiFailure::InUse) => Self::find(connection, name)
                .await?
                .ok_or_else(|| missing(name)),
            Err(failure) => Err(failure.explain(&format!("create bucket '{name}'"), connection)),
        }
    }

    /// Switches on direct reads and, where the server has it, batched publishing.
    async fn tune(self, connection: &Connection) -> Result<Self, SinkError> {
        let batched = self.api_level >= BATCHED_PUBLISHING;
        if self.config.allow_direct && (self.config.allow_batch_publish || !batched) {
            return Ok(self);
        }
        let what = format!("tune bucket '{}'", self.name);
        let explain = |failure: ApiFailure| failure.explain(&what, connection);
        // The settings as the server has them, so that none is lost that the driver does not know.
        let info = connection
            .api(&format!("STREAM.INFO.{}", self.stream_name), &json!({}))
            .await
            .map_err(explain)?;
        let mut wanted = info["config"].clone();
        wanted["allow_direct"] = json!(true);
        if batched {
            wanted["allow_batched"] = json!(true);
        }
        let info = connection
            .api(&format!("STREAM.UPDATE.{}", self.stream_name), &wanted)
            .await
            .map_err(explain)?;
        tracing::info!("tuned bucket '{}'", self.name);
        Self::of_info(connection, &self.name, self.api_level, &info)
    }

    fn of_info(
        connection: &Connection,
        name: &str,
        api_level: u64,
        info: &Json,
    ) -> Result<Self, SinkError> {
        let config: StreamConfig = serde_json::from_value(info["config"].clone()).map_err(|error| {
            SinkError::permanent(format!(
                "cannot understand the settings of bucket '{name}' that the server sent: {error}"
            ))
        })?;
        let (read_prefix, write_prefix) = prefixes(name, &config, &connection.api_prefix);
        Ok(Self {
            name: name.to_owned(),
            stream_name: stream_name(name),
            read_prefix,
            write_prefix,
            created: info["created"].as_str().unwrap_or_default().to_owned(),
            api_level,
            server_time: info["ts"].as_str().map(str::to_owned),
            last_revision: info["state"]["last_seq"].as_u64().unwrap_or_default(),
            messages: info["state"]["messages"].as_u64().unwrap_or_default(),
            subjects: info["state"]["num_subjects"].as_u64().unwrap_or_default(),
            config,
        })
    }
}

/// The buckets that the settings stand for: one, or with `{stream}` all that exist and fit.
pub(super) async fn names(
    connection: &Connection,
    config: &NatsKvConfig,
) -> Result<Vec<String>, SinkError> {
    let Some((before, after)) = config.bucket.split_once("{stream}") else {
        return Ok(vec![config.bucket.clone()]);
    };
    let mut names = Vec::new();
    let mut offset = 0;
    loop {
        let page = connection
            .api("STREAM.NAMES", &json!({"offset": offset}))
            .await
            .map_err(|failure| failure.explain("list the buckets", connection))?;
        let streams = page["streams"].as_array().map_or(&[][..], Vec::as_slice);
        offset += streams.len();
        let buckets = streams
            .iter()
            .filter_map(|stream| stream.as_str()?.strip_prefix("KV_"));
        names.extend(
            buckets
                .filter(|bucket| {
                    bucket
                        .strip_prefix(before)
                        .is_some_and(|rest| rest.ends_with(after))
                })
                .map(str::to_owned),
        );
        let total = page["total"].as_u64().unwrap_or_default();
        if streams.is_empty() || offset as u64 >= total {
            return Ok(names);
        }
    }
}

/// The name of the stream that a bucket is.
pub(super) fn stream_name(bucket: &str) -> String {
    format!("KV_{bucket}")
}

/// The error for a bucket that is not there and may not be created.
pub(super) fn missing(name: &str) -> SinkError {
    SinkError::unavailable(format!(
        "bucket '{name}' does not exist, and create_bucket is false: create it, or name another \
         one with 'bucket'"
    ))
}

/// What the JetStream API of the account can do. Not the connected server's version decides: in a
/// cluster of several versions the leader's level counts.
async fn api_level(connection: &Connection) -> Result<u64, SinkError> {
    match connection.api("INFO", &json!({})).await {
        Ok(info) => Ok(info["api"]["level"].as_u64().unwrap_or_default()),
        Err(ApiFailure::Denied(text)) => {
            tracing::warn!(
                "cannot ask what JetStream can do, so newer and faster ways are not used ({text})"
            );
            Ok(0)
        }
        Err(failure) => Err(failure.explain("ask what JetStream can do", connection)),
    }
}

/// The subjects' beginnings for reading and writing, by ADR-8: a mirror is written at its origin,
/// and the subjects of another domain begin with its API prefix.
fn prefixes(name: &str, config: &StreamConfig, api_prefix: &str) -> (String, String) {
    let own = format!("$KV.{name}.");
    let Some(mirror) = &config.mirror else {
        let write = match api_prefix {
            "$JS.API" => own.clone(),
            prefix => format!("{prefix}.{own}"),
        };
        return (own, write);
    };
    let origin = format!("$KV.{}.", mirror.name.trim_start_matches("KV_"));
    match &mirror.external {
        Some(external) if !external.api_prefix.is_empty() => {
            let write = format!("{}.{origin}", external.api_prefix);
            (origin, write)
        }
        _ => (own, origin),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(settings: Json) -> StreamConfig {
        let mut all = json!({"name": "KV_b", "discard": "new", "retention": "limits",
            "storage": "file", "num_replicas": 1});
        for (name, value) in settings.as_object().expect("an object") {
            all[name] = value.clone();
        }
        serde_json::from_value(all).expect("a stream's settings")
    }

    #[test]
    fn subjects_follow_domains_and_mirrors() {
        let mirror = json!({"mirror": {"name": "KV_origin", "external": {"api": "$JS.hub.API", "deliver": ""}}});
        for (settings, api, read, write) in [
            (json!({}), "$JS.API", "$KV.b.", "$KV.b."),
            (json!({}), "$JS.hub.API", "$KV.b.", "$JS.hub.API.$KV.b."),
            (mirror, "$JS.API", "$KV.origin.", "$JS.hub.API.$KV.origin."),
        ] {
            let found = prefixes("b", &config(settings), api);
            assert_eq!(found, (read.to_owned(), write.to_owned()));
        }
    }
}
