//! What the settings and the SCHEMA say of one stream: the keys of its records, how they compare
//! with what is stored, and how they are written.

use std::sync::{Arc, Mutex};

use singer_target::value::{Tape, Value};
use singer_target::{Batch, Encoder, Encoders, SinkError, Stream};

use super::super::compare::Comparison;
use super::super::config::{DeleteMode, KeyFormat, NatsKvConfig, RefreshMode, ReviveDeleted};
use super::super::key::{Collisions, KeyRules, KeyWriter};
use super::super::lock;
use super::super::read::{Content, Found};
use super::form::Form;
use super::prepare::{Limit, Prepared};

/// Why a record is rejected whose key another one has.
pub(super) const COLLISION: &str = "another record has the same key in the legacy format; use key_format \
                         'escaped', where every record has its own";

/// See the module.
pub(in super::super) struct StreamRules {
    pub(in super::super) keys: KeyWriter,
    /// What keys are appended to for the subject to publish to.
    pub(in super::super) subject_prefix: String,
    pub(super) comparison: Comparison,
    pub(super) mode: RefreshMode,
    /// What a write looks like on the wire.
    pub(super) form: Form,
    encoder: Arc<dyn Encoder>,
    /// In the legacy format, which cannot tell all records apart.
    collisions: Option<Arc<Mutex<Collisions>>>,
}

impl StreamRules {
    /// The rules for the records of `stream` below `subject_prefix`.
    ///
    /// # Errors
    /// Its records can have no keys, or there is no such encoding.
    pub(in super::super) fn new(
        config: &NatsKvConfig,
        encoders: &Encoders,
        collisions: Option<Arc<Mutex<Collisions>>>,
        stream: &Stream,
        subject_prefix: &str,
    ) -> Result<Self, SinkError> {
        let key_rules = KeyRules::new(config, subject_prefix);
        let keys = KeyWriter::new(&key_rules, stream.name(), stream.key_properties())
            .map_err(SinkError::permanent)?;
        let mode = RefreshMode::from(config.refresh_mode);
        let comparison = Comparison::new(
            stream.schema(),
            mode,
            config.revive_deleted == ReviveDeleted::Newer,
            config.delete_mode != DeleteMode::Soft,
            replication_key(config, stream),
            encoders.iter().map(|(_, it)| Arc::clone(it)).collect(),
        );
        let comparison = match config.key_format {
            KeyFormat::Escaped => comparison,
            KeyFormat::Legacy => comparison.watching(stream.key_properties()),
        };
        let full = mode == RefreshMode::Full;
        Ok(Self {
            keys,
            subject_prefix: subject_prefix.to_owned(),
            comparison,
            mode,
            form: Form::new(config.record_ttl_seconds, full, config.delete_mode),
            encoder: encoders.choose("encoding", config.encoding())?,
            collisions,
        })
    }

    /// The records of a batch as they would be sent.
    pub(super) fn prepare(&self, batch: &Batch, limit: Limit) -> Prepared {
        let mut collisions = self.collisions.as_deref().map(lock);
        Prepared::new(
            batch,
            &*self.encoder,
            &self.subject_prefix,
            limit,
            |record| self.comparison.removal(record.value()),
            |record, out| {
                let start = out.len();
                self.keys.write(record.value(), out)?;
                let collides = collisions
                    .as_mut()
                    .is_some_and(|all| all.collides(&out[start..], record.key()));
                if collides {
                    return Err(COLLISION.to_owned());
                }
                Ok(())
            },
        )
    }

    /// The stored record, with the encoder that reads it, if it is one of this stream.
    pub(super) fn entry<'t>(
        &self,
        key: &str,
        found: &Found,
        into: &'t mut Tape,
    ) -> Option<(&dyn Encoder, Value<'t>)> {
        let Content::Value(bytes) = &found.content else {
            return None;
        };
        let encoder = self.comparison.decode(bytes, into)?;
        let entry = into.root()?;
        let is_own = self.keys.source(key, entry, &mut Tape::new()).is_some();
        is_own.then_some((encoder, entry))
    }
}

/// The property that tells newer records of the stream from older ones. Warns if the SCHEMA has it
/// not.
fn replication_key<'a>(config: &'a NatsKvConfig, stream: &'a Stream) -> Option<&'a str> {
    let key = config
        .replication_key_of(stream.name())
        .or_else(|| stream.bookmark_properties().first().map(String::as_str))?;
    let properties = stream.schema().get("properties");
    if properties.is_some_and(|all| all.get(key).is_none()) {
        tracing::warn!(
            "stream '{}': its schema has no property '{key}', which is to tell newer records \
             from older ones; without it, the data decide",
            stream.name()
        );
    }
    Some(key)
}
