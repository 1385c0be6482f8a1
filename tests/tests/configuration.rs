//! Where settings come from, and what is said about wrong ones.

use serde_json::{Value, json};
use target_tests::case::Case;
use target_tests::singer::{record, schema};
use target_tests::target::Target;

fn input() -> String {
    [
        schema("s", json!({"id": {}}), &["id"]),
        record("s", json!({"id": 1})),
    ]
    .concat()
}

#[tokio::test]
async fn of_several_files_the_later_wins() {
    let case = Case::new();
    let _ = Target::new(["--config", "one.json", "--config", "two.json"])
        .file(
            "one.json",
            &json!({"url": case.url, "bucket": "no", "key_prefix": "p."}).to_string(),
        )
        .file("two.json", &json!({"bucket": case.name}).to_string())
        .run(input())
        .success();
    assert_eq!(case.bucket().await.keys().await, ["p.s.1"]);
}

#[tokio::test]
async fn settings_from_the_environment() {
    for args in [&["--config", "ENV"][..], &[]] {
        let case = Case::new();
        let _ = Target::new(args)
            .env("TARGET_NATS_KV_URL", &case.url)
            .env("TARGET_NATS_KV_BUCKET", &case.name)
            .env("TARGET_NATS_KV_MSGPACK", "true")
            .env("TARGET_NATS_KV_BATCH_SIZE_ROWS", "10")
            .run(input())
            .success();
        let entry = case
            .bucket()
            .await
            .get("s.1")
            .await
            .expect("it was written");
        assert_eq!(entry.value[0], 0x83);
    }
}

#[tokio::test]
async fn settings_from_a_dotenv_file() {
    let case = Case::new();
    let dotenv = format!(
        "TARGET_NATS_KV_URL={}\nTARGET_NATS_KV_BUCKET={}\n",
        case.url, case.name
    );
    let _ = Target::new(["--config", "ENV"])
        .file(".env", &dotenv)
        .run(input())
        .success();
    assert_eq!(case.bucket().await.keys().await, ["s.1"]);
}

#[tokio::test]
async fn settings_in_yaml_and_toml() {
    for (name, separator) in [("c.yaml", ": "), ("c.yml", ": "), ("c.toml", " = ")] {
        let case = Case::new();
        let text = format!(
            "url{separator}\"{}\"\nbucket{separator}\"{}\"\n",
            case.url, case.name
        );
        let _ = Target::new(["--config", name])
            .file(name, &text)
            .run(input())
            .success();
        assert_eq!(case.bucket().await.keys().await, ["s.1"]);
    }
}

#[tokio::test]
async fn input_from_a_file() {
    let case = Case::new();
    let _ = case
        .target()
        .file("singer.jsonl", &input())
        .args(["--input", "singer.jsonl"])
        .run("")
        .success();
    assert_eq!(case.bucket().await.keys().await, ["s.1"]);
}

#[tokio::test]
async fn all_problems_are_told_at_once() {
    let outcome = Case::new()
        .set("refresh_mode", "sometimes")
        .set("bucket_history", "many")
        .set("keyprefix", "x")
        .load(input())
        .exited(2);
    for setting in ["refresh_mode", "bucket_history", "keyprefix", "key_prefix"] {
        assert!(
            outcome.stderr.contains(setting),
            "{setting}: {}",
            outcome.stderr
        );
    }
}

#[tokio::test]
async fn a_wrong_secret_is_not_shown() {
    let outcome = Case::new()
        .set("password", json!(["canary-5"]))
        .load(input())
        .exited(2);
    assert!(outcome.stderr.contains("password"), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("canary-5"), "{}", outcome.stderr);
}

#[tokio::test]
async fn files_that_are_none() {
    let outcome = Target::new(["--config", "missing.json"]).run("").exited(2);
    assert!(
        outcome.stderr.contains("missing.json"),
        "{}",
        outcome.stderr
    );
    let outcome = Target::new(["--config", "c.json"])
        .file("c.json", "{\"url\":")
        .run("")
        .exited(2);
    assert!(outcome.stderr.contains("c.json"), "{}", outcome.stderr);
    let outcome = Target::new(["--config", "c.json"])
        .file("c.json", "[]")
        .run("")
        .exited(2);
    assert!(outcome.stderr.contains("c.json"), "{}", outcome.stderr);
    let outcome = Case::new()
        .target()
        .args(["--input", "missing.jsonl"])
        .run("");
    assert_ne!(outcome.code, Some(0));
    assert!(
        outcome.stderr.contains("missing.jsonl"),
        "{}",
        outcome.stderr
    );
}

/// Meltano and the SDK add these to any loader's configuration.
#[tokio::test]
async fn settings_of_the_sdk_that_mean_nothing_here() {
    let case = Case::new()
        .set("faker_config", json!({"seed": 1}))
        .set("load_method", "upsert");
    let _ = case.load(input()).success();
    assert_eq!(case.bucket().await.keys().await, ["s.1"]);
}

/// Meltano passes on every setting of its definition that has a value, and so all defaults.
#[tokio::test]
async fn all_defaults_together_are_accepted() {
    let about = Target::new(["about", "--format", "json"]).run("").success();
    let about: Value = serde_json::from_str(&about.stdout).expect("JSON");
    let properties = about["settings"]["properties"].as_object();
    let mut case = Case::new();
    let mut defaults = 0;
    for (name, setting) in properties.expect("there are settings") {
        let default = setting["default"].clone();
        if !default.is_null() && case.settings.get(name).is_none() {
            case = case.set(name, default);
            defaults += 1;
        }
    }
    assert!(defaults > 20, "{defaults}");
    let _ = case.load(input()).success();
}
