//! A key for records that have none: a hash of their content.
//!
//! It must be the same in every run, on every machine and in every later version, or records
//! would be stored twice. So it is taken of a form of the record that does not depend on the order
//! of members, with the stable algorithm XXH3-128.

use singer_target::value::{Value, ValueKind};
use xxhash_rust::xxh3::xxh3_128;

/// Appends 32 hexadecimal digits. Members whose names begin with `_sdc_` do not count: they are
/// about the loading, not about the content.
pub(super) fn push(record: Value<'_>, out: &mut String) {
    let mut canonical = String::new();
    push_object(record, |name| !name.starts_with("_sdc_"), &mut canonical);
    out.push_str(&format!("{:032x}", xxh3_128(canonical.as_bytes())));
}

fn push_object(object: Value<'_>, counts: impl Fn(&str) -> bool, out: &mut String) {
    let mut members: Vec<_> = object.members().filter(|(name, _)| counts(name)).collect();
    members.sort_by_key(|(name, _)| *name);
    out.push('{');
    for (name, value) in members {
        // The length ends the name, so no quotes and escapes are needed.
        out.push_str(&format!("{}:{name}", name.len()));
        push_canonical(value, out);
        out.push(',');
    }
    out.push('}');
}

fn push_canonical(value: Value<'_>, out: &mut String) {
    match value.kind() {
        ValueKind::Object => push_object(value, |_| true, out),
        ValueKind::Array => {
            out.push('[');
            for element in value.elements() {
                push_canonical(element, out);
                out.push(',');
            }
            out.push(']');
        }
        _ => value.write_json(out),
    }
}
