//! Where the Python target of the same name lost data and reported success. The rows about keys
//! are in `keys.rs`, about lines in `messages.rs`, about comparing in `refresh_modes.rs`, about
//! servers that go away in `server_faults.rs` and about signals and states in `state.rs`.

use async_nats::jetstream::kv;
use serde_json::{Value, json};
use target_tests::case::Case;
use target_tests::nats_server::NatsServer;
use target_tests::singer::{raw_record, record, schema, schema_with_bookmark, state};

/// A record that is fine, its state, this record as line 4, another one and its state.
fn around(bad: &str) -> String {
    [
        schema(
            "s",
            json!({"id": {}, "n": {"type": ["integer", "null"]}}),
            &["id"],
        ),
        record("s", json!({"id": 1})),
        state(json!({"n": 1})),
        bad.to_owned(),
        record("s", json!({"id": 2})),
        state(json!({"n": 2})),
    ]
    .concat()
}

/// This line ends the run; what came before it is safe, and said to be.
async fn ends_the_run(case: &Case, bad: &str, message: &str) {
    let outcome = case.load(around(bad)).exited(1);
    assert!(outcome.stderr.contains("line 4"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains(message), "{}", outcome.stderr);
    assert_eq!(outcome.states(), [json!({"n": 1})]);
    // What follows it may be stored, if it was in the same batch, but never is the bad one.
    let keys = case.bucket().await.keys().await;
    assert!(keys.contains(&"s.1".to_owned()), "{keys:?}");
    assert!(!keys.contains(&"s.3".to_owned()), "{keys:?}");
}

/// This line ends the run by default, and only it is missing where the user chose to skip.
async fn is_invalid(case: &Case, bad: &str, message: &str) {
    ends_the_run(case, bad, message).await;
    let outcome = case
        .clone()
        .set("on_invalid_record", "skip")
        .load(around(bad))
        .success();
    assert_eq!(outcome.states().last(), Some(&json!({"n": 2})));
    assert_eq!(case.bucket().await.keys().await, ["s.1", "s.2"]);
}

#[tokio::test]
async fn a_record_that_fails_validation() {
    let bad = record("s", json!({"id": 3, "n": "canary-1"}));
    let case = Case::new();
    is_invalid(&case, &bad, "/n").await;
    let outcome = case.load(around(&bad));
    assert!(!outcome.stderr.contains("canary-1"), "{}", outcome.stderr);
}

#[tokio::test]
async fn a_record_that_fails_validation_may_go_to_the_dead_letter() {
    let directory = tempfile::tempdir().expect("the temporary directory is writable");
    let file = directory.path().join("dead.jsonl");
    let case = Case::new()
        .set("on_invalid_record", "dead_letter")
        .set("dead_letter_file", file.to_string_lossy().into_owned());
    let bad = record("s", json!({"id": 3, "n": "canary-2"}));
    let outcome = case.load(around(&bad)).success();
    assert_eq!(outcome.states().last(), Some(&json!({"n": 2})));
    assert_eq!(case.bucket().await.keys().await, ["s.1", "s.2"]);
    let dead = std::fs::read_to_string(&file).expect("it was written");
    // Its schema and the record, so that it can be mended and loaded.
    let [schema, record]: [Value; 2] = dead
        .lines()
        .map(|line| serde_json::from_str(line).expect("one JSON object a line"))
        .collect::<Vec<_>>()
        .try_into()
        .expect("two lines");
    assert_eq!(
        (&schema["type"], &schema["stream"]),
        (&json!("SCHEMA"), &json!("s"))
    );
    assert_eq!(record["record"], json!({"id": 3, "n": "canary-2"}));
    assert_eq!(record["error"]["line"], 4);
    assert!(!outcome.stderr.contains("canary-2"), "{}", outcome.stderr);
}

#[tokio::test]
async fn a_dead_letter_without_a_file_is_a_wrong_configuration() {
    let outcome = Case::new()
        .set("on_invalid_record", "dead_letter")
        .load("")
        .exited(2);
    assert!(
        outcome.stderr.contains("dead_letter_file"),
        "{}",
        outcome.stderr
    );
}

#[tokio::test]
async fn a_record_over_the_servers_payload_limit() {
    let server = NatsServer::builder().config("max_payload: 65536").start();
    let big = record("s", json!({"id": 3, "text": "x".repeat(70_000)}));
    is_invalid(&Case::on(&server), &big, "65536").await;
}

#[tokio::test]
async fn a_record_over_the_buckets_value_limit() {
    let case = Case::new().set("bucket_max_value_size", 1000);
    let big = record("s", json!({"id": 3, "text": "x".repeat(1100)}));
    is_invalid(&case, &big, "1000").await;
}

/// A full bucket is not the record's fault: the run fails, whatever the policy.
#[tokio::test]
async fn a_full_bucket() {
    for policy in ["fail", "skip"] {
        let case = Case::new()
            .set("on_invalid_record", policy)
            .set("max_retry_seconds", 2);
        let bucket = case
            .make_bucket_with(kv::Config {
                max_bytes: 100_000,
                ..kv::Config::default()
            })
            .await;
        let mut input = schema("s", json!({"id": {}}), &["id"]);
        for id in 0..200 {
            input += &record("s", json!({"id": id, "text": "x".repeat(1000)}));
            input += &state(json!({"id": id}));
        }
        let outcome = case.load(input).exited(1);
        let stored = bucket.contents().await.len() as u64;
        assert!(stored < 200);
        if let Some(last) = outcome.states().last() {
            let id = last["id"].as_u64().expect("our states have numbers");
            assert!(id < stored, "state {id}, but {stored} records");
        }
        assert!(outcome.stderr.contains("full"), "{}", outcome.stderr);
    }
}

#[tokio::test]
async fn a_lone_surrogate() {
    let bad = raw_record("s", r#"{"id":3,"text":"\ud800"}"#);
    is_invalid(&Case::new(), &bad, "column 56").await;
}

#[tokio::test]
async fn deep_nesting() {
    let bad = raw_record(
        "s",
        &format!(
            "{{\"id\":3,\"deep\":{}{}}}",
            "[".repeat(100_000),
            "]".repeat(100_000)
        ),
    );
    is_invalid(&Case::new(), &bad, "deep").await;
}

#[tokio::test]
async fn nesting_as_it_occurs_is_fine() {
    let deep = format!("{}1{}", "[".repeat(60), "]".repeat(60));
    let input = [
        schema("s", json!({"id": {}}), &["id"]),
        raw_record("s", &format!("{{\"id\":1,\"deep\":{deep}}}")),
    ]
    .concat();
    let case = Case::new();
    let _ = case.load(input).success();
    assert_eq!(
        case.bucket().await.contents().await["s.1"]["deep"].to_string(),
        deep
    );
}

#[tokio::test]
async fn invalid_utf_8() {
    let case = Case::new();
    let mut input = around(&record("s", json!({"id": 3, "text": "canary-3 #"}))).into_bytes();
    let place = input
        .iter()
        .position(|byte| *byte == b'#')
        .expect("it is there");
    input[place] = 0xff;
    let outcome = case.load(input).exited(1);
    assert!(outcome.stderr.contains("line 4"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("not UTF-8"), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("canary-3"), "{}", outcome.stderr);
    assert_eq!(outcome.states(), [json!({"n": 1})]);
    assert_eq!(case.bucket().await.keys().await, ["s.1"]);
}

#[tokio::test]
async fn a_line_over_the_limit() {
    let case = Case::new().set("max_line_bytes", 10_000);
    let long = record(
        "s",
        json!({"id": 3, "text": format!("canary-4{}", "x".repeat(20_000))}),
    );
    let outcome = case.load(around(&long)).exited(1);
    assert!(outcome.stderr.contains("line 4"), "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("max_line_bytes"),
        "{}",
        outcome.stderr
    );
    assert!(!outcome.stderr.contains("canary-4"), "{}", outcome.stderr);
    assert_eq!(outcome.states(), [json!({"n": 1})]);
}

/// Values that froze a key for ever, or crashed it: overwritten, with a warning.
#[tokio::test]
async fn stored_values_that_mean_nothing() {
    for (stored, warned) in [
        (&b""[..], true),
        (b"garbage", true),
        (b"{\"id\":", true),
        (b"\x84\xa2id", true),
        (b"\xff\xfe", true),
        (b"[1,2]", true),
        (br#"{"id":1,"b":1,"_sdc_deleted_at":null}"#, false),
    ] {
        for mode in ["newer", "same"] {
            let case = Case::new().set("refresh_mode", mode);
            let bucket = case.make_bucket().await;
            bucket.put("s.1", stored.to_vec()).await;
            let input = [
                schema_with_bookmark(
                    "s",
                    json!({"id": {}, "b": {"type": "integer"}}),
                    &["id"],
                    "b",
                ),
                record("s", json!({"id": 1, "b": 2})),
                state(json!({"n": 1})),
            ]
            .concat();
            let outcome = case.load(input).success();
            assert_eq!(outcome.states(), [json!({"n": 1})]);
            let text = String::from_utf8_lossy(stored);
            assert_eq!(bucket.contents().await["s.1"]["b"], 2, "{text} in {mode}");
            if warned {
                for part in ["overwritten", "stream 's'", "line 2"] {
                    assert!(outcome.stderr.contains(part), "{text}: {}", outcome.stderr);
                }
            }
        }
    }
}

/// A second writer is never overwritten by what is older, and what is newer is never skipped.
#[tokio::test]
async fn a_second_writer_on_the_same_keys() {
    const KEYS: u64 = 3000;
    let case = Case::new();
    let bucket = case.make_bucket().await;
    let mut input = schema_with_bookmark(
        "s",
        json!({"id": {}, "b": {"type": "integer"}}),
        &["id"],
        "b",
    );
    for id in 0..KEYS {
        input += &record("s", json!({"id": id, "b": 2}));
    }
    let load = {
        let case = case.clone();
        std::thread::spawn(move || case.load(input).success())
    };
    // From both ends, so that they meet: a newer value for odd keys, an older one, which only
    // makes a key, for even ones.
    for id in (0..KEYS).rev() {
        let key = format!("s.{id}");
        if id % 2 == 1 {
            bucket.put(&key, format!("{{\"id\":{id},\"b\":3}}")).await;
        } else {
            let _ = bucket
                .store
                .create(&key, format!("{{\"id\":{id},\"b\":1}}").into())
                .await;
        }
    }
    load.join().expect("the load was successful");
    let contents = bucket.contents().await;
    for id in 0..KEYS {
        let newest = if id % 2 == 1 { 3 } else { 2 };
        assert_eq!(contents[&format!("s.{id}")]["b"], newest, "key s.{id}");
    }
}

#[tokio::test]
async fn wrong_settings_that_it_ignored() {
    for (setting, value, said) in [
        ("refresh_mode", json!("newest"), "newer"),
        (
            "creds",
            json!("/does/not/exist.creds"),
            "/does/not/exist.creds",
        ),
        ("validate_records", json!("maybe"), "true or false"),
        ("bucket_nme", json!("x"), "bucket_"),
        ("batch_size_rows", json!(-1), "batch_size_rows"),
        ("key_format", json!("pretty"), "legacy"),
        ("bucket", json!("no.dots"), "bucket"),
        ("url", json!("http://localhost:4222"), "url"),
    ] {
        let outcome = Case::new().set(setting, value).load("").exited(2);
        assert!(
            outcome.stderr.contains(setting),
            "{setting}: {}",
            outcome.stderr
        );
        assert!(
            outcome.stderr.contains(said),
            "{setting}: {}",
            outcome.stderr
        );
        assert_eq!(outcome.stdout, "");
    }
}
