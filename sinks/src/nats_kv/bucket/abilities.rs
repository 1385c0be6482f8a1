//! What can be done with a bucket, by its settings and its server.

use async_nats::jetstream::stream::RetentionPolicy;
use singer_target::SinkError;

use super::super::config::{DeleteMode, NatsKvConfig};
use super::{Bucket, settings};

/// The JetStream API level from which messages can expire one by one (ADR-43).
const MESSAGE_TTL: u64 = 1;

/// The API level from which the server has batched publishing (ADR-50).
pub(super) const BATCHED_PUBLISHING: u64 = 4;
/// The API level from which one direct get can ask for many keys.
const MULTI_GET: u64 = 1;

impl Bucket {
    /// How many values of each key it keeps; `None` for all.
    pub(in super::super) fn history(&self) -> Option<i64> {
        Some(self.config.max_messages_per_subject).filter(|history| *history > 0)
    }

    /// How large a message, headers included, may be by the bucket's own limit.
    pub(in super::super) fn max_value_size(&self) -> Option<usize> {
        usize::try_from(self.config.max_message_size)
            .ok()
            .filter(|size| *size > 0)
    }

    /// Whether a value can be read past the API, from the stream itself: where no follower, which
    /// may lag behind and does not say so, could answer.
    pub(in super::super) fn allows_direct_get(&self) -> bool {
        self.config.allow_direct && self.config.num_replicas == 1
    }

    /// Whether one direct get can ask for many keys.
    pub(in super::super) fn allows_multi_get(&self) -> bool {
        self.config.allow_direct && self.api_level >= MULTI_GET
    }

    /// Whether the values can be read in the order of their revisions before their keys are known:
    /// each must be the last one of its key, and read from the server that all writes go to.
    pub(in super::super) fn can_be_read_ahead(&self) -> bool {
        let is_origin = self.config.mirror.is_none() && self.read_prefix == self.write_prefix;
        self.history() == Some(1) && self.config.num_replicas == 1 && is_origin
    }

    /// Whether messages can be published in batches that one acknowledgement covers. Servers
    /// before 2.12 ignore settings that they do not know, so both must be so.
    pub(in super::super) fn allows_batched_publishing(&self) -> bool {
        self.config.allow_batch_publish && self.api_level >= BATCHED_PUBLISHING
    }

    /// Why records cannot be written by fast ingest, if so.
    pub(in super::super) fn obstacle_to_fast_ingest(&self) -> Option<&'static str> {
        if self.api_level < BATCHED_PUBLISHING {
            Some("this needs server 2.14 or newer")
        } else if !self.config.allow_batch_publish {
            Some("its setting allow_batched is off; tune_bucket switches it on")
        } else if self.config.mirror.is_some() || self.read_prefix != self.write_prefix {
            Some("it is reached through a mirror or another domain")
        } else {
            None
        }
    }

    /// Settings under which nothing can be written safely.
    pub(in super::super) fn require_usable(&self) -> Result<(), SinkError> {
        let reason = if self.config.sealed {
            "is sealed: it takes no more values"
        } else if self.config.no_ack {
            "does not acknowledge writes (no_ack), so no write can be known to be stored"
        } else if self.config.retention != RetentionPolicy::Limits {
            "does not keep every value (its retention is not by limits)"
        } else if self.config.subject_transform.is_some() {
            "stores values under other keys (it has a subject_transform)"
        } else if self
            .config
            .mirror
            .as_ref()
            .is_some_and(|mirror| mirror.external.is_none())
        {
            "is a mirror of another bucket in the same account; load into that one"
        } else {
            return Ok(());
        };
        Err(SinkError::unavailable(format!(
            "bucket '{}' {reason}; use another bucket",
            self.name
        )))
    }

    /// What the settings need of an existing bucket.
    pub(in super::super) fn require_for(&self, config: &NatsKvConfig) -> Result<(), SinkError> {
        if config.record_ttl_seconds.is_some() {
            self.require_ttl()?;
        }
        if config.delete_mode == DeleteMode::Purge && !self.config.allow_rollup {
            return Err(SinkError::config(format!(
                "delete_mode: bucket '{}' does not let keys be purged (allow_rollup_hdrs is off); \
                 use 'delete'",
                self.name
            )));
        }
        Ok(())
    }

    /// Servers before 2.11 take the wish for it silently, so only what they answer counts.
    fn require_ttl(&self) -> Result<(), SinkError> {
        if self.config.allow_message_ttl && self.api_level >= MESSAGE_TTL {
            return Ok(());
        }
        Err(SinkError::config(format!(
            "record_ttl_seconds: bucket '{}' does not let single keys expire; this needs server \
             2.11 and a bucket that was created with this setting",
            self.name
        )))
    }

    /// What differs from the settings that were given for a new bucket.
    pub(in super::super) fn differences(&self, config: &NatsKvConfig) -> Vec<String> {
        settings::differences(config, &self.config)
    }

    /// What the user should know of its settings.
    pub(in super::super) fn warnings(&self) -> Vec<String> {
        settings::warnings(&self.config)
    }
}
