//! A JSON Schema from examples: what values of a kind have in common.

use serde_json::{Map, Value as JsonSchema, json};

use crate::value::{Value, ValueKind};

/// What was seen of values in one place. Add values with [`observe`](Self::observe), then ask for
/// the [`schema`](Self::schema).
///
/// ```
/// # use singer_target::{catalog::Inference, value::Tape};
/// let mut inference = Inference::default();
/// for text in ["1", "null"] {
///     let mut tape = Tape::new();
///     tape.parse(text.as_bytes()).unwrap();
///     inference.observe(tape.root().unwrap());
/// }
/// assert_eq!(inference.schema(), serde_json::json!({"type": ["null", "integer"]}));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Inference {
    nulls: bool,
    booleans: bool,
    integers: bool,
    decimals: bool,
    strings: bool,
    /// A string that is not a date-time was seen.
    texts: bool,
    elements: Option<Box<Inference>>,
    /// In the order in which they were first seen.
    members: Option<Vec<(String, Inference)>>,
}

impl Inference {
    /// Takes a value into account.
    pub fn observe(&mut self, value: Value<'_>) {
        match value.kind() {
            ValueKind::Null => self.nulls = true,
            ValueKind::Bool => self.booleans = true,
            ValueKind::Number => match value.as_number() {
                Some(number) if number.is_written_as_integer() => self.integers = true,
                _ => self.decimals = true,
            },
            ValueKind::String => {
                self.strings = true;
                self.texts = self.texts || !value.as_str().is_some_and(is_date_time);
            }
            ValueKind::Array => {
                let elements = self.elements.get_or_insert_default();
                value
                    .elements()
                    .for_each(|element| elements.observe(element));
            }
            ValueKind::Object => {
                let known = self.members.get_or_insert_default();
                for (at, (name, member)) in value.members().enumerate() {
                    member_of(known, at, name).observe(member);
                }
            }
        }
    }

    /// A schema that all values seen agree with. It requires no property, since the next value may
    /// lack one.
    #[must_use]
    pub fn schema(&self) -> JsonSchema {
        let types: Vec<_> = [
            ("null", self.nulls),
            ("boolean", self.booleans),
            ("integer", self.integers && !self.decimals),
            ("number", self.decimals),
            ("string", self.strings),
            ("array", self.elements.is_some()),
            ("object", self.members.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, seen)| seen.then_some(name))
        .collect();
        let mut schema = Map::new();
        match types.as_slice() {
            [] => {}
            [one] => _ = schema.insert("type".to_owned(), json!(one)),
            many => _ = schema.insert("type".to_owned(), json!(many)),
        }
        if self.strings && !self.texts {
            schema.insert("format".to_owned(), json!("date-time"));
        }
        if let Some(elements) = &self.elements {
            schema.insert("items".to_owned(), elements.schema());
        }
        if let Some(members) = &self.members {
            let properties: Map<_, _> = members
                .iter()
                .map(|(name, member)| (name.clone(), member.schema()))
                .collect();
            schema.insert("properties".to_owned(), properties.into());
        }
        schema.into()
    }
}

/// The member `name`, which is probably where the last object had it.
fn member_of<'m>(
    known: &'m mut Vec<(String, Inference)>,
    probably: usize,
    name: &str,
) -> &'m mut Inference {
    let at = match known.get(probably) {
        Some((other, _)) if other == name => probably,
        _ => known
            .iter()
            .position(|(other, _)| other == name)
            .unwrap_or_else(|| {
                known.push((name.to_owned(), Inference::default()));
                known.len() - 1
            }),
    };
    &mut known[at].1
}

/// A date and time with an offset, as RFC 3339 writes them.
fn is_date_time(text: &str) -> bool {
    matches!(text.as_bytes().get(10), Some(b'T' | b't')) && text.parse::<jiff::Timestamp>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Tape;

    fn inferred(examples: &[&str]) -> JsonSchema {
        let mut inference = Inference::default();
        for example in examples {
            let tape = Tape::parsed(example);
            inference.observe(tape.root().expect("a value"));
        }
        inference.schema()
    }

    #[test]
    fn types_merge() {
        for (examples, schema) in [
            (&[][..], json!({})),
            (&["1", "2"], json!({"type": "integer"})),
            (&["1", "2.5", "null"], json!({"type": ["null", "number"]})),
            (&["1", "\"a\""], json!({"type": ["integer", "string"]})),
            (
                &["[1]", "[null]", "[]"],
                json!({"type": "array", "items": {"type": ["null", "integer"]}}),
            ),
            (&["[]"], json!({"type": "array", "items": {}})),
        ] {
            assert_eq!(inferred(examples), schema, "{examples:?}");
        }
    }

    #[test]
    fn members_merge_in_the_order_seen() {
        let schema = inferred(&[
            r#"{"b":1,"a":{"x":true}}"#,
            r#"{"a":{"y":1.5},"c":null,"b":2}"#,
        ]);
        let expected = r#"{"type":"object","properties":{"b":{"type":"integer"},"a":{"type":"object","properties":{"x":{"type":"boolean"},"y":{"type":"number"}}},"c":{"type":"null"}}}"#;
        assert_eq!(schema.to_string(), expected);
    }

    #[test]
    fn only_if_all_strings_are_date_times() {
        let at = "\"2024-01-01T00:00:00.5+02:00\"";
        let date_time = json!({"type": "string", "format": "date-time"});
        assert_eq!(inferred(&[at, "\"2024-01-01T00:00:00Z\""]), date_time);
        for other in ["\"2024-01-01\"", "\"x\"", "\"2024-01-01 00:00:00Z\""] {
            assert_eq!(inferred(&[at, other]), json!({"type": "string"}), "{other}");
        }
        let mixed = json!({"type": ["null", "string"], "format": "date-time"});
        assert_eq!(inferred(&[at, "null"]), mixed);
    }
}
