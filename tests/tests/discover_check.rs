//! What `discover` tells of a bucket and `check` of a server. Neither changes anything.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use target_tests::bucket::Bucket;
use target_tests::case::Case;
use target_tests::nats_server::NatsServer;
use target_tests::python;
use target_tests::server_binary::{NEWEST, OLDEST};
use target_tests::singer::{record, schema};
use target_tests::target::{Outcome, Target};

fn run(case: &Case, args: &[&str]) -> Outcome {
    Target::with_config_and(case.settings.clone(), args).run("")
}

/// Two streams, one of them in both encodings.
async fn filled() -> (Case, Bucket) {
    let case = Case::new();
    let people = |ids: &[i64]| {
        let properties = json!({"id": {"type": "integer"}, "name": {"type": "string"}});
        let records = ids
            .iter()
            .map(|id| record("people", json!({"id": id, "name": "canary-3"})));
        schema("people", properties, &["id"]) + &records.collect::<String>()
    };
    let cities = [
        schema(
            "cities",
            json!({"code": {"type": "string"}, "size": {"type": "number"}}),
            &["code"],
        ),
        record("cities", json!({"code": "B", "size": 3.7})),
    ]
    .concat();
    let _ = case.load(people(&[1, 2]) + &cities).success();
    let _ = case
        .clone()
        .set("msgpack", true)
        .load(people(&[3]))
        .success();
    let bucket = case.bucket().await;
    (case, bucket)
}

#[tokio::test]
async fn discover_prints_a_catalog() {
    let (case, bucket) = filled().await;
    let writes = bucket.writes().await;
    let outcome = run(&case, &["discover"]).success();
    let catalog: Value = serde_json::from_str(&outcome.stdout).expect("a catalog is JSON");
    let stream = |name: &str| {
        let streams = catalog["streams"]
            .as_array()
            .expect("a catalog has streams");
        streams
            .iter()
            .find(|stream| stream["tap_stream_id"] == name)
            .unwrap_or_else(|| panic!("no stream {name}: {catalog}"))
    };
    assert_eq!(catalog["streams"].as_array().map(Vec::len), Some(2));
    let people = stream("people");
    assert_eq!(people["schema"]["properties"]["id"]["type"], "integer");
    assert_eq!(people["schema"]["properties"]["name"]["type"], "string");
    assert_eq!(people["key_properties"], json!(["id"]));
    let cities = stream("cities");
    assert_eq!(cities["schema"]["properties"]["size"]["type"], "number");
    assert!(!outcome.stdout.contains("canary-3"), "{}", outcome.stdout);
    assert_eq!(bucket.writes().await, writes);
}

#[tokio::test]
async fn discover_prints_text() {
    let (case, _) = filled().await;
    let text = run(&case, &["discover", "--format", "text"])
        .success()
        .stdout;
    for part in ["people", "cities", "json", "msgpack", "id"] {
        assert!(
            text.to_lowercase().contains(part),
            "{part} is not in {text}"
        );
    }
    assert!(
        text.lines()
            .any(|line| line.contains("people") && line.contains('3')),
        "{text}"
    );
}

