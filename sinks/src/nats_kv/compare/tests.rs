//! Every rule, in every pair of encodings.

use proptest::prelude::*;
use serde_json::json;

use super::Verdict::{Keep, Repair, Write};
use super::*;
use crate::encoders::{Json, MessagePack, MessagePackConfig};
use RefreshMode::{Full, Newer, Same};
use singer_target::EncoderPlugin;

const KEEP_SAME: Verdict = Keep(Standing::Same);
const KEEP_NEWER: Verdict = Keep(Standing::Newer);
const KEEP_OTHER: Verdict = Keep(Standing::Other);

fn encoders() -> [Arc<dyn Encoder>; 2] {
    [
        Arc::new(Json),
        Arc::new(MessagePack::build(MessagePackConfig::default())),
    ]
}

fn parsed(json: &str) -> Tape {
    let mut tape = Tape::new();
    tape.parse(json.as_bytes()).expect("valid JSON");
    tape
}

struct Rules {
    mode: RefreshMode,
    revive: bool,
    removes: bool,
    key: Option<&'static str>,
    schema: JsonSchema,
}

impl Rules {
    fn comparison(&self) -> Comparison {
        Comparison::new(
            &self.schema,
            self.mode,
            self.revive,
            self.removes,
            self.key,
            encoders().into(),
        )
    }

    fn on_bytes(&self, new: &str, written: &dyn Encoder, stored: &[u8]) -> Verdict {
        let new = parsed(new);
        let value = new.root().expect("a value");
        let mut encoded = Vec::new();
        written.encode(value, &mut encoded).expect("encodes");
        let candidate = Candidate {
            value,
            encoded: &encoded,
        };
        let comparison = self.comparison();
        let verdict = comparison.with_stored(candidate, stored, &mut Tape::new());
        // Who only looks is told the same, and more.
        let (examined, standing) = comparison.examine(candidate, stored, &mut Tape::new());
        assert_eq!(examined, verdict);
        if let Keep(kept) = verdict {
            assert_eq!(kept, standing);
        }
        verdict
    }

    /// The verdict, which must not depend on the encodings.
    fn on(&self, new: &str, stored: &str) -> Verdict {
        let stored_tape = parsed(stored);
        let mut verdicts = Vec::new();
        for written in encoders() {
            for held in encoders() {
                let mut bytes = Vec::new();
                let value = stored_tape.root().expect("a value");
                held.encode(value, &mut bytes).expect("encodes");
                verdicts.push(self.on_bytes(new, &*written, &bytes));
            }
            let new = parsed(new);
            let value = new.root().expect("a value");
            let earlier = stored_tape.root().expect("a value");
            let mut encoded = Vec::new();
            written.encode(value, &mut encoded).expect("encodes");
            let candidate = Candidate {
                value,
                encoded: &encoded,
            };
            verdicts.push(self.comparison().with_record(candidate, earlier));
        }
        // A number that was stored as a string is other data, but is kept or not all the same.
        verdicts.dedup_by_key(|verdict| std::mem::discriminant(verdict));
        assert_eq!(verdicts.len(), 1, "{new} over {stored}: {verdicts:?}");
        verdicts[0]
    }
}

fn keyed(mode: RefreshMode, property: JsonSchema) -> Rules {
    let schema = json!({"properties": {"u": property}});
    Rules {
        mode,
        revive: false,
        removes: false,
        key: Some("u"),
        schema,
    }
}

fn keyless(mode: RefreshMode) -> Rules {
    Rules {
        mode,
        revive: false,
        removes: false,
        key: None,
        schema: json!({}),
    }
}

