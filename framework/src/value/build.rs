//! Building a tape: the nodes, and the few operations that append to one.
//!
//! Every operation writes the compact JSON text and the node that points into it together, so that
//! the two cannot drift apart.

use std::ops::Range;

use super::escape::{needs_escape, push_escaped};
use super::{Tape, Value};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    False,
    True,
    Number,
    /// Its characters are its JSON text between the quotes.
    String,
    /// Its characters are in [`Tape::unescaped`].
    EscapedString,
    Array,
    Object,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// First byte of the text; for strings, of the characters behind the quote.
    start: u32,
    len: u32,
    /// Nodes of the whole value, this one included. Relative, so that values can be moved.
    pub(super) size: u32,
}

impl Node {
    /// The length of its text; of a string, without the quotes and unescaped.
    pub(super) fn len(self) -> usize {
        self.len as usize
    }

    pub(super) fn range(self) -> Range<usize> {
        self.start as usize..(self.start + self.len) as usize
    }
}

/// A value whose text needs no escape.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Plain<'a> {
    Null,
    /// Must be a JSON number.
    Number(&'a str),
    Text(&'a str),
}

/// A container that is being filled.
#[must_use]
pub(crate) struct Open {
    at: usize,
}

/// Names of an object, as bits of a bloom filter: tells cheaply that they surely differ.
#[derive(Default)]
pub(super) struct Names {
    seen: [u64; 1 << (Self::BITS - 6)],
    may_repeat: bool,
}

impl Names {
    /// The filter has two to the power of this many: so two of thirty names seldom share one.
    const BITS: u32 = 11;

    pub(super) fn add(&mut self, name: &[u8]) {
        // The upper bits of a product depend on all bits of its factors.
        let bit = sample(name).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - Self::BITS);
        let word = &mut self.seen[(bit / 64) as usize];
        self.may_repeat |= *word >> (bit % 64) & 1 == 1;
        *word |= 1 << (bit % 64);
    }

    /// Notes that a name was not added.
    pub(super) fn suspect(&mut self) {
        self.may_repeat = true;
    }

    pub(super) fn may_repeat(&self) -> bool {
        self.may_repeat
    }
}

/// What tells most names apart: their lengths, and up to eight bytes at either end.
fn sample(name: &[u8]) -> u64 {
    let ends = if let (Some(first), Some(last)) = (name.first_chunk(), name.last_chunk()) {
        u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(29)
    } else if let (Some(first), Some(last)) = (name.first_chunk(), name.last_chunk()) {
        u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last))
    } else {
        name.iter().fold(0, |all, byte| all << 8 | u64::from(*byte))
    };
    ends ^ (name.len() as u64).rotate_left(57)
}

/// A tape is limited to what its 32-bit offsets reach; `max_line_bytes` and the batch sizes keep
/// it far below.
fn offset(position: usize) -> u32 {
    u32::try_from(position).expect("a tape holds less than 4 GiB")
}

impl Tape {
    pub(super) fn push(&mut self, kind: Kind, range: Range<usize>) {
        // No offset is greater than that of the end.
        let (start, end) = (range.start as u32, offset(range.end));
        self.nodes.push(Node {
            kind,
            start,
            len: end - start,
            size: 1,
        });
    }

    fn push_text(&mut self, kind: Kind, text: &str) {
        let start = self.text.len();
        self.text.push_str(text);
        self.push(kind, start..self.text.len());
    }

    pub(crate) fn push_null(&mut self) {
        self.push_text(Kind::Null, "null");
    }

    pub(crate) fn push_bool(&mut self, value: bool) {
        if value {
            self.push_text(Kind::True, "true");
        } else {
            self.push_text(Kind::False, "false");
        }
    }

    /// `text` must be a JSON number.
    pub(crate) fn push_number(&mut self, text: &str) {
        self.push_text(Kind::Number, text);
    }

    /// Appends a string whose characters need no escape.
    pub(super) fn push_plain_str(&mut self, value: &str) {
        self.text.push('"');
        self.push_text(Kind::String, value);
        self.text.push('"');
    }

    pub(crate) fn push_str(&mut self, value: &str) {
        if !needs_escape(value) {
            return self.push_plain_str(value);
        }
        let first = self.unescaped.len();
        self.unescaped.push_str(value);
        self.push_unescaped(first);
    }

