//! Keys: the name under which a record is stored. Pure text, no connection.
//!
//! Two formats. *escaped* gives every record a legal key of its own. *legacy* is what the Python
//! target wrote, for buckets that it filled; it cannot tell some records apart, so
//! [`Collisions`] watches for that.

mod collisions;
mod escape;
mod hash;
mod legacy;
mod own;

pub(super) use collisions::Collisions;
pub(super) use escape::push_stream;

use singer_target::value::{Value, ValueKind};

use super::config::{KeyFormat, KeyFrom, NatsKvConfig};

/// The longest subject of a key, `$KV.{bucket}.{key}`, in bytes.
///
/// The server closes the connection over a protocol line of more than 4,096 bytes, and that line
/// also carries the reply subject and, when the key is read back, the subject of the direct get
/// API. 3,800 leaves room for both.
const MAX_SUBJECT_BYTES: usize = 3_800;

/// What the settings say about keys.
#[derive(Debug, Clone)]
pub(super) struct KeyRules {
    format: KeyFormat,
    from: KeyFrom,
    prefix: String,
    max_bytes: usize,
}

impl KeyRules {
    /// The rules for keys below `subject_prefix`, which is `$KV.{bucket}.` or longer.
    pub(super) fn new(config: &NatsKvConfig, subject_prefix: &str) -> Self {
        Self {
            format: config.key_format,
            from: config.key_from,
            prefix: config.key_prefix.clone(),
            max_bytes: MAX_SUBJECT_BYTES.saturating_sub(subject_prefix.len()),
        }
    }

    /// The same rules with another format.
    pub(super) fn in_format(&self, format: KeyFormat) -> Self {
        Self {
            format,
            ..self.clone()
        }
    }

    /// What follows `key_prefix`, if `key` begins with it.
    pub(super) fn without_prefix<'k>(&self, key: &'k str) -> Option<&'k str> {
        key.strip_prefix(&self.prefix)
    }

    /// What stands between two parts.
    pub(super) fn separator(&self) -> char {
        match self.format {
            KeyFormat::Escaped => '.',
            KeyFormat::Legacy => '-',
        }
    }

    /// The text of `value` as a part of a key, if it can be one.
    pub(super) fn part(&self, value: Value<'_>) -> Option<String> {
        let mut text = String::new();
        self.push_part(value, &mut text).ok()?;
        Some(text)
    }

    fn push_part(&self, value: Value<'_>, out: &mut String) -> Result<(), &'static str> {
        match self.format {
            KeyFormat::Escaped => push_part(value, out),
            KeyFormat::Legacy => legacy::push_part(value, out),
        }
    }
}

/// Writes the keys of one stream.
#[derive(Debug, Clone)]
pub(super) struct KeyWriter {
    rules: KeyRules,
    /// What all keys of the stream begin with: the prefix, the stream's name and a dot.
    head: String,
    /// Empty: the key is a hash of the content.
    properties: Vec<String>,
}

impl KeyWriter {
    /// A writer for the records of `stream`.
    ///
    /// The error says why the stream's records can have no keys, and what to do; who tells it, names
    /// the stream.
    pub(super) fn new(
        rules: &KeyRules,
        stream: &str,
        key_properties: &[String],
    ) -> Result<Self, String> {
        if key_properties.is_empty() && rules.from == KeyFrom::Properties {
            return Err(
                "it has no key properties, so its records have no keys: give it some in the tap's \
                 catalog, or set key_from to 'hash'"
                    .to_owned(),
            );
        }
        let mut head = rules.prefix.clone();
        match rules.format {
            KeyFormat::Escaped => escape::push_stream(stream, &mut head),
            KeyFormat::Legacy => head.push_str(stream),
        }
        head.push('.');
        Ok(Self {
            rules: rules.clone(),
            head,
            properties: key_properties.to_vec(),
        })
    }

