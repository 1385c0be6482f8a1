//! The schema of a mapped stream, derived from the text of its expressions as the Meltano SDK does.

use serde_json::{Map, Value as JsonSchema, json};

use super::Description;
use super::definition::Definition;
use crate::expression::Expression;

/// Beginnings that tell the type of an expression, in the SDK.
const BEGINNINGS: &[(&str, &str, Option<&str>)] = &[
    ("float(", "number", None),
    ("int(", "integer", None),
    ("str(", "string", None),
    ("bool(", "boolean", None),
    ("json.dumps(", "string", None),
    ("datetime.date.", "string", Some("date")),
    ("datetime.date(", "string", Some("date")),
    ("datetime.datetime.", "string", Some("date-time")),
    ("datetime.datetime(", "string", Some("date-time")),
];

/// And those that can only be text, which the SDK gives the type of the property that they replace.
const HASHES: [&str; 3] = ["md5(", "sha256(", "sha512("];

/// The mapped stream, under its new name.
pub(super) fn of(
    stream: &Description,
    name: String,
    definition: &Definition,
) -> Result<Description, String> {
    let key_properties = match &definition.key_properties {
        Some(names) => names.clone(),
        None => stream.key_properties.clone(),
    };
    let no_properties = Map::new();
    let came = match stream.schema.get("properties") {
        Some(JsonSchema::Object(properties)) => properties,
        _ => &no_properties,
    };
    let mut properties = came.clone();
    if !definition.keeps_rest {
        properties.retain(|name, _| key_properties.contains(name));
    }
    for (property, expression) in &definition.properties {
        match expression {
            Some(expression) => {
                let before = properties.get(property);
                let schema = type_of(expression, before, came, &stream.schema);
                properties.insert(property.clone(), schema);
            }
            None if key_properties.contains(property) => {
                return Err(format!(
                    "its map leaves out the key property '{property}'; set __key_properties__ to \
                     other properties, or to null"
                ));
            }
            None => {
                properties.shift_remove(property);
            }
        }
    }
    let declared = |name: &String| properties.contains_key(name);
    if let Some(missing) = key_properties.iter().find(|name| !declared(name)) {
        return Err(format!(
            "its key property '{missing}' is not among the properties of the mapped stream"
        ));
    }
    let mut bookmark_properties = stream.bookmark_properties.clone();
    bookmark_properties.retain(|name| declared(name));
    Ok(Description {
        name,
        schema: with_properties(&stream.schema, properties, definition),
        key_properties,
        bookmark_properties,
    })
}

/// The schema with these properties in the place of its own. If only named properties are kept, so
/// is nothing else that the schema says but what properties may refer to.
fn with_properties(
    schema: &JsonSchema,
    properties: Map<String, JsonSchema>,
    definition: &Definition,
) -> JsonSchema {
    let mut mapped = match schema {
        JsonSchema::Object(members) => members.clone(),
        _ => Map::new(),
    };
    if !definition.keeps_rest {
        mapped.retain(|keyword, _| matches!(keyword.as_str(), "$schema" | "$defs" | "definitions"));
        mapped.insert("type".to_owned(), json!("object"));
    }
    if let Some(JsonSchema::Array(required)) = mapped.get_mut("required") {
        let left_out = |name: &JsonSchema| {
            let mut properties = definition.properties.iter();
            properties.any(|(other, expression)| expression.is_none() && name == other)
        };
        required.retain(|name| !left_out(name));
    }
    mapped.insert("properties".to_owned(), properties.into());
    JsonSchema::Object(mapped)
}

fn type_of(
    expression: &Expression,
    before: Option<&JsonSchema>,
    came: &Map<String, JsonSchema>,
    whole: &JsonSchema,
) -> JsonSchema {
    let text = expression.text();
    if matches!(text, "record" | "_") {
        return nullable(whole.clone());
    }
    if HASHES.iter().any(|beginning| text.starts_with(beginning)) {
        return json!({"type": ["string", "null"]});
    }
    let begins = |beginning: &str| text.starts_with(beginning);
    // What ends so is a date, unless a conversion is around it.
    let found = BEGINNINGS.iter().find(|(beginning, ..)| begins(beginning));
    let found = match found {
        Some((_, _, Some("date-time"))) | None if text.ends_with(".date()") => {
            Some(&("", "string", Some("date")))
        }
        found => found,
    };
    match found {
        Some((_, name, None)) => json!({"type": [name, "null"]}),
        Some((_, name, Some(format))) => json!({"type": [name, "null"], "format": format}),
        None => {
            let literal = text.starts_with('\'') && text.ends_with('\'');
            let known = before.or_else(|| came.get(text)).filter(|_| !literal);
            match known {
                Some(schema) => nullable(schema.clone()),
                None => json!({"type": ["string", "null"]}),
            }
        }
    }
}

/// A schema that allows null, too.
fn nullable(mut schema: JsonSchema) -> JsonSchema {
    let null = json!("null");
    let Some(members) = schema.as_object_mut() else {
        return schema;
    };
    for keyword in ["anyOf", "oneOf"] {
        if let Some(JsonSchema::Array(choices)) = members.get_mut(keyword) {
            if !choices.iter().any(allows_null) {
                choices.push(json!({"type": "null"}));
            }
            return schema;
        }
    }
    match members.get_mut("type") {
        Some(JsonSchema::Array(types)) if !types.contains(&null) => types.push(null),
        Some(JsonSchema::String(only)) if only != "null" => {
            let both = json!([only, "null"]);
            members.insert("type".to_owned(), both);
        }
        _ => {}
    }
    if let Some(JsonSchema::Array(values)) = members.get_mut("enum")
        && !values.contains(&JsonSchema::Null)
    {
        values.push(JsonSchema::Null);
    }
    schema
}

fn allows_null(schema: &JsonSchema) -> bool {
    match schema.get("type") {
        Some(JsonSchema::String(only)) => only == "null",
        Some(JsonSchema::Array(types)) => types.iter().any(|name| name == "null"),
        _ => false,
    }
}
