use proptest::prelude::*;
use serde_json::json;

use super::*;

fn mapper(maps: JsonSchema) -> Mapper {
    let settings = MapSettings {
        stream_maps: Some(maps.as_object().expect("an object").clone()),
        ..MapSettings::default()
    };
    let mapper = Mapper::new(&settings, FlatteningSettings::default());
    mapper.expect("good settings").expect("something to do")
}

fn stream(properties: JsonSchema) -> Description {
    Description {
        name: "s".to_owned(),
        schema: json!({"type": "object", "properties": properties}),
        key_properties: vec!["id".to_owned()],
        bookmark_properties: vec!["id".to_owned(), "at".to_owned()],
    }
}

/// What is derived was taken from the SDK (`singer_sdk.mapper`, 0.54), but for the hashes.
#[test]
fn the_schema_is_derived_from_the_text_of_the_expressions() {
    let came = stream(json!({
        "id": {"type": "integer"}, "at": {"type": "string", "format": "date-time"},
        "any": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "one": {"oneOf": [{"type": "string"}]}, "free": {}, "list": {"type": ["array"]},
    }));
    let text = json!({"type": ["string", "null"]});
    let date = json!({"type": ["string", "null"], "format": "date"});
    let time = json!({"type": ["string", "null"], "format": "date-time"});
    let table = [
        ("x", "int(id)", json!({"type": ["integer", "null"]})),
        ("x", "float(id)", json!({"type": ["number", "null"]})),
        ("x", "str(id)", text.clone()),
        ("x", "bool(id)", json!({"type": ["boolean", "null"]})),
        ("x", "json.dumps(_)", text.clone()),
        ("x", "datetime.date.today()", date.clone()),
        ("x", "datetime.date(2024, 1, 1)", date.clone()),
        ("x", "datetime.datetime.fromisoformat(at).date()", date),
        ("x", "datetime.datetime.now()", time.clone()),
        ("x", "'text'", text.clone()),
        ("id", "'text'", text.clone()),
        ("x", "id", json!({"type": ["integer", "null"]})),
        ("x", "at", time.clone()),
        ("at", "at + 'Z'", time),
        ("id", "id + 1", json!({"type": ["integer", "null"]})),
        ("x", "id + 1", text.clone()),
        (
            "x",
            "any",
            json!({"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ),
        (
            "x",
            "one",
            json!({"oneOf": [{"type": "string"}, {"type": "null"}]}),
        ),
        ("x", "free", json!({})),
        ("x", "list", json!({"type": ["array", "null"]})),
        ("id", "md5(str(id))", text),
    ];
    for (property, expression, expected) in table {
        let outputs = mapper(json!({"s": {property: expression}})).outputs(came.clone());
        let outputs = outputs.expect("they go together");
        let schema = &outputs[0].stream.schema["properties"][property];
        assert_eq!(*schema, expected, "{property}: {expression}");
    }
    let outputs = mapper(json!({"s": {"x": "record"}})).outputs(came.clone());
    let whole = outputs.expect("they go together")[0].stream.schema["properties"]["x"].clone();
    assert_eq!(whole["type"], json!(["object", "null"]));
    assert_eq!(whole["properties"], came.schema["properties"]);
}

#[test]
fn what_is_left_out_is_no_longer_required_nor_a_bookmark() {
    let mut came = stream(json!({"id": {"type": "integer"}, "at": {"type": "string"}, "b": {}}));
    came.schema["required"] = json!(["id", "at"]);
    came.schema["$defs"] = json!({"d": {}});
    let outputs = mapper(json!({"s": {"at": null}})).outputs(came.clone());
    let mapped = &outputs.expect("they go together")[0].stream;
    assert_eq!(mapped.schema["required"], json!(["id"]));
    assert_eq!(mapped.bookmark_properties, ["id"]);
    let outputs = mapper(json!({"s": {"b": "b", "__else__": null}})).outputs(came);
    let mapped = &outputs.expect("they go together")[0].stream;
    let expected = json!({"type": "object", "$defs": {"d": {}},
        "properties": {"id": {"type": "integer"}, "b": {}}});
    assert_eq!(mapped.schema, expected);
}

/// What a map makes of a record.
fn map(maps: JsonSchema, record: &str) -> String {
    let came = stream(json!({"id": {}}));
    let outputs = mapper(maps).outputs(came).expect("they go together");
    let transform = outputs[0].transform.as_ref().expect("a map");
    let record = Tape::parsed(record);
    let mut tapes = Tapes::default();
    let mapped = transform.apply(record.root().expect("a record"), &mut tapes);
    mapped.expect("valid").expect("wanted").to_json()
}

#[test]
fn properties_keep_their_place() {
    let record = r#"{"b":1,"id":2,"a":3}"#;
    for (definition, expected) in [
        (
            json!({"a": "b", "new": "a", "b": null}),
            r#"{"id":2,"a":1,"new":3}"#,
        ),
        (json!({"a": "a", "__else__": null}), r#"{"id":2,"a":3}"#),
        (
            json!({"c": "a", "id": "b", "__else__": "__NULL__"}),
            r#"{"id":1,"c":3}"#,
        ),
        (
            json!({"a": "[a, {'x': a}]"}),
            r#"{"b":1,"id":2,"a":[3,{"x":3}]}"#,
        ),
    ] {
        let mapped = map(json!({"s": definition.clone()}), record);
        assert_eq!(mapped, expected, "{definition}");
    }
}

#[test]
fn what_would_be_nested_too_deep_is_refused() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let outputs = mapper(json!({"s": {"x": "[[[deep]]]"}})).outputs(stream(json!({"id": {}})));
    let transform = outputs.expect("they go together")[0]
        .transform
        .clone()
        .expect("a map");
    let apply = |levels: usize| {
        let record = Tape::parsed(&format!(r#"{{"deep":{}}}"#, nested(levels)));
        let record = record.root().expect("a record");
        transform
            .apply(record, &mut Tapes::default())
            .map(|mapped| mapped.is_some())
    };
    assert_eq!(apply(Tape::MAX_DEPTH - 4), Ok(true));
    let told = apply(Tape::MAX_DEPTH - 3).expect_err("too deep");
    assert!(told.contains("'x': gives more than 128 levels"), "{told}");
}

#[test]
fn settings_that_ask_for_nothing_make_no_mapper() {
    for maps in [None, Some(json!({}))] {
        let settings = MapSettings {
            stream_maps: maps.map(|maps| maps.as_object().expect("an object").clone()),
            ..MapSettings::default()
        };
        let made = Mapper::new(&settings, FlatteningSettings::default()).expect("good settings");
        assert!(made.is_none());
    }
    let outputs = mapper(json!({"*": {}})).outputs(stream(json!({"id": {}})));
    assert!(outputs.expect("they go together")[0].transform.is_none());
}

/// A record, as compact JSON.
fn records() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        "-?[1-9][0-9]{0,40}(\\.[0-9]{1,40})?(e[-+]?[0-9]{1,3})?",
        any::<String>().prop_map(|text| json!(text).to_string()),
    ];
    let value = scalar.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5)
                .prop_map(|values| format!("[{}]", values.join(","))),
            members(inner),
        ]
    });
    members(value)
}

fn members(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    prop::collection::btree_map(any::<String>(), value, 0..6).prop_map(|members| {
        let member = |(name, value): (String, String)| format!("{}:{value}", json!(name));
        let members: Vec<String> = members.into_iter().map(member).collect();
        format!("{{{}}}", members.join(","))
    })
}

proptest! {
    #[test]
    fn a_map_that_changes_nothing_changes_nothing(record in records()) {
        let came = Tape::parsed(&record).root().expect("a record").to_json();
        prop_assert_eq!(map(json!({"s": {"__filter__": "True"}}), &record), came.clone());
        let copied = map(json!({"s": {"\u{0}copy": "_"}}), &record);
        let end = ["\"\\u0000copy\":", &came, "}"].concat();
        prop_assert!(copied.ends_with(&end));
    }

    #[test]
    fn no_text_breaks_the_parser(text in "[-a-z0-9'\"\\\\{}()\\[\\]. +*/%<>=!,:_fé]{0,60}") {
        let _ = crate::expression::Expression::parse(&text);
    }
}
