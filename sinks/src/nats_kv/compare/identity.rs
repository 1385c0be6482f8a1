//! Whether what is under a record's key is that record at all: in the legacy format two may have
//! one key.

use singer_target::value::{Tape, Value};

use super::{Candidate, Comparison};

impl Comparison {
    /// Watches these key properties, since a key alone does not tell records apart.
    pub(in super::super) fn watching(mut self, key_properties: &[String]) -> Self {
        self.watched = key_properties.to_vec();
        self
    }

    /// Whether the key properties of what is stored name another record. Where it has not all of
    /// them, nothing is known.
    pub(super) fn is_of_another(&self, new: Candidate<'_>, stored: Value<'_>) -> bool {
        if self.is_same_identity(new.value, stored) {
            return false;
        }
        // An encoding may hold a number as a string, or round it.
        let mut as_stored = Tape::new();
        let decoded = self.decode(new.encoded, &mut as_stored).is_some();
        let new = as_stored.root().filter(|_| decoded);
        !new.is_some_and(|new| self.is_same_identity(new, stored))
    }

    fn is_same_identity(&self, new: Value<'_>, stored: Value<'_>) -> bool {
        let is_same = |name: &String| match (new.get(name), stored.get(name)) {
            (Some(new), Some(stored)) => {
                new == stored || spells(new, stored) || spells(stored, new) || rounds(new, stored)
            }
            _ => true,
        };
        self.watched.iter().all(is_same)
    }
}

/// Whether a text spells a value that is none: a key property that has become a string keeps its
/// key.
fn spells(text: Value<'_>, value: Value<'_>) -> bool {
    let mut spelled = Tape::new();
    let parsed = text.as_str().map(|text| spelled.parse(text.as_bytes()));
    matches!(parsed, Some(Ok(()))) && spelled.root() == Some(value)
}

/// Whether a number has become another by rounding, as the Python target did it.
fn rounds(new: Value<'_>, stored: Value<'_>) -> bool {
    let rounded = |value: Value<'_>| value.as_number()?.as_f64();
    rounded(new).is_some_and(|new| rounded(stored) == Some(new))
}
