//! The settings of a bucket: those of a new one, and what is odd about an existing one. Pure.

use std::time::Duration;

use async_nats::jetstream::stream::{
    Compression, Config as StreamConfig, DiscardPolicy, Placement, RetentionPolicy, StorageType,
};

use crate::nats_kv::config::{BucketStorage, NatsKvConfig};

/// The settings of a new bucket `name`: what ADR-8 demands, and what the user wishes.
pub(super) fn new_bucket(config: &NatsKvConfig, name: &str) -> StreamConfig {
    StreamConfig {
        name: super::stream_name(name),
        subjects: vec![format!("$KV.{name}.>")],
        max_messages_per_subject: config.bucket_history.unwrap_or(1),
        max_bytes: config.bucket_max_bytes.unwrap_or(-1),
        max_messages: -1,
        max_consumers: -1,
        max_age: config
            .bucket_max_age_seconds
            .map_or(Duration::ZERO, Duration::from_secs),
        max_message_size: config.bucket_max_value_size.unwrap_or(-1),
        storage: storage(config.bucket_storage.unwrap_or(BucketStorage::File)),
        num_replicas: config.bucket_replicas.unwrap_or(1),
        compression: (config.bucket_compression == Some(true)).then_some(Compression::S2),
        description: config.bucket_description.clone(),
        placement: config.bucket_placement_tags.clone().map(|tags| Placement {
            cluster: None,
            tags,
        }),
        metadata: config
            .bucket_metadata
            .clone()
            .unwrap_or_default()
            .into_iter()
            .collect(),
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::New,
        allow_rollup: true,
        deny_delete: true,
        allow_direct: true,
        allow_message_ttl: config.record_ttl_seconds.is_some(),
        ..StreamConfig::default()
    }
}

/// How many states of a pipeline a bucket for them keeps: the last one counts, those before it
/// help to understand what happened.
const STATES: i64 = 10;

/// The settings of a new bucket for states. Of what the user wishes for records, only what keeps
/// it safe counts.
pub(super) fn bucket_for_states(config: &NatsKvConfig, name: &str) -> StreamConfig {
    let safe = NatsKvConfig {
        bucket_history: Some(STATES),
        bucket_replicas: config.bucket_replicas,
        bucket_placement_tags: config.bucket_placement_tags.clone(),
        bucket_description: Some("The newest STATE of each Singer pipeline".to_owned()),
        ..NatsKvConfig::default()
    };
    new_bucket(&safe, name)
}

fn storage(storage: BucketStorage) -> StorageType {
    match storage {
        BucketStorage::File => StorageType::File,
        BucketStorage::Memory => StorageType::Memory,
    }
}

/// What is given in the settings for a new bucket, and otherwise in this existing one.
pub(super) fn differences(config: &NatsKvConfig, actual: &StreamConfig) -> Vec<String> {
    let wanted = new_bucket(config, "");
    let mut differences = Vec::new();
    let mut compare = |setting: &str, given: bool, wanted: String, actual: String| {
        if given && wanted != actual {
            differences.push(format!(
                "{setting} is {wanted} in the settings and {actual} in the bucket, which stays so"
            ));
        }
    };
    macro_rules! compare {
        ($setting:ident, $field:ident) => {
            compare(
                stringify!($setting),
                config.$setting.is_some(),
                format!("{:?}", wanted.$field),
                format!("{:?}", actual.$field),
            )
        };
    }
    compare!(bucket_history, max_messages_per_subject);
    compare!(bucket_storage, storage);
    compare!(bucket_replicas, num_replicas);
    compare!(bucket_max_age_seconds, max_age);
    compare!(bucket_max_bytes, max_bytes);
    compare!(bucket_max_value_size, max_message_size);
    compare!(bucket_description, description);
    let on_or_off = |config: &StreamConfig| {
        let on = matches!(config.compression, Some(Compression::S2));
        (if on { "on" } else { "off" }).to_owned()
    };
    compare(
        "bucket_compression",
        config.bucket_compression.is_some(),
        on_or_off(&wanted),
        on_or_off(actual),
    );
    let tags = |config: &StreamConfig| {
        let tags = config.placement.as_ref().map(|placement| &placement.tags);
        tags.map_or_else(|| "none".to_owned(), |tags| tags.join(", "))
    };
    compare(
        "bucket_placement_tags",
        config.bucket_placement_tags.is_some(),
        tags(&wanted),
        tags(actual),
    );
    // The server adds metadata of its own.
    for (name, value) in &wanted.metadata {
        if actual.metadata.get(name) != Some(value) {
            differences.push(format!(
                "bucket_metadata has another '{name}' than the bucket, which stays as it is"
            ));
        }
    }
    differences
}

/// What the user should know of a bucket's settings.
pub(super) fn warnings(actual: &StreamConfig) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut warn = |condition: bool, text: &str| {
        if condition {
            warnings.push(text.to_owned());
        }
    };
    let limited = actual.max_bytes > 0 || actual.max_messages > 0;
    warn(
        limited && actual.discard == DiscardPolicy::Old,
        "when it is full it drops the oldest values (discard: old); other buckets refuse new ones",
    );
    warn(
        actual.max_messages_per_subject <= 0,
        "keeps every value of every key, without a limit",
    );
    warn(
        !actual.max_age.is_zero(),
        "values expire some time after they were written (max_age)",
    );
    warn(
        !actual.allow_direct,
        "direct reads are off, so comparing is slower; tune_bucket switches them on",
    );
    warn(
        actual.storage == StorageType::Memory,
        "values are kept in memory: they are gone when the server stops",
    );
    warnings
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(settings: serde_json::Value) -> NatsKvConfig {
        serde_json::from_value(settings).expect("settings")
    }

    #[test]
    fn a_new_bucket_is_what_the_standard_demands() {
        let bucket = new_bucket(&config(json!({"bucket_history": 5})), "b");
        let json = serde_json::to_value(&bucket).expect("JSON");
        for (setting, value) in [
            ("name", json!("KV_b")),
            ("subjects", json!(["$KV.b.>"])),
            ("max_msgs_per_subject", json!(5)),
            ("discard", json!("new")),
            ("allow_rollup_hdrs", json!(true)),
            ("deny_delete", json!(true)),
            ("allow_direct", json!(true)),
            ("storage", json!("file")),
            ("num_replicas", json!(1)),
        ] {
            assert_eq!(json[setting], value, "{setting}");
        }
        assert_eq!(
            json.get("allow_batched"),
            None,
            "older servers do not know it"
        );
        assert!(warnings(&bucket).is_empty());
    }

    #[test]
    fn only_what_was_given_can_differ() {
        let actual = new_bucket(
            &config(json!({"bucket_history": 2, "bucket_storage": "memory",
                "bucket_compression": true, "bucket_metadata": {"a": "1"}})),
            "b",
        );
        assert!(differences(&config(json!({})), &actual).is_empty());
        let given = config(json!({"bucket_history": 2, "bucket_storage": "file",
            "bucket_compression": false, "bucket_metadata": {"a": "2"},
            "bucket_placement_tags": ["ssd"]}));
        let differences = differences(&given, &actual);
        assert_eq!(differences.len(), 4, "{differences:?}");
        assert_eq!(
            differences[0],
            "bucket_storage is File in the settings and Memory in the bucket, which stays so"
        );
    }
}
