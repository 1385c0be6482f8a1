//! What most tests start from: a bucket of their own, and the settings to load into it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use async_nats::jetstream::kv;
use serde_json::{Value, json};

use crate::bucket::Bucket;
use crate::nats_server::NatsServer;
use crate::server_binary::OLDEST;
use crate::target::{Outcome, Target};

/// A bucket of its own on a server, and settings.
#[derive(Debug, Clone)]
pub struct Case {
    /// The settings that the target is started with.
    pub settings: Value,
    /// The server's address.
    pub url: String,
    /// The bucket's name.
    pub name: String,
}

impl Default for Case {
    fn default() -> Self {
        Self::new()
    }
}

impl Case {
    /// On the server that all tests of this process share.
    #[must_use]
    pub fn new() -> Self {
        static SERVER: OnceLock<NatsServer> = OnceLock::new();
        Self::on(SERVER.get_or_init(NatsServer::start))
    }

    /// On a server of the oldest supported version, shared too.
    #[must_use]
    pub fn on_oldest() -> Self {
        static SERVER: OnceLock<NatsServer> = OnceLock::new();
        Self::on(SERVER.get_or_init(|| NatsServer::builder().version(OLDEST).start()))
    }

    /// On a server of the test's own.
    #[must_use]
    pub fn on(server: &NatsServer) -> Self {
        let case = Self {
            settings: json!({"url": server.url()}),
            url: server.url(),
            name: String::new(),
        };
        case.again()
    }

    /// The same server and settings with another bucket of its own.
    #[must_use]
    pub fn again(&self) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        Self {
            name: name.clone(),
            ..self.clone()
        }
        .set("bucket", name)
    }

    /// Adds or changes a setting.
    #[must_use]
    pub fn set(mut self, setting: &str, value: impl Into<Value>) -> Self {
        self.settings[setting] = value.into();
        self
    }

    /// The target with these settings.
    #[must_use]
    pub fn target(&self) -> Target {
        Target::with_config(self.settings.clone())
    }

    /// Runs the target to its end with this input.
    #[must_use]
    pub fn load(&self, input: impl AsRef<[u8]>) -> Outcome {
        self.target().run(input)
    }

    /// The bucket, which must exist by now.
    pub async fn bucket(&self) -> Bucket {
        Bucket::open(&self.url, &self.name).await
    }

    /// Makes the bucket before the target does, so that it keeps every value of a key.
    pub async fn make_bucket(&self) -> Bucket {
        Bucket::create(&self.url, &self.name, 64).await
    }

    /// Makes the bucket before the target does; the configuration needs no name.
    pub async fn make_bucket_with(&self, config: kv::Config) -> Bucket {
        let bucket = self.name.clone();
        Bucket::create_with(&self.url, kv::Config { bucket, ..config }).await
    }
}
