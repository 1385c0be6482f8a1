//! What users of the Python target of the same name rely on, and what therefore stays as it was.

use serde_json::{Value, json};
use target_tests::bucket::Bucket;
use target_tests::case::Case;
use target_tests::nats_server::NatsServer;
use target_tests::singer::{line, raw_record, record, schema};
use target_tests::target::Target;

#[tokio::test]
async fn the_defaults_of_its_settings() {
    let server = NatsServer::start();
    let input = [
        schema("s", json!({"id": {"type": "integer"}}), &["id"]),
        record("s", json!({"id": 1})),
    ]
    .concat();
    let load = || {
        Target::with_config(json!({"url": server.url()}))
            .run(&input)
            .success()
    };
    let _ = load();
    let bucket = Bucket::open(&server.url(), "singer").await;
    // No prefix, JSON.
    assert!(bucket.text("s.1").await.starts_with("{\"id\":1,"));
    // Refresh mode newer.
    let _ = load();
    assert_eq!(bucket.writes().await, 1);
    // Records are validated.
    let bad = record("s", json!({"id": "x"}));
    let _ = Target::with_config(json!({"url": server.url()}))
        .run([input.clone(), bad].concat())
        .exited(1);
}

#[tokio::test]
async fn its_user_and_password_and_token() {
    for (authorization, settings) in [
        (
            "user: ann, password: secret",
            &[("user", "ann"), ("password", "secret")][..],
        ),
        ("token: secret", &[("token", "secret")]),
    ] {
        let server = NatsServer::builder()
            .config(&format!("authorization {{ {authorization} }}"))
            .start();
        let with = |case: Case| {
            settings
                .iter()
                .fold(case, |case, (name, value)| case.set(name, *value))
        };
        let input = [
            schema("s", json!({"id": {}}), &["id"]),
            record("s", json!({"id": 1})),
        ]
        .concat();
        let _ = with(Case::on(&server)).load(&input).success();
        let _ = Case::on(&server).load(&input).exited(3);
    }
}

#[tokio::test]
async fn validation_can_be_switched_off() {
    let case = Case::new().set("validate_records", false);
    let input = [
        schema("s", json!({"id": {}, "n": {"type": "integer"}}), &["id"]),
        record("s", json!({"id": 1, "n": "no number"})),
    ]
    .concat();
    let _ = case.load(input).success();
    let contents = case.bucket().await.contents().await;
    assert_eq!(contents["s.1"]["n"], "no number");
}

/// `{prefix}{stream}.{parts}`: parts as Python's `str()` writes them, `:` replaced, joined by `-`.
#[tokio::test]
async fn its_key_format() {
    for (a, b, key) in [
        ("\"x\"", "\"y\"", "p_s.x-y"),
        ("1", "2", "p_s.1-2"),
        ("-1", "0", "p_s.-1-0"),
        ("true", "false", "p_s.True-False"),
        ("null", "1", "p_s.None-1"),
        ("1.10", "1e2", "p_s.1.10-1E+2"),
        ("\"10:30\"", "\"a_b\"", "p_s.10_30-a_b"),
        (
            "1180591620717411303424",
            "1.0",
            "p_s.1180591620717411303424-1.0",
        ),
        ("0.000001", "0.0000001", "p_s.0.000001-1E-7"),
        ("1.5e3", "-0.0", "p_s.1.5E+3--0.0"),
        ("\"a/b=c\"", "\"D\"", "p_s.a/b=c-D"),
    ] {
        if key.contains('+') {
            // Its own client refused this key: the record was skipped, so it is invalid here.
            legacy_refuses(a, b).await;
            continue;
        }
        let case = legacy();
        let _ = case.load(pair(a, b)).success();
        assert_eq!(case.bucket().await.keys().await, [key], "for {a}, {b}");
    }
}

/// What it skipped is an invalid record here.
#[tokio::test]
async fn keys_that_it_could_not_write() {
    for (a, b) in [
        ("\"a b\"", "1"),
        ("\"*\"", "1"),
        ("\">\"", "1"),
        ("\"é\"", "1"),
        ("\"me@example.org\"", "1"),
        ("\"a\\n\"", "1"),
        ("1", "\"a.\""),
        ("\".a\"", "1"),
    ] {
        legacy_refuses(a, b).await;
    }
}

