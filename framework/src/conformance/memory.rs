//! A destination in memory, and its sink: for tests, and as an example of both.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value as Json;

use super::Destination;
use crate::activation::{Activated, Activation};
use crate::batch::{Batch, Record};
use crate::error::BoxError;
use crate::sink::{Report, Sink, SinkError};
use crate::stream::Stream;
use crate::value::Tape;

/// Records that take more bytes of JSON than this are rejected.
const MAX_RECORD_BYTES: usize = 10_000;

/// A destination in memory. Clones share what they hold.
///
/// ```
/// use serde_json::json;
/// use singer_target::Sink;
/// use singer_target::conformance::{Destination, batch, memory::Memory, stream};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let memory = Memory::upserting();
/// let sink = memory.open().await?;
/// let orders = stream("orders", ["id"], json!({}));
/// sink.write(&batch(&orders, [json!({"id": 1, "n": 1}), json!({"id": 1, "n": 2})])).await?;
/// assert_eq!(memory.read("orders").await?, [json!({"id": 1, "n": 2})]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Memory {
    appends: bool,
    streams: Arc<Mutex<BTreeMap<String, Rows>>>,
}

/// Records with their keys.
type Rows = Vec<(String, Json)>;

impl Memory {
    /// Holds the newest record of each key.
    #[must_use]
    pub fn upserting() -> Self {
        Self {
            appends: false,
            streams: Arc::default(),
        }
    }

    /// Holds every record.
    #[must_use]
    pub fn appending() -> Self {
        Self {
            appends: true,
            streams: Arc::default(),
        }
    }

    /// Stores a record under its key, as the sink does.
    pub fn insert(&self, stream: &str, key: String, record: Json) {
        let mut streams = locked(&self.streams);
        let rows = streams.entry(stream.to_owned()).or_default();
        if !self.appends
            && let Some(row) = rows.iter_mut().find(|(held, _)| *held == key)
        {
            row.1 = record;
            return;
        }
        rows.push((key, record));
    }

    /// Deletes what is of an older version, as the sink does.
    fn activate(&self, stream: &str, activation: &Activation) -> Result<Activated, SinkError> {
        let mut streams = locked(&self.streams);
        let rows = streams.entry(stream.to_owned()).or_default();
        let mut stored = Tape::new();
        let mut old = Vec::new();
        for (index, (_, record)) in rows.iter().enumerate() {
            stored
                .parse(record.to_string().as_bytes())
                .map_err(SinkError::permanent)?;
            if stored.root().is_some_and(|it| activation.deletes(it)) {
                old.push((index, marked(&stored, activation)?));
            }
        }
        activation.check_share(old.len() as u64, rows.len() as u64)?;
        let mut activated = Activated::default();
        for (index, marked) in old.into_iter().rev() {
            activated.deleted += 1;
            if activation.is_hard() {
                rows.remove(index);
            } else {
                rows[index].1 = marked;
            }
        }
        Ok(activated)
    }

    /// Forgets a stream.
    pub fn clear(&self, stream: &str) {
        locked(&self.streams).remove(stream);
    }
}

impl Destination for Memory {
    type Sink = MemorySink;

    async fn open(&self) -> Result<MemorySink, SinkError> {
        Ok(MemorySink {
            memory: self.clone(),
            lines: Mutex::default(),
        })
    }

    async fn read(&self, stream: &str) -> Result<Vec<Json>, BoxError> {
        let streams = locked(&self.streams);
        let rows = streams.get(stream).map(Vec::as_slice).unwrap_or_default();
        Ok(rows.iter().map(|(_, record)| record.clone()).collect())
    }
}

/// The sink of a [`Memory`], which has an example.
#[derive(Debug)]
pub struct MemorySink {
    memory: Memory,
    /// The lines that were stored: what is written again is not appended twice.
    lines: Mutex<HashSet<u64>>,
}

impl MemorySink {
    fn store(&self, record: Record<'_>) -> Result<(), String> {
        let json = record.value().to_json();
        if json.len() > MAX_RECORD_BYTES {
            return Err(format!("larger than {MAX_RECORD_BYTES} bytes"));
        }
        let value = serde_json::from_str(&json).map_err(|error| error.to_string())?;
        if self.memory.appends && !locked(&self.lines).insert(record.line()) {
            return Ok(());
        }
        let key: Vec<String> = record.key().map(|part| part.to_json()).collect();
        self.memory
            .insert(record.stream().name(), key.join(","), value);
        Ok(())
    }
}

fn marked(stored: &Tape, activation: &Activation) -> Result<Json, SinkError> {
    let mut marked = Tape::new();
    if let Some(stored) = stored.root() {
        activation.mark(stored, &mut marked);
    }
    let marked = marked.root().map(|it| it.to_json()).unwrap_or_default();
    serde_json::from_str(&marked).map_err(SinkError::permanent)
}

impl Sink for MemorySink {
    const ACTIVATES_VERSIONS: bool = true;

    async fn write(&self, batch: &Batch) -> Result<Report, SinkError> {
        let mut report = Report::default();
        for (index, record) in batch.records().enumerate() {
            // A place to wait, as every real destination has: here the write can be dropped.
            tokio::task::yield_now().await;
            match self.store(record) {
                Ok(()) => report.written += 1,
                Err(reason) => report.reject(index, reason),
            }
        }
        Ok(report)
    }

    fn concurrency(&self) -> usize {
        4
    }

    async fn activate_version(
        &self,
        stream: &Arc<Stream>,
        activation: &Activation,
    ) -> Result<Activated, SinkError> {
        self.memory.activate(stream.name(), activation)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
