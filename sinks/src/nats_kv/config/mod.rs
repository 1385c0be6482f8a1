//! The settings of the sink, and the only place where they are described: the framework makes the
//! documentation and the Meltano definition from these comments.

mod choices;
pub(super) mod elsewhere;
mod validate;

pub use choices::{
    BucketStorage, DeleteMode, KeyFormat, KeyFrom, LoadMethod, RefreshMode, RefreshModeName,
    ReplicationKey, ReviveDeleted, Urls, WritePath,
};

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use singer_target::config::Secret;

/// Settings of the sink `nats-kv`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("dependentRequired" = {
    "state_bucket": ["state_key"],
    "state_key": ["state_bucket"],
}))]
#[non_exhaustive]
pub struct NatsKvConfig {
    // --- Connection ---
    /// A context of the `nats` command line: its name, or the path of its file, which ends with
    /// `.json`. What is not given in other settings of the connection is taken from there: the
    /// server, credentials, TLS, the JetStream domain or prefix and the inbox prefix.
    ///
    /// After it come the variables of the command line, such as `NATS_URL`, and after them the
    /// context that `NATS_CONTEXT` names, which counts only if `url` is not given either.
    /// Credentials are never mixed: all come from the first of these places that has any.
    #[schemars(extend("fallbackVariables" = ["NATS_CONTEXT"], "examples" = ["production"]))]
    pub nats_context: Option<String>,
    /// Where the NATS server is: one URL, several separated by commas, or an array. Schemes:
    /// `nats://`, `tls://` (TLS required), `ws://` and `wss://` (WebSocket). Of several servers of
    /// a cluster the first that answers is used, and another one when the connection is lost.
    #[schemars(extend("fallbackVariables" = ["NATS_URL"]))]
    pub url: Urls,
    /// User name, for servers with users and passwords. `NATS_USER` without `NATS_PASSWORD` is a
    /// token.
    #[schemars(extend("fallbackVariables" = ["NATS_USER"]))]
    pub user: Option<String>,
    /// Password of `user`.
    #[schemars(extend("fallbackVariables" = ["NATS_PASSWORD"]))]
    pub password: Option<Secret>,
    /// Token, for servers that ask for one.
    #[schemars(extend("fallbackVariables" = ["NATS_TOKEN"]))]
    pub token: Option<Secret>,
    /// Path of a credentials file (`.creds`), as `nsc` and Synadia Cloud make them.
    #[schemars(extend("fallbackVariables" = ["NATS_CREDS"]))]
    pub creds: Option<PathBuf>,
    /// The text of a credentials file, where there is no place for a file.
    pub creds_content: Option<Secret>,
    /// NKey seed (it begins with `SU`), alone or for `jwt`. `NATS_NKEY` is the path of a file that
    /// has it.
    #[schemars(extend("fallbackVariables" = ["NATS_SEED", "NATS_NKEY"]))]
    pub nkey_seed: Option<Secret>,
    /// User JWT; `nkey_seed` signs for it.
    #[schemars(extend("fallbackVariables" = ["NATS_JWT"]))]
    pub jwt: Option<Secret>,
    /// Path of a PEM file with the certificate authorities to trust, in place of those of the
    /// system.
    #[schemars(extend("fallbackVariables" = ["NATS_CA"]))]
    pub tls_ca: Option<PathBuf>,
    /// Path of a PEM file with the client's certificate, for servers that verify clients.
    #[schemars(extend("fallbackVariables" = ["NATS_CERT"]))]
    pub tls_cert: Option<PathBuf>,
    /// Path of a PEM file with the private key of `tls_cert`.
    #[schemars(extend("fallbackVariables" = ["NATS_KEY"]))]
    pub tls_key: Option<PathBuf>,
    /// Begin with the TLS handshake, for servers with `handshake_first`.
    pub tls_first: Option<bool>,
    /// Refuse to speak to a server without TLS.
    pub tls_required: bool,
    /// Name of the connection in the server's monitoring. If not given, the target's name and
    /// version.
    pub connection_name: Option<String>,
    /// First part of the subjects on which replies arrive, where permissions demand another than
    /// `_INBOX`.
    pub inbox_prefix: Option<String>,
    /// How long to try to connect at the start of a run, in seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub connect_timeout_seconds: u64,
    /// How long the server may take to answer one request, in seconds. Then its outcome counts as
    /// unknown, and the request is repeated.
    #[schemars(range(min = 1, max = 3_600))]
    pub request_timeout_seconds: u64,
    /// How often to ask the server for a sign of life, in seconds. Two missing signs end the
    /// connection, and another is made.
    #[schemars(range(min = 1, max = 3_600))]
    pub ping_interval_seconds: u64,
    /// JetStream domain of the bucket, for leaf nodes.
    pub jetstream_domain: Option<String>,
    /// Prefix of the JetStream API, for buckets that another account exports. `$JS.API` if not
    /// given.
    pub jetstream_api_prefix: Option<String>,