/// Two source keys that fall on one key: the user must hear of it.
#[tokio::test]
async fn its_key_format_tells_of_collisions() {
    for (one, other) in [
        ((r#""a:b""#, "1"), (r#""a_b""#, "1")),
        ((r#""x-y""#, r#""z""#), (r#""x""#, r#""y-z""#)),
        (("1", "1"), (r#""1""#, "1")),
    ] {
        let input = [pair(one.0, one.1), pair(other.0, other.1)].concat();
        let outcome = legacy().load(input).exited(1);
        for part in ["line 4", "same key", "escaped"] {
            assert!(outcome.stderr.contains(part), "{part}: {}", outcome.stderr);
        }
        // The same record again is no collision.
        let _ = legacy().load(pair(one.0, one.1).repeat(2)).success();
    }
}

/// The same in two runs: what is stored is another record, and stays.
#[tokio::test]
async fn its_key_format_tells_of_collisions_with_what_is_stored() {
    for (mode, encoding) in [("newer", "json"), ("same", "msgpack")] {
        for (one, other) in [
            ((r#""a:b""#, "1"), (r#""a_b""#, "1")),
            ((r#""x-y""#, r#""z""#), (r#""x""#, r#""y-z""#)),
        ] {
            let case = legacy().set("refresh_mode", mode).set("encoding", encoding);
            let _ = case.load(pair(one.0, one.1)).success();
            let before = case.bucket().await.contents().await;
            for args in [&[][..], &["load", "--dry-run"], &["verify"]] {
                let input = pair(other.0, other.1);
                let outcome = case.target().args(args.iter().copied()).run(input);
                let outcome = outcome.exited(1);
                for part in ["line 2", "same key", "escaped"] {
                    assert!(outcome.stderr.contains(part), "{part}: {}", outcome.stderr);
                }
            }
            assert_eq!(case.bucket().await.contents().await, before);
        }
        // A key property that has become a string is the same, and so is one that an encoding has
        // spelled otherwise.
        let case = legacy().set("refresh_mode", mode).set("encoding", encoding);
        for a in ["1.50", r#""1.50""#, "1.50"] {
            let _ = case.load(pair(a, "2")).success();
        }
    }
}

fn legacy() -> Case {
    Case::new()
        .set("key_format", "legacy")
        .set("key_prefix", "p_")
}

fn pair(a: &str, b: &str) -> String {
    [
        schema("s", json!({"a": {}, "b": {}}), &["a", "b"]),
        raw_record("s", &format!("{{\"a\":{a},\"b\":{b}}}")),
    ]
    .concat()
}

async fn legacy_refuses(a: &str, b: &str) {
    let case = legacy();
    let outcome = case.load(pair(a, b)).exited(1);
    assert!(outcome.stderr.contains("line 2"), "{}", outcome.stderr);
    assert_eq!(case.bucket().await.writes().await, 0, "for {a}, {b}");
}

/// Consumers route on the text before the first dot, in both formats.
#[tokio::test]
async fn keys_that_need_no_escaping_are_the_same_in_both_formats() {
    let input = [
        schema("orders", json!({"id": {}}), &["id"]),
        record("orders", json!({"id": "A-17_b/c"})),
        record("orders", json!({"id": 17})),
    ]
    .concat();
    for format in ["escaped", "legacy"] {
        let case = Case::new().set("key_format", format);
        let _ = case.load(&input).success();
        assert_eq!(
            case.bucket().await.keys().await,
            ["orders.17", "orders.A-17_b/c"]
        );
    }
}

#[tokio::test]
async fn same_writes_again_what_is_equal() {
    let case = Case::new().set("refresh_mode", "same");
    let input = [
        schema("s", json!({"id": {}}), &["id"]),
        record("s", json!({"id": 1})),
    ]
    .concat();
    for writes in 1..=3 {
        let _ = case.load(&input).success();
        assert_eq!(case.bucket().await.writes().await, writes);
    }
}

#[tokio::test]
async fn newer_without_a_replication_key_compares_the_data_without_metadata() {
    let case = Case::new();
    let at = |v: i64, time: &str| {
        [
            schema("s", json!({"id": {}, "v": {}}), &["id"]),
            line(
                json!({"type": "RECORD", "stream": "s", "time_extracted": time,
                        "record": {"id": 1, "v": v, "_sdc_batched_at": time}}),
            ),
        ]
        .concat()
    };
    let _ = case.load(at(1, "2026-01-01T00:00:00Z")).success();
    let _ = case.load(at(1, "2026-02-02T00:00:00Z")).success();
    let bucket = case.bucket().await;
    assert_eq!(bucket.writes().await, 1);
    let _ = case.load(at(2, "2026-03-03T00:00:00Z")).success();
    assert_eq!(bucket.writes().await, 2);
}

#[tokio::test]
async fn a_deleted_record_stays_deleted_except_in_full() {
    let input = [
        schema("s", json!({"id": {}, "v": {}}), &["id"]),
        record("s", json!({"id": 1, "v": 2})),
    ]
    .concat();
    for (mode, value) in [("newer", 1), ("same", 1), ("full", 2)] {
        let case = Case::new().set("refresh_mode", mode);
        let bucket = case.make_bucket().await;
        bucket
            .put(
                "s.1",
                r#"{"id":1,"v":1,"_sdc_deleted_at":"2026-01-01T00:00:00Z"}"#,
            )
            .await;
        let _ = case.load(&input).success();
        assert_eq!(bucket.contents().await["s.1"]["v"], value, "in {mode}");
    }
}

#[tokio::test]
async fn a_key_with_a_delete_marker_is_made_anew() {
    let input = [
        schema("s", json!({"id": {}}), &["id"]),
        record("s", json!({"id": 1})),
    ]
    .concat();
    for mode in ["newer", "same", "full"] {
        for purge in [false, true] {
            let case = Case::new().set("refresh_mode", mode);
            let bucket = case.make_bucket().await;
            bucket.put("s.1", "{\"id\":1}").await;
            if purge {
                bucket
                    .store
                    .purge("s.1")
                    .await
                    .expect("the server is there");
            } else {
                bucket
                    .store
                    .delete("s.1")
                    .await
                    .expect("the server is there");
            }
            let _ = case.load(&input).success();
            assert_eq!(bucket.keys().await, ["s.1"], "in {mode}");
        }
    }
}

#[tokio::test]
async fn the_encoding_may_be_switched() {
    let data = |v: i64| {
        [
            schema("s", json!({"id": {}, "v": {}}), &["id"]),
            record("s", json!({"id": 1, "v": v})),
        ]
        .concat()
    };
    let first_byte = async |bucket: &Bucket| bucket.get("s.1").await.expect("written").value[0];
    for (before, after, starts_with) in [(true, false, b'{'), (false, true, 0x84)] {
        let case = Case::new();
        let _ = case.clone().set("msgpack", before).load(data(1)).success();
        let bucket = case.bucket().await;
        // The stored value is understood in the other encoding: it is equal, and not written.
        let other = case.set("msgpack", after);
        let _ = other.load(data(1)).success();
        assert_eq!(bucket.writes().await, 1);
        let _ = other.load(data(2)).success();
        assert_eq!(bucket.writes().await, 2);
        assert_eq!(first_byte(&bucket).await, starts_with);
    }
}

/// Three members and the two that are added: in the order of the record, then the added ones.
#[tokio::test]
async fn extraction_and_receipt_times_come_last_and_do_not_replace() {
    let case = Case::new();
    let input = [
        schema("s", json!({"id": {"type": "integer"}}), &["id"]),
        line(
            json!({"type": "RECORD", "stream": "s", "time_extracted": "2026-01-02T03:04:05Z",
                    "record": {"z": 1, "id": 1, "a": 2}}),
        ),
        line(
            json!({"type": "RECORD", "stream": "s", "time_extracted": "2026-01-02T03:04:05Z",
                    "record": {"_sdc_received_at": "r", "id": 2, "_sdc_extracted_at": "e"}}),
        ),
    ]
    .concat();
    let _ = case.load(input).success();
    let bucket = case.bucket().await;
    let text = bucket.text("s.1").await;
    let start = r#"{"z":1,"id":1,"a":2,"_sdc_extracted_at":"2026-01-02T03:04:05.000000+00:00","_sdc_received_at":""#;
    let received = text
        .strip_prefix(start)
        .and_then(|rest| rest.strip_suffix("+00:00\"}"))
        .unwrap_or_else(|| panic!("unexpected: {text}"));
    assert_eq!(received.len(), "2026-01-02T03:04:05.000000".len());
    assert_eq!(
        bucket.text("s.2").await,
        r#"{"_sdc_received_at":"r","id":2,"_sdc_extracted_at":"e"}"#
    );
}

/// The added members are no part of the schema: also one that forbids others is kept to.
#[tokio::test]
async fn metadata_is_added_after_validation() {
    let case = Case::new();
    let mut closed: Value =
        serde_json::from_str(&schema("s", json!({"id": {"type": "integer"}}), &["id"]))
            .expect("a builder writes JSON");
    closed["schema"]["additionalProperties"] = json!(false);
    let _ = case
        .load([line(closed), record("s", json!({"id": 1}))].concat())
        .success();
    assert!(
        case.bucket()
            .await
            .text("s.1")
            .await
            .contains("_sdc_received_at")
    );
}
