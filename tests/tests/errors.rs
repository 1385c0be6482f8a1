//! What a user is told when something outside the input is wrong, and with which exit code.

use serde_json::json;
use target_tests::bucket::Bucket;
use target_tests::case::Case;
use target_tests::nats_server::NatsServer;
use target_tests::singer::{record, schema, state};
use target_tests::target::{Outcome, Target};

fn input() -> String {
    [
        schema("s", json!({"id": {}}), &["id"]),
        record("s", json!({"id": 1, "text": "canary-9"})),
        state(json!({"n": 1})),
    ]
    .concat()
}

fn says(outcome: &Outcome, parts: &[&str]) {
    for part in parts {
        assert!(
            outcome.stderr.contains(part),
            "{part} is not said:\n{}",
            outcome.stderr
        );
    }
    assert!(!outcome.stderr.contains("canary-9"), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
}

#[tokio::test]
async fn an_unreachable_server() {
    let outcome = Target::with_config(json!({
        "url": "nats://127.0.0.1:9",
        "connect_timeout_seconds": 1,
        "max_retry_seconds": 1,
    }))
    .run(input())
    .exited(3);
    says(&outcome, &["127.0.0.1:9"]);
    assert_eq!(outcome.stdout, "");
}

#[tokio::test]
async fn a_server_that_refuses_the_credentials() {
    let server = NatsServer::builder()
        .config("authorization { user: ann, password: secret }")
        .start();
    for (setting, value) in [("password", "canary-9"), ("token", "canary-9")] {
        let outcome = Case::on(&server)
            .set("user", "ann")
            .set(setting, value)
            .load(input());
        // A user with a token is already a wrong configuration.
        assert!(
            matches!(outcome.code, Some(2 | 3)),
            "{:?}: {}",
            outcome.code,
            outcome.stderr
        );
        says(&outcome, &[]);
        assert_eq!(outcome.stdout, "");
    }
    let outcome = Case::on(&server).load(input()).exited(3);
    says(&outcome, &[&server.url()]);
}

#[tokio::test]
async fn a_password_in_the_url_is_a_secret() {
    let server = NatsServer::builder()
        .config("authorization { user: ann, password: secret }")
        .start();
    let url = server.url().replace("//", "//ann:canary-9@");
    let outcome = Case::on(&server).set("url", url).load(input()).exited(3);
    says(&outcome, &["127.0.0.1"]);
    let url = server.url().replace("//", "//ann:secret@");
    let _ = Case::on(&server).set("url", url).load(input()).success();
}

#[tokio::test]
async fn a_user_who_may_not_write() {
    let server = NatsServer::builder()
        .config(
            "authorization { users: [{ user: ann, password: secret, \
             permissions: { publish: { deny: [\"$KV.>\"] } } }] }",
        )
        .start();
    let outcome = Case::on(&server)
        .set("user", "ann")
        .set("password", "secret")
        .set("max_retry_seconds", 2)
        .set("request_timeout_seconds", 1)
        .load(input())
        .exited(3);
    says(&outcome, &[]);
    assert!(
        outcome.stderr.to_lowercase().contains("permission"),
        "{}",
        outcome.stderr
    );
    assert_eq!(outcome.stdout, "");
    // Every record that was read is in one of the counts.
    says(&outcome, &["ended early", "read=1", "unsettled=1"]);
}

#[tokio::test]
async fn a_missing_bucket_that_may_not_be_made() {
    let case = Case::new().set("create_bucket", false);
    let outcome = case.load(input());
    assert!(matches!(outcome.code, Some(1..=3)), "{:?}", outcome.code);
    says(&outcome, &[&case.name, "create_bucket"]);
    assert_eq!(outcome.stdout, "");
    assert!(!Bucket::exists(&case.url, &case.name).await);
}

#[tokio::test]
async fn the_limits_of_an_existing_bucket_are_not_changed() {
    let case = Case::new().set("bucket_history", 5);
    let bucket = case.make_bucket().await;
    let outcome = case.load(input()).success();
    assert_eq!(bucket.config().await.max_messages_per_subject, 64);
    says(&outcome, &["history"]);
}

#[tokio::test]
async fn a_bucket_is_made_as_the_settings_say() {
    let case = Case::new()
        .set("bucket_history", 7)
        .set("bucket_storage", "memory")
        .set("bucket_max_age_seconds", 3600)
        .set("bucket_max_bytes", 1_000_000)
        .set("bucket_max_value_size", 10_000)
        .set("bucket_compression", true)
        .set("bucket_description", "of a test")
        .set("bucket_metadata", json!({"team": "data"}));
    let _ = case.load(input()).success();
    let config = case.bucket().await.config().await;
    assert_eq!(config.max_messages_per_subject, 7);
    assert_eq!(
        config.storage,
        async_nats::jetstream::stream::StorageType::Memory
    );
    assert_eq!(config.max_age, std::time::Duration::from_secs(3600));
    assert_eq!(config.max_bytes, 1_000_000);
    assert_eq!(config.max_message_size, 10_000);
    assert_eq!(config.description.as_deref(), Some("of a test"));
    assert_eq!(
        config.metadata.get("team").map(String::as_str),
        Some("data")
    );
}

#[tokio::test]
async fn an_nkey() {
    let server = NatsServer::builder()
        .config(
            "authorization { users: [\
             { nkey: UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4 }] }",
        )
        .start();
    // The key pair of the NATS documentation.
    let seed = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
    let outcome = Case::on(&server)
        .set("nkey_seed", seed)
        .load(input())
        .success();
    assert_eq!(outcome.states(), [json!({"n": 1})]);
    let outcome = Case::on(&server).load(input()).exited(3);
    says(&outcome, &[]);
}

#[tokio::test]
async fn one_of_several_servers_is_enough() {
    for urls in [
        json!(["nats://127.0.0.1:9", Case::new().url]),
        json!(format!("nats://127.0.0.1:9,{}", Case::new().url)),
    ] {
        let case = Case::new().set("url", urls);
        let _ = case.load(input()).success();
        assert_eq!(case.bucket().await.keys().await, ["s.1"]);
    }
}
