//! Stored JSON with the very text of a new record, told without parsing it.

use singer_target::value::Value;

use super::{is_data, may_tell};

/// The text of an object from its brace to the end of the last member that is not metadata; `None`
/// if that end cannot be told without work, or if the metadata say more than the times of loading.
pub(super) fn data_text(object: Value<'_>) -> Option<&str> {
    let text = object.json_slice()?;
    let mut last = None;
    for (name, value) in object.members() {
        if is_data(name) {
            last = Some(value);
        } else if may_tell(name.as_bytes()) && !value.is_null() {
            return None;
        }
    }
    let last = last?.json_slice()?;
    let end = last.as_ptr().addr() + last.len() - text.as_ptr().addr();
    text.get(..end)
}

/// Whether the rest of a JSON object is a run of `_sdc_*` members with plain strings, numbers or
/// null, none of them the mark of a tombstone.
pub(super) fn only_metadata_follows(mut rest: &[u8]) -> bool {
    while rest != b"}" {
        match behind_metadata(rest) {
            Some(behind) => rest = behind,
            None => return false,
        }
    }
    true
}

/// What follows such a member.
fn behind_metadata(rest: &[u8]) -> Option<&[u8]> {
    let member = rest.strip_prefix(b",\"_sdc_")?;
    if member.starts_with(b"deleted_at\"") {
        return None;
    }
    let value = plain_string_end(member).and_then(|end| member[end..].strip_prefix(b":"))?;
    let length = match value.strip_prefix(b"\"") {
        Some(string) => 1 + plain_string_end(string)?,
        None => value
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
            .count(),
    };
    (length > 0).then(|| &value[length..])
}

/// Where a string without escapes ends, behind its quote.
fn plain_string_end(string: &[u8]) -> Option<usize> {
    let end = memchr::memchr2(b'"', b'\\', string)?;
    (string[end] == b'"').then_some(end + 1)
}
