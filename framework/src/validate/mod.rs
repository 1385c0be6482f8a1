//! Checking records against the schema of their stream.
//!
//! The schema is compiled once; `is_valid` decides, and only a record that fails is looked at
//! again to say why. Messages name places and rules, never the record's values.

mod draft4;
mod json;

use jsonschema::json::Json;
use jsonschema::{Retrieve, Uri};
use serde_json::Value as JsonSchema;

use crate::error::BoxError;
use crate::value::Value;

/// How JSON Schema reads our values: see [`json`].
pub(crate) use json::TapeJson;

/// Of one record, no more problems than these are told.
const MAX_PROBLEMS: usize = 3;

/// What a schema refers to must stand in it. A schema comes with the data, and what a tap sends
/// shall not make us open a file or a connection.
struct Nowhere;

impl Retrieve for Nowhere {
    fn retrieve(&self, _: &Uri<String>) -> Result<JsonSchema, BoxError> {
        Err(
            "references to other documents are not followed; put what it refers to under $defs, \
             and refer to it as #/$defs/NAME"
                .into(),
        )
    }
}

/// A compiled schema.
#[derive(Debug)]
pub(crate) struct Validator(jsonschema::Validator<TapeJson>);

impl Validator {
    /// Compiles a schema. The draft is the one that `$schema` names, else 2020-12, with the
    /// keywords of draft 4 understood. Formats are not asserted; remote references are refused.
    #[cfg(any(test, feature = "conformance"))]
    pub(crate) fn new(schema: &JsonSchema) -> Result<Self, String> {
        Self::compile(schema, false)
    }

    /// The same; `formats` says whether they are asserted. Those that JSON Schema does not define,
    /// such as `singer.decimal`, never are.
    pub(crate) fn compile(schema: &JsonSchema, formats: bool) -> Result<Self, String> {
        let schema = draft4::modernised(schema);
        jsonschema::options_for::<TapeJson>()
            .should_validate_formats(formats)
            .should_ignore_unknown_formats(true)
            .with_retriever(Nowhere)
            .build(&schema)
            .map(Self)
            .map_err(|error| at(error.instance_path().as_str(), &error.masked().to_string()))
    }

    /// What is wrong with a record, or `None` if it is valid.
    pub(crate) fn problem(&self, record: Value<'_>) -> Option<String> {
        if self.0.is_valid(record) {
            return None;
        }
        let mut problems: Vec<String> = self
            .0
            .iter_errors(record)
            .take(MAX_PROBLEMS + 1)
            .map(|error| at(error.instance_path().as_str(), &error.masked().to_string()))
            .collect();
        if problems.len() > MAX_PROBLEMS {
            problems.truncate(MAX_PROBLEMS);
            problems.push("and more".to_owned());
        }
        Some(problems.join("; "))
    }
}

fn at(pointer: &str, problem: &str) -> String {
    if pointer.is_empty() {
        problem.to_owned()
    } else {
        format!("at {pointer}: {problem}")
    }
}

