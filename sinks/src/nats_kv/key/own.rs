//! Whether a stored record is under its own key.
//!
//! A key is made of the text of its key properties, and an encoding may keep the value but not the
//! text: MessagePack turns 1.50 into 1.5, which is another key. So a record is also under its own
//! key if that names, in other words, the very values that the record has.

use singer_target::value::{Tape, Value};

use super::{KeyFormat, KeyWriter, escape};

impl KeyWriter {
    /// What `key` was made of, if it is the key of `record`: the record, or its key properties as
    /// the key spells them, in `scratch`.
    pub(in super::super) fn source<'v>(
        &self,
        key: &str,
        record: Value<'v>,
        scratch: &'v mut Tape,
    ) -> Option<Value<'v>> {
        let mut own = String::with_capacity(key.len());
        if self.write(record, &mut own).is_ok() && own == key {
            return Some(record);
        }
        scratch.parse(self.spelled(key, record)?.as_bytes()).ok()?;
        let spelled = scratch.root()?;
        own.clear();
        // What was taken apart must be put together again as it was.
        if self.write(spelled, &mut own).is_err() || own != key {
            return None;
        }
        let is_part = |name: &str| self.properties.iter().any(|it| it == name);
        spelled.equals_in(record, is_part).then_some(spelled)
    }

    /// The key properties as `key` spells them, if they are of the same kinds as those of `record`,
    /// as a JSON object. A hash spells nothing, and neither do several parts in the legacy format.
    fn spelled(&self, key: &str, record: Value<'_>) -> Option<String> {
        let rest = key.strip_prefix(&self.head)?;
        let parts: Vec<String> = match self.rules.format {
            KeyFormat::Escaped => rest.split('.').map(escape::unescape).collect(),
            KeyFormat::Legacy => vec![rest.to_owned()],
        };
        if self.properties.is_empty() || parts.len() != self.properties.len() {
            return None;
        }
        let members = self.properties.iter().zip(parts).map(|(name, part)| {
            let part = match record.get(name)?.as_str() {
                Some(_) => serde_json::Value::from(part).to_string(),
                None => part,
            };
            let name = serde_json::Value::from(name.as_str());
            Some(format!("{name}:{part}"))
        });
        let members: Option<Vec<String>> = members.collect();
        Some(format!("{{{}}}", members?.join(",")))
    }
}
