//! JSON values as the framework carries them: a flat tape of nodes over one compact text.
//!
//! A record passes from the input line to the sink as a [`Value`]: parsed once, without an
//! allocation for each member, with every number kept as the digits that the tap wrote. The text
//! of a tape is always compact JSON, so writing a value out as JSON is a copy of a slice.
//!
//! `serde_json::Value` would cost several allocations a record and is used only at the edges
//! (settings, schemas).

mod build;
mod escape;
mod number;
mod parse;
mod scan;
mod serde;
mod text;

pub(crate) use build::Plain;
pub use number::{BigNumbers, Fitted, Number, NumberError};
pub use parse::ParseError;
pub use serde::WithBigNumbers;

use build::{Kind, Node};

/// A buffer of JSON values, one behind the other, that can be cleared and filled again.
///
/// ```
/// # use singer_target::value::Tape;
/// let mut tape = Tape::new();
/// for json in [r#"{"id": 1}"#, r#"{"id": 2}"#] {
///     // The memory of the first value serves the second.
///     tape.parse(json.as_bytes())?;
///     assert_eq!(tape.root().unwrap().to_json(), json.replace(' ', ""));
/// }
/// # Ok::<(), singer_target::value::ParseError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Tape {
    nodes: Vec<Node>,
    /// The values as compact JSON. Nodes point into it.
    text: String,
    /// The characters of those strings whose JSON text has escapes.
    unescaped: String,
}

/// One JSON value on a [`Tape`]. As cheap to copy as a reference.
///
/// [`to_json`](Self::to_json) gives it as a `String` of compact JSON, which is always one line.
///
/// ```
/// # use singer_target::value::Tape;
/// # let mut tape = Tape::new();
/// tape.parse(br#"{"id": 7, "price": 0.10, "tags": ["new", null]}"#)?;
/// let record = tape.root().unwrap();
/// assert_eq!(record.get("id").unwrap().as_number().unwrap().as_i64(), Some(7));
/// // As the tap wrote it: a float would have lost the zero.
/// assert_eq!(record.get("price").unwrap().to_json(), "0.10");
/// let tags: Vec<_> = record.get("tags").unwrap().elements().map(|tag| tag.as_str()).collect();
/// assert_eq!(tags, [Some("new"), None]);
/// let names: Vec<_> = record.members().map(|(name, _)| name).collect();
/// assert_eq!(names, ["id", "price", "tags"]);
/// # Ok::<(), singer_target::value::ParseError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Value<'a> {
    tape: &'a Tape,
    at: u32,
}

/// The type of a [`Value`].
///
/// ```
/// # use singer_target::value::{Tape, Value, ValueKind};
/// fn column_type(value: Value<'_>) -> &'static str {
///     match value.kind() {
///         ValueKind::Null | ValueKind::String => "text",
///         ValueKind::Bool => "boolean",
///         ValueKind::Number => "numeric",
///         ValueKind::Array | ValueKind::Object => "jsonb",
///     }
/// }
/// # let mut tape = Tape::new();
/// # tape.parse(b"[1]")?;
/// # assert_eq!(column_type(tape.root().unwrap()), "jsonb");
/// # Ok::<(), singer_target::value::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number of any size
    Number,
    /// A string
    String,
    /// An array
    Array,
    /// An object
    Object,
}

impl Tape {
    /// So deep may arrays and objects be nested.
    pub(crate) const MAX_DEPTH: usize = parse::MAX_DEPTH;

    /// An empty tape.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The first value, if there is one.
    #[must_use]
    pub fn root(&self) -> Option<Value<'_>> {
        (!self.nodes.is_empty()).then_some(Value { tape: self, at: 0 })
    }

    /// Removes all values and keeps the memory.
    pub fn clear(&mut self) {
        self.nodes.clear();
        self.text.clear();
        self.unescaped.clear();
    }

    /// How much memory the values take, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.text.len() + self.unescaped.len() + self.nodes.len() * size_of::<Node>()
    }

    /// Replaces the contents with a string.
    pub(crate) fn set_string(&mut self, string: &str) -> Value<'_> {
        self.clear();
        self.push_str(string);
        self.value(0)
    }

    pub(crate) fn value(&self, at: u32) -> Value<'_> {
        Value { tape: self, at }
    }
}