    /// Takes the characters of `unescaped` from `first` on for a string.
    pub(super) fn push_unescaped(&mut self, first: usize) {
        let value = &self.unescaped[first..];
        if needs_escape(value) {
            push_escaped(&mut self.text, value);
            return self.push(Kind::EscapedString, first..self.unescaped.len());
        }
        let start = self.text.len() + 1;
        self.text.push('"');
        self.text.push_str(value);
        self.text.push('"');
        self.push(Kind::String, start..self.text.len() - 1);
        self.unescaped.truncate(first);
    }

    /// Opens a container whose text begins at `start`.
    pub(super) fn open_at(&mut self, kind: Kind, start: usize) -> Open {
        let at = self.nodes.len();
        self.push(kind, start..start);
        Open { at }
    }

    pub(crate) fn open_array(&mut self) -> Open {
        self.open(Kind::Array, '[')
    }

    pub(crate) fn open_object(&mut self) -> Open {
        self.open(Kind::Object, '{')
    }

    fn open(&mut self, kind: Kind, bracket: char) -> Open {
        let open = self.open_at(kind, self.text.len());
        self.text.push(bracket);
        open
    }

    pub(crate) fn close_array(&mut self, open: Open) {
        self.close(open, ']');
    }

    /// Closes an object. Of duplicate members the last wins, as everywhere in Singer.
    pub(crate) fn close_object(&mut self, open: Open) {
        if self.has_duplicates(open.at) {
            self.remove_duplicates(open.at);
        }
        self.close(open, '}');
    }

    fn close(&mut self, open: Open, bracket: char) {
        self.text.push(bracket);
        self.close_at(open, self.text.len());
    }

    /// Closes a container whose text ends at `end`.
    pub(super) fn close_at(&mut self, open: Open, end: usize) {
        let size = offset(self.nodes.len() - open.at);
        let node = &mut self.nodes[open.at];
        node.len = offset(end) - node.start;
        node.size = size;
    }

    /// Writes the comma before every member or element but the first.
    pub(crate) fn separate(&mut self, first: &mut bool) {
        if !std::mem::take(first) {
            self.text.push(',');
        }
    }

    pub(crate) fn colon(&mut self) {
        self.text.push(':');
    }