    // --- Bucket ---
    /// Name of the bucket: letters, digits, `_` and `-`. With `{stream}` in it each stream has its
    /// own bucket; characters of the stream's name that buckets cannot have become `_`.
    #[schemars(length(min = 1))]
    pub bucket: String,
    /// Create the bucket if it does not exist.
    pub create_bucket: bool,
    /// Switch on what makes an existing bucket faster to load: direct reads and, from server 2.14,
    /// batched publishing. Nothing else of an existing bucket is ever changed.
    pub tune_bucket: bool,
    /// How many values of each key a new bucket keeps. 1 if not given.
    #[schemars(range(min = 1, max = 64))]
    pub bucket_history: Option<i64>,
    /// Where a new bucket keeps its values. `file` if not given.
    pub bucket_storage: Option<BucketStorage>,
    /// How many servers of a cluster hold a new bucket. 1 if not given; 3 survives the loss of one.
    #[schemars(range(min = 1, max = 5))]
    pub bucket_replicas: Option<usize>,
    /// How long a new bucket keeps a value, in seconds. For ever if not given.
    #[schemars(range(min = 1))]
    pub bucket_max_age_seconds: Option<u64>,
    /// How large a new bucket may grow, in bytes. Without a limit if not given.
    #[schemars(range(min = 1))]
    pub bucket_max_bytes: Option<i64>,
    /// How large a value of a new bucket may be, in bytes. What the server allows if not given.
    #[schemars(range(min = 1))]
    pub bucket_max_value_size: Option<i32>,
    /// Compress a new bucket on disk. Not compressed if not given.
    pub bucket_compression: Option<bool>,
    /// Description of a new bucket.
    pub bucket_description: Option<String>,
    /// Tags that the servers of a new bucket must have.
    pub bucket_placement_tags: Option<Vec<String>>,
    /// Metadata of a new bucket: names and texts.
    pub bucket_metadata: Option<BTreeMap<String, String>>,

    // --- Dead letter ---
    /// Keep records that cannot be loaded in this JetStream stream, when `on_invalid_record` is
    /// `dead_letter`: as Singer messages on the subjects `{dead_letter_stream}.{stream}`. Without
    /// it, `dead_letter_file` takes them. If it does not exist and `create_bucket` is true, it is
    /// created with as many replicas as a new bucket. A record that is larger than a message may be
    /// (the server's `max_payload`) ends the run; a file takes it.
    pub dead_letter_stream: Option<String>,

    // --- State ---
    /// Keep the newest STATE in this bucket too, under `state_key`, for taps that are run without
    /// an orchestrator: `target-nats-kv state get` prints it. It is kept before it is printed. If
    /// the bucket does not exist and `create_bucket` is true, it is created, with a history of 10
    /// and as many replicas as a new bucket.
    ///
    /// Of two runs at once with the same key, the one that comes second with a STATE fails.
    #[schemars(length(min = 1))]
    pub state_bucket: Option<String>,
    /// The key of the STATE in `state_bucket`: one for each pipeline, that is for each tap with its
    /// configuration. Letters, digits, `_`, `-`, `/`, `=` and `.`.
    #[schemars(length(min = 1), extend("examples" = ["shop.orders"]))]
    pub state_key: Option<String>,

    // --- Keys ---
    /// What every key begins with, before the stream's name: letters, digits, `_`, `-`, `/`, `=`
    /// and `.`. Write the dot that shall separate it.
    pub key_prefix: String,
    /// How keys are written. `escaped`: `stream.part.part`, with `=XX` for each byte that a key
    /// cannot have; only values that differ by nothing but their type share a key, as `1` and `"1"`
    /// do. `legacy`: as the Python target wrote them, for a bucket that it filled; a record whose
    /// key it could not write is invalid, and so is one whose key another record has: one of the
    /// same run, which is watched for the first 900,000 keys, or a stored one that it is compared
    /// with (not in `refresh_mode` `full`).
    pub key_format: KeyFormat,
    /// What the key of a record is made of, in a stream without key properties. `properties`: such
    /// a stream is an error. `hash`: a hash of the record's content without its `_sdc_*`
    /// properties; equal records are one.
    pub key_from: KeyFrom,

