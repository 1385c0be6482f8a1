//! Schemas and records beside what singer-sdk 0.54.9 (`helpers/_flattening.py`) makes of them.

use super::*;

fn settings(given: JsonSchema) -> FlatteningSettings {
    serde_json::from_value(given).expect("settings")
}

fn enabled(depth: usize) -> FlatteningSettings {
    settings(json!({"flattening_enabled": true, "flattening_max_depth": depth}))
}

fn check(settings: &FlatteningSettings, schema: &str, flat: &str, records: &[(&str, &str)]) {
    let schema: JsonSchema = serde_json::from_str(schema).expect("JSON");
    let schema = json!({"properties": schema});
    let (flattening, flattened) = Flattening::new(settings, &schema)
        .expect("no two of a name")
        .expect("enabled");
    assert_eq!(flattened["properties"].to_string(), flat);
    let mut into = Tape::new();
    for (record, expected) in records {
        let record = Tape::parsed(record);
        flattening.apply(record.value(0), &mut into);
        assert_eq!(into.value(0).to_json(), *expected);
        // What is flat stays as it is.
        let mut again = Tape::new();
        flattening.apply(into.value(0), &mut again);
        assert_eq!(again.value(0), into.value(0));
    }
}

#[test]
fn schemas_and_records_are_flattened_as_the_sdk_does_it() {
    check(
        &enabled(1),
        r#"{"id":{"type":"integer"},"a":{"type":"object","properties":{"b":{"type":"integer"},"c":{"type":["object","null"],"properties":{"d":{"type":"string"}}}}},"l":{"type":["array","null"]},"o":{"type":"object"}}"#,
        r#"{"id":{"type":"integer"},"a__b":{"type":"integer"},"a__c":{"type":["string","null"]},"l":{"type":["string","null"]},"o":{"type":"string"}}"#,
        &[
            (
                r#"{"id":1,"a":{"b":2.50,"c":{"d":"x"}},"l":[1,{"z":null}],"o":{"p":{"q":1}}}"#,
                r#"{"id":1,"a__b":2.50,"a__c":"{\"d\":\"x\"}","l":"[1,{\"z\":null}]","o":"{\"p\":{\"q\":1}}"}"#,
            ),
            (
                r#"{"id":1,"a":null,"l":null,"new":{"x":{"y":1}}}"#,
                r#"{"id":1,"a":null,"l":null,"new__x":"{\"y\":1}"}"#,
            ),
            (r#"{"a":{}}"#, "{}"),
            // Of two members of one name the later wins.
            (r#"{"a__b":1,"a":{"b":2}}"#, r#"{"a__b":2}"#),
        ],
    );
    check(
        &enabled(2),
        r#"{"a":{"type":"object","properties":{"b":{"type":"object","properties":{"c":{"type":"object","properties":{"d":{"type":"integer"}}}}}}}}"#,
        r#"{"a__b__c":{"type":"string"}}"#,
        &[(r#"{"a":{"b":{"c":{"d":1}}}}"#, r#"{"a__b__c":"{\"d\":1}"}"#)],
    );
}

#[test]
fn of_choices_the_first_decides() {
    check(
        &enabled(2),
        r#"{"a":{"anyOf":[{"type":"object"},{"type":"null"}]},"b":{"anyOf":[{"type":"null"},{"type":"object"}]},"c":{"oneOf":[{"type":"string"},{"type":"null"}]},"d":{}}"#,
        // The SDK has no schema here that the text would match.
        r#"{"a":{},"c":{"oneOf":[{"type":"string"},{"type":"null"}]},"d":{}}"#,
        &[(
            r#"{"a":{"x":1},"b":{"x":1}}"#,
            r#"{"a":"{\"x\":1}","b__x":1}"#,
        )],
    );
}

#[test]
fn separator_and_length_of_names_can_be_chosen() {
    let schema = r#"{"fooBar":{"type":"object","properties":{"customer_name":{"type":"object","properties":{"x":{"type":"string"}}}}}}"#;
    let record = r#"{"fooBar":{"customer_name":{"x":"y"}}}"#;
    for (changed, name) in [
        (
            json!({"flattening_separator": "."}),
            "fooBar.customer_name.x",
        ),
        (json!({"flattening_max_key_length": 12}), "fb__cn__x"),
        (
            json!({"flattening_max_key_length": 24}),
            "fb__customer_name__x",
        ),
    ] {
        let mut all = json!({"flattening_enabled": true, "flattening_max_depth": 5});
        for (name, value) in changed.as_object().expect("an object") {
            all[name] = value.clone();
        }
        check(
            &settings(all),
            schema,
            &json!({name: {"type": "string"}}).to_string(),
            &[(record, &json!({name: "y"}).to_string())],
        );
    }
}

#[test]
fn names_are_shortened_as_the_sdk_does_it() {
    for (name, short) in [
        ("foo", "foo"),
        ("foobar", "foo"),
        ("fooBar", "fb"),
        ("foo_bar_baz", "fbb"),
        ("_foo", "_fo"),
        ("__x", "_x"),
        ("a_b_", "ab_"),
        ("ABC", "abc"),
        ("fooBAR2", "fbar2"),
        ("é_ü", "éü"),
        ("foo__bar", "f_"),
        ("x-y", "x-"),
        ("Foo Bar", "f b"),
        ("a1_2b", "a12"),
        ("_", "_"),
        ("", ""),
    ] {
        assert_eq!(shortened(name), short, "{name}");
    }
}

#[test]
fn two_properties_of_one_name_are_refused() {
    let schema = json!({"required": ["a", "a__b"], "properties": {
        "a": {"type": "object", "properties": {"b": {}}}, "a__b": {}}});
    let error = Flattening::new(&enabled(1), &schema).expect_err("refused");
    assert!(error.contains("'a__b'"), "{error}");
    let off = Flattening::new(&FlatteningSettings::default(), &schema);
    assert!(off.expect("nothing to do").is_none());
    assert!(
        Flattening::new(&enabled(0), &schema)
            .expect("off")
            .is_none()
    );
}

#[test]
fn only_properties_that_are_left_can_be_required() {
    let schema = json!({"required": ["id", "a"], "properties": {
        "id": {}, "a": {"type": "object", "properties": {"b": {}}}}});
    let (_, flat) = Flattening::new(&enabled(1), &schema)
        .expect("no two of a name")
        .expect("enabled");
    assert_eq!(flat["required"], json!(["id"]));
}
