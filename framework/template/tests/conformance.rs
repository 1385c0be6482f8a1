//! The sink against the contract of every sink.

use std::fs;
use std::io::ErrorKind;

use serde_json::{Value, json};
use singer_sinks as _;
use singer_target::conformance::{self, Destination, Kit, Violations};
use singer_target::{BoxError, Sink, SinkError};
use tempfile::TempDir;

use {{crate_name}}::Files;

/// A folder of its own.
struct Folder(TempDir);

impl Destination for Folder {
    type Sink = Files;

    async fn open(&self) -> Result<Files, SinkError> {
        let settings = json!({"folder": self.0.path(), "max_record_bytes": 10_000});
        conformance::open::<Files>(settings).await
    }

    async fn read(&self, stream: &str) -> Result<Vec<Value>, BoxError> {
        let entries = match fs::read_dir(self.0.path().join(stream)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut records = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if !path.ends_with(".partial") {
                records.push(serde_json::from_slice(&fs::read(path)?)?);
            }
        }
        Ok(records)
    }
}

#[tokio::test]
async fn the_sink_keeps_the_contract() -> Result<(), Violations> {
    Kit::new(async || Ok(Folder(tempfile::tempdir()?)))
        .rejecting(json!({"text": "x".repeat(20_000)}))
        .runs(10)
        .check_all()
        .await
}

#[tokio::test]
async fn records_keep_their_digits() -> Result<(), BoxError> {
    let folder = Folder(tempfile::tempdir()?);
    let orders = conformance::stream("orders", ["id"], json!({"type": "object"}));
    let record = serde_json::from_str(r#"{"id":"a/b","total":0.10}"#)?;
    let batch = conformance::batch(&orders, [record]);
    let report = folder.open().await?.write(&batch).await?;
    assert_eq!(report.written, 1);
    let stored = fs::read_to_string(folder.0.path().join("orders/%22a%2fb%22"))?;
    assert_eq!(stored, r#"{"id":"a/b","total":0.10}"#);
    Ok(())
}