/// What is printed is read by the class that taps of the SDK read catalogs with.
#[tokio::test]
async fn the_sdk_reads_the_catalog() {
    const READ: &str = "
import json, sys
from singer_sdk.singerlib import Catalog
catalog = Catalog.from_dict(json.load(sys.stdin))
print(json.dumps({name: [entry.key_properties, entry.metadata.root.table_key_properties,
    sorted(entry.schema.to_dict()['properties'])] for name, entry in catalog.items()}))
";
    let (case, _) = filled().await;
    let catalog = run(&case, &["discover"]).success().stdout;
    let mut sdk = Command::new(python::installed("tap").join("python"))
        .args(["-c", READ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python starts");
    let mut input = sdk.stdin.take().expect("piped");
    input.write_all(catalog.as_bytes()).expect("it reads");
    drop(input);
    let output = sdk.wait_with_output().expect("it ends");
    let read: Value = serde_json::from_slice(&output.stdout).expect("it has read the catalog");
    let times = ["_sdc_extracted_at", "_sdc_received_at"];
    assert_eq!(
        read,
        json!({
            "cities": [["code"], ["code"], [times[0], times[1], "code", "size"]],
            "people": [["id"], ["id"], [times[0], times[1], "id", "name"]],
        })
    );
}

/// Keys are counted without their values; the sample is of the newest ones.
#[tokio::test]
async fn a_sample_of_the_values() {
    let case = Case::new();
    let records: String = (0..50)
        .map(|id| record("s", json!({"id": id, format!("only_{}", id / 25): 1})))
        .collect();
    let _ = case
        .load(schema("s", json!({"id": {}}), &["id"]) + &records)
        .success();
    for (sample, properties) in [("0", 0), ("10", 4), ("50", 5), ("1000", 5)] {
        let outcome = run(&case, &["discover", "--sample", sample]).success();
        let catalog: Value = serde_json::from_str(&outcome.stdout).expect("a catalog");
        let stream = &catalog["streams"][0];
        assert_eq!(stream["row_count"], 50, "{sample}");
        let known = stream["schema"]["properties"]
            .as_object()
            .map_or(0, |all| all.len());
        assert_eq!(known, properties, "{sample}");
        let text = run(&case, &["discover", "--sample", sample, "--format", "text"]);
        let told = match properties {
            0 => "  50  (of 0 read)",
            4 => "  50  json 10 (of 10 read)",
            _ => "  50  json 50  ",
        };
        let text = text.success().stdout;
        assert!(text.contains(told), "{sample}: {text}");
    }
}

/// `migrate` reads what `discover` prints.
#[tokio::test]
async fn the_catalog_tells_migrate_the_key_properties() {
    let case = Case::new().set("key_format", "legacy");
    let input = schema("s", json!({"a": {}, "b": {}}), &["a", "b"])
        + &record("s", json!({"a": 1, "b": "x"}))
        + &record("s", json!({"a": 2, "b": "y"}));
    let _ = case.load(input).success();
    let catalog = run(&case, &["discover"]).success().stdout;
    let outcome = case
        .clone()
        .set("key_format", "escaped")
        .target()
        .file("catalog.json", &catalog)
        .args(["migrate", "--catalog", "catalog.json"])
        .run("");
    let _ = outcome.success();
    assert_eq!(case.bucket().await.keys().await, ["s.1.x", "s.2.y"]);
}

#[tokio::test]
async fn discover_of_an_empty_and_of_no_bucket() {
    let case = Case::new();
    let outcome = run(&case, &["discover"]);
    assert_ne!(outcome.code, Some(0));
    assert!(outcome.stderr.contains(&case.name), "{}", outcome.stderr);
    assert!(!Bucket::exists(&case.url, &case.name).await);
    case.make_bucket().await;
    let outcome = run(&case, &["discover"]).success();
    let catalog: Value = serde_json::from_str(&outcome.stdout).expect("a catalog is JSON");
    assert_eq!(catalog["streams"], json!([]));
}

#[tokio::test]
async fn check_tells_of_the_server_and_changes_nothing() {
    for version in [NEWEST, OLDEST] {
        let server = NatsServer::builder().version(version).start();
        let case = Case::on(&server);
        let outcome = run(&case, &["check"]).success();
        assert!(outcome.stdout.contains(version), "{}", outcome.stdout);
        assert!(
            !Bucket::exists(&case.url, &case.name).await,
            "check made a bucket"
        );

        let bucket = case.make_bucket().await;
        bucket.put("s.1", "{}").await;
        let outcome = run(&case, &["check"]).success();
        for part in [version, &case.name, "64"] {
            assert!(
                outcome.stdout.contains(part),
                "{part} is not in {}",
                outcome.stdout
            );
        }
        assert_eq!(bucket.writes().await, 1);
    }
}

#[tokio::test]
async fn check_of_what_does_not_work() {
    let case = Case::new();
    let unreachable = case
        .clone()
        .set("url", "nats://127.0.0.1:9")
        .set("connect_timeout_seconds", 1)
        .set("max_retry_seconds", 1);
    let outcome = run(&unreachable, &["check"]).exited(3);
    assert!(outcome.stderr.contains("127.0.0.1:9"), "{}", outcome.stderr);
    let missing = case.clone().set("create_bucket", false);
    let outcome = run(&missing, &["check"]);
    assert_ne!(outcome.code, Some(0));
    let said = outcome.stdout + &outcome.stderr;
    assert!(said.contains(&case.name), "{said}");
    let _ = run(&case.set("refresh_mode", "x"), &["check"]).exited(2);
}

/// Permission to write is found out without writing.
#[tokio::test]
async fn check_of_a_user_who_may_not_write() {
    let server = NatsServer::builder()
        .config(
            "authorization { users: [\
             { user: root, password: secret },\
             { user: ann, password: secret, permissions: { publish: { deny: [\"$KV.>\"] } } }] }",
        )
        .start();
    let case = Case::on(&server).set("password", "secret");
    let input = [
        schema("s", json!({"id": {}}), &["id"]),
        record("s", json!({"id": 1})),
    ]
    .concat();
    let _ = case.clone().set("user", "root").load(input).success();
    let outcome = run(&case.clone().set("user", "ann"), &["check"]).exited(3);
    let said = outcome.stdout + &outcome.stderr;
    assert!(said.to_lowercase().contains("permission"), "{said}");
    let _ = run(&case.set("user", "root"), &["check"]).success();
}
