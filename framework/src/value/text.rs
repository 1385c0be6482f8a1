//! Values back to JSON text, which the tape already holds.

use super::{Kind, Value};

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

pub(super) fn needs_escape(value: &str) -> bool {
    value
        .bytes()
        .any(|byte| byte < 0x20 || byte == b'"' || byte == b'\\')
}

/// Appends `value` as a JSON string. Only what JSON demands is escaped, as Python's `json` does.
pub(super) fn push_escaped(out: &mut String, value: &str) {
    out.push('"');
    let mut plain = 0;
    for (at, byte) in value.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0x08 => "\\b",
            0x0c => "\\f",
            0..0x20 => "",
            _ => continue,
        };
        out.push_str(&value[plain..at]);
        plain = at + 1;
        if escape.is_empty() {
            const HEX: [char; 16] = [
                '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
            ];
            out.push_str("\\u00");
            out.push(HEX[usize::from(byte >> 4)]);
            out.push(HEX[usize::from(byte & 15)]);
        } else {
            out.push_str(escape);
        }
    }
    out.push_str(&value[plain..]);
    out.push('"');
}
