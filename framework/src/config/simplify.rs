//! Generated schemas, made plain.
//!
//! What schemars writes for a Rust type is right, but says things that mean nothing to whoever
//! sets a setting: the width of an integer, the null of an `Option`, an enum as alternatives. All
//! that is derived from a setting reads the plain form.

use serde_json::{Map, Value};

use super::schema::Choice;

/// One property's schema, plain.
pub(super) fn property(schema: Value) -> Value {
    let Value::Object(mut schema) = schema else {
        return Value::Object(Map::new());
    };
    drop_null(&mut schema);
    drop_number_formats(&mut schema);
    merge_enum(&mut schema);
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
    if schema.contains_key("description") {
        let text = text(schema.get("description"));
        schema.insert("description".to_owned(), text.into());
    }
    Value::Object(schema)
}

/// `Option<T>`: a null is the same as not setting it.
fn drop_null(schema: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    if let Some(Value::Array(alternatives)) = schema.get_mut("anyOf") {
        alternatives.retain(|alternative| alternative["type"] != "null");
        if let [Value::Object(only)] = alternatives.as_slice() {
            let only = only.clone();
            schema.remove("anyOf");
            for (keyword, value) in only {
                // The field's own words win over those of its type.
                schema.entry(keyword).or_insert(value);
            }
        }
    }
}

/// `uint64`, `double` and the like, at any depth.
fn drop_number_formats(schema: &mut Map<String, Value>) {
    let numeric = |name: &Value| name == "integer" || name == "number";
    if schema.get("type").is_some_and(numeric) {
        schema.remove("format");
    }
    for keyword in ["items", "additionalProperties"] {
        if let Some(Value::Object(inner)) = schema.get_mut(keyword) {
            drop_number_formats(inner);
        }
    }
    if let Some(Value::Array(alternatives)) = schema.get_mut("anyOf") {
        for alternative in alternatives.iter_mut().filter_map(Value::as_object_mut) {
            drop_number_formats(alternative);
        }
    }
}

/// An enum whose variants have doc comments: `enum`, with the texts in `enumDescriptions`, a
/// keyword that editors show.
fn merge_enum(schema: &mut Map<String, Value>) {
    let Some(Value::Array(alternatives)) = schema.get("oneOf") else {
        return;
    };
    let mut values = Vec::new();
    let mut texts = Vec::new();
    for alternative in alternatives {
        match (&alternative["const"], &alternative["enum"]) {
            (value @ Value::String(_), _) => {
                values.push(value.clone());
                texts.push(Value::String(text(alternative.get("description"))));
            }
            (_, Value::Array(several)) => {
                values.extend_from_slice(several);
                texts.resize(values.len(), Value::String(String::new()));
            }
            _ => return,
        }
    }
    schema.remove("oneOf");
    schema.insert("type".to_owned(), "string".into());
    schema.insert("enum".to_owned(), values.into());
    schema.insert("enumDescriptions".to_owned(), texts.into());
}

/// The values of an enum.
pub(super) fn choices(schema: &Value) -> Vec<Choice> {
    let Value::Array(values) = &schema["enum"] else {
        return Vec::new();
    };
    let values = values.iter().enumerate();
    values
        .filter_map(|(index, value)| {
            Some(Choice {
                value: value.as_str()?.to_owned(),
                description: text(schema["enumDescriptions"].get(index)),
            })
        })
        .collect()
}

/// The JSON types that the schema allows.
pub(super) fn types(schema: &Value) -> Vec<String> {
    let own = match &schema["type"] {
        Value::String(name) => vec![name.clone()],
        Value::Array(names) => names
            .iter()
            .filter_map(|name| Some(name.as_str()?.to_owned()))
            .collect(),
        _ => Vec::new(),
    };
    let alternatives = ["anyOf", "oneOf"]
        .iter()
        .filter_map(|keyword| schema[keyword].as_array())
        .flatten()
        .flat_map(types);
    let mut all = own;
    for name in alternatives {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all
}

/// A doc comment with its line breaks undone: only paragraphs and list items stand on their own.
pub(super) fn text(description: Option<&Value>) -> String {
    let mut flowed = String::new();
    let source = description.and_then(Value::as_str).unwrap_or_default();
    for line in source.lines().map(str::trim) {
        let item = line.starts_with("- ");
        if line.is_empty() {
            flowed.push_str("\n\n");
        } else if item && !flowed.is_empty() && !flowed.ends_with('\n') {
            flowed.push('\n');
            flowed.push_str(line);
        } else {
            if !flowed.is_empty() && !flowed.ends_with('\n') {
                flowed.push(' ');
            }
            flowed.push_str(line);
        }
    }
    flowed
}
