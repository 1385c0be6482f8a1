//! The escaped format: `=` and two hexadecimal digits for each byte that a key cannot hold.

/// Bytes that every official client accepts in a key.
pub(super) const fn is_legal_byte(byte: u8) -> bool {
    is_plain(byte) || matches!(byte, b'=' | b'.')
}

/// Bytes that stand for themselves. The dot separates and `=` escapes, so they do not.
const fn is_plain(byte: u8) -> bool {
    matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'/')
}

/// Appends `text` so that it is one token.
pub(super) fn push(text: &str, out: &mut String) {
    push_except(text, |_| false, out);
}

/// Appends a stream's name. A dot between two tokens stays, so that filters such as
/// `schema.table.*` work.
pub(in super::super) fn push_stream(name: &str, out: &mut String) {
    let bytes = name.as_bytes();
    let in_token = |at: Option<usize>| {
        at.and_then(|at| bytes.get(at))
            .is_some_and(|byte| *byte != b'.')
    };
    push_except(
        name,
        |at| bytes[at] == b'.' && in_token(at.checked_sub(1)) && in_token(Some(at + 1)),
        out,
    );
}

fn push_except(text: &str, stays: impl Fn(usize) -> bool, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for (at, byte) in text.bytes().enumerate() {
        if is_plain(byte) || stays(at) {
            out.push(char::from(byte));
        } else {
            out.push('=');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

/// The text that [`push`] wrote. What it did not write comes back as it is.
pub(super) fn unescape(token: &str) -> String {
    let mut bytes = Vec::with_capacity(token.len());
    let mut rest = token;
    while let Some((plain, escaped)) = rest.split_once('=') {
        let byte = escaped
            .get(..2)
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let Some(byte) = byte else {
            return token.to_owned();
        };
        bytes.extend_from_slice(plain.as_bytes());
        bytes.push(byte);
        rest = &escaped[2..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).unwrap_or_else(|_| token.to_owned())
}