    /// Appends the key of `record` to `out`. The error says, without values, why it has none;
    /// `out` is then as before.
    pub(super) fn write(&self, record: Value<'_>, out: &mut String) -> Result<(), String> {
        let start = out.len();
        let result = self.try_write(record, out);
        if result.is_err() {
            out.truncate(start);
        }
        result
    }

    fn try_write(&self, record: Value<'_>, out: &mut String) -> Result<(), String> {
        let start = out.len();
        out.push_str(&self.head);
        if self.properties.is_empty() {
            hash::push(record, out);
        }
        for (index, name) in self.properties.iter().enumerate() {
            let value = record
                .get(name)
                .ok_or_else(|| format!("the key property '{name}' is missing"))?;
            if index > 0 {
                out.push(self.rules.separator());
            }
            self.rules
                .push_part(value, out)
                .map_err(|reason| format!("the key property '{name}' {reason}"))?;
        }
        let key = &out[start..];
        if key.len() > self.rules.max_bytes {
            return Err(format!(
                "its key takes {} bytes, and the server can carry {}",
                key.len(),
                self.rules.max_bytes
            ));
        }
        if self.rules.format == KeyFormat::Legacy {
            legacy::check(key)?;
        }
        Ok(())
    }

    /// Whether a record of the stream may have this key.
    pub(super) fn may_write(&self, key: &str) -> bool {
        key.starts_with(&self.head)
    }

    /// Matches all keys of the stream, and perhaps others; `None` if it can have none.
    pub(super) fn filter(&self) -> Option<String> {
        is_legal(&self.head).then(|| format!("{}>", self.head))
    }

    /// Whether a record of this stream may have the same key as one of `other`.
    ///
    /// Only where stream names have dots: a record of `a` with the key properties (b, c) and one
    /// of `a.b` with (c) may meet. Streams whose names have as many tokens never do.
    pub(super) fn may_meet(&self, other: &Self) -> bool {
        let (short, long) = if self.head.len() < other.head.len() {
            (self, other)
        } else {
            (other, self)
        };
        let tokens =
            |writer: &Self| writer.head.matches('.').count() + writer.properties.len().max(1);
        long.head.starts_with(&short.head)
            && (self.rules.format == KeyFormat::Legacy || tokens(short) == tokens(long))
    }
}

/// Appends a part of an escaped key.
fn push_part(value: Value<'_>, out: &mut String) -> Result<(), &'static str> {
    match value.kind() {
        ValueKind::Null => return Err("is null"),
        ValueKind::String => match value.as_str() {
            None | Some("") => return Err("is empty"),
            Some(text) => escape::push(text, out),
        },
        _ => match value.json_slice() {
            Some(text) => escape::push(text, out),
            None => escape::push(&value.to_json(), out),
        },
    }
    Ok(())
}

/// A key taken apart again: the stream's first token and what follows the dot behind it.
///
/// A stream's name may have dots itself, and a key does not tell where it ends. The first token is
/// what consumers route on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SplitKey {
    pub(super) stream: String,
    /// One for each key property; a single one in the legacy format.
    pub(super) parts: Vec<String>,
}

/// Takes apart a key that a [`KeyWriter`] with these rules wrote; `None` if it did not write it.
pub(super) fn split(rules: &KeyRules, key: &str) -> Option<SplitKey> {
    let (stream, rest) = rules.without_prefix(key)?.split_once('.')?;
    if stream.is_empty() || rest.is_empty() {
        return None;
    }
    Some(match rules.format {
        KeyFormat::Escaped => SplitKey {
            stream: escape::unescape(stream),
            parts: rest.split('.').map(escape::unescape).collect(),
        },
        KeyFormat::Legacy => SplitKey {
            stream: stream.to_owned(),
            parts: vec![rest.to_owned()],
        },
    })
}

/// Whether every official client accepts `text` as a key, or as the beginning of one.
pub(super) fn is_legal(text: &str) -> bool {
    text.bytes().all(escape::is_legal_byte)
}

#[cfg(test)]
mod tests;
