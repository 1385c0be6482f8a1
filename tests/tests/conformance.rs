//! Our sinks against the contract of every sink, with a real server and real files, and with an
//! encoder of somebody else that they find by its name.

#[path = "../../framework/examples/cbor.rs"]
#[expect(
    dead_code,
    reason = "it is a whole program, of which only the encoder is used here"
)]
mod cbor;

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use singer_sinks::jsonl::Jsonl;
use singer_sinks::nats_kv::NatsKv;
use singer_target::conformance::{self, Destination, Kit, Violation, Violations};
use singer_target::{BoxError, SinkError};
use target_tests::bucket::Bucket;
use target_tests::nats_server::NatsServer;
use target_tests::server_binary::{NEWEST, OLDEST};

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
        let latest = Bucket::open(&self.url, name).await.latest().await;
        let prefix = format!("{stream}.");
        latest
            .into_iter()
            .filter(|(key, _)| key.starts_with(&prefix))
            .map(|(_, entry)| match self.settings["encoding"].as_str() {
                Some("cbor") => Ok(from_cbor(&mut &*entry.value)?),
                _ => Ok(entry.json()),
            })
            .collect()
    }
}

/// Reads one value, and leaves what follows it. Any other encoding than CBOR is an error.
fn from_cbor(bytes: &mut &[u8]) -> Result<Value, BoxError> {
    let value: Value = ciborium::from_reader(bytes)?;
    match value {
        Value::Object(_) => Ok(value),
        _ => Err("not a record in CBOR".into()),
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

#[tokio::test]
async fn newer_in_an_encoding_of_somebody_else() -> Result<(), Violations> {
    let settings = json!({"refresh_mode": "newer", "replication_key": "n", "encoding": "cbor"});
    conforms("2.15.1", settings).await
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

/// The same folder, with records in an encoding that the sink does not know.
struct CborFolder(tempfile::TempDir);

impl Destination for CborFolder {
    type Sink = Jsonl;

    async fn open(&self) -> Result<Jsonl, SinkError> {
        let path = self.0.path().join("{stream}.cbor");
        conformance::open::<Jsonl>(json!({"path": path, "encoding": "cbor"})).await
    }

    async fn read(&self, stream: &str) -> Result<Vec<Value>, BoxError> {
        let path = self.0.path().join(format!("{stream}.cbor"));
        let bytes = match std::fs::read(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            bytes => bytes?,
        };
        let mut rest = &*bytes;
        let mut records = Vec::new();
        while !rest.is_empty() {
            records.push(from_cbor(&mut rest)?);
        }
        Ok(records)
    }
}

#[tokio::test]
async fn files_in_an_encoding_of_somebody_else() -> Result<(), Violations> {
    Kit::new(async || Ok(CborFolder(tempfile::tempdir()?)))
        .appending()
        .runs(10)
        .check_all()
        .await
}

#[tokio::test]
async fn states_in_a_bucket() -> Result<(), Violation> {
    for version in [NEWEST, OLDEST] {
        let server = NatsServer::builder().version(version).start();
        let settings = json!({"url": server.url(), "state_bucket": "states", "state_key": "a.b"});
        let open = async || conformance::open_state::<NatsKv>(settings.clone()).await;
        conformance::check_state_store(open).await?;
    }
    Ok(())
}
