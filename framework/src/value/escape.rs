//! Escapes in JSON strings: what they stand for, and which of them JSON demands.

use super::scan::end_of_plain;

/// Whether a string can stand between quotes as it is.
pub(super) fn needs_escape(value: &str) -> bool {
    end_of_plain(value.as_bytes(), 0) < value.len()
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

/// The character that an escape stands for, and how many bytes it takes. `text` begins at the
/// backslash. The error says what is wrong with it.
pub(super) fn unescape(text: &[u8]) -> Result<(char, usize), &'static str> {
    let character = match text.get(1) {
        Some(b'"') => '"',
        Some(b'\\') => '\\',
        Some(b'/') => '/',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return unescape_unicode(text),
        _ => return Err("invalid escape in a string"),
    };
    Ok((character, 2))
}

/// `\uXXXX`, or two of them that make up one character beyond the first 65,536.
fn unescape_unicode(text: &[u8]) -> Result<(char, usize), &'static str> {
    const LONE: &str = "half of a surrogate pair in a string";
    let first = hex(text)?;
    if let Some(character) = char::from_u32(first) {
        return Ok((character, 6));
    }
    let rest = &text[6..];
    if first >= 0xdc00 || !rest.starts_with(b"\\u") {
        return Err(LONE);
    }
    let second = hex(rest)?;
    if !(0xdc00..0xe000).contains(&second) {
        return Err(LONE);
    }
    let character = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
    char::from_u32(character).map(|it| (it, 12)).ok_or(LONE)
}

/// The four digits behind `\u`.
fn hex(text: &[u8]) -> Result<u32, &'static str> {
    const INVALID: &str = "invalid \\u escape in a string";
    let digits = text.get(2..6).ok_or(INVALID)?;
    digits.iter().try_fold(0, |value, digit| {
        let digit = char::from(*digit).to_digit(16).ok_or(INVALID)?;
        Ok(value << 4 | digit)
    })
}
