use serde_json::json;

use super::*;

fn config(settings: serde_json::Value) -> NatsKvConfig {
    serde_json::from_value(settings).expect("settings")
}

fn problems(settings: serde_json::Value) -> Vec<String> {
    config(settings)
        .validate()
        .into_iter()
        .map(|problem| format!("{}: {}", problem.setting, problem.problem))
        .collect()
}

#[test]
fn nothing_is_required_and_defaults_are_valid() {
    let config = config(json!({}));
    assert_eq!(
        config.url.iter().collect::<Vec<_>>(),
        ["nats://localhost:4222"]
    );
    assert_eq!(config.bucket, "singer");
    assert_eq!(config.encoding(), "json");
    assert_eq!(problems(json!({})), Vec::<String>::new());
}

#[test]
fn urls_in_every_form() {
    for url in [
        json!("a, nats://b:1,"),
        json!(["a", "nats://b:1"]),
        json!(["a,nats://b:1"]),
    ] {
        assert_eq!(
            config(json!({"url": url})).url.iter().collect::<Vec<_>>(),
            ["a", "nats://b:1"]
        );
    }
    assert!(problems(json!({"url": "tls://a,nats://user:secret@b:1"})).is_empty());
    for url in ["", "ftp://secret@a", "nats://a,ws://b"] {
        let problems = problems(json!({"url": url}));
        assert_eq!(problems.len(), 1, "{url}: {problems:?}");
        assert!(!problems[0].contains("secret"));
    }
    assert!(!format!("{:?}", config(json!({"url": "nats://u:hidden@a"}))).contains("hidden"));
}

#[test]
fn contradictions_are_listed_all_at_once() {
    let problems = problems(json!({
        "password": "p", "token": "t", "creds": "/no/such.creds", "jwt": "j",
        "tls_key": "/no/such.key", "jetstream_domain": "hub", "jetstream_api_prefix": "a b",
        "bucket": "a.b", "key_prefix": ".x y", "msgpack": true, "encoding": "json",
    }));
    let settings: Vec<_> = problems
        .iter()
        .map(|problem| problem.split_once(':').expect("a colon").0)
        .collect();
    assert_eq!(
        settings,
        [
            "password",
            "jwt",
            "token",
            "creds",
            "tls_key",
            "tls_key",
            "jetstream_domain",
            "jetstream_api_prefix",
            "bucket",
            "key_prefix",
            "key_prefix",
            "msgpack",
        ]
    );
}

#[test]
fn buckets_of_streams() {
    let config = config(json!({"bucket": "raw-{stream}"}));
    assert!(config.validate().is_empty());
    assert!(config.has_bucket_per_stream());
    assert_eq!(config.bucket_of("public.users é"), "raw-public_users__");
    for bucket in ["", "a b", "{Stream}", "{stream", "ü"] {
        assert!(!problems(json!({"bucket": bucket})).is_empty(), "{bucket}");
    }
    assert!(!problems(json!({"bucket": "x".repeat(253)})).is_empty());
    assert!(problems(json!({"bucket": "x".repeat(252)})).is_empty());
}

#[test]
fn encodings() {
    assert_eq!(config(json!({"msgpack": true})).encoding(), "msgpack");
    assert_eq!(config(json!({"msgpack": false})).encoding(), "json");
    assert_eq!(
        config(json!({"msgpack": true, "encoding": "msgpack"})).encoding(),
        "msgpack"
    );
    assert!(!problems(json!({"msgpack": false, "encoding": "msgpack"})).is_empty());
}

#[test]
fn replication_keys() {
    let one = config(json!({"replication_key": "at"}));
    assert_eq!(one.replication_key_of("any"), Some("at"));
    let each = config(json!({"replication_key": {"s": "at"}}));
    assert_eq!(each.replication_key_of("s"), Some("at"));
    assert_eq!(each.replication_key_of("t"), None);
}

#[test]
fn all_is_full_with_a_warning() {
    let config = config(json!({"refresh_mode": "all"}));
    assert_eq!(RefreshMode::from(config.refresh_mode), RefreshMode::Full);
    assert_eq!(config.warnings().len(), 1);
}

#[test]
fn the_schema_accepts_every_form() {
    let schema = serde_json::to_value(schemars::schema_for!(NatsKvConfig)).expect("a schema");
    let text = schema.to_string();
    assert!(text.contains(r#""all""#), "{text}");
    for (name, property) in schema["properties"].as_object().expect("properties") {
        assert!(property["description"].is_string(), "{name}");
    }
}
