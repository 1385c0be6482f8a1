//! What stored MessagePack tells without being decoded: whether it has the very bytes of a new
//! record, which is what `text` tells of JSON, and the few members that decide.

use super::{METADATA, may_tell};

const NIL: u8 = 0xc0;

/// The bytes of a map up to the end of its last member that is not metadata, and how many members
/// follow; `None` if that end cannot be told, or if the metadata say more than the times of
/// loading.
pub(super) fn data_bytes(map: &[u8]) -> Option<(&[u8], usize)> {
    let (mut at, members) = header(map)?;
    let mut data = None;
    for index in 0..members {
        let (name, value) = name(map, at)?;
        at = skip(map, value)?;
        if !is_metadata(name) {
            data = Some((at, members - index - 1));
        } else if may_tell(name) && map[value] != NIL {
            return None;
        }
    }
    let (end, rest) = data?;
    Some((map.get(..end)?, rest))
}

/// Whether the rest of a map is `members` members of metadata, none of them the mark of a
/// tombstone.
pub(super) fn only_metadata_follows(rest: &[u8], members: usize) -> bool {
    let mut at = 0;
    for _ in 0..members {
        let Some((name, value)) = name(rest, at) else {
            return false;
        };
        if !is_metadata(name) || name == super::DELETED_AT.as_bytes() {
            return false;
        }
        match skip(rest, value) {
            Some(end) => at = end,
            None => return false,
        }
    }
    at == rest.len()
}

/// A map of those members of a map whose names are `wanted`; `None` if it is not whole, or not one
/// of ours.
pub(super) fn pick(map: &[u8], wanted: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
    let (mut at, members) = header(map)?;
    let mut chosen = Vec::with_capacity(map.len());
    // The header has the same length as before, so that it is known by the same first byte.
    chosen.extend_from_slice(map.get(..at)?);
    let mut count: u16 = 0;
    for _ in 0..members {
        let (name, value) = name(map, at)?;
        let end = skip(map, value)?;
        if wanted(name) {
            chosen.extend_from_slice(&map[at..end]);
            count += 1;
        }
        at = end;
    }
    match &mut chosen[..] {
        [0xde, high, low, ..] => [*high, *low] = count.to_be_bytes(),
        [first, ..] => *first = 0x80 | count as u8,
        [] => return None,
    }
    (at == map.len()).then_some(chosen)
}

pub(super) fn is_metadata(name: &[u8]) -> bool {
    name.starts_with(METADATA.as_bytes())
}

/// Where the first member of a map is, and how many there are.
fn header(map: &[u8]) -> Option<(usize, usize)> {
    match *map.first()? {
        first @ 0x80..=0x8f => Some((1, usize::from(first & 0x0f))),
        0xde => Some((3, length(map, 1, 2)?)),
        _ => None,
    }
}

/// A member's name, and where its value begins.
fn name(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let (start, length) = match *bytes.get(at)? {
        first @ 0xa0..=0xbf => (at + 1, usize::from(first & 0x1f)),
        0xd9 => (at + 2, length(bytes, at + 1, 1)?),
        _ => return None,
    };
    let end = start + length;
    Some((bytes.get(start..end)?, end))
}

/// Where the value that begins at `at` ends.
fn skip(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut values = 1_usize;
    while values > 0 {
        let first = *bytes.get(at)?;
        values -= 1;
        at += 1;
        match first {
            0x00..=0x7f | 0xe0..=0xff | NIL | 0xc2 | 0xc3 => {}
            0x80..=0x8f => values += 2 * usize::from(first & 0x0f),
            0x90..=0x9f => values += usize::from(first & 0x0f),
            0xa0..=0xbf => at += usize::from(first & 0x1f),
            0xcc | 0xd0 => at += 1,
            0xcd | 0xd1 => at += 2,
            0xca | 0xce | 0xd2 => at += 4,
            0xcb | 0xcf | 0xd3 => at += 8,
            0xd9 => at += 1 + length(bytes, at, 1)?,
            0xda => at += 2 + length(bytes, at, 2)?,
            0xdb => at += 4 + length(bytes, at, 4)?,
            0xdc => {
                values += length(bytes, at, 2)?;
                at += 2;
            }
            0xde => {
                values += 2 * length(bytes, at, 2)?;
                at += 2;
            }
            _ => return None,
        }
    }
    (at <= bytes.len()).then_some(at)
}