    /// The members of an object that is still open.
    fn open_members(&self, at: usize) -> super::Members<'_> {
        let end = offset(self.nodes.len());
        super::Members(super::Children {
            tape: self,
            at: offset(at + 1),
            end,
        })
    }

    /// Few members: compare each with all others. Many: a set.
    fn has_duplicates(&self, at: usize) -> bool {
        let mut names = Names::default();
        let mut count = 0;
        for (name, _) in self.open_members(at) {
            names.add(name.as_bytes());
            count += 1;
        }
        if !names.may_repeat() {
            return false;
        }
        if count <= 32 {
            let mut members = self.open_members(at);
            while let Some((name, _)) = members.next() {
                if members.clone().any(|(other, _)| other == name) {
                    return true;
                }
            }
            return false;
        }
        let mut names = std::collections::HashSet::with_capacity(count);
        self.open_members(at).any(|(name, _)| !names.insert(name))
    }

    /// Writes the open object again without the members that a later one replaces. Rare.
    fn remove_duplicates(&mut self, at: usize) {
        let mut last = std::collections::HashMap::new();
        for (name, value) in self.open_members(at) {
            last.insert(name, value.at);
        }
        let is_last = |&(name, value): &(&str, Value<'_>)| last.get(name) == Some(&value.at);
        let kept = Tape::object(self.open_members(at).filter(is_last));
        self.replace_last(at, &kept);
        // The caller closes the object.
        self.text.pop();
    }

    /// Copies a value, of this or another tape, to the end of this one. Returns its position.
    pub(crate) fn append(&mut self, value: Value<'_>) -> u32 {
        let at = self.nodes.len();
        let from = value.at as usize;
        let source = &value.tape.nodes[from..from + value.node().size as usize];
        let node = source[0];
        match node.kind {
            Kind::Array | Kind::Object => {
                let base = offset(self.text.len());
                self.text.push_str(&value.tape.text[node.range()]);
                offset(self.text.len());
                self.nodes.extend(source.iter().map(|child| Node {
                    start: child.start.wrapping_sub(node.start).wrapping_add(base),
                    ..*child
                }));
                if !value.tape.unescaped.is_empty() {
                    self.append_unescaped(value.tape, source, at);
                }
            }
            Kind::String => self.push_plain_str(&value.tape.text[node.range()]),
            Kind::EscapedString => self.push_str(&value.tape.unescaped[node.range()]),
            _ => self.push_text(node.kind, &value.tape.text[node.range()]),
        }
        offset(at)
    }

    /// Copies the characters that the nodes from `at` on, copies of `source`, have in `unescaped`.
    fn append_unescaped(&mut self, from: &Self, source: &[Node], at: usize) {
        for (node, source) in self.nodes[at..].iter_mut().zip(source) {
            if source.kind == Kind::EscapedString {
                node.start = offset(self.unescaped.len());
                self.unescaped.push_str(&from.unescaped[source.range()]);
            }
        }
    }

    /// Adds a member to the object at `at`, which must be the last value of the tape.
    pub(crate) fn append_member(&mut self, at: u32, name: &str, value: Plain<'_>) {
        let object = at as usize;
        debug_assert_eq!(self.nodes[object].kind, Kind::Object);
        debug_assert_eq!(object + self.nodes[object].size as usize, self.nodes.len());
        self.text.pop();
        let mut first = self.nodes[object].size == 1;
        self.separate(&mut first);
        self.push_plain_str(name);
        self.colon();
        match value {
            Plain::Null => self.push_null(),
            Plain::Number(text) => self.push_number(text),
            Plain::Text(text) => self.push_plain_str(text),
        }
        self.close(Open { at: object }, '}');
    }

    /// Gives the object at `at`, which must be the last value of the tape, a member in the place of
    /// one that it may have.
    pub(crate) fn set_member(&mut self, at: u32, name: &str, value: Plain<'_>) {
        if self.value(at).get(name).is_some() {
            self.remove_member(at, name);
        }
        self.append_member(at, name, value);
    }

    /// Takes a member out of the object at `at`, which must be the last value of the tape.
    fn remove_member(&mut self, at: u32, name: &str) {
        let others = self.value(at).members().filter(|(other, _)| *other != name);
        let kept = Tape::object(others);
        self.replace_last(at as usize, &kept);
    }

    /// An object with these members.
    fn object<'v>(members: impl Iterator<Item = (&'v str, Value<'v>)>) -> Self {
        let mut tape = Self::new();
        let open = tape.open_object();
        let mut first = true;
        for (name, value) in members {
            tape.separate(&mut first);
            tape.push_str(name);
            tape.colon();
            tape.append(value);
        }
        tape.close(open, '}');
        tape
    }

    /// Puts the value of another tape in place of the last one, which begins at `at`.
    fn replace_last(&mut self, at: usize, other: &Self) {
        let start = self.nodes[at].start as usize;
        self.nodes.truncate(at);
        self.text.truncate(start);
        self.append(other.value(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_can_be_added_to_the_last_value() {
        let mut tape = Tape::parsed(r#"{"a":"\n"}"#);
        tape.append_member(0, "b", Plain::Text("x"));
        let mut copy = Tape::parsed("[1]");
        let at = copy.append(tape.value(0));
        copy.append_member(at, "c", Plain::Text("y"));
        copy.append_member(at, "d", Plain::Number("1.10"));
        copy.append_member(at, "e", Plain::Null);
        copy.remove_member(at, "b");
        let object = copy.value(at);
        assert_eq!(object.to_json(), r#"{"a":"\n","c":"y","d":1.10,"e":null}"#);
        assert_eq!(object.get("a").and_then(Value::as_str), Some("\n"));
        assert_eq!(object.get("c").and_then(Value::as_str), Some("y"));
        assert_eq!(copy.value(0).to_json(), "[1]");

        let mut empty = Tape::parsed("{}");
        empty.append_member(0, "a", Plain::Text("b"));
        assert_eq!(empty.value(0).to_json(), r#"{"a":"b"}"#);
        empty.remove_member(0, "a");
        assert_eq!(empty.value(0).to_json(), "{}");
    }

    #[test]
    fn of_duplicate_members_the_last_wins() {
        let tape = Tape::parsed(r#"{"a":1,"b":{"x":1,"x":"\"","y":[1,2]},"a":[{"z":1}],"c":2}"#);
        assert_eq!(
            tape.value(0).to_json(),
            r#"{"b":{"x":"\"","y":[1,2]},"a":[{"z":1}],"c":2}"#
        );
        assert_eq!(tape.value(0).members().count(), 3);
        let many: Vec<String> = (0..200).map(|i| format!("\"k{}\":{i}", i % 150)).collect();
        let tape = Tape::parsed(&format!("{{{}}}", many.join(",")));
        assert_eq!(tape.value(0).members().count(), 150);
        assert_eq!(
            tape.value(0).get("k0").map(Value::to_json).as_deref(),
            Some("150")
        );
    }
}
