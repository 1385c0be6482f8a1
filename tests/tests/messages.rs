//! What happens with each kind of line, good and bad. A bad line ends the run: the message says
//! which line, never what was in it, and the states of what came before are printed.

use serde_json::{Value, json};
use target_tests::case::Case;
use target_tests::singer::{line, raw_record, record, schema, state};

/// Stands for personal data: in every bad line, and never on standard error.
const CANARY: &str = "canary-7d1f";

fn good_start() -> String {
    let properties = json!({"id": {"type": "integer"}, "name": {"type": "string"}});
    [
        schema("people", properties, &["id"]),
        record("people", json!({"id": 1, "name": "a"})),
        state(json!({"before": 1})),
    ]
    .concat()
}

/// Loads three good lines, this one as line 4, and two good ones.
async fn refuses(bad: &str, message: &[&str]) {
    assert!(bad.contains(CANARY), "a test without its canary: {bad}");
    let rest = [
        record("people", json!({"id": 3, "name": "c"})),
        state(json!({"after": 1})),
    ]
    .concat();
    let case = Case::new();
    let outcome = case
        .load([good_start(), format!("{bad}\n"), rest].concat())
        .exited(1);
    assert_eq!(outcome.states(), [json!({"before": 1})], "after {bad}");
    for part in [&["line 4"], message].concat() {
        assert!(
            outcome.stderr.to_lowercase().contains(part),
            "{part:?} is not said about {bad}:\n{}",
            outcome.stderr
        );
    }
    assert!(!outcome.stderr.contains(CANARY), "{}", outcome.stderr);
    let contents = case.bucket().await.contents().await;
    assert_eq!(contents["people.1"]["name"], "a");
    assert!(!contents.contains_key("people.3"));
}

/// Loads lines that are all fine.
async fn takes(input: impl AsRef<[u8]>) -> (Vec<Value>, Value) {
    let case = Case::new();
    let outcome = case.load(input).success();
    (
        outcome.states(),
        json!(case.bucket().await.contents().await),
    )
}

#[tokio::test]
async fn a_line_that_is_not_json() {
    refuses(&format!("not json {CANARY}"), &["column"]).await;
    refuses(&format!("{{\"type\":\"RECORD\",\"{CANARY}"), &["column"]).await;
    refuses(&format!("\"{CANARY}\""), &["object"]).await;
    refuses(&format!("[\"{CANARY}\"]"), &["object"]).await;
}

#[tokio::test]
async fn text_after_a_message() {
    let bad = format!("{{\"type\":\"STATE\",\"value\":{{\"a\":1}}}} {CANARY}");
    refuses(&bad, &["column"]).await;
}

#[tokio::test]
async fn a_message_without_a_type() {
    let bad = format!("{{\"stream\":\"people\",\"record\":{{\"name\":\"{CANARY}\"}}}}");
    refuses(&bad, &["type"]).await;
    let bad = format!("{{\"type\":7,\"record\":{{\"name\":\"{CANARY}\"}}}}");
    refuses(&bad, &["type"]).await;
}