/// The big-endian number of `width` bytes at `at`.
fn length(bytes: &[u8], at: usize, width: usize) -> Option<usize> {
    let digits = bytes.get(at..at + width)?;
    Some(
        digits
            .iter()
            .fold(0, |number, byte| number << 8 | usize::from(*byte)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(json: &str) -> Vec<u8> {
        let value: serde_json::Value = serde_json::from_str(json).expect("JSON");
        let mut bytes = Vec::new();
        pack(&value, &mut bytes);
        bytes
    }

    /// By hand, so that every width occurs.
    fn pack(value: &serde_json::Value, out: &mut Vec<u8>) {
        match value {
            serde_json::Value::Null => out.push(0xc0),
            serde_json::Value::Bool(value) => out.push(if *value { 0xc3 } else { 0xc2 }),
            serde_json::Value::Number(number) => {
                out.push(0xcb);
                out.extend(number.as_f64().expect("a float").to_be_bytes());
            }
            serde_json::Value::String(text) if text.len() < 32 => {
                out.push(0xa0 | text.len() as u8);
                out.extend(text.bytes());
            }
            serde_json::Value::String(text) => {
                out.push(0xda);
                out.extend((text.len() as u16).to_be_bytes());
                out.extend(text.bytes());
            }
            serde_json::Value::Array(elements) => {
                out.push(0xdc);
                out.extend((elements.len() as u16).to_be_bytes());
                elements.iter().for_each(|element| pack(element, out));
            }
            serde_json::Value::Object(members) => {
                out.push(0xde);
                out.extend((members.len() as u16).to_be_bytes());
                for (name, value) in members {
                    pack(&name.as_str().into(), out);
                    pack(value, out);
                }
            }
        }
    }

    fn same(new: &str, stored: &str) -> bool {
        let (new, stored) = (packed(new), packed(stored));
        data_bytes(&new).is_some_and(|(data, rest)| {
            stored
                .strip_prefix(data)
                .is_some_and(|stored| only_metadata_follows(stored, rest))
        })
    }

    #[test]
    fn data_are_told_from_metadata() {
        let long = "x".repeat(300);
        let new = format!(
            r#"{{"a":1.5,"b":[true,null,{{"c":"{long}"}}],"d":"","_sdc_x":"1","_sdc_y":null}}"#
        );
        let with = |from: &str, to: &str| new.replace(from, to);
        assert!(same(&new, &new));
        assert!(same(&new, &with(r#""_sdc_x":"1""#, r#""_sdc_x":[2,3]"#)));
        assert!(same(&new, &with("_sdc_x", "_sdc_z")));
        for other in [
            with("1.5", "1.25"),
            with("true", "false"),
            with(r#","_sdc_y":null"#, ""),
            with("_sdc_y", "_sdc_deleted_at"),
            with("_sdc_y", "e"),
            with(r#","d":"""#, ""),
        ] {
            assert!(!same(&new, &other), "{other}");
        }
        assert!(!same("{}", "{}"));
    }

    #[test]
    fn members_are_picked_out() {
        let json = r#"{"a":1.5,"b":[null,{"c":true}],"_sdc_x":"1","c":{"a":2.5}}"#;
        let long = packed(json);
        let short = [&[0x84], &long[3..]].concat();
        for whole in [long, short] {
            let all = pick(&whole, |_| true);
            assert_eq!(all.as_deref(), Some(&*whole));
            let some = pick(&whole, |name| name != b"b" && !is_metadata(name)).expect("whole");
            assert_eq!(some[0] & 0x80, 0x80);
            let (start, count) = header(&some).expect("a map");
            assert_eq!(count, 2);
            let expected = &packed(r#"{"a":1.5,"c":{"a":2.5}}"#)[3..];
            assert_eq!(&some[start..], expected);
            for end in 0..whole.len() {
                assert_eq!(pick(&whole[..end], |_| true), None);
            }
            assert_eq!(pick(&[&whole[..], &[NIL]].concat(), |_| true), None);
        }
    }

    #[test]
    fn broken_bytes_end_early() {
        let whole = packed(r#"{"a":["long","short",[1.0]],"_sdc_x":"1"}"#);
        for end in 0..whole.len() {
            assert_eq!(data_bytes(&whole[..end]), None);
        }
        let (data, rest) = data_bytes(&whole).expect("it is whole");
        assert_eq!(rest, 1);
        for end in data.len()..whole.len() {
            assert!(!only_metadata_follows(&whole[data.len()..end], 1));
        }
        assert!(!only_metadata_follows(&[0xdf, 0xff, 0xff, 0xff, 0xff], 1));
    }
}
