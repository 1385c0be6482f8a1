//! What a function or a method was called with.

use super::value::{Outcome, Value};

/// The arguments of one call, taken one after the other.
pub(crate) struct Arguments<'a> {
    positional: std::vec::IntoIter<Value<'a>>,
    named: Vec<(String, Value<'a>)>,
}

impl<'a> Arguments<'a> {
    pub(super) fn new(positional: Vec<Value<'a>>, named: Vec<(String, Value<'a>)>) -> Self {
        Self {
            positional: positional.into_iter(),
            named,
        }
    }

    /// The next argument by its place, or the one of that name.
    pub(super) fn next(&mut self, name: &str) -> Option<Value<'a>> {
        self.positional.next().or_else(|| self.named(name))
    }

    /// The argument of that name, which has no place.
    pub(super) fn named(&mut self, name: &str) -> Option<Value<'a>> {
        let at = self.named.iter().position(|(other, _)| other == name)?;
        Some(self.named.remove(at).1)
    }

    pub(super) fn need(&mut self, name: &str) -> Outcome<Value<'a>> {
        self.next(name)
            .ok_or_else(|| format!("the argument {name} is missing"))
    }

    /// An argument that must be text.
    pub(super) fn text(&mut self, name: &str) -> Outcome<std::borrow::Cow<'a, str>> {
        match self.need(name)? {
            Value::Text(text) => Ok(text),
            other => Err(format!(
                "the argument {name} must be text, not {}",
                other.kind()
            )),
        }
    }

    /// An argument that may be text.
    pub(super) fn text_or_none(
        &mut self,
        name: &str,
    ) -> Outcome<Option<std::borrow::Cow<'a, str>>> {
        match self.next(name) {
            None | Some(Value::None) => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(other) => Err(format!(
                "the argument {name} must be text, not {}",
                other.kind()
            )),
        }
    }

    /// An argument that may be a whole number.
    pub(super) fn int_or(&mut self, name: &str, default: i64) -> Outcome<i64> {
        match self.next(name) {
            None | Some(Value::None) => Ok(default),
            Some(value) => value
                .index()
                .ok_or_else(|| format!("the argument {name} must be a whole number")),
        }
    }

    pub(super) fn rest(&mut self) -> Vec<Value<'a>> {
        self.positional.by_ref().collect()
    }

    /// The named arguments that were not taken.
    pub(super) fn rest_named(&mut self) -> Vec<(String, Value<'a>)> {
        std::mem::take(&mut self.named)
    }

    /// Refuses what was not taken.
    pub(super) fn finish(&mut self) -> Outcome<()> {
        if self.positional.next().is_some() {
            return Err("too many arguments".to_owned());
        }
        match self.named.first() {
            Some((name, _)) => Err(format!("there is no argument {name}")),
            None => Ok(()),
        }
    }
}
