//! Stored JSON with the very text of a new record, told without parsing it.

use singer_target::value::Value;

use super::is_data;

/// The text of an object from its brace to the end of the last member that is not metadata;
/// `None` if that end cannot be told without work.
pub(super) fn data_text(object: Value<'_>) -> Option<&str> {
    let text = object.json_slice()?;
    let mut last = None;
    for (name, value) in object.members() {
        if is_data(name) {
            last = Some(value);
        }
    }
    let last = last?.json_slice()?;
    let end = last.as_ptr().addr() + last.len() - text.as_ptr().addr();
    text.get(..end)
}

/// Whether the rest of a JSON object is a run of `_sdc_*` members with plain strings, numbers or
/// null, none of them the mark of a tombstone.
pub(super) fn only_metadata_follows(mut rest: &[u8]) -> bool {
    loop {
        if rest == b"}" {
            return true;
        }
        let Some(member) = rest.strip_prefix(b",\"_sdc_") else {
            return false;
        };
        if member.starts_with(b"deleted_at\"") {
            return false;
        }
        let Some(name) = member.iter().position(|byte| matches!(byte, b'"' | b'\\')) else {
            return false;
        };
        let Some(value) = member[name..].strip_prefix(b"\":") else {
            return false;
        };
        let length = match value.strip_prefix(b"\"") {
            Some(string) => match string.iter().position(|byte| matches!(byte, b'"' | b'\\')) {
                Some(end) if string[end] == b'"' => end + 2,
                _ => return false,
            },
            None => value
                .iter()
                .take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
                .count(),
        };
        if length == 0 {
            return false;
        }
        rest = &value[length..];
    }
}