impl<'a> Value<'a> {
    #[inline]
    fn node(self) -> Node {
        self.tape.nodes[self.at as usize]
    }

    /// What tells this value from all others that live at the same time.
    pub(crate) fn address(self) -> (usize, u32) {
        (std::ptr::from_ref(self.tape).addr(), self.at)
    }

    /// The value's type.
    #[must_use]
    pub fn kind(self) -> ValueKind {
        match self.node().kind {
            Kind::Null => ValueKind::Null,
            Kind::False | Kind::True => ValueKind::Bool,
            Kind::Number => ValueKind::Number,
            Kind::String | Kind::EscapedString => ValueKind::String,
            Kind::Array => ValueKind::Array,
            Kind::Object => ValueKind::Object,
        }
    }

    /// Whether this is `null`.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.node().kind == Kind::Null
    }

    /// The boolean, if this is one.
    #[must_use]
    pub fn as_bool(self) -> Option<bool> {
        match self.node().kind {
            Kind::False => Some(false),
            Kind::True => Some(true),
            _ => None,
        }
    }

    /// The number, if this is one.
    #[must_use]
    pub fn as_number(self) -> Option<Number<'a>> {
        let node = self.node();
        (node.kind == Kind::Number).then(|| Number::trusted(&self.tape.text[node.range()]))
    }

    /// The characters of the string, if this is one.
    #[must_use]
    #[inline]
    pub fn as_str(self) -> Option<&'a str> {
        let node = self.node();
        match node.kind {
            Kind::String => Some(&self.tape.text[node.range()]),
            Kind::EscapedString => Some(&self.tape.unescaped[node.range()]),
            _ => None,
        }
    }

    /// The value of the member `name`, if this is an object that has it.
    #[must_use]
    pub fn get(self, name: &str) -> Option<Value<'a>> {
        let mut members = self.pairs();
        members.find_map(|(key, value)| key.is(name).then_some(value))
    }

    /// Which of the members `names` this has, if it is an object.
    pub(crate) fn has<const N: usize>(self, names: [&str; N]) -> [bool; N] {
        let mut has = [false; N];
        for (key, _) in self.pairs() {
            for (has, name) in has.iter_mut().zip(names) {
                *has |= key.is(name);
            }
        }
        has
    }

    /// The members of an object, with their names as values.
    fn pairs(self) -> impl Iterator<Item = (Value<'a>, Value<'a>)> {
        let mut children = self.children(Kind::Object);
        std::iter::from_fn(move || children.next_pair())
    }

    /// Whether this string has these characters.
    fn is(self, characters: &str) -> bool {
        // Most names differ in their length already.
        self.node().len() == characters.len() && self.characters() == Some(characters.as_bytes())
    }

    /// The characters of a string as bytes, which are quicker to compare than to cut out as text.
    fn characters(self) -> Option<&'a [u8]> {
        let node = self.node();
        match node.kind {
            Kind::String => self.tape.text.as_bytes().get(node.range()),
            Kind::EscapedString => self.tape.unescaped.as_bytes().get(node.range()),
            _ => None,
        }
    }

    /// The members of an object in their order; nothing for other values.
    #[must_use]
    pub fn members(self) -> Members<'a> {
        Members(self.children(Kind::Object))
    }

    /// The elements of an array; nothing for other values.
    #[must_use]
    pub fn elements(self) -> Elements<'a> {
        Elements(self.children(Kind::Array))
    }

    /// Whether two objects have the same members among those whose names `counts` lets through, in
    /// any order and with equal values.
    pub fn equals_in(self, other: Value<'_>, counts: impl Fn(&str) -> bool) -> bool {
        /// With more members than this, looking through them one by one is too slow.
        const LINEAR: usize = 64;
        let mine = || self.members().filter(|(name, _)| counts(name));
        let others = || other.members().filter(|(name, _)| counts(name));
        let count = mine().count();
        if count != others().count() {
            return false;
        }
        if count > LINEAR {
            let others: std::collections::HashMap<_, _> = others().collect();
            return mine()
                .all(|(name, value)| others.get(name).is_some_and(|found| *found == value));
        }
        // They nearly always have the same order, so look at the same place first.
        let mut expected = others();
        mine().all(|(name, value)| match expected.next() {
            Some((same, candidate)) if same == name => candidate == value,
            _ => other.get(name) == Some(value),
        })
    }

    fn children(self, kind: Kind) -> Children<'a> {
        let node = self.node();
        let end = if node.kind == kind {
            self.at + node.size
        } else {
            self.at + 1
        };
        Children {
            tape: self.tape,
            at: self.at + 1,
            end,
        }
    }
}

