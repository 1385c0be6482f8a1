//! Expressions in the syntax of Python, for stream maps: `email.split('@')[-1]`.
//!
//! The Meltano SDK gives such expressions to Python's own parser and evaluates the tree itself, node
//! by node. This module does the same with a grammar of its own: expressions only, nothing that
//! assigns, imports or calls what is not in a table. What differs from the SDK, on purpose:
//!
//! - Numbers are exact. What merely passes through keeps its digits; an operation that would have
//!   to round beyond 64 bits is refused ([`number`]).
//! - All names of functions and methods are looked up when an expression is parsed, so that a
//!   mistake is told with the configuration, and not with the millionth record.
//! - An evaluation has a budget of steps and bytes ([`scope`]), so that none can hang a run.
//! - Values never change: methods such as `append` are not offered.
//!
//! The way of an expression: [`token`] → [`parse`], which looks up [`names`] → [`syntax`] → [`eval`],
//! which calls what [`functions`], [`text`], [`containers`], [`datetime`], [`json`] and [`fake`] have in
//! their tables.

mod arguments;
mod containers;
mod datetime;
mod eval;
mod fake;
mod format;
mod functions;
mod json;
mod names;
mod number;
mod operators;
mod parse;
mod scope;
mod syntax;
#[cfg(test)]
mod tests;
mod text;
mod token;
mod value;

pub(crate) use fake::{FakeSettings, Faker};
#[cfg(feature = "internals")]
pub(crate) use names::callable;
pub(crate) use scope::{Names, Scope};
pub(crate) use value::Value;

use syntax::Node;

/// An expression that was parsed, and whose functions and methods are known to exist.
#[derive(Debug, Clone)]
pub(crate) struct Expression {
    text: String,
    root: Node,
}

/// What is wrong with an expression, and at which of its characters, counted from 1. Holds no
/// values, neither of records nor of settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}, at character {at}")]
pub(crate) struct ExpressionError {
    problem: String,
    at: usize,
}

impl ExpressionError {
    fn new(at: usize, problem: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
            at,
        }
    }
}

impl Expression {
    /// Parses an expression.
    ///
    /// # Errors
    /// It is none, or it uses what is not offered.
    pub(crate) fn parse(text: &str) -> Result<Self, ExpressionError> {
        Ok(Self {
            root: parse::parse(text)?,
            text: text.trim().to_owned(),
        })
    }

    /// The expression as it was written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Its value for one record.
    ///
    /// # Errors
    /// A name that is not there, values that do not go together, or an empty budget.
    pub(crate) fn eval<'a>(&self, scope: &Scope<'a>) -> Result<Value<'a>, ExpressionError> {
        eval::eval(&self.root, scope)
    }
}
