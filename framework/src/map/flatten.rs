//! Flattening: the members of nested objects become properties of the record, as the Meltano SDK
//! makes them.
//!
//! `{"a":{"b":1}}` becomes `{"a__b":1}`. Objects below the greatest depth and all arrays become
//! JSON text.

use std::collections::HashSet;

use serde_json::{Map, Value as JsonSchema, json};

use crate::config::FlatteningSettings;
use crate::value::{Tape, Value, ValueKind};

/// Flattens the records of one stream.
#[derive(Debug)]
pub(super) struct Flattening {
    settings: FlatteningSettings,
    /// The properties of the flattened schema: an object that is one of them stays in one piece.
    properties: HashSet<String>,
}

impl Flattening {
    /// The flattening of a stream's records, with the schema that they follow afterwards; `None` if
    /// the settings ask for none.
    ///
    /// # Errors
    /// If two properties would have the same name.
    pub(super) fn new(
        settings: &FlatteningSettings,
        schema: &JsonSchema,
    ) -> Result<Option<(Self, JsonSchema)>, String> {
        if settings.depth() == 0 {
            return Ok(None);
        }
        let mut flat = Map::new();
        flatten_schema(settings, schema, &mut Vec::new(), &mut flat)?;
        let flattening = Self {
            settings: settings.clone(),
            properties: flat.keys().cloned().collect(),
        };
        let mut schema = schema.clone();
        if let Some(members) = schema.as_object_mut() {
            if let Some(JsonSchema::Array(required)) = members.get_mut("required") {
                let is_there =
                    |it: &JsonSchema| it.as_str().is_some_and(|it| flat.contains_key(it));
                required.retain(is_there);
            }
            members.insert("properties".to_owned(), flat.into());
        }
        Ok(Some((flattening, schema)))
    }

    /// Replaces the contents of `into` with the flattened `record`.
    pub(super) fn apply(&self, record: Value<'_>, into: &mut Tape) {
        into.clear();
        let open = into.open_object();
        let mut first = true;
        self.flatten(record, &mut Vec::new(), into, &mut first);
        into.close_object(open);
    }

    fn flatten<'r>(
        &self,
        object: Value<'r>,
        parents: &mut Vec<&'r str>,
        into: &mut Tape,
        first: &mut bool,
    ) {
        for (name, value) in object.members() {
            parents.push(name);
            let key = self.settings.key(parents);
            let nested = value.kind() == ValueKind::Object
                && parents.len() <= self.settings.depth()
                && !self.properties.contains(&key);
            if nested {
                self.flatten(value, parents, into, first);
            } else {
                into.separate(first);
                into.push_str(&key);
                into.colon();
                match value.kind() {
                    ValueKind::Object | ValueKind::Array => into.push_str(&value.to_json()),
                    _ => {
                        into.append(value);
                    }
                }
            }
            parents.pop();
        }
    }
}

fn flatten_schema<'s>(
    settings: &FlatteningSettings,
    schema: &'s JsonSchema,
    parents: &mut Vec<&'s str>,
    flat: &mut Map<String, JsonSchema>,
) -> Result<(), String> {
    let properties = schema.get("properties").and_then(JsonSchema::as_object);
    for (name, property) in properties.into_iter().flatten() {
        parents.push(name);
        let nested = property.get("properties").is_some()
            && has_type(property, "object")
            && parents.len() <= settings.depth();
        if nested {
            flatten_schema(settings, property, parents, flat)?;
        } else {
            let key = settings.key(parents);
            if flat.contains_key(&key) {
                return Err(format!("flattening gives two properties the name '{key}'"));
            }
            if let Some(property) = as_text(property) {
                flat.insert(key, property);
            }
        }
        parents.pop();
    }
    Ok(())
}

/// The schema of a property that is not taken apart: what may be an object or an array is text now.
/// `None` if it is left out, so that its objects are taken apart although nothing is known of them.
fn as_text(property: &JsonSchema) -> Option<JsonSchema> {
    let container = |schema: &JsonSchema| has_type(schema, "object") || has_type(schema, "array");
    if container(property) {
        return Some(if has_type(property, "null") {
            json!({"type": ["string", "null"]})
        } else {
            json!({"type": "string"})
        });
    }
    let Some(choices) = choices(property) else {
        return Some(property.clone());
    };
    // As in the SDK, the first choice decides.
    match choices
        .first()
        .and_then(|first| first.get("type")?.as_str())
    {
        Some("string" | "array" | "object") | None => {}
        Some(_) => return None,
    }
    // Which of them a text stands for cannot be told any more.
    let any = choices.iter().any(container);
    Some(if any { json!({}) } else { property.clone() })
}

/// The list in `{"anyOf": […]}` and the like.
fn choices(property: &JsonSchema) -> Option<&Vec<JsonSchema>> {
    let members = property.as_object()?;
    let typed = members.contains_key("type");
    members.values().next().filter(|_| !typed)?.as_array()
}

fn has_type(schema: &JsonSchema, name: &str) -> bool {
    match schema.get("type") {
        Some(JsonSchema::String(only)) => only == name,
        Some(JsonSchema::Array(types)) => types.iter().any(|it| it == name),
        _ => false,
    }
}

impl FlatteningSettings {
    pub(super) fn is_on(&self) -> bool {
        self.depth() > 0
    }

    /// How many levels of objects are taken apart.
    fn depth(&self) -> usize {
        if self.flattening_enabled {
            self.flattening_max_depth.unwrap_or(0)
        } else {
            0
        }
    }

    /// The name of a member, from its own and those of the objects around it. Where it would be too
    /// long, names are shortened from the outermost on: to their capitals, or to three letters.
    fn key(&self, path: &[&str]) -> String {
        let separator = &self.flattening_separator;
        let mut key = path.join(separator);
        let mut short = Vec::new();
        for (index, name) in path.iter().enumerate() {
            if key.chars().count() < self.flattening_max_key_length {
                break;
            }
            short.push(shortened(name));
            let rest = path[index + 1..].iter().map(|name| (*name).to_owned());
            key = short
                .iter()
                .cloned()
                .chain(rest)
                .collect::<Vec<_>>()
                .join(separator);
        }
        key
    }
}

/// `fooBarBaz` and `foo_bar_baz` become `fbb`, `foobar` becomes `foo`.
fn shortened(name: &str) -> String {
    let mut camel = String::new();
    let mut chars = name.chars();
    camel.extend(chars.next().into_iter().flat_map(char::to_uppercase));
    while let Some(c) = chars.next() {
        match (c, chars.clone().next()) {
            ('_', Some(after)) => {
                camel.extend(after.to_uppercase());
                chars.next();
            }
            _ => camel.push(c),
        }
    }
    camel.retain(|c| !c.is_ascii_lowercase());
    if camel.chars().count() > 1 {
        camel.to_lowercase()
    } else {
        name.chars().take(3).collect::<String>().to_lowercase()
    }
}

#[cfg(test)]
mod tests;