#[tokio::test]
async fn a_message_without_a_member_that_it_must_have() {
    for (start, missing) in [
        (
            r#""type":"SCHEMA","schema":{},"key_properties":["id"]"#,
            "stream",
        ),
        (
            r#""type":"SCHEMA","stream":"people","key_properties":["id"]"#,
            "schema",
        ),
        (r#""type":"RECORD","record":{"id":2}"#, "stream"),
        (r#""type":"RECORD","stream":"people""#, "record"),
        (r#""type":"STATE""#, "value"),
    ] {
        refuses(&format!("{{{start},\"x\":\"{CANARY}\"}}"), &[missing]).await;
    }
}

#[tokio::test]
async fn an_unknown_type() {
    refuses(
        &format!("{{\"type\":\"HELLO\",\"x\":\"{CANARY}\"}}"),
        &["type"],
    )
    .await;
}

#[tokio::test]
async fn a_record_before_its_schema() {
    let bad = record("cities", json!({"id": 2, "name": CANARY}));
    refuses(bad.trim_end(), &["cities", "schema"]).await;
}

#[tokio::test]
async fn a_record_that_is_no_object() {
    let bad =
        format!("{{\"type\":\"RECORD\",\"stream\":\"people\",\"record\":null,\"x\":\"{CANARY}\"}}");
    refuses(&bad, &["record"]).await;
    let bad = format!("{{\"type\":\"RECORD\",\"stream\":\"people\",\"record\":\"{CANARY}\"}}");
    refuses(&bad, &["record"]).await;
}

#[tokio::test]
async fn a_record_that_is_null_is_skipped_where_the_user_says_so() {
    let case = Case::new().set("on_invalid_record", "skip");
    let null = "{\"type\":\"RECORD\",\"stream\":\"people\",\"record\":null}\n";
    let rest = [
        record("people", json!({"id": 3, "name": "c"})),
        state(json!({"after": 1})),
    ]
    .concat();
    let outcome = case.load([&good_start(), null, &rest].concat()).success();
    assert_eq!(outcome.states().last(), Some(&json!({"after": 1})));
    let keys = case.bucket().await.keys().await;
    assert_eq!(keys, ["people.1", "people.3"]);
}

#[tokio::test]
async fn a_record_without_its_key() {
    let bad = record("people", json!({"name": CANARY}));
    refuses(bad.trim_end(), &["people", "id"]).await;
    let bad = record("people", json!({"id": null, "name": CANARY}));
    refuses(bad.trim_end(), &["people", "id"]).await;
}

#[tokio::test]
async fn a_record_that_its_schema_forbids() {
    let bad = record("people", json!({"id": CANARY, "name": "b"}));
    refuses(bad.trim_end(), &["people", "/id", "integer"]).await;
    let bad = record("people", json!({"id": 2, "name": [CANARY]}));
    refuses(bad.trim_end(), &["people", "/name", "string"]).await;
}

#[tokio::test]
async fn a_schema_that_is_none() {
    let bad = schema(
        "people",
        json!({"id": {"type": "nonsense", "x": CANARY}}),
        &["id"],
    );
    refuses(bad.trim_end(), &["people", "schema"]).await;
    let bad = schema(
        "people",
        json!({"id": {"minimum": "1", "title": CANARY}}),
        &["id"],
    );
    refuses(bad.trim_end(), &["people", "schema"]).await;
}

#[tokio::test]
async fn a_draft_4_bound() {
    let amount = json!({"type": "number", "minimum": 5, "exclusiveMinimum": true});
    let with = |amount_given: f64| {
        [
            schema("s", json!({"id": {}, "amount": amount}), &["id"]),
            record("s", json!({"id": 1, "amount": amount_given})),
        ]
        .concat()
    };
    let (_, contents) = takes(with(5.5)).await;
    assert_eq!(contents["s.1"]["amount"].to_string(), "5.5");
    let outcome = Case::new().load(with(5.0)).exited(1);
    assert!(outcome.stderr.contains("/amount"), "{}", outcome.stderr);
}

/// As the Meltano SDK: formats only describe, unless the user says so.
#[tokio::test]
async fn formats_are_checked_where_the_user_says_so() {
    let properties = json!({"id": {}, "at": {"type": "string", "format": "date-time"}});
    let input = |at: &str| {
        [
            schema("s", properties.clone(), &["id"]),
            record("s", json!({"id": 1, "at": at})),
        ]
        .concat()
    };
    let (_, contents) = takes(input("yesterday")).await;
    assert_eq!(contents["s.1"]["at"], "yesterday");
    let case = Case::new().set("validate_formats", true);
    let outcome = case.load(input(CANARY)).exited(1);
    for part in ["line 2", "at /at", "date-time"] {
        assert!(outcome.stderr.contains(part), "{}", outcome.stderr);
    }
    assert!(!outcome.stderr.contains(CANARY), "{}", outcome.stderr);
    let _ = case.load(input("2026-01-01T00:00:00Z")).success();
}

#[tokio::test]
async fn references_within_a_schema_are_followed_and_no_others() {
    let referring = |reference: &str| {
        let properties = json!({"id": {}, "home": {"$ref": reference}});
        let defs = json!({"address": {"type": "object", "required": ["city"]}});
        line(
            json!({"type": "SCHEMA", "stream": "s", "key_properties": ["id"],
            "schema": {"type": "object", "properties": properties, "definitions": defs}}),
        )
    };
    let home = |home: Value| record("s", json!({"id": 1, "home": home}));
    let local = referring("#/definitions/address");
    let (_, contents) = takes(local.clone() + &home(json!({"city": "Bern"}))).await;
    assert_eq!(contents["s.1"]["home"]["city"], "Bern");
    let outcome = Case::new().load(local + &home(json!({}))).exited(1);
    assert!(outcome.stderr.contains("at /home"), "{}", outcome.stderr);
    for elsewhere in ["https://example.com/address.json", "file:///etc/hostname"] {
        let outcome = Case::new().load(referring(elsewhere)).exited(1);
        for part in ["line 1", "stream 's'", elsewhere, "not followed"] {
            assert!(outcome.stderr.contains(part), "{}", outcome.stderr);
        }
    }
}

#[tokio::test]
async fn a_stream_without_key_properties() {
    let bad = schema("cities", json!({"id": {"const": CANARY}}), &[]);
    refuses(bad.trim_end(), &["cities", "key propert"]).await;
    let bad = format!(
        "{{\"type\":\"SCHEMA\",\"stream\":\"cities\",\"schema\":{{\"title\":\"{CANARY}\"}}}}"
    );
    refuses(&bad, &["cities", "key propert"]).await;
}

#[tokio::test]
async fn numbers_that_json_does_not_have() {
    for number in ["NaN", "Infinity", "-Infinity", "01", "1."] {
        let bad = raw_record(
            "people",
            &format!("{{\"id\":{number},\"name\":\"{CANARY}\"}}"),
        );
        refuses(bad.trim_end(), &["column"]).await;
    }
}

#[tokio::test]
async fn a_batch_that_cannot_be_understood() {
    for (start, message) in [
        (
            r#""type":"BATCH","stream":"people","manifest":[]"#,
            "encoding",
        ),
        (
            r#""type":"BATCH","stream":"people","encoding":{"format":"csv"}"#,
            "format",
        ),
        (
            r#""type":"BATCH","stream":"people","encoding":{"format":"jsonl","compression":"rar"}"#,
            "compression",
        ),
        (
            r#""type":"BATCH","encoding":{"format":"jsonl"},"manifest":[]"#,
            "stream",
        ),
        (
            r#""type":"BATCH","stream":"people","encoding":{"format":"jsonl"},"manifest":7"#,
            "manifest",
        ),
        (
            r#""type":"BATCH","stream":"cities","encoding":{"format":"jsonl"},"manifest":[]"#,
            "schema",
        ),
    ] {
        refuses(&format!("{{{start},\"x\":\"{CANARY}\"}}"), &[message]).await;
    }
}

#[tokio::test]
async fn a_version_that_cannot_be_activated() {
    for (start, message) in [
        (r#""type":"ACTIVATE_VERSION","version":1"#, "stream"),
        (r#""type":"ACTIVATE_VERSION","stream":"people""#, "version"),
        (
            r#""type":"ACTIVATE_VERSION","stream":"people","version":1.5"#,
            "version",
        ),
        (
            r#""type":"ACTIVATE_VERSION","stream":"cities","version":1"#,
            "schema",
        ),
    ] {
        refuses(&format!("{{{start},\"x\":\"{CANARY}\"}}"), &[message]).await;
    }
}

#[tokio::test]
async fn half_a_line_at_the_end() {
    let case = Case::new();
    let half =
        format!("{{\"type\":\"RECORD\",\"stream\":\"people\",\"record\":{{\"name\":\"{CANARY}");
    let outcome = case.load([good_start(), half].concat()).exited(1);
    assert_eq!(outcome.states(), [json!({"before": 1})]);
    assert!(outcome.stderr.contains("line 4"), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains(CANARY), "{}", outcome.stderr);
}

#[tokio::test]
async fn the_last_line_needs_no_newline() {
    let (states, _) = takes(good_start().trim_end()).await;
    assert_eq!(states, [json!({"before": 1})]);
}

#[tokio::test]
async fn blank_lines_a_byte_order_mark_and_crlf_are_fine() {
    let lines = good_start().replace('\n', "\r\n\r\n  \n");
    let (states, contents) = takes(format!("\u{feff}{lines}")).await;
    assert_eq!(states, [json!({"before": 1})]);
    assert_eq!(contents["people.1"]["name"], "a");
}

#[tokio::test]
async fn blank_lines_count() {
    let input = format!("\n\n{}not json\n", good_start());
    let outcome = Case::new().load(input).exited(1);
    assert!(outcome.stderr.contains("line 6"), "{}", outcome.stderr);
}

#[tokio::test]
async fn an_empty_input() {
    let outcome = Case::new().load("").success();
    assert_eq!(outcome.stdout, "");
}

#[tokio::test]
async fn an_empty_state_is_printed_and_a_null_one_is_not() {
    let (states, _) = takes([good_start(), state(json!({}))].concat()).await;
    assert_eq!(states.last(), Some(&json!({})));
    let (states, _) = takes([good_start(), state(Value::Null)].concat()).await;
    assert_eq!(states, [json!({"before": 1})]);
}

#[tokio::test]
async fn of_equal_members_the_last_counts() {
    let twice = raw_record("people", r#"{"id":1,"name":"x","id":2,"name":"y"}"#);
    let (_, contents) = takes([good_start(), twice].concat()).await;
    assert_eq!(contents["people.2"]["name"], "y");
    assert_eq!(contents["people.1"]["name"], "a");
}

#[tokio::test]
async fn a_changed_schema_waits_for_the_records_before_it() {
    let case = Case::new().set("refresh_mode", "full");
    let bucket = case.make_bucket().await;
    let mut input = String::new();
    for round in 0..20 {
        let name = ["integer", "string"][round % 2];
        input += &schema(
            "s",
            json!({"id": {"type": "integer"}, "v": {"type": name}}),
            &["id"],
        );
        let v = if name == "integer" {
            json!(round)
        } else {
            json!(round.to_string())
        };
        input += &record("s", json!({"id": 1, "v": v}));
        input += &state(json!({"round": round}));
    }
    let outcome = case.load(input).success();
    assert_eq!(outcome.states().last(), Some(&json!({"round": 19})));
    let written: Vec<String> = bucket
        .messages()
        .await
        .iter()
        .map(|entry| entry.json()["v"].to_string().replace('"', ""))
        .collect();
    let expected: Vec<String> = (0..20).map(|round| round.to_string()).collect();
    assert_eq!(written, expected);
}

#[tokio::test]
async fn a_changed_schema_may_change_the_key() {
    let properties = json!({"id": {"type": "integer"}, "code": {"type": "string"}});
    let input = [
        schema("s", properties.clone(), &["id"]),
        record("s", json!({"id": 1, "code": "a"})),
        schema("s", properties, &["code"]),
        record("s", json!({"id": 1, "code": "b"})),
    ]
    .concat();
    let (_, contents) = takes(input).await;
    assert_eq!(contents["s.1"]["code"], "a");
    assert_eq!(contents["s.b"]["id"], json!(1));
}
