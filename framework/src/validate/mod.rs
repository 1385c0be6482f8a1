//! Checking records against the schema of their stream.
//!
//! The schema is compiled once; `is_valid` decides, and only a record that fails is looked at
//! again to say why. Messages name places and rules, never the record's values.

mod draft4;
mod json;

use jsonschema::json::Json;
use serde_json::Value as JsonSchema;

use crate::value::Value;

/// How JSON Schema reads our values: see [`json`].
pub(crate) use json::TapeJson;

/// Of one record, no more problems than these are told.
const MAX_PROBLEMS: usize = 3;

/// A compiled schema.
#[derive(Debug)]
pub(crate) struct Validator(jsonschema::Validator<TapeJson>);

impl Validator {
    /// Compiles a schema. The draft is the one that `$schema` names, else 2020-12, with the
    /// keywords of draft 4 understood. Formats are not asserted; remote references are refused.
    pub(crate) fn new(schema: &JsonSchema) -> Result<Self, String> {
        let schema = draft4::modernised(schema);
        jsonschema::options_for::<TapeJson>()
            .should_validate_formats(false)
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
}