const _: () = {
    const fn assert_json<J: Json>() {}
    assert_json::<TapeJson>();
};

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::value::Tape;

    fn problem(schema: &JsonSchema, record: &str) -> Option<String> {
        let tape = Tape::parsed(record);
        Validator::new(schema)
            .expect("a valid schema")
            .problem(tape.root().expect("a value"))
    }

    #[test]
    fn problems_name_the_place_and_the_rule_but_no_value() {
        let schema = json!({"type": "object", "required": ["id"], "properties": {
            "id": {"type": "integer"}, "a": {"properties": {"b": {"maxLength": 2}}}}});
        assert_eq!(problem(&schema, r#"{"id":1,"a":{"b":"xy"}}"#), None);
        let told = problem(&schema, r#"{"id":"secret","a":{"b":"secret"}}"#).expect("invalid");
        assert!(
            told.contains("at /id: value is not of type \"integer\""),
            "{told}"
        );
        assert!(told.contains("at /a/b"), "{told}");
        assert!(!told.contains("secret"), "{told}");
        assert!(
            problem(&schema, "{}")
                .expect("invalid")
                .contains("\"id\" is a required property")
        );
    }

    #[test]
    fn numbers_are_checked_exactly() {
        for (schema, valid, invalid) in [
            (json!({"type": "integer"}), "1.0", "1.5"),
            (
                json!({"type": "integer"}),
                "123456789012345678901234567890",
                "1e-1",
            ),
            (
                json!({"$schema": "http://json-schema.org/draft-04/schema#", "type": "integer"}),
                "1.0",
                "1.1",
            ),
            (json!({"multipleOf": 0.01}), "1.10", "1.101"),
            (
                json!({"maximum": 9007199254740993u64}),
                "9007199254740993",
                "9007199254740994",
            ),
            (json!({"minimum": 0, "exclusiveMinimum": true}), "0.1", "0"),
            (json!({"enum": [1.5, "x"]}), "1.50", "1.51"),
            (json!({"const": 100}), "1e2", "1e3"),
        ] {
            assert_eq!(problem(&schema, valid), None, "{schema} {valid}");
            assert!(problem(&schema, invalid).is_some(), "{schema} {invalid}");
        }
        let tiny: JsonSchema = serde_json::from_str(r#"{"multipleOf": 1e-38}"#).expect("JSON");
        assert_eq!(problem(&tiny, "1.5"), None);
        let big: JsonSchema =
            serde_json::from_str(r#"{"maximum": 123456789012345678901234567890}"#).expect("JSON");
        assert_eq!(problem(&big, "123456789012345678901234567890"), None);
        assert!(problem(&big, "123456789012345678901234567891").is_some());
    }

    #[test]
    fn other_keywords_see_our_values() {
        for (schema, valid, invalid) in [
            (json!({"uniqueItems": true}), "[1,2]", "[1,1.0]"),
            (
                json!({"propertyNames": {"maxLength": 1}}),
                r#"{"a":1}"#,
                r#"{"ab":1}"#,
            ),
            (json!({"minLength": 2}), r#""é\n""#, r#""é""#),
            (
                json!({"additionalProperties": false, "properties": {"a": {}}}),
                r#"{"a":1}"#,
                r#"{"b":1}"#,
            ),
            (
                json!({"$ref": "#/$defs/x", "$defs": {"x": {"type": "null"}}}),
                "null",
                "1",
            ),
            (
                json!({"definitions": {"x": {"type": "null"}}, "properties": {"a": {"$ref": "#/definitions/x"}}}),
                r#"{"a":null}"#,
                r#"{"a":1}"#,
            ),
            (
                json!({"anyOf": [{"type": "string"}, {"type": "null"}]}),
                "null",
                "true",
            ),
            (json!({"format": "date-time"}), r#""no date""#, "0"),
        ] {
            assert_eq!(problem(&schema, valid), None, "{schema} {valid}");
            if schema.get("format").is_none() {
                assert!(problem(&schema, invalid).is_some(), "{schema} {invalid}");
            }
        }
    }

    #[test]
    fn bad_schemas_are_refused() {
        for schema in [
            json!({"type": "no such type"}),
            json!({"$ref": "https://example.com/schema.json"}),
            json!({"properties": {"a": {"minLength": -1}}}),
            json!({"pattern": "("}),
        ] {
            assert!(Validator::new(&schema).is_err(), "{schema}");
        }
    }

    #[test]
    fn references_lead_nowhere_else() {
        for reference in [
            "https://example.com/schema.json",
            "http://127.0.0.1:1/schema.json#/definitions/a",
            "file:///etc/hostname",
        ] {
            let schema = json!({"properties": {"a": {"$ref": reference}}});
            let error = Validator::new(&schema).expect_err("refused");
            let told = "references to other documents are not followed";
            assert!(error.contains(told) && error.contains("$defs"), "{error}");
        }
        for reference in ["other.json", "#/$defs/missing"] {
            let schema = json!({"$ref": reference});
            let error = Validator::new(&schema).expect_err("refused");
            assert!(error.contains(reference.trim_start_matches("#")), "{error}");
        }
        // Relative to an id of its own.
        let schema = json!({"$id": "https://example.com/root.json", "$ref": "#/$defs/x",
            "$defs": {"x": {"type": "null"}}});
        assert_eq!(problem(&schema, "null"), None);
        assert!(problem(&schema, "1").is_some());
        // A tree.
        let schema =
            json!({"type": "object", "properties": {"children": {"items": {"$ref": "#"}}}});
        assert_eq!(problem(&schema, r#"{"children":[{"children":[]}]}"#), None);
        assert!(problem(&schema, r#"{"children":[{"children":[1]}]}"#).is_some());
    }

    #[test]
    fn formats_are_asserted_when_asked_for() {
        for (format, valid, invalid) in [
            ("date-time", "2024-02-29T12:00:00Z", "2024-02-30T12:00:00Z"),
            ("date", "2024-02-29", "29.2.2024"),
            ("email", "a@example.com", "nobody"),
            ("ipv4", "127.0.0.1", "127.0.0.256"),
            ("uuid", "123e4567-e89b-12d3-a456-426614174000", "123e4567"),
            ("uri", "https://example.com/", "example"),
        ] {
            for draft in [
                None,
                Some("http://json-schema.org/draft-04/schema#"),
                Some("http://json-schema.org/draft-07/schema#"),
            ] {
                // Draft 4 has neither.
                if matches!(format, "date" | "uuid") && draft.is_some() {
                    continue;
                }
                let mut schema = json!({"format": format});
                if let Some(draft) = draft {
                    schema["$schema"] = draft.into();
                }
                let formats = Validator::compile(&schema, true).expect("valid");
                let check = |text: &str| {
                    let mut tape = Tape::new();
                    formats.problem(tape.set_string(text))
                };
                assert_eq!(check(valid), None, "{schema}");
                let told = check(invalid).expect("invalid");
                assert!(told.contains(format) && !told.contains(invalid), "{told}");
                let as_text = json!(invalid).to_string();
                assert_eq!(problem(&schema, &as_text), None, "{schema}");
            }
        }
        let unknown = json!({"format": "singer.decimal", "type": "string"});
        let formats = Validator::compile(&unknown, true).expect("valid");
        assert_eq!(formats.problem(Tape::new().set_string("1.5")), None);
    }

    #[test]
    fn the_draft_is_the_one_that_the_schema_names() {
        let draft = |number: &str| format!("http://json-schema.org/draft-{number}/schema#");
        for (schema, valid, invalid) in [
            // `const` came with draft 6.
            (json!({"$schema": draft("04"), "const": 1}), "2", None),
            (json!({"$schema": draft("06"), "const": 1}), "1", Some("2")),
            // `if` came with draft 7.
            (
                json!({"$schema": draft("06"), "if": true, "then": false}),
                "1",
                None,
            ),
            (
                json!({"$schema": draft("07"), "if": true, "else": false}),
                "1",
                None,
            ),
            (
                json!({"$schema": draft("07"), "if": false, "else": false}),
                "",
                Some("1"),
            ),
            // What stands beside a reference counts since 2019-09.
            (
                json!({"$schema": draft("07"), "definitions": {"x": {}}, "$ref": "#/definitions/x", "type": "null"}),
                "1",
                None,
            ),
            (
                json!({"$schema": "https://json-schema.org/draft/2019-09/schema", "$defs": {"x": {}}, "$ref": "#/$defs/x", "type": "null"}),
                "null",
                Some("1"),
            ),
            // Without a word, 2020-12, and what only draft 4 understands.
            (
                json!({"prefixItems": [{"type": "null"}]}),
                "[null]",
                Some("[1]"),
            ),
            (
                json!({"items": [{"type": "null"}], "additionalItems": false}),
                "[null]",
                Some("[null,1]"),
            ),
            (
                json!({"dependencies": {"a": ["b"]}}),
                r#"{"a":1,"b":1}"#,
                Some(r#"{"a":1}"#),
            ),
        ] {
            if !valid.is_empty() {
                assert_eq!(problem(&schema, valid), None, "{schema} {valid}");
            }
            if let Some(invalid) = invalid {
                assert!(problem(&schema, invalid).is_some(), "{schema} {invalid}");
            }
        }
        let unknown = json!({"$schema": "https://example.com/my-own-draft"});
        let error = Validator::new(&unknown).expect_err("refused");
        assert!(error.contains("my-own-draft"), "{error}");
    }
}
