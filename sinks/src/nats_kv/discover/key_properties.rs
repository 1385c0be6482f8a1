//! Which properties a stream's keys are made of: those whose values give the key, in every record
//! that was looked at.

use singer_target::value::Value;

use crate::nats_kv::key::{KeyRules, KeyWriter};

/// Properties of a key. More are rare, and the possibilities grow fast.
const MAX_PARTS: usize = 6;
/// Possibilities that are followed.
const MAX_CANDIDATES: usize = 64;

/// The possible key properties of a stream.
pub(super) struct KeyProperties {
    stream: String,
    rules: KeyRules,
    /// `None` until a record was looked at.
    candidates: Option<Vec<(Vec<String>, KeyWriter)>>,
}

impl KeyProperties {
    pub(super) fn new(stream: &str, rules: &KeyRules) -> Self {
        Self {
            stream: stream.to_owned(),
            rules: rules.clone(),
            candidates: None,
        }
    }

    /// Learns from a record and its key.
    pub(super) fn observe(&mut self, key: &str, record: Value<'_>) {
        if self.candidates.is_none() {
            self.candidates = Some(self.possible(key, record));
        }
        let Some(candidates) = &mut self.candidates else {
            return;
        };
        let mut written = String::new();
        candidates.retain(|(_, writer)| {
            written.clear();
            writer.write(record, &mut written).is_ok() && written == key
        });
    }

    /// The first possibility in the order of the record's properties; none if there is none.
    pub(super) fn known(self) -> Vec<String> {
        self.candidates
            .into_iter()
            .flatten()
            .next()
            .map(|(properties, _)| properties)
            .unwrap_or_default()
    }

    fn possible(&self, key: &str, record: Value<'_>) -> Vec<(Vec<String>, KeyWriter)> {
        let Some((_, parts)) = self
            .rules
            .without_prefix(key)
            .and_then(|key| key.split_once('.'))
        else {
            return Vec::new();
        };
        let texts: Vec<_> = record
            .members()
            .filter(|(name, _)| !name.starts_with("_sdc_"))
            .filter_map(|(name, value)| Some((name, self.rules.part(value)?)))
            .collect();
        let mut found = Vec::new();
        let separator = self.rules.separator();
        search(&texts, separator, parts, &mut Vec::new(), &mut found);
        found
            .into_iter()
            .filter_map(|properties| {
                let writer = KeyWriter::new(&self.rules, &self.stream, &properties).ok()?;
                Some((properties, writer))
            })
            .collect()
    }
}

/// Finds the sequences of properties whose texts, joined, are `rest`.
fn search<'a>(
    texts: &[(&'a str, String)],
    separator: char,
    rest: &str,
    chosen: &mut Vec<&'a str>,
    found: &mut Vec<Vec<String>>,
) {
    for (name, text) in texts {
        if found.len() == MAX_CANDIDATES || chosen.len() == MAX_PARTS {
            return;
        }
        if chosen.contains(name) {
            continue;
        }
        let Some(behind) = rest.strip_prefix(text.as_str()) else {
            continue;
        };
        chosen.push(name);
        if behind.is_empty() {
            found.push(chosen.iter().map(|name| (*name).to_owned()).collect());
        } else if let Some(behind) = behind.strip_prefix(separator) {
            search(texts, separator, behind, chosen, found);
        }
        chosen.pop();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use singer_target::value::Tape;

    use super::*;
    use crate::nats_kv::config::NatsKvConfig;

    fn known(settings: serde_json::Value, samples: &[(&str, &str)]) -> Vec<String> {
        let config: NatsKvConfig = serde_json::from_value(settings).expect("settings");
        let mut properties = KeyProperties::new("s", &KeyRules::new(&config, "$KV.b."));
        for (key, record) in samples {
            let mut tape = Tape::new();
            tape.parse(record.as_bytes()).expect("JSON");
            properties.observe(key, tape.root().expect("a value"));
        }
        properties.known()
    }

    #[test]
    fn the_properties_that_give_every_key() {
        let samples = [
            ("s.1.a=20b", r#"{"version":1,"id":1,"name":"a b"}"#),
            ("s.2.x", r#"{"version":1,"id":2,"name":"x"}"#),
        ];
        assert_eq!(known(json!({}), &samples), ["id", "name"]);
        assert_eq!(known(json!({}), &samples[..1]), ["version", "name"]);
    }

    #[test]
    fn prefixes_and_the_legacy_format() {
        let settings = json!({"key_prefix": "p.", "key_format": "legacy"});
        let samples = [
            ("p.s.a-b-True", r#"{"flag":true,"x":"a","y":"b","z":"a-b"}"#),
            (
                "p.s.c-d-e-False",
                r#"{"flag":false,"x":"c","y":"d","z":"c-d-e"}"#,
            ),
        ];
        assert_eq!(known(settings, &samples), ["z", "flag"]);
    }

    #[test]
    fn unknown_where_no_properties_fit() {
        let samples = [("s.1", r#"{"id":1}"#), ("s.2", r#"{"id":3}"#)];
        assert!(known(json!({}), &samples).is_empty());
        assert!(known(json!({}), &[]).is_empty());
        assert!(known(json!({}), &[("s", r#"{"id":1}"#)]).is_empty());
    }
}
