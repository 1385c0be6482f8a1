use proptest::prelude::*;
use singer_target::value::Tape;

use super::*;

const MAX: usize = MAX_SUBJECT_BYTES - "$KV.singer.".len();

fn rules(format: KeyFormat, from: KeyFrom) -> KeyRules {
    KeyRules {
        format,
        from,
        prefix: String::new(),
        max_bytes: MAX,
    }
}

fn key_of(
    rules: &KeyRules,
    stream: &str,
    properties: &[&str],
    record: &str,
) -> Result<String, String> {
    let properties: Vec<_> = properties.iter().map(|name| (*name).to_owned()).collect();
    let mut tape = Tape::new();
    tape.parse(record.as_bytes()).expect("JSON");
    let mut out = "before ".to_owned();
    let result =
        KeyWriter::new(rules, stream, &properties)?.write(tape.root().expect("a value"), &mut out);
    let key = out.strip_prefix("before ").expect("what was there stays");
    match result {
        Ok(()) => Ok(key.to_owned()),
        Err(reason) => {
            assert_eq!(key, "", "{reason}");
            Err(reason)
        }
    }
}

/// The key of stream `s` whose one key property has the JSON `value`.
fn escaped(value: &str) -> Result<String, String> {
    key_of(
        &rules(KeyFormat::Escaped, KeyFrom::Properties),
        "s",
        &["id"],
        &format!(r#"{{"id":{value}}}"#),
    )
}

fn legacy(value: &str) -> Result<String, String> {
    key_of(
        &rules(KeyFormat::Legacy, KeyFrom::Properties),
        "s",
        &["id"],
        &format!(r#"{{"id":{value}}}"#),
    )
}

#[test]
fn escaped_keys() {
    for (value, key) in [
        ("1", "s.1"),
        ("-1", "s.-1"),
        ("1.10", "s.1=2E10"),
        ("1e2", "s.1e2"),
        ("1E+2", "s.1E=2B2"),
        ("true", "s.true"),
        (r#""plain-Key_1/2""#, "s.plain-Key_1/2"),
        (r#""a b""#, "s.a=20b"),
        (r#""a.b""#, "s.a=2Eb"),
        (r#""a=b""#, "s.a=3Db"),
        (r#""*>$@:""#, "s.=2A=3E=24=40=3A"),
        (r#""é\n\u0000""#, "s.=C3=A9=0A=00"),
        (r#"["a"]"#, "s.=5B=22a=22=5D"),
    ] {
        assert_eq!(escaped(value).as_deref(), Ok(key), "{value}");
    }
    for value in ["null", r#""""#] {
        assert!(escaped(value).is_err(), "{value}");
    }
}

#[test]
fn stream_names() {
    for (stream, head) in [
        ("public.users", "public.users.1"),
        ("a b", "a=20b.1"),
        (".a..b.", "=2Ea=2E=2Eb=2E.1"),
        (".", "=2E.1"),
        ("$sys:é", "=24sys=3A=C3=A9.1"),
    ] {
        let rules = rules(KeyFormat::Escaped, KeyFrom::Properties);
        let key = key_of(&rules, stream, &["id"], r#"{"id":1}"#);
        assert_eq!(key.as_deref(), Ok(head));
    }
}

#[test]
fn legacy_keys_are_those_of_the_python_target() {
    for (value, key) in [
        ("true", "s.True"),
        ("false", "s.False"),
        ("null", "s.None"),
        ("1", "s.1"),
        ("-0", "s.0"),
        ("1180591620717411303424", "s.1180591620717411303424"),
        ("1.10", "s.1.10"),
        ("-1.5", "s.-1.5"),
        ("0.0", "s.0.0"),
        ("-0.0", "s.-0.0"),
        ("1e-3", "s.0.001"),
        ("1e-6", "s.0.000001"),
        ("1e-7", "s.1E-7"),
        ("1.20e-8", "s.1.20E-8"),
        ("120e-2", "s.1.20"),
        (r#""a:b""#, "s.a_b"),
        (r#""a_b""#, "s.a_b"),
        (r#""x/y=z.1""#, "s.x/y=z.1"),
    ] {
        assert_eq!(legacy(value).as_deref(), Ok(key), "{value}");
    }
    let both = key_of(
        &rules(KeyFormat::Legacy, KeyFrom::Properties),
        "s",
        &["a", "b"],
        r#"{"b":true,"a":"x-y"}"#,
    );
    assert_eq!(both.as_deref(), Ok("s.x-y-True"));
}

#[test]
fn what_the_python_target_skipped_is_invalid() {
    for value in [
        "1e2",
        r#""""#,
        r#"".""#,
        r#"".a""#,
        r#""a.""#,
        r#""a..b""#,
        r#""a b""#,
        r#""*""#,
        r#"">""#,
        r#""\u0000""#,
        r#""é""#,
        r#""@""#,
        r#""$x""#,
        r#""x\n""#,
        r#""x\t""#,
        "[1]",
        "{}",
    ] {
        assert!(legacy(value).is_err(), "{value}");
    }
    let legacy = rules(KeyFormat::Legacy, KeyFrom::Properties);
    for stream in ["a:b", "a b", "", "$a", ".a"] {
        assert!(
            key_of(&legacy, stream, &["id"], r#"{"id":1}"#).is_err(),
            "{stream}"
        );
    }
}

#[test]
fn python_decimals_as_text() {
    for (decimal, text) in [
        ("1e2", "1E+2"),
        ("1.0e2", "1.0E+2"),
        ("1.50e1", "15.0"),
        ("10e0", "10"),
        ("0e2", "0E+2"),
        ("0.00", "0.00"),
        ("0e-6", "0.000000"),
        ("0e-7", "0E-7"),
        ("-12.5e-10", "-1.25E-9"),
        ("0.0000012", "0.0000012"),
        ("0.00000012", "1.2E-7"),
        (
            "123456789012345678901234567890.5",
            "123456789012345678901234567890.5",
        ),
        ("1e400", "1E+400"),
    ] {
        let mut out = String::new();
        legacy::push_decimal(decimal, &mut out);
        assert_eq!(out, text, "{decimal}");
    }
}

#[test]
fn a_missing_part_is_invalid() {
    for format in [KeyFormat::Escaped, KeyFormat::Legacy] {
        let rules = rules(format, KeyFrom::Properties);
        let reason = key_of(&rules, "s", &["id", "no"], r#"{"id":1}"#).expect_err("no key");
        assert_eq!(reason, "the key property 'no' is missing");
    }
}

#[test]
fn the_longest_key() {
    let fits = "x".repeat(MAX - 2);
    assert_eq!(
        escaped(&format!("\"{fits}\"")).map(|key| key.len()),
        Ok(MAX)
    );
    let reason = escaped(&format!("\"{fits}x\"")).expect_err("too long");
    assert_eq!(
        reason,
        "its key takes 3790 bytes, and the server can carry 3789"
    );
}

#[test]
fn a_stream_without_key_properties() {
    let by_properties = rules(KeyFormat::Escaped, KeyFrom::Properties);
    assert!(key_of(&by_properties, "s", &[], "{}").is_err());

    let by_hash = rules(KeyFormat::Escaped, KeyFrom::Hash);
    let hash = |record: &str| key_of(&by_hash, "s", &[], record).expect("a key");
    let key = hash(r#"{"a":1,"b":[{"x":"é","y":1.0}]}"#);
    // Pinned: another hash would store every record again.
    assert_eq!(key, "s.043effc0032f9d6bc9aad36b10eb178c");
    assert_eq!(
        key,
        hash(r#"{"b":[{"y":1.0,"x":"é"}],"_sdc_received_at":"now","a":1}"#)
    );
    for other in [
        r#"{"a":1,"b":[{"x":"é","y":1}]}"#,
        r#"{"a":1,"b":[{"x":"é","y":1.0,"_sdc_x":1}]}"#,
        r#"{"a":"1","b":[{"x":"é","y":1.0}]}"#,
        r#"{"a":1,"b":{"x":"é","y":1.0}}"#,
        "{}",
    ] {
        assert_ne!(key, hash(other), "{other}");
    }
    // Key properties come first where there are some.
    assert_eq!(
        key_of(&by_hash, "s", &["id"], r#"{"id":1}"#).as_deref(),
        Ok("s.1")
    );
}

#[test]
fn keys_begin_with_the_prefix_and_split_without_it() {
    let mut rules = rules(KeyFormat::Escaped, KeyFrom::Properties);
    rules.prefix = "prod.".to_owned();
    let key = key_of(&rules, "a b", &["x", "y"], r#"{"x":"1.5","y":true}"#).expect("a key");
    assert_eq!(key, "prod.a=20b.1=2E5.true");
    let split_key = split(&rules, &key).expect("ours");
    assert_eq!(split_key.stream, "a b");
    assert_eq!(split_key.parts, ["1.5", "true"]);
    for foreign in ["test.a.1", "prod.a", "prod.", "prod..x"] {
        assert_eq!(split(&rules, foreign), None, "{foreign}");
    }
}

#[test]
fn streams_that_may_meet() {
    fn writer(format: KeyFormat, (stream, properties): (&str, &[&str])) -> KeyWriter {
        let properties: Vec<_> = properties.iter().map(|name| (*name).to_owned()).collect();
        KeyWriter::new(&rules(format, KeyFrom::Properties), stream, &properties).expect("a writer")
    }
    let meets = |format, left, right| {
        let (left, right) = (writer(format, left), writer(format, right));
        assert_eq!(left.may_meet(&right), right.may_meet(&left));
        left.may_meet(&right)
    };
    use KeyFormat::{Escaped, Legacy};
    assert!(meets(Escaped, ("a", &["b", "c"]), ("a.b", &["c"])));
    assert!(!meets(Escaped, ("a", &["b"]), ("a.b", &["c"])));
    assert!(!meets(Escaped, ("a", &["b", "c"]), ("ab", &["c"])));
    assert!(meets(Legacy, ("a", &["b"]), ("a.b", &["c"])));
}

#[test]
fn collisions_of_legacy_keys_are_seen() {
    let mut collisions = Collisions::default();
    let mut observe = |values: &str| {
        let mut tape = Tape::new();
        tape.parse(values.as_bytes()).expect("JSON");
        collisions.collides("s.x-y-z", tape.root().expect("a value").elements())
    };
    assert!(!observe(r#"["x-y","z"]"#));
    assert!(!observe(r#"["x-y","z"]"#));
    assert!(observe(r#"["x","y-z"]"#));
}

fn part() -> impl Strategy<Value = serde_json::Value> {
    prop_oneof![
        any::<i64>().prop_map(serde_json::Value::from),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<String>()
            .prop_filter("not empty", |text| !text.is_empty())
            .prop_map(serde_json::Value::from),
        "[ab.=_-]{1,4}".prop_map(serde_json::Value::from),
    ]
}

fn text_of(value: &serde_json::Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

#[test]
fn a_record_is_under_its_own_key_in_the_legacy_format() {
    let rules = rules(KeyFormat::Legacy, KeyFrom::Properties);
    for (properties, key, record, is_own) in [
        (&["id"][..], "s.1.50", r#"{"id":1.5}"#, true),
        (&["id"], "s.1.50", r#"{"id":"1.5"}"#, false),
        (&["id"], "s.1.50", r#"{"id":1.51}"#, false),
        (&["id"], "s.12_30", r#"{"id":"12:30"}"#, true),
        (&["a", "b"], "s.1.5-x", r#"{"a":1.5,"b":"x"}"#, true),
        // Where one part ends and the next begins is not told.
        (&["a", "b"], "s.1.50-x", r#"{"a":1.5,"b":"x"}"#, false),
    ] {
        let properties: Vec<_> = properties.iter().map(|it| (*it).to_owned()).collect();
        let writer = KeyWriter::new(&rules, "s", &properties).expect("a writer");
        let (mut tape, mut scratch) = (Tape::new(), Tape::new());
        tape.parse(record.as_bytes()).expect("JSON");
        let source = writer.source(key, tape.root().expect("a value"), &mut scratch);
        assert_eq!(source.is_some(), is_own, "{key} over {record}");
    }
}

/// A number of few digits in one of several spellings, or a text that looks like one.
fn spelled_part() -> impl Strategy<Value = String> {
    const SPELLINGS: &[&str] = &[
        "1",
        "1.0",
        "1.00",
        "10e-1",
        "1E0",
        "1.5",
        "1.50",
        "15e-1",
        "0.15e1",
        "-0",
        "0",
        "true",
        "null",
        "[1.50]",
        "[1.5]",
        r#""1.50""#,
        r#""1.5""#,
        r#""x""#,
        r#""1-1""#,
        r#""1,""#,
    ];
    prop::sample::select(SPELLINGS).prop_map(str::to_owned)
}

/// An object of the members k0, k1, …
fn object(parts: &[String]) -> String {
    let members = parts.iter().enumerate();
    let members = members.map(|(index, part)| format!(r#""k{index}":{part}"#));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

fn names(parts: &[String]) -> Vec<String> {
    (0..parts.len()).map(|index| format!("k{index}")).collect()
}

/// Whether a part of a key that spells `text` names the value of this JSON.
fn names_value(text: &str, json: &str) -> bool {
    let (mut value, mut spelled) = (Tape::new(), Tape::new());
    value.parse(json.as_bytes()).expect("JSON");
    let value = value.root().expect("a value");
    match value.as_str() {
        Some(value) => value == text,
        None => spelled.parse(text.as_bytes()).is_ok() && spelled.root().expect("a value") == value,
    }
}

proptest! {
    /// A record is under its own key whatever an encoding makes of its spelling, and under no key
    /// that names other values: so no foreign entry is taken for one of the stream.
    #[test]
    fn a_record_is_under_keys_that_name_its_values_and_under_no_other(
        named in prop::collection::vec(spelled_part(), 1..3),
        stored in prop::collection::vec(spelled_part(), 1..3),
        stream in prop::sample::select(&["s", "s.1", "t"][..]),
    ) {
        let rules = rules(KeyFormat::Escaped, KeyFrom::Properties);
        let properties = names(&named);
        let properties: Vec<_> = properties.iter().map(String::as_str).collect();
        let Ok(key) = key_of(&rules, stream, &properties, &object(&named)) else {
            return Ok(());
        };
        let mut texts: Vec<String> = named
            .iter()
            .map(|json| text_of(&serde_json::from_str(json).expect("JSON")))
            .collect();
        if stream == "s.1" {
            texts.insert(0, "1".to_owned());
        }
        let is_own = stream != "t"
            && texts.len() == stored.len()
            && texts.iter().zip(&stored).all(|(text, json)| names_value(text, json));
        let writer = KeyWriter::new(&rules, "s", &names(&stored)).expect("a writer");
        let (mut record, mut scratch) = (Tape::new(), Tape::new());
        record.parse(object(&stored).as_bytes()).expect("JSON");
        let source = writer.source(&key, record.root().expect("a value"), &mut scratch);
        prop_assert_eq!(source.is_some(), is_own, "{} over {:?}", key, stored);
        if let Some(source) = source {
            let mut again = String::new();
            writer.write(source, &mut again).expect("it has a key");
            prop_assert_eq!(again, key);
        }
    }

    /// A key is legal, and tells the stream and the parts that it was made of: so it is the key of
    /// no other.
    #[test]
    fn escaped_keys_are_legal_and_can_be_read_back(
        stream in prop_oneof![any::<String>(), "[ab.=]{1,6}"].prop_filter("not empty", |name| !name.is_empty()),
        parts in prop::collection::vec(part(), 1..4),
    ) {
        let names: Vec<_> = (0..parts.len()).map(|index| format!("k{index}")).collect();
        let record: serde_json::Map<_, _> = names.iter().cloned().zip(parts.clone()).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let rules = rules(KeyFormat::Escaped, KeyFrom::Properties);
        let key = key_of(&rules, &stream, &names, &serde_json::Value::Object(record).to_string());
        let key = key.expect("short values have keys");
        prop_assert!(is_legal(&key), "{key}");
        prop_assert!(!key.starts_with('.') && !key.ends_with('.') && !key.contains(".."), "{key}");
        let mut tokens: Vec<_> = key.rsplitn(parts.len() + 1, '.').map(escape::unescape).collect();
        tokens.reverse();
        prop_assert_eq!(&tokens[0], &stream);
        prop_assert_eq!(&tokens[1..], parts.iter().map(text_of).collect::<Vec<_>>());
    }
}
