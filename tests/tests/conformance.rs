//! Our sinks against the contract of every sink, with a real server and real files.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use singer_sinks::jsonl::Jsonl;
use singer_sinks::nats_kv::NatsKv;
use singer_target::conformance::{self, Destination, Kit, Violations};
use singer_target::{BoxError, SinkError};
use target_tests::bucket::Bucket;
use target_tests::nats_server::NatsServer;

/// A bucket of its own.
struct Place {
    url: String,
    settings: Value,
}

impl Destination for Place {
    type Sink = NatsKv;

    async fn open(&self) -> Result<NatsKv, SinkError> {
        conformance::open::<NatsKv>(self.settings.clone()).await
    }

    async fn read(&self, stream: &str) -> Result<Vec<Value>, BoxError> {
        let name = self.settings["bucket"].as_str().unwrap_or_default();
        if !Bucket::exists(&self.url, name).await {
            return Ok(Vec::new());
        }
        let contents = Bucket::open(&self.url, name).await.contents().await;
        let prefix = format!("{stream}.");
        Ok(contents
            .into_iter()
            .filter(|(key, _)| key.starts_with(&prefix))
            .map(|(_, value)| value)
            .collect())
    }
}

async fn conforms(version: &str, settings: Value) -> Result<(), Violations> {
    let server = NatsServer::builder().version(version).start();
    let url = server.url();
    let buckets = AtomicU64::new(0);
    Kit::new(async || {
        let mut settings = settings.clone();
        settings["url"] = json!(url);
        settings["bucket"] = json!(format!("b{}", buckets.fetch_add(1, Ordering::Relaxed)));
        Ok(Place {
            url: url.clone(),
            settings,
        })
    })
    .rejecting(json!({"text": "x".repeat(2_000_000)}))
    .runs(10)
    .check_all()
    .await
}

#[tokio::test]
async fn full() -> Result<(), Violations> {
    conforms("2.15.1", json!({"refresh_mode": "full"})).await
}

#[tokio::test]
async fn newer_with_history_as_messagepack() -> Result<(), Violations> {
    let settings = json!({"refresh_mode": "newer", "replication_key": "n", "msgpack": true, "bucket_history": 5});
    conforms("2.15.1", settings).await
}

#[tokio::test]
async fn newer_on_the_oldest_server() -> Result<(), Violations> {
    conforms(
        "2.10.25",
        json!({"refresh_mode": "newer", "replication_key": "n"}),
    )
    .await
}

/// A folder of its own.
struct Folder(tempfile::TempDir);

impl Destination for Folder {
    type Sink = Jsonl;

    async fn open(&self) -> Result<Jsonl, SinkError> {
        let path = self.0.path().join("{stream}.jsonl");
        conformance::open::<Jsonl>(json!({"path": path})).await
    }

    async fn read(&self, stream: &str) -> Result<Vec<Value>, BoxError> {
        match std::fs::read_to_string(self.0.path().join(format!("{stream}.jsonl"))) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            text => text?
                .lines()
                .map(|line| Ok(serde_json::from_str(line)?))
                .collect(),
        }
    }
}

#[tokio::test]
async fn files() -> Result<(), Violations> {
    Kit::new(async || Ok(Folder(tempfile::tempdir()?)))
        .appending()
        .runs(10)
        .check_all()
        .await
}
