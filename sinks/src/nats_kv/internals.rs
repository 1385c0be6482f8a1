//! Doors for the fuzz targets in `tests/fuzz`: the inner parts that they need by themselves.

use std::sync::Arc;

use serde_json::Value as Json;
use singer_target::Encoder;
use singer_target::value::{Tape, Value};

use super::compare::{Candidate, Comparison, Verdict};
use super::config::{DeleteMode, NatsKvConfig, RefreshMode, ReviveDeleted};
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

/// What stands under a key.
pub enum Stored<'a> {
    /// A value, in any encoding.
    Value(&'a [u8]),
    /// The marker of a deletion, and what its header tells.
    Marker(Option<&'a str>),
    /// A record of the same run that was settled before.
    Settled(Value<'a>),
}

/// What is written over what, by a stream's rules.
pub struct Comparer(Comparison);

impl Comparer {
    /// The rules of `config` for a stream, whose values may be stored in any of `encoders`.
    #[must_use]
    pub fn new(
        config: &NatsKvConfig,
        schema: &Json,
        replication_key: Option<&str>,
        encoders: Vec<Arc<dyn Encoder>>,
    ) -> Self {
        let mode = RefreshMode::from(config.refresh_mode);
        let revive = config.revive_deleted == ReviveDeleted::Newer;
        let removes = config.delete_mode != DeleteMode::Soft;
        let comparison = Comparison::new(schema, mode, revive, removes, replication_key, encoders);
        Self(comparison)
    }

    /// Whether `record`, encoded as `encoded`, would be written over `stored`.
    #[must_use]
    pub fn is_written(&self, record: Value<'_>, encoded: &[u8], stored: &Stored<'_>) -> bool {
        let candidate = Candidate {
            value: record,
            encoded,
        };
        let mut scratch = Tape::new();
        let verdict = match stored {
            Stored::Value(bytes) => self.0.with_stored(candidate, bytes, &mut scratch),
            Stored::Marker(told) => self.0.with_marker(candidate, *told, &mut scratch),
            Stored::Settled(earlier) => self.0.with_record(candidate, *earlier),
        };
        !matches!(verdict, Verdict::Keep(_))
    }

    /// What the marker tells that `record` leaves, if it removes what is stored.
    #[must_use]
    pub fn removal(&self, record: Value<'_>) -> Option<Option<String>> {
        self.0.removal(record).map(|removal| removal.told)
    }
}
