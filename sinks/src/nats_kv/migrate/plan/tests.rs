//! What records become.

use serde_json::json;
use singer_target::EncoderPlugin;

use super::*;
use crate::encoders::{Json, MessagePack, MessagePackConfig};

fn encoders() -> Encoders {
    let msgpack = MessagePack::build(MessagePackConfig::default());
    [
        ("json", Arc::new(Json) as Arc<dyn Encoder>),
        ("msgpack", Arc::new(msgpack) as Arc<dyn Encoder>),
    ]
    .into_iter()
    .collect()
}

fn planner(settings: serde_json::Value, known: &[(&str, &[&str])]) -> Planner {
    let config: NatsKvConfig = serde_json::from_value(settings).expect("settings");
    let known = known.iter().map(|(stream, properties)| {
        let properties = properties.iter().map(|it| (*it).to_owned()).collect();
        ((*stream).to_owned(), properties)
    });
    let form = Form::new(None, false, config.delete_mode);
    let limit = Limit::new(1_000, Some(200));
    Planner::new(
        &config,
        encoders(),
        &known.collect(),
        "$KV.b.",
        limit,
        &form,
    )
    .expect("sound")
}

fn plan(planner: &Planner, key: &str, value: &str) -> Option<(String, Plan)> {
    planner.plan(key, value.as_bytes(), &mut Tape::new())
}

#[test]
fn keys_of_the_other_format_move() {
    let known: [(&str, &[&str]); 3] = [("s", &["a", "b"]), ("t", &["at"]), ("x.y", &["id"])];
    let both = [
        ("s.1-2", "s.1.2", r#"{"a":1,"b":2}"#, "s"),
        ("s.x-y-z", "s.x-y.z", r#"{"a":"x-y","b":"z"}"#, "s"),
        ("t.12_30", "t.12=3A30", r#"{"at":"12:30"}"#, "t"),
        ("x.y.7_8", "x.y.7=3A8", r#"{"id":"7:8"}"#, "x.y"),
    ];
    for (legacy, escaped, value, stream) in both {
        for (format, from, to) in [("escaped", legacy, escaped), ("legacy", escaped, legacy)] {
            let planner = planner(json!({"key_format": format}), &known);
            let moved = Plan::Move {
                to: to.to_owned(),
                value: value.as_bytes().to_vec().into(),
            };
            let planned = plan(&planner, from, value);
            assert_eq!(planned, Some((stream.to_owned(), moved)), "{from}");
            let there = plan(&planner, to, value);
            assert_eq!(there, Some((stream.to_owned(), Plan::Leave)), "{to}");
        }
    }
}

#[test]
fn values_change_their_encoding_in_any_stream() {
    let planner = planner(json!({"encoding": "msgpack"}), &[("s", &["id"])]);
    for key in ["s.1", "other.1"] {
        let (_, planned) = plan(&planner, key, r#"{"id":1}"#).expect("a key of ours");
        let packed = b"\x81\xa2id\x01";
        assert_eq!(planned, Plan::Rewrite(packed.to_vec().into()), "{key}");
        let (_, planned) = planner.plan(key, packed, &mut Tape::new()).expect("ours");
        assert_eq!(planned, Plan::Leave, "{key}");
    }
}

#[test]
fn what_cannot_be_told_is_left() {
    let planner = planner(json!({"key_prefix": "p."}), &[("s", &["id"])]);
    assert_eq!(plan(&planner, "s.1", "{}"), None);
    let large = format!(r#"{{"id":"a:b","v":"{}"}}"#, "x".repeat(200));
    for (key, value) in [
        ("p.s.1", "text"),
        ("p.s.1", "[]"),
        ("p.s.1", r#"{"id":2}"#),
        ("p.s.1", "{}"),
        ("p.s.None", r#"{"id":null}"#),
        ("p.s.a_b", &large),
    ] {
        let (stream, planned) = plan(&planner, key, value).expect("begins with the prefix");
        assert_eq!(stream, "s");
        assert!(
            matches!(planned, Plan::Unknown(_)),
            "{key} {value}: {planned:?}"
        );
    }
}

/// MessagePack has made 1.5 of a key property 1.50. The next load writes to the key of 1.50.
#[test]
fn keys_keep_a_spelling_that_the_encoding_has_not_kept() {
    let msgpack = MessagePack::build(MessagePackConfig::default());
    let mut tape = Tape::new();
    tape.parse(br#"{"id":1.5}"#).expect("JSON");
    let mut stored = Vec::new();
    let record = tape.root().expect("a value");
    msgpack.encode(record, &mut stored).expect("encodes");
    let settings = json!({"encoding": "msgpack"});
    let planner = planner(settings, &[("s", &["id"])]);
    for (key, expected) in [
        ("s.1=2E50", Plan::Leave),
        (
            "s.1=2E51",
            Plan::Unknown("its key properties give another key"),
        ),
        (
            "s.1.50",
            Plan::Move {
                to: "s.1=2E50".to_owned(),
                value: stored.clone().into(),
            },
        ),
    ] {
        let planned = planner.plan(key, &stored, &mut Tape::new());
        assert_eq!(planned, Some(("s".to_owned(), expected)), "{key}");
    }
}
