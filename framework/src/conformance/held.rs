//! What a destination holds, beside what it should hold.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

/// A record of the kit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) n: u64,
}

impl Entry {
    pub(super) fn new(id: impl Into<String>, n: u64) -> Self {
        Self { id: id.into(), n }
    }

    pub(super) fn to_json(&self) -> Json {
        json!({
            "id": self.id,
            "n": self.n,
            "text": text(self.n),
            "flag": self.n.is_multiple_of(2),
            "amount": self.n as f64 / 8.0,
            "nothing": null,
            "nested": {"list": [self.n, "two"]},
        })
    }
}

/// A text that is told by the number of its record, and that careless quoting would change.
fn text(n: u64) -> String {
    let tail = "…".repeat((n % 50) as usize);
    format!("text-of-{n} \"quoted\" \\ 'single'\n\ttab, é, 語, 🦀{tail}")
}

/// Begins the text of a record; no reason for a rejection may quote it.
pub(super) fn mark(n: u64) -> String {
    format!("text-of-{n} ")
}

/// The numbers of the records that a stream holds, by key, in their order.
#[derive(Debug, Default)]
pub(super) struct Held(BTreeMap<String, Vec<u64>>);

/// What a destination is expected to make of the records that it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Copies {
    /// The newest of each key.
    Newest,
    /// All, each once.
    Each,
    /// All, each at least once, the newest of a key last.
    AtLeastOne,
}

impl Held {
    /// Understands what was read back.
    pub(super) fn of(rows: &[Json]) -> Result<Self, String> {
        let mut held = Self::default();
        for row in rows {
            let id = row["id"]
                .as_str()
                .ok_or("a record was read back without the text of its \"id\"")?;
            let n = number(&row["n"])
                .ok_or_else(|| format!("key {id} was read back without the number of its \"n\""))?;
            if row["text"] != text(n) {
                return Err(format!(
                    "key {id}: record {n} was read back with another \"text\" than it was given"
                ));
            }
            held.0.entry(id.to_owned()).or_default().push(n);
        }
        Ok(held)
    }

    /// Exactly these records are held.
    pub(super) fn is(&self, expected: &[Entry], copies: Copies) -> Result<(), String> {
        self.has(expected, copies)?;
        let known: BTreeSet<_> = expected.iter().map(|it| (it.id.as_str(), it.n)).collect();
        for (id, numbers) in &self.0 {
            if let Some(n) = numbers
                .iter()
                .find(|n| !known.contains(&(id.as_str(), **n)))
            {
                return Err(format!(
                    "key {id}: record {n} is there, which should not be stored under it"
                ));
            }
        }
        let by_key = by_key(expected);
        for (id, numbers) in &self.0 {
            let all = &by_key[id.as_str()];
            let newest = all.last();
            match copies {
                Copies::Each if numbers != all => {
                    return Err(match first_twice(numbers) {
                        Some(n) => format!("key {id}: record {n} is there more than once"),
                        None => format!("key {id}: its records are not in their order"),
                    });
                }
                Copies::Newest if numbers.len() > 1 => {
                    return Err(format!("key {id} is there {} times", numbers.len()));
                }
                _ if numbers.last() != newest => {
                    return Err(format!(
                        "key {id}: an older record than the newest one is the last"
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// At least these records are held, or newer ones of their keys.
    pub(super) fn has(&self, expected: &[Entry], copies: Copies) -> Result<(), String> {
        for (id, all) in by_key(expected) {
            let held = self.0.get(id).map(Vec::as_slice).unwrap_or_default();
            if copies != Copies::Newest {
                if let Some(n) = all.iter().find(|n| !held.contains(n)) {
                    return Err(format!("key {id}: record {n} is not there"));
                }
                continue;
            }
            let newest = all.last().copied();
            match held.last() {
                None => return Err(format!("key {id} is not there")),
                last if last < newest.as_ref() => {
                    let older = last.copied().unwrap_or_default();
                    let newest = newest.unwrap_or_default();
                    return Err(format!(
                        "key {id} holds record {older}, though record {newest} is newer"
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// All that is held.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0
            .iter()
            .flat_map(|(id, numbers)| numbers.iter().map(move |n| (id.as_str(), *n)))
    }
}

fn by_key(entries: &[Entry]) -> BTreeMap<&str, Vec<u64>> {
    let mut keys: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for entry in entries {
        keys.entry(&entry.id).or_default().push(entry.n);
    }
    keys
}

fn first_twice(numbers: &[u64]) -> Option<u64> {
    let mut seen = BTreeSet::new();
    numbers.iter().copied().find(|n| !seen.insert(*n))
}

/// Some destinations keep numbers as text.
fn number(value: &Json) -> Option<u64> {
    value
        .as_u64()
        .or_else(|| value.as_str().and_then(|text| text.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::Entry;

    #[test]
    fn records_are_as_small_as_the_docs_of_the_kit_say() {
        let sizes = (0..20_000).map(|n| {
            Entry::new(format!("key-{n}"), n)
                .to_json()
                .to_string()
                .len()
        });
        let largest = sizes.max().expect("some records");
        assert!((256..512).contains(&largest), "{largest} bytes");
    }
}
