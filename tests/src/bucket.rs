//! Looks into a bucket with an ordinary NATS client: what is there, and every write that led to it.
//!
//! It reads the messages of the stream below the bucket, and so sees everything:
//! markers, history, and keys that a client's own key rules would hide.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use async_nats::jetstream::{self, consumer, kv, stream};
use async_nats::{ConnectOptions, HeaderMap, ServerAddr};
use bytes::Bytes;
use futures_util::StreamExt;
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(30);

/// A key/value bucket on a test's server.
#[derive(Debug, Clone)]
pub struct Bucket {
    /// The client's own handle, for writing to the bucket as another program would.
    pub store: kv::Store,
    name: String,
}

/// One message of a bucket: a value, or a marker of a deletion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key: the message's subject without `$KV.BUCKET.`.
    pub key: String,
    /// The value's bytes as stored.
    pub value: Bytes,
    /// The message's number in the stream.
    pub revision: u64,
    /// `PUT`, or what the message's `KV-Operation` header says: `DEL` or `PURGE`.
    pub operation: String,
    /// How long the server keeps it (`Nats-TTL`), if the writer said.
    pub ttl: Option<String>,
}

impl Entry {
    /// The value decoded, whichever encoding it is in.
    #[must_use]
    pub fn json(&self) -> Value {
        decode(&self.value)
    }
}

impl Bucket {
    /// The bucket of this name, which must exist.
    pub async fn open(url: &str, name: &str) -> Self {
        let store = jetstream(url)
            .await
            .get_key_value(name)
            .await
            .unwrap_or_else(|error| panic!("no bucket {name}: {error}"));
        Self::of(store, name)
    }

    /// Makes a bucket that keeps this many values of each key.
    pub async fn create(url: &str, name: &str, history: i64) -> Self {
        Self::create_with(
            url,
            kv::Config {
                bucket: name.to_owned(),
                history,
                ..kv::Config::default()
            },
        )
        .await
    }

    /// Makes a bucket, as the target does: where the server knows batches, it takes them.
    pub async fn create_with(url: &str, config: kv::Config) -> Self {
        let name = config.bucket.clone();
        let failed =
            |error: &dyn std::fmt::Display| -> ! { panic!("cannot create bucket {name}: {error}") };
        let jetstream = jetstream(url).await;
        let store = jetstream
            .create_key_value(config)
            .await
            .unwrap_or_else(|error| failed(&error));
        if jetstream.client().is_server_compatible(2, 14, 0) {
            let config = stream::Config {
                allow_batch_publish: true,
                ..store.stream.cached_info().config.clone()
            };
            if let Err(error) = jetstream.update_stream(config).await {
                failed(&error);
            }
        }
        Self::of(store, &name)
    }

    /// Whether the server has a bucket of this name.
    pub async fn exists(url: &str, name: &str) -> bool {
        jetstream(url).await.get_key_value(name).await.is_ok()
    }

    fn of(store: kv::Store, name: &str) -> Self {
        Self {
            store,
            name: name.to_owned(),
        }
    }

    /// Every message in the bucket, oldest first.
    pub async fn messages(&self) -> Vec<Entry> {
        let failed = |error: &dyn std::fmt::Display| -> ! {
            panic!("cannot read the messages of {}: {error}", self.name)
        };
        let wanted = self.state().await.messages;
        let consumer = self.reader().await;
        let mut messages = Vec::new();
        if wanted == 0 {
            return messages;
        }
        let mut incoming = consumer
            .messages()
            .await
            .unwrap_or_else(|error| failed(&error));
        while let Some(message) = incoming.next().await {
            let message = message.unwrap_or_else(|error| failed(&error));
            let info = message.info().unwrap_or_else(|error| failed(&error));
            let (revision, last) = (info.stream_sequence, info.pending == 0);
            let message = message.message;
            messages.push(self.entry(
                &message.subject,
                message.headers.as_ref(),
                message.payload,
                revision,
            ));
            if last {
                break;
            }
        }
        messages
    }

