//! Keywords of draft 4 in schemas that do not name it, as most taps send them.
//!
//! There, `exclusiveMinimum` and `exclusiveMaximum` are booleans beside `minimum` and `maximum`,
//! and `items` may be a list with `additionalItems` behind it; later drafts refuse both.

use std::borrow::Cow;

use serde_json::{Map, Value as JsonSchema};

/// The schema with what only draft 4 understands replaced by what it means in later drafts.
pub(super) fn modernised(schema: &JsonSchema) -> Cow<'_, JsonSchema> {
    if schema.get("$schema").is_some() || !is_old(schema) {
        return Cow::Borrowed(schema);
    }
    let mut schema = schema.clone();
    replace(&mut schema);
    Cow::Owned(schema)
}

const BOUNDS: [(&str, &str); 2] = [
    ("exclusiveMinimum", "minimum"),
    ("exclusiveMaximum", "maximum"),
];

/// Keywords under which names stand, and only below them schemas.
const NAMED: [&str; 6] = [
    "properties",
    "patternProperties",
    "definitions",
    "$defs",
    "dependencies",
    "dependentSchemas",
];

/// Keywords under which data stand, whatever they look like.
const DATA: [&str; 4] = ["enum", "const", "default", "examples"];

fn is_old(schema: &JsonSchema) -> bool {
    let JsonSchema::Object(members) = schema else {
        let elements = schema.as_array();
        return elements.is_some_and(|elements| elements.iter().any(is_old));
    };
    let has_boolean = |name: &str| members.get(name).is_some_and(JsonSchema::is_boolean);
    BOUNDS.iter().any(|(name, _)| has_boolean(name))
        || members.get("items").is_some_and(JsonSchema::is_array)
        || members.iter().any(|(keyword, value)| match value {
            _ if DATA.contains(&keyword.as_str()) => false,
            JsonSchema::Object(named) if NAMED.contains(&keyword.as_str()) => {
                named.values().any(is_old)
            }
            _ => is_old(value),
        })
}

fn replace(schema: &mut JsonSchema) {
    match schema {
        JsonSchema::Object(members) => {
            replace_bounds(members);
            replace_items(members);
            for (keyword, value) in members {
                match value {
                    _ if DATA.contains(&keyword.as_str()) => {}
                    JsonSchema::Object(named) if NAMED.contains(&keyword.as_str()) => {
                        named.values_mut().for_each(replace);
                    }
                    _ => replace(value),
                }
            }
        }
        JsonSchema::Array(elements) => elements.iter_mut().for_each(replace),
        _ => {}
    }
}

fn replace_bounds(members: &mut Map<String, JsonSchema>) {
    for (exclusive, inclusive) in BOUNDS {
        match members.get(exclusive).and_then(JsonSchema::as_bool) {
            Some(true) => {
                members.remove(exclusive);
                if let Some(limit) = members.remove(inclusive) {
                    members.insert(exclusive.to_owned(), limit);
                }
            }
            Some(false) => {
                members.remove(exclusive);
            }
            None => {}
        }
    }
}

fn replace_items(members: &mut Map<String, JsonSchema>) {
    if !members.get("items").is_some_and(JsonSchema::is_array) {
        return;
    }
    if let Some(items) = members.remove("items") {
        members.insert("prefixItems".to_owned(), items);
    }
    if let Some(rest) = members.remove("additionalItems") {
        members.insert("items".to_owned(), rest);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keywords_are_replaced_and_nothing_that_only_looks_like_one() {
        for (old, new) in [
            (
                json!({"minimum": 1, "exclusiveMinimum": true}),
                json!({"exclusiveMinimum": 1}),
            ),
            (
                json!({"maximum": 1, "exclusiveMaximum": false}),
                json!({"maximum": 1}),
            ),
            (
                json!({"properties": {"a": {"anyOf": [{"minimum": 1, "exclusiveMinimum": true}]}}}),
                json!({"properties": {"a": {"anyOf": [{"exclusiveMinimum": 1}]}}}),
            ),
            (
                json!({"items": [{"type": "null"}], "additionalItems": false}),
                json!({"prefixItems": [{"type": "null"}], "items": false}),
            ),
        ] {
            assert_eq!(*modernised(&old), new, "{old}");
        }
        for same in [
            // Properties of these names.
            json!({"properties": {"exclusiveMinimum": true, "minimum": {}}}),
            json!({"properties": {"items": {"type": "array"}, "enum": {}}}),
            // Data that look like a schema.
            json!({"enum": [{"items": []}], "default": {"exclusiveMinimum": true}}),
            json!({"exclusiveMinimum": 1, "items": {}}),
            // A schema that says of which draft it is.
            json!({"$schema": "http://json-schema.org/draft-04/schema#",
                "minimum": 1, "exclusiveMinimum": true}),
        ] {
            assert!(matches!(modernised(&same), Cow::Borrowed(_)), "{same}");
        }
    }
}
