//! Keys that were asked for together, until each has its answer. Pure.

use std::collections::HashMap;

use foldhash::fast::RandomState;

/// See the module.
pub(super) struct Wanted<'k> {
    keys: &'k [&'k str],
    taken: Vec<bool>,
    left: usize,
    /// The key behind the last one that was taken. Answers come in the order in which the values
    /// were stored, and a load that is repeated asks in that order.
    next: usize,
    /// Where each key is; made when an answer comes out of order.
    places: HashMap<&'k str, usize, RandomState>,
}

impl<'k> Wanted<'k> {
    /// `keys` must differ.
    pub(super) fn new(keys: &'k [&'k str]) -> Self {
        Self {
            keys,
            taken: vec![false; keys.len()],
            left: keys.len(),
            next: 0,
            places: HashMap::default(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// The request for the last values of all that is still wanted.
    pub(super) fn request(&self, subject_prefix: &str) -> Vec<u8> {
        const QUOTES_AND_COMMA: usize = 3;
        let each = subject_prefix.len() + QUOTES_AND_COMMA;
        let size = self.keys.iter().map(|key| key.len() + each).sum::<usize>();
        let mut request = Vec::with_capacity(size + super::REQUEST_FRAME);
        request.extend_from_slice(b"{\"multi_last\":[");
        let mut subject = String::new();
        for (key, _) in self
            .keys
            .iter()
            .zip(&self.taken)
            .filter(|(_, taken)| !**taken)
        {
            if !subject.is_empty() {
                request.push(b',');
            }
            subject.clear();
            subject.push_str(subject_prefix);
            subject.push_str(key);
            // Writing to memory cannot fail.
            let _ = serde_json::to_writer(&mut request, &subject);
        }
        request.extend_from_slice(b"]}");
        request
    }

    /// Where `key` is among the keys, if it is one of them and had no answer yet.
    pub(super) fn take(&mut self, key: &str) -> Option<usize> {
        let index = if self.keys.get(self.next) == Some(&key) {
            self.next
        } else {
            if self.places.is_empty() {
                self.places.extend(self.keys.iter().copied().zip(0..));
            }
            *self.places.get(key)?
        };
        if std::mem::replace(&mut self.taken[index], true) {
            return None;
        }
        self.left -= 1;
        self.next = index + 1;
        Some(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_taken_once_in_any_order() {
        let mut wanted = Wanted::new(&["a", "b", "c", "d"]);
        assert_eq!(wanted.take("a"), Some(0));
        assert_eq!(wanted.take("b"), Some(1));
        assert_eq!(wanted.take("b"), None);
        assert_eq!(wanted.take("x"), None);
        assert_eq!(wanted.take("d"), Some(3));
        assert!(!wanted.is_empty());
        let rest = String::from_utf8(wanted.request("p.")).expect("text");
        assert_eq!(rest, r#"{"multi_last":["p.c"]}"#);
        assert_eq!(wanted.take("c"), Some(2));
        assert!(wanted.is_empty());
    }

    #[test]
    fn requests_are_json() {
        let wanted = Wanted::new(&["a", "q\"", "c"]);
        let request: serde_json::Value =
            serde_json::from_slice(&wanted.request("$KV.b.")).expect("JSON");
        let subjects = serde_json::json!(["$KV.b.a", "$KV.b.q\"", "$KV.b.c"]);
        assert_eq!(request["multi_last"], subjects);
    }
}
