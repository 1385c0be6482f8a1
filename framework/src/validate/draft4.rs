//! Keywords of draft 4 in schemas that do not name it, as most taps send them.
//!
//! There, `exclusiveMinimum` and `exclusiveMaximum` are booleans beside `minimum` and `maximum`;
//! later drafts have them as numbers and refuse a boolean.

use std::borrow::Cow;

use serde_json::Value as JsonSchema;

/// The schema with draft 4's booleans replaced by what they mean in later drafts.
pub(super) fn modernised(schema: &JsonSchema) -> Cow<'_, JsonSchema> {
    if schema.get("$schema").is_some() || !has_boolean_bound(schema) {
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

fn has_boolean_bound(schema: &JsonSchema) -> bool {
    match schema {
        JsonSchema::Object(members) => {
            BOUNDS
                .iter()
                .any(|(name, _)| members.get(*name).is_some_and(JsonSchema::is_boolean))
                || members.values().any(has_boolean_bound)
        }
        JsonSchema::Array(elements) => elements.iter().any(has_boolean_bound),
        _ => false,
    }
}

fn replace(schema: &mut JsonSchema) {
    match schema {
        JsonSchema::Object(members) => {
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
            members.values_mut().for_each(replace);
        }
        JsonSchema::Array(elements) => elements.iter_mut().for_each(replace),
        _ => {}
    }
}
