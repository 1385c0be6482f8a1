//! Values back to JSON text, which the tape already holds.

use std::ops::Range;

use super::escape::push_escaped;
use super::{Kind, Tape, Value};

impl<'a> Value<'a> {
    /// The value as compact JSON, number digits exact, members in their order.
    #[must_use]
    pub fn to_json(self) -> String {
        let mut out = String::new();
        self.write_json(&mut out);
        out
    }

    /// Appends the value as compact JSON to `out`.
    pub fn write_json(self, out: &mut String) {
        match self.json_slice() {
            Some(text) => out.push_str(text),
            None => push_escaped(out, self.as_str().unwrap_or_default()),
        }
    }

    /// The compact JSON of an array, an object or a scalar, where the tape has it as it is; `None`
    /// for a string with escapes.
    #[must_use]
    pub fn json_slice(self) -> Option<&'a str> {
        let node = self.node();
        let range = node.range();
        match node.kind {
            Kind::EscapedString => None,
            Kind::String => Some(&self.tape.text[range.start - 1..range.end + 1]),
            _ => Some(&self.tape.text[range]),
        }
    }
}

impl Tape {
    /// The compact JSON of all values, one behind the other.
    pub(crate) fn text(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// Where in the [text](Self::text) the object at `at` is.
    pub(crate) fn object_range(&self, at: u32) -> Range<usize> {
        let node = self.nodes[at as usize];
        debug_assert_eq!(node.kind, Kind::Object);
        node.range()
    }
}
