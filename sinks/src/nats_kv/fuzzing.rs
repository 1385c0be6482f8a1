//! Doors for the fuzz targets in `tests/fuzz`: the inner parts that they need by themselves.

use std::sync::Arc;

use serde_json::Value as Json;
use singer_target::Encoder;
use singer_target::value::{Tape, Value};

use super::compare::{Candidate, Comparison, Verdict};
use super::config::{NatsKvConfig, RefreshMode};
use super::key::{self, KeyRules, KeyWriter};

/// The key of a record, and what `discover` makes of it: the first token and the parts.
///
/// # Errors
/// Why it has none.
#[expect(clippy::type_complexity, reason = "for one caller")]
pub fn key(
    config: &NatsKvConfig,
    stream: &str,
    properties: &[String],
    record: Value<'_>,
) -> Result<(String, Option<(String, Vec<String>)>), String> {
    let rules = KeyRules::new(config, "$KV.singer.");
    let mut key = String::new();
    KeyWriter::new(&rules, stream, properties)?.write(record, &mut key)?;
    let split = key::split(&rules, &key).map(|split| (split.stream, split.parts));
    Ok((key, split))
}

/// Whether `record`, encoded as `encoded`, would be written over `stored`.
pub fn is_written(
    config: &NatsKvConfig,
    schema: &Json,
    replication_key: Option<&str>,
    encoders: Vec<Arc<dyn Encoder>>,
    (record, encoded): (Value<'_>, &[u8]),
    stored: &[u8],
) -> bool {
    let mode = RefreshMode::from(config.refresh_mode);
    let comparison = Comparison::new(schema, mode, false, false, replication_key, encoders);
    let candidate = Candidate {
        value: record,
        encoded,
    };
    comparison.with_stored(candidate, stored, &mut Tape::new()) != Verdict::Keep
}