    /// A consumer of all messages. While servers elect leaders it takes a while to get one.
    async fn reader(&self) -> consumer::Consumer<consumer::pull::OrderedConfig> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let config = consumer::pull::OrderedConfig::default();
            match self.store.stream.create_consumer(config).await {
                Ok(consumer) => return consumer,
                Err(error) if Instant::now() > deadline => {
                    panic!("cannot read the messages of {}: {error}", self.name)
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// The values that the bucket holds now, by key, decoded.
    pub async fn contents(&self) -> BTreeMap<String, Value> {
        self.latest()
            .await
            .into_iter()
            .map(|(key, entry)| (key, entry.json()))
            .collect()
    }

    /// The newest message of every key that is not deleted.
    pub async fn latest(&self) -> BTreeMap<String, Entry> {
        let mut latest: BTreeMap<String, Entry> = BTreeMap::new();
        for entry in self.messages().await {
            latest.insert(entry.key.clone(), entry);
        }
        latest.retain(|_, entry| entry.operation == "PUT");
        latest
    }

    /// The keys that have a value, sorted.
    pub async fn keys(&self) -> Vec<String> {
        self.latest().await.into_keys().collect()
    }

    /// The newest message of a key, a marker too; none if it was never written.
    pub async fn get(&self, key: &str) -> Option<Entry> {
        let subject = format!("$KV.{}.{key}", self.name);
        let stream = &self.store.stream;
        match stream.get_last_raw_message_by_subject(&subject).await {
            Ok(message) => Some(self.entry(
                &message.subject,
                Some(&message.headers),
                message.payload,
                message.sequence,
            )),
            Err(error) if error.kind() == stream::LastRawMessageErrorKind::NoMessageFound => None,
            Err(error) => panic!("cannot read key {key}: {error}"),
        }
    }

    /// The stored bytes of a key, as text.
    ///
    /// # Panics
    /// If the key has no value or it is not UTF-8.
    pub async fn text(&self, key: &str) -> String {
        let entry = self.get(key).await.expect("the key was written");
        String::from_utf8(entry.value.to_vec()).expect("the value is text")
    }

    /// Stores bytes as another writer would; returns the new revision.
    pub async fn put(&self, key: &str, value: impl Into<Bytes>) -> u64 {
        self.store
            .put(key, value.into())
            .await
            .unwrap_or_else(|error| panic!("cannot write key {key}: {error}"))
    }

    /// How many writes the bucket has ever taken.
    pub async fn writes(&self) -> u64 {
        self.state().await.last_sequence
    }

    /// How the stream below the bucket is set up.
    pub async fn config(&self) -> stream::Config {
        self.info().await.config
    }

    async fn state(&self) -> stream::State {
        self.info().await.state
    }

    async fn info(&self) -> stream::Info {
        self.store
            .stream
            .get_info()
            .await
            .unwrap_or_else(|error| panic!("no stream below bucket {}: {error}", self.name))
    }

    fn entry(
        &self,
        subject: &str,
        headers: Option<&HeaderMap>,
        value: Bytes,
        revision: u64,
    ) -> Entry {
        let prefix = format!("$KV.{}.", self.name);
        let header = |name: &str| Some(headers?.get(name)?.to_string());
        Entry {
            key: subject.trim_start_matches(&prefix).to_owned(),
            value,
            revision,
            operation: header("KV-Operation").unwrap_or_else(|| "PUT".to_owned()),
            ttl: header("Nats-TTL"),
        }
    }
}

/// A JetStream client of the server, with the user and password in the URL if there are any.
///
/// # Panics
/// If it cannot connect.
pub async fn jetstream(url: &str) -> jetstream::Context {
    let address: ServerAddr = url.parse().expect("it is the URL of a server");
    let options = match (address.username(), address.password()) {
        (Some(user), Some(password)) => {
            ConnectOptions::with_user_and_password(user.to_owned(), password.to_owned())
        }
        _ => ConnectOptions::new(),
    };
    let client = options
        .connect(address)
        .await
        .unwrap_or_else(|error| panic!("cannot connect to {url}: {error}"));
    jetstream::new(client)
}

/// JSON or MessagePack, told apart by the first byte: JSON text never starts above 0x7f.
#[must_use]
pub fn decode(bytes: &[u8]) -> Value {
    if bytes.first().is_some_and(|byte| *byte >= 0x80) {
        rmp_serde::from_slice(bytes).expect("the value is MessagePack")
    } else {
        serde_json::from_slice(bytes).expect("the value is JSON")
    }
}
