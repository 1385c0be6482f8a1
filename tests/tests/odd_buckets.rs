//! Buckets and servers that are set up oddly: refused where nothing could be kept, else used.

use async_nats::jetstream::{self, stream};
use serde_json::json;
use target_tests::case::Case;
use target_tests::nats_server::NatsServer;
use target_tests::singer::{record, schema, schema_with_bookmark, state};

fn input(records: u64) -> String {
    let mut input = schema("s", json!({"id": {}}), &["id"]);
    for id in 0..records {
        input += &record("s", json!({"id": id}));
    }
    input + &state(json!({"n": records}))
}

async fn make(server: &NatsServer, config: stream::Config) {
    let client = async_nats::connect(server.url()).await.expect("it runs");
    let context = jetstream::new(client);
    context
        .create_stream(config)
        .await
        .expect("the server takes it");
}

#[tokio::test]
async fn a_bucket_that_would_keep_nothing_is_refused() {
    let server = NatsServer::start();
    let bucket = |name: &str| stream::Config {
        name: format!("KV_{name}"),
        subjects: vec![format!("$KV.{name}.>")],
        max_messages_per_subject: 1,
        allow_direct: true,
        ..stream::Config::default()
    };
    let interest = stream::Config {
        retention: stream::RetentionPolicy::Interest,
        ..bucket("interest")
    };
    let silent = stream::Config {
        no_ack: true,
        ..bucket("silent")
    };
    let moved = stream::Config {
        subject_transform: Some(stream::SubjectTransform {
            source: "$KV.moved.>".to_owned(),
            destination: "$KV.moved.x.>".to_owned(),
        }),
        ..bucket("moved")
    };
    for (config, said) in [
        (interest, "retention"),
        (silent, "no_ack"),
        (moved, "subject_transform"),
    ] {
        let name = config.name.trim_start_matches("KV_").to_owned();
        make(&server, config).await;
        let outcome = Case::on(&server)
            .set("bucket", name)
            .load(input(1))
            .exited(3);
        assert!(outcome.stderr.contains(said), "{}", outcome.stderr);
        assert!(outcome.states().is_empty());
    }
}

/// Reads ask for many keys at once, which such a server would not take in one request.
#[tokio::test]
async fn a_server_that_takes_only_small_messages() {
    let server = NatsServer::builder().config("max_payload: 4096").start();
    let case = Case::on(&server);
    for _ in 0..2 {
        let outcome = case.load(input(1000)).success();
        assert_eq!(outcome.states().last(), Some(&json!({"n": 1000})));
    }
    assert_eq!(case.bucket().await.writes().await, 1000);
}

/// What is stored may be far larger than what replaces it.
#[tokio::test]
async fn large_values_that_small_ones_replace() {
    let server = NatsServer::start();
    let case = Case::on(&server);
    let input = |b: u64, text: &str| {
        let properties = json!({"id": {}, "b": {"type": "integer"}});
        let mut input = schema_with_bookmark("s", properties, &["id"], "b");
        for id in 0..200 {
            input += &record("s", json!({"id": id, "b": b, "text": text}));
        }
        input + &state(json!({"b": b}))
    };
    let _ = case.load(input(1, &"x".repeat(500_000))).success();
    let _ = case.load(input(2, "small")).success();
    let contents = case.bucket().await.contents().await;
    assert_eq!(contents.len(), 200);
    assert!(contents.values().all(|value| value["text"] == "small"));
}

#[tokio::test]
async fn streams_whose_keys_could_meet_are_refused_in_one_bucket() {
    let case = Case::new();
    let input = [
        schema("a", json!({"x": {}, "y": {}}), &["x", "y"]),
        record("a", json!({"x": "b", "y": 1})),
        state(json!({"n": 1})),
        schema("a.b", json!({"x": {}}), &["x"]),
        record("a.b", json!({"x": 1})),
        state(json!({"n": 2})),
    ]
    .concat();
    let outcome = case.load(&input).exited(1);
    for part in ["line 4", "a.b", "{stream}"] {
        assert!(outcome.stderr.contains(part), "{part}: {}", outcome.stderr);
    }
    assert_eq!(outcome.states(), [json!({"n": 1})]);
}