#[test]
fn another_record_under_the_key_is_told_whatever_its_age_and_encoding() {
    let comparison = Comparison::new(
        &json!({}),
        Newer,
        false,
        false,
        Some("at"),
        encoders().into(),
    )
    .watching(&["id".to_owned()]);
    let stored = parsed(r#"{"id":"1-1","at":5,"name":"Ann"}"#);
    for (new, expected) in [
        (r#"{"id":"1.1","at":9}"#, Verdict::Collision),
        (r#"{"id":"1.1","at":1}"#, Verdict::Collision),
        (r#"{"id":"1-1","at":9}"#, Write),
    ] {
        let new = parsed(new);
        let value = new.root().expect("a record");
        for encoder in encoders() {
            let [mut encoded, mut bytes] = [vec![], vec![]];
            encoder.encode(value, &mut encoded).expect("encodes");
            let held = stored.root().expect("a record");
            encoder.encode(held, &mut bytes).expect("encodes");
            let encoded = &encoded;
            let verdict =
                comparison.with_stored(Candidate { value, encoded }, &bytes, &mut Tape::new());
            assert_eq!(verdict, expected);
        }
    }
}

#[test]
fn replication_keys_compare_by_the_type_of_the_schema() {
    let time = json!({"type": ["null", "string"], "format": "date-time"});
    let date = json!({"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]});
    let number = json!({"type": ["integer", "null"]});
    let text = json!({"type": "string"});
    // Each line: the property, a smaller and a greater value.
    for (property, older, newer) in [
        (&number, "9", "10"),
        (&number, "-1", "0"),
        (&number, "9007199254740992", "9007199254740993"),
        (&number, "1180591620717411303424", "1180591620717411303425"),
        (&number, "9", "1180591620717411303424"),
        (&number, "1.0", "1.01"),
        (&text, "9", "10"),
        (&text, r#""10""#, r#""9""#),
        (
            &text,
            r#""2024-01-01T12:00:00+02:00""#,
            r#""2024-01-01T12:00:00Z""#,
        ),
        (&text, r#""a""#, r#""b""#),
        (
            &time,
            r#""2024-01-01T10:00:00Z""#,
            r#""2024-01-01T10:00:00.5Z""#,
        ),
        (
            &time,
            r#""2024-01-01T12:00:00+02:00""#,
            r#""2024-01-01T11:00:00Z""#,
        ),
        (
            &time,
            r#""2024-01-01""#,
            r#""2024-01-01 00:00:00.0000000001""#,
        ),
        (&time, r#""not a time""#, r#""or a time""#),
        (&time, r#""2024-01-01T10:00:00Z""#, r#""never""#),
        (&time, "9", "10"),
        (&date, r#""2023-12-31""#, r#""2024-01-01""#),
        (&json!({}), "false", "true"),
    ] {
        let record = |value: &str| format!(r#"{{"id":1,"u":{value},"_sdc_received_at":"x"}}"#);
        let (older, newer) = (record(older), record(newer));
        for (mode, equal) in [(Newer, KEEP_SAME), (Same, Write)] {
            let rules = keyed(mode, property.clone());
            assert_eq!(
                rules.on(&newer, &older),
                Write,
                "{mode:?} {newer} over {older}"
            );
            assert_eq!(
                rules.on(&older, &newer),
                KEEP_NEWER,
                "{mode:?} {older} over {newer}"
            );
            assert_eq!(rules.on(&older, &older), equal, "{mode:?} {older}");
        }
    }
}

#[test]
fn equal_keys_are_equal_however_they_are_written() {
    let time = json!({"$ref": "#/$defs/time"});
    let defs = json!({"time": {"type": "string", "format": "date-time"}});
    for (property, new, stored) in [
        (
            time,
            r#""2024-01-01T12:00:00.0Z""#,
            r#""2024-01-01T14:00:00+02:00""#,
        ),
        (json!({"type": "number"}), "1.10", "1.1"),
    ] {
        for (mode, verdict) in [(Newer, KEEP_OTHER), (Same, Write)] {
            let mut rules = keyed(mode, property.clone());
            rules.schema["$defs"] = defs.clone();
            // The data differ: with a replication key that does not matter, but is told.
            let new = format!(r#"{{"u":{new},"a":1}}"#);
            let stored = format!(r#"{{"u":{stored},"a":2}}"#);
            assert_eq!(rules.on(&new, &stored), verdict, "{mode:?} {new}");
        }
    }
}

#[test]
fn a_missing_replication_key_is_older_than_null_and_null_than_any_value() {
    let ascending = [r#"{"a":1}"#, r#"{"a":2,"u":null}"#, r#"{"a":3,"u":0}"#];
    for (i, new) in ascending.iter().enumerate() {
        for (j, stored) in ascending.iter().enumerate() {
            if i == j {
                continue;
            }
            let verdict = if i > j { Write } else { KEEP_NEWER };
            for mode in [Newer, Same] {
                let rules = keyed(mode, json!({"type": "integer"}));
                assert_eq!(
                    rules.on(new, stored),
                    verdict,
                    "{mode:?} {new} over {stored}"
                );
            }
        }
    }
}

#[test]
fn without_values_to_compare_the_data_decide() {
    for (new, stored, differ) in [
        (r#"{"a":1}"#, r#"{"a":2}"#, true),
        (r#"{"a":1}"#, r#"{"a":1,"b":2}"#, true),
        (r#"{"a":1,"b":2}"#, r#"{"a":1}"#, true),
        (r#"{"a":1,"b":null}"#, r#"{"a":1,"c":null}"#, true),
        (
            r#"{"a":0.10,"b":[1.0]}"#,
            r#"{"b":[1],"a":0.1,"_sdc_x":1}"#,
            false,
        ),
        (
            r#"{"a":1,"_sdc_received_at":"x"}"#,
            r#"{"a":1,"_sdc_received_at":"y"}"#,
            false,
        ),
        (r#"{"a":{"_sdc_x":1}}"#, r#"{"a":{"_sdc_x":2}}"#, true),
        (
            r#"{"a":1180591620717411303424}"#,
            r#"{"a":1180591620717411303425}"#,
            true,
        ),
        (
            r#"{"a":"x\ny","_sdc_x":1}"#,
            r#"{"a":"x\ny","_sdc_x":2}"#,
            false,
        ),
        (r#"{"_sdc_x":1}"#, r#"{"_sdc_x":2}"#, false),
    ] {
        let newer = if differ { Write } else { KEEP_SAME };
        for key in [None, Some("u")] {
            let rules = |mode| Rules {
                key,
                ..keyless(mode)
            };
            assert_eq!(rules(Newer).on(new, stored), newer, "{new} over {stored}");
            assert_eq!(rules(Same).on(new, stored), Write, "{new} over {stored}");
        }
    }
    let both_null = (r#"{"u":null,"a":1}"#, r#"{"u":null,"a":2}"#);
    let rules = keyed(Newer, json!({"type": "integer"}));
    assert_eq!(rules.on(both_null.0, both_null.1), Write);
    assert_eq!(rules.on(both_null.0, both_null.0), KEEP_SAME);
}

#[test]
fn a_number_that_was_stored_as_a_string_is_equal_only_where_it_would_be_again() {
    let new = r#"{"a":1180591620717411303424}"#;
    let stored = br#"{"a":"1180591620717411303424"}"#;
    let [json, msgpack] = encoders();
    assert_eq!(keyless(Newer).on_bytes(new, &*msgpack, stored), KEEP_SAME);
    assert_eq!(keyless(Newer).on_bytes(new, &*json, stored), Write);
}

#[test]
fn the_same_text_is_told_from_a_text_that_goes_on() {
    let new = r#"{"id":1,"n":10,"_sdc_received_at":"2024"}"#;
    let [json, _] = encoders();
    for (stored, verdict) in [
        (r#"{"id":1,"n":10}"#, KEEP_SAME),
        (
            r#"{"id":1,"n":10,"_sdc_a":"x","_sdc_b":-1.5e3,"_sdc_c":null}"#,
            KEEP_SAME,
        ),
        (
            r#"{"id":1,"n":10,"_sdc_a":"\"","_sdc_b":{"x":[]}}"#,
            KEEP_SAME,
        ),
        (r#"{"id":1,"n":10, "_sdc_a":"x"}"#, KEEP_SAME),
        (r#"{"id":1,"n":100}"#, Write),
        (r#"{"id":1,"n":10,"m":1}"#, Write),
        (r#"{"id":1,"n":10,"_sdc_a":"x","m":1}"#, Write),
        (r#"{"id":1,"n":10,"_sdc_deleted_at":"2024"}"#, KEEP_NEWER),
        (
            r#"{"id":1,"n":10,"_sdc_a":"x","_sdc_deleted_at":null}"#,
            Repair("marked by a `_sdc_deleted_at` that is null"),
        ),
        (
            r#"{"id":1,"n":10,"_sdc_a":"x"}}"#,
            Repair("neither JSON nor MessagePack"),
        ),
    ] {
        let found = keyless(Newer).on_bytes(new, &*json, stored.as_bytes());
        assert_eq!(found, verdict, "{stored}");
    }
}

#[test]
fn tombstones_are_left_alone() {
    let stored = r#"{"u":5,"_sdc_deleted_at":"2024-01-01T00:00:00Z"}"#;
    for mode in [Newer, Same] {
        let rules = keyed(mode, json!({"type": "integer"}));
        for new in [r#"{"u":6}"#, r#"{"u":5}"#, r#"{"u":4}"#, r#"{"a":1}"#] {
            assert_eq!(rules.on(new, stored), KEEP_NEWER, "{new}");
        }
        let reviving = Rules {
            revive: true,
            ..rules
        };
        assert_eq!(reviving.on(r#"{"u":6}"#, stored), Write);
        for new in [r#"{"u":5}"#, r#"{"u":4}"#, r#"{"a":1}"#, r#"{"u":null}"#] {
            assert_eq!(reviving.on(new, stored), KEEP_NEWER, "{new}");
        }
        // Without an order nothing can be proven newer than a deletion.
        let keyless = Rules {
            key: None,
            ..reviving
        };
        assert_eq!(keyless.on(r#"{"u":6}"#, stored), KEEP_NEWER);
    }
    assert_eq!(keyless(Full).on(r#"{"u":1}"#, stored), Write);
}

#[test]
fn a_deletion_is_news() {
    let deletion = r#"{"a":1,"_sdc_deleted_at":"2024-01-01T00:00:00Z"}"#;
    for stored in [r#"{"a":1}"#, r#"{"a":1,"_sdc_received_at":"2024"}"#] {
        assert_eq!(keyless(Newer).on(deletion, stored), Write);
        let mut rules = keyed(Newer, json!({"type": "integer"}));
        assert_eq!(rules.on(deletion, stored), Write, "no value to compare by");
        rules.key = Some("a");
        assert_eq!(rules.on(deletion, stored), KEEP_OTHER, "not newer");
    }
    assert_eq!(keyless(Newer).on(deletion, deletion), KEEP_SAME);
}

#[test]
fn a_null_deletion_is_no_tombstone() {
    let rules = keyed(Newer, json!({"type": "integer"}));
    let stored = r#"{"u":5,"_sdc_deleted_at":null}"#;
    assert!(matches!(rules.on(r#"{"u":4}"#, stored), Repair(_)));
    assert_eq!(
        rules.on(r#"{"u":4,"_sdc_deleted_at":null}"#, stored),
        KEEP_NEWER
    );
    assert_eq!(rules.on(r#"{"u":6,"_sdc_deleted_at":null}"#, stored), Write);
    assert_eq!(
        rules.on(r#"{"u":6,"_sdc_deleted_at":"2024"}"#, stored),
        Write
    );
}

#[test]
fn what_is_no_record_is_repaired() {
    let [json, _] = encoders();
    for mode in [Newer, Same] {
        for stored in [
            &b""[..],
            b"{",
            b"\xff",
            b"garbage",
            b" [1]",
            b"\x81\xa1",
            b"{}x",
        ] {
            let verdict = keyless(mode).on_bytes(r#"{"u":1}"#, &*json, stored);
            assert!(matches!(verdict, Repair(_)), "{stored:?}: {verdict:?}");
        }
    }
    assert_eq!(keyless(Full).on_bytes(r#"{"u":1}"#, &*json, b""), Write);
}

/// Found by the property below: as texts, which they were compared as, the second is greater.
#[test]
fn a_number_that_was_stored_as_a_string_is_a_number_whatever_the_schema() {
    let rules = keyed(Newer, json!({}));
    let (less, greater) = (
        r#"{"u":9007199254740993.5}"#,
        r#"{"u":10000000000000000.5}"#,
    );
    assert_eq!(rules.on(greater, less), Write);
    assert_eq!(rules.on(less, greater), KEEP_NEWER);
}

/// A decimal and the same number in some of the ways to write it.
fn decimal() -> impl Strategy<Value = (i128, String)> {
    let digits = prop_oneof![-20i64..20, any::<i64>()];
    (digits, 0u32..4, 0u32..3).prop_map(|(digits, places, form)| {
        let scaled = i128::from(digits) * 10i128.pow(4 - places);
        let text = match form {
            0 => format!("{digits}e-{places}"),
            1 => format!("{digits}.000E-{places}"),
            _ => format!("{digits}.0e-{places}"),
        };
        (scaled, text)
    })
}

/// What a replication key may be.
const KINDS: [&str; 4] = [
    r#"{"type":"integer"}"#,
    r#"{"type":["null","string"],"format":"date-time"}"#,
    r#"{"type":"string"}"#,
    "{}",
];

/// Few different values, so that equal ones meet.
fn replication_key() -> impl Strategy<Value = i64> {
    prop_oneof![-3..4i64, 1_700_000_000..1_700_000_004i64]
}

/// One of two spellings of the same value.
fn spell(kind: usize, value: i64, other: bool) -> String {
    match (kind, other) {
        (0, false) | (3, false) => value.to_string(),
        (0, true) | (3, true) => format!("{value}.0"),
        (1, _) => {
            let at = jiff::Timestamp::from_second(value).expect("within range");
            let zone = jiff::tz::Offset::constant(if other { -7 } else { 0 });
            format!("\"{}\"", at.display_with_offset(zone))
        }
        // Of text the order is that of its bytes.
        _ => format!("\"{:020}\"", value + 10),
    }
}

proptest! {
    /// Against an oracle that knows the numbers: of two, the greater is newer, in every pair of
    /// encodings, and equal ones are not, however they are written.
    #[test]
    fn newer_is_greater(
        (left, left_text) in decimal(),
        (right, right_text) in decimal(),
        typed in any::<bool>(),
    ) {
        let property = if typed { json!({"type": "number"}) } else { json!({}) };
        let of = |text: &str| format!(r#"{{"u":{text}}}"#);
        for (mode, written) in [(Newer, left > right), (Same, left >= right)] {
            let verdict = keyed(mode, property.clone()).on(&of(&left_text), &of(&right_text));
            prop_assert_eq!(verdict == Write, written, "{} over {}", left_text, right_text);
        }
    }

    /// Whatever the order in which records of one key come, the newest is what stays: of those with
    /// an equal replication key the first in `newer`, the last in `same`.
    #[test]
    fn the_newest_stays(
        records in prop::collection::vec((replication_key(), any::<bool>()), 1..8),
        kind in any::<prop::sample::Index>(),
    ) {
        let kind = kind.index(KINDS.len());
        let property: JsonSchema = serde_json::from_str(KINDS[kind]).expect("a schema");
        let record = |n: usize, (value, spelling): &(i64, bool)| {
            format!(r#"{{"u":{},"n":{n}}}"#, spell(kind, *value, *spelling))
        };
        for mode in [Newer, Same] {
            let rules = keyed(mode, property.clone());
            let mut stored = 0;
            for n in 1..records.len() {
                let verdict = rules.on(&record(n, &records[n]), &record(stored, &records[stored]));
                if verdict == Write {
                    stored = n;
                }
            }
            let value = |n: &usize| records[*n].0;
            let expected = match mode {
                Same => (0..records.len()).max_by_key(value),
                _ => (0..records.len()).rev().max_by_key(value),
            };
            prop_assert_eq!(Some(stored), expected, "{:?} of {:?}", mode, records);
        }
    }

    /// Whatever is stored, there is a verdict; in full it is always the same.
    #[test]
    fn any_bytes_get_a_verdict(stored in prop::collection::vec(any::<u8>(), 0..64)) {
        let new = r#"{"id":1,"u":5}"#;
        for held in encoders() {
            keyed(Newer, json!({})).on_bytes(new, &*held, &stored);
            keyless(Same).on_bytes(new, &*held, &stored);
            prop_assert_eq!(keyless(Full).on_bytes(new, &*held, &stored), Write);
        }
    }
}

/// What a record does where `earlier` has removed the key: the same in one batch, where the record
/// itself is known, and over its marker.
fn after_removal(rules: &Rules, new: &str, earlier: &str) -> Verdict {
    let comparison = rules.comparison();
    let (new, earlier) = (parsed(new), parsed(earlier));
    let candidate = Candidate {
        value: new.root().expect("a value"),
        encoded: b"",
    };
    let earlier = earlier.root().expect("a value");
    let removal = comparison.removal(earlier).expect("it removes");
    let over_marker = comparison.with_marker(candidate, removal.told.as_deref(), &mut Tape::new());
    assert_eq!(comparison.with_record(candidate, earlier), over_marker);
    over_marker
}

#[test]
fn a_marker_keeps_what_it_knows_of_the_replication_key() {
    let time = json!({"type": "string", "format": "date-time"});
    let removes = |rules: Rules| Rules {
        removes: true,
        ..rules
    };
    let deleted = r#"{"u":"2024-01-02T00:00:00Z","_sdc_deleted_at":"x"}"#;
    let record = |u: &str, gone: bool| {
        let gone = if gone {
            r#","_sdc_deleted_at":"y""#
        } else {
            ""
        };
        format!(r#"{{"u":"{u}"{gone}}}"#)
    };
    let (older, equal, newer) = (
        "2024-01-01T00:00:00Z",
        "2024-01-02T02:00:00+02:00",
        "2024-01-02T00:00:01Z",
    );
    for (mode, u, gone, expected) in [
        (Newer, older, false, KEEP_NEWER),
        (Newer, equal, false, KEEP_NEWER),
        (Newer, newer, false, Write),
        (Newer, older, true, KEEP_SAME),
        (Newer, equal, true, KEEP_SAME),
        (Newer, newer, true, Write),
        (Same, older, false, KEEP_NEWER),
        (Same, equal, false, KEEP_NEWER),
        (Same, newer, false, Write),
        (Same, older, true, KEEP_SAME),
        (Same, equal, true, Write),
        (Full, older, false, Write),
        (Full, older, true, Write),
    ] {
        let rules = removes(keyed(mode, time.clone()));
        let verdict = after_removal(&rules, &record(u, gone), deleted);
        assert_eq!(verdict, expected, "{mode:?} {u} {gone}");
    }
    // A marker that tells nothing, or nonsense.
    for (mode, gone, expected) in [
        (Newer, false, Write),
        (Newer, true, KEEP_SAME),
        (Same, true, Write),
    ] {
        let rules = removes(keyed(mode, time.clone()));
        let new = parsed(&record(older, gone));
        let new = Candidate {
            value: new.root().expect("a value"),
            encoded: b"",
        };
        for told in [None, Some("{"), Some("5"), Some(r#"{"other":1}"#)] {
            let verdict = rules.comparison().with_marker(new, told, &mut Tape::new());
            // Where the marker tells of another property, the record knows more than it does.
            let knows_more = told == Some(r#"{"other":1}"#) || told == Some("5");
            let expected = if knows_more { Write } else { expected };
            assert_eq!(verdict, expected, "{mode:?} {gone} {told:?}");
        }
        let keyless = removes(keyless(mode));
        assert_eq!(
            after_removal(&keyless, &record(older, gone), deleted),
            expected
        );
    }
}

#[test]
fn a_removal_is_compared_as_any_record() {
    let number = json!({"type": "integer"});
    let rules = |mode| Rules {
        removes: true,
        ..keyed(mode, number.clone())
    };
    for (mode, new, stored, expected) in [
        (
            Newer,
            r#"{"u":2,"_sdc_deleted_at":"x"}"#,
            r#"{"u":1}"#,
            Write,
        ),
        (
            Newer,
            r#"{"u":1,"_sdc_deleted_at":"x"}"#,
            r#"{"u":1}"#,
            KEEP_OTHER,
        ),
        (
            Same,
            r#"{"u":1,"_sdc_deleted_at":"x"}"#,
            r#"{"u":1}"#,
            Write,
        ),
        (
            Newer,
            r#"{"_sdc_deleted_at":"x"}"#,
            r#"{"u":1}"#,
            KEEP_NEWER,
        ),
        // Of a tombstone that was stored as a record there is something left to remove.
        (
            Newer,
            r#"{"u":2,"_sdc_deleted_at":"x"}"#,
            r#"{"u":1,"_sdc_deleted_at":"w"}"#,
            Write,
        ),
        (
            Newer,
            r#"{"u":1,"_sdc_deleted_at":"x"}"#,
            r#"{"u":1,"_sdc_deleted_at":"w"}"#,
            KEEP_SAME,
        ),
        // But it is still not brought back.
        (
            Newer,
            r#"{"u":2}"#,
            r#"{"u":1,"_sdc_deleted_at":"w"}"#,
            KEEP_NEWER,
        ),
    ] {
        let verdict = rules(mode).on_bytes(new, &Json, stored.as_bytes());
        assert_eq!(verdict, expected, "{mode:?} {new} over {stored}");
    }
}
