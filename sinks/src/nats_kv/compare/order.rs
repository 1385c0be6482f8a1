//! How two values of a replication key compare: by the type that the schema gives it.

use std::cmp::Ordering;

use serde_json::Value as JsonSchema;
use singer_target::value::{Tape, Value};

use super::instant;

/// How the schema wants strings of a property compared. Two JSON numbers are always compared as
/// numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct OrderOf {
    instants: bool,
    numbers: bool,
}

impl OrderOf {
    pub(super) fn property(schema: &JsonSchema, name: &str) -> Self {
        let mut order = Self::default();
        if let Some(property) = schema.get("properties").and_then(|all| all.get(name)) {
            order.learn(property, schema, 0);
        }
        order
    }

    fn learn(&mut self, property: &JsonSchema, root: &JsonSchema, depth: usize) {
        const DEEPEST: usize = 16;
        if depth > DEEPEST {
            return;
        }
        let names = |value: &'_ JsonSchema, wanted: &[&str]| match value {
            JsonSchema::Array(names) => names
                .iter()
                .any(|name| name.as_str().is_some_and(|name| wanted.contains(&name))),
            name => name.as_str().is_some_and(|name| wanted.contains(&name)),
        };
        let has = |member: &str, wanted: &[&str]| {
            property
                .get(member)
                .is_some_and(|value| names(value, wanted))
        };
        self.numbers |= has("type", &["integer", "number"]);
        self.instants |= has("format", &["date-time", "date"]);
        for combined in ["anyOf", "oneOf", "allOf"] {
            for branch in property
                .get(combined)
                .and_then(JsonSchema::as_array)
                .into_iter()
                .flatten()
            {
                self.learn(branch, root, depth + 1);
            }
        }
        let reference = property.get("$ref").and_then(JsonSchema::as_str);
        if let Some(target) = reference
            .and_then(|reference| reference.strip_prefix('#'))
            .and_then(|pointer| root.pointer(pointer))
        {
            self.learn(target, root, depth + 1);
        }
    }

    /// Neither value is null. What the schema calls an instant but is not one is compared as text.
    pub(super) fn compare(self, new: Value<'_>, stored: Value<'_>) -> Ordering {
        let mixed = match (new.as_number(), stored.as_number()) {
            (Some(new), Some(stored)) => return new.cmp(&stored),
            // MessagePack holds a number that it cannot hold as a string of its digits.
            (new, stored) => new.is_some() || stored.is_some(),
        };
        let (mut new_text, mut stored_text) = (String::new(), String::new());
        let new = text_of(new, &mut new_text);
        let stored = text_of(stored, &mut stored_text);
        let instants = || {
            self.instants
                .then(|| instant::compare(new, stored))
                .flatten()
        };
        let numbers = || {
            (self.numbers || mixed)
                .then(|| compare_numbers(new, stored))
                .flatten()
        };
        instants()
            .or_else(numbers)
            .unwrap_or_else(|| new.cmp(stored))
    }
}

fn text_of<'a>(value: Value<'a>, buffer: &'a mut String) -> &'a str {
    match value.as_str() {
        Some(text) => text,
        None => {
            value.write_json(buffer);
            buffer
        }
    }
}

/// Two texts that may be numbers.
fn compare_numbers(left: &str, right: &str) -> Option<Ordering> {
    let mut tapes = [Tape::new(), Tape::new()];
    tapes[0].parse(left.as_bytes()).ok()?;
    tapes[1].parse(right.as_bytes()).ok()?;
    let [left, right] = tapes
        .each_ref()
        .map(|tape| tape.root().and_then(Value::as_number));
    Some(left?.cmp(&right?))
}