    // --- Writing ---
    /// Store records as MessagePack: a short form of `encoding: msgpack`.
    pub msgpack: Option<bool>,
    /// How records are stored: `json` if not given, or `msgpack`. Stored values are read in
    /// either, so it may be changed at any time.
    pub encoding: Option<String>,
    /// What becomes of a stream's records of earlier runs. `upsert`: they stay until a record with
    /// their key comes. `overwrite`, for streams that the tap reads as a whole in each run: when the
    /// input has ended in order, keys of the stream that were not written since the run began are
    /// deleted, and none if it cannot be known that the tap has sent all; it needs
    /// `refresh_mode: full`. `append-only` is not for a bucket, which has one value a key:
    /// `bucket_history` keeps earlier ones.
    pub load_method: LoadMethod,
    /// Which records are written. `newer`: those whose replication key is greater than the stored
    /// one; without a replication key, those whose data differ. `same`: those whose replication
    /// key is greater or equal; without one, all. `full`: all, without a look at what is stored.
    /// `all` means `full`.
    pub refresh_mode: RefreshModeName,
    /// The property that tells which of two records is newer: one for all streams, or an object
    /// from stream to property. If not given, the first of the SCHEMA's `bookmark_properties`.
    pub replication_key: Option<ReplicationKey>,
    /// What a record does to a stored one that is marked as deleted by a non-null
    /// `_sdc_deleted_at`, unless `refresh_mode` is `full`. `never`: it is left alone. `newer`: a
    /// record with a greater replication key replaces it.
    pub revive_deleted: ReviveDeleted,
    /// What a record with a non-null `_sdc_deleted_at` does. `soft`: it is stored as any other and
    /// so is a tombstone. `delete`: its key is deleted, by a marker. `purge`: the same, and the
    /// history of the key goes too. It is compared with what is stored as any record is. Its marker
    /// keeps the replication key, so that an older record does not bring the key back; a newer one
    /// does.
    pub delete_mode: DeleteMode,
    /// Let each record expire this many seconds after it was last written. Needs server 2.11 and a
    /// bucket that was created with this setting; a record that is left alone as unchanged does
    /// not live longer for it.
    #[schemars(range(min = 1, max = 3_153_600_000u32))]
    pub record_ttl_seconds: Option<u64>,
    /// How writes are acknowledged; the promise is the same. `fast`: many by one acknowledgement
    /// (fast ingest), which needs server 2.14 and a bucket with `allow_batched`, as new ones have
    /// and `tune_bucket` makes them; a bucket that cannot is an error. `ack`: each by its own.
    /// `auto`: `fast` where the bucket can and 256 writes or more are due at once. With either,
    /// writes that compare (`refresh_mode` `newer` and `same`) have their own acknowledgement for a
    /// while after a conflict, since one ends a batch of the server.
    pub write_path: WritePath,
    /// How many writes may wait for the server's acknowledgement at once. Fewer do, unless more
    /// make loading faster, as with a server that is far away.
    #[schemars(range(min = 1, max = 8_192))]
    pub max_in_flight: usize,
}

impl Default for NatsKvConfig {
    fn default() -> Self {
        Self {
            nats_context: None,
            url: Urls::default(),
            user: None,
            password: None,
            token: None,
            creds: None,
            creds_content: None,
            nkey_seed: None,
            jwt: None,
            tls_ca: None,
            tls_cert: None,
            tls_key: None,
            tls_first: None,
            tls_required: false,
            connection_name: None,
            inbox_prefix: None,
            connect_timeout_seconds: 10,
            request_timeout_seconds: 5,
            ping_interval_seconds: 20,
            jetstream_domain: None,
            jetstream_api_prefix: None,
            bucket: "singer".to_owned(),
            create_bucket: true,
            tune_bucket: false,
            bucket_history: None,
            bucket_storage: None,
            bucket_replicas: None,
            bucket_max_age_seconds: None,
            bucket_max_bytes: None,
            bucket_max_value_size: None,
            bucket_compression: None,
            bucket_description: None,
            bucket_placement_tags: None,
            bucket_metadata: None,
            dead_letter_stream: None,
            state_bucket: None,
            state_key: None,
            key_prefix: String::new(),
            key_format: KeyFormat::default(),
            key_from: KeyFrom::default(),
            msgpack: None,
            encoding: None,
            load_method: LoadMethod::default(),
            refresh_mode: RefreshModeName::default(),
            replication_key: None,
            revive_deleted: ReviveDeleted::default(),
            delete_mode: DeleteMode::default(),
            record_ttl_seconds: None,
            write_path: WritePath::default(),
            max_in_flight: 4096,
        }
    }
}

impl NatsKvConfig {
    /// The name of the encoder that `encoding` and `msgpack` ask for.
    #[must_use]
    pub fn encoding(&self) -> &str {
        match (&self.encoding, self.msgpack) {
            (Some(name), _) => name,
            (None, Some(true)) => "msgpack",
            (None, _) => "json",
        }
    }

    /// The bucket of `stream`. Streams that share one do not mix, since keys hold the stream's
    /// name.
    #[must_use]
    pub fn bucket_of(&self, stream: &str) -> String {
        let token: String = stream
            .chars()
            .map(|c| if is_bucket_character(c) { c } else { '_' })
            .collect();
        self.bucket.replace(STREAM_PLACEHOLDER, &token)
    }

    /// Whether each stream has its own bucket.
    #[must_use]
    pub fn has_bucket_per_stream(&self) -> bool {
        self.bucket.contains(STREAM_PLACEHOLDER)
    }

    /// The replication key of `stream` that the settings name.
    #[must_use]
    pub fn replication_key_of(&self, stream: &str) -> Option<&str> {
        match self.replication_key.as_ref()? {
            ReplicationKey::All(property) => Some(property),
            ReplicationKey::PerStream(properties) => properties.get(stream).map(String::as_str),
        }
    }

    /// What the user should know of settings that are valid.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.refresh_mode == RefreshModeName::All {
            warnings.push("refresh_mode 'all' is called 'full' now".to_owned());
        }
        warnings
    }
}

const STREAM_PLACEHOLDER: &str = "{stream}";

fn is_bucket_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

#[cfg(test)]
mod tests;