/// The nodes directly below a container.
#[derive(Debug, Clone)]
struct Children<'a> {
    tape: &'a Tape,
    at: u32,
    end: u32,
}

impl<'a> Children<'a> {
    /// The name and the value of the next member of an object.
    #[inline]
    fn next_pair(&mut self) -> Option<(Value<'a>, Value<'a>)> {
        if self.at >= self.end {
            return None;
        }
        let (name, value) = (self.tape.value(self.at), self.tape.value(self.at + 1));
        // A name is one node.
        self.at += 1 + value.node().size;
        Some((name, value))
    }
}

impl<'a> Iterator for Children<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        if self.at >= self.end {
            return None;
        }
        let value = self.tape.value(self.at);
        self.at += value.node().size;
        Some(value)
    }
}

/// The members of an object: see [`Value::members`]. [`Value`] has an example.
#[derive(Debug, Clone)]
pub struct Members<'a>(Children<'a>);

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, Value<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (name, value) = self.0.next_pair()?;
        Some((name.as_str()?, value))
    }

    /// Without a look at the names.
    fn count(self) -> usize {
        let Self(mut children) = self;
        std::iter::from_fn(|| children.next_pair()).count()
    }
}

/// The elements of an array: see [`Value::elements`]. [`Value`] has an example.
#[derive(Debug, Clone)]
pub struct Elements<'a>(Children<'a>);

impl<'a> Iterator for Elements<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

/// Equal as JSON: members in any order, numbers by value.
impl PartialEq for Value<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self.kind(), other.kind()) {
            (ValueKind::Null, ValueKind::Null) => true,
            (ValueKind::Bool, ValueKind::Bool) => self.as_bool() == other.as_bool(),
            (ValueKind::Number, ValueKind::Number) => self.as_number() == other.as_number(),
            (ValueKind::String, ValueKind::String) => self.as_str() == other.as_str(),
            (ValueKind::Array, ValueKind::Array) => self.elements().eq(other.elements()),
            (ValueKind::Object, ValueKind::Object) => self.equals_in(*other, |_| true),
            _ => false,
        }
    }
}

impl std::fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.to_json())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equality_is_by_value_and_ignores_order() {
        let left = Tape::parsed(r#"{"a":1.0,"b":[true,null],"c":"x"}"#);
        let right = Tape::parsed(r#"{"c":"x","a":1,"b":[true,null]}"#);
        assert_eq!(left.root(), right.root());
        for other in [
            r#"{"a":1,"b":[true,null]}"#,
            r#"{"a":1,"b":[null,true],"c":"x"}"#,
            "1",
        ] {
            assert_ne!(left.root(), Tape::parsed(other).root(), "{other}");
        }
    }

    #[test]
    fn objects_of_any_size_compare_in_any_order() {
        for size in [3, 64, 65, 500] {
            let member = |n: usize| format!("\"k{n}\":{n}");
            let up: Vec<_> = (0..size).map(member).collect();
            let down: Vec<_> = (0..size).rev().map(member).collect();
            let up = Tape::parsed(&format!("{{{}}}", up.join(",")));
            let mut other = format!("{{{}}}", down.join(","));
            assert_eq!(up.root(), Tape::parsed(&other).root());
            other = other.replace("\"k1\":1,", "\"k1\":9,");
            assert_ne!(up.root(), Tape::parsed(&other).root());
            let but_one = |name: &str| name != "k1";
            let other = Tape::parsed(&other);
            let (up, other) = (up.root().expect("a value"), other.root().expect("a value"));
            assert!(up.equals_in(other, but_one));
        }
    }

    #[test]
    fn members_of_other_values_are_none() {
        let tape = Tape::parsed(r#"[1,"a"]"#);
        let array = tape.root().expect("a value");
        assert_eq!(array.members().count(), 0);
        assert_eq!(array.elements().count(), 2);
        assert_eq!(array.get("a"), None);
    }
}
