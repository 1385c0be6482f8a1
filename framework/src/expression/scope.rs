//! What an expression can see, and how much it may do.

use std::cell::Cell;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Faker;
use super::value::{Outcome, Value};
use crate::value::Value as Json;

/// Steps that one evaluation may take. A step is a node of the expression or an element that is
/// visited; it takes some ten nanoseconds, so that the worst evaluation ends within a fraction of a
/// second.
const STEPS: u64 = 2_000_000;

/// So many bytes that an evaluation makes count as a step, which bounds its memory, too.
const BYTES_A_STEP: u64 = 64;

/// So many members of an object that are looked through count as a step.
const MEMBERS_A_STEP: usize = 16;

/// So deep may calls be nested, for the sake of the stack.
const DEEPEST: usize = 200;

/// The names of an expression that do not come from the record.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Names<'a> {
    /// `record`, `_`, and a name for each of its members.
    pub(crate) record: Option<Json<'a>>,
    /// `self`
    pub(crate) this: Option<Json<'a>>,
    /// `config`
    pub(crate) config: Option<Json<'a>>,
    /// `__stream_name__`
    pub(crate) stream: &'a str,
    /// `__original_stream_name__`
    pub(crate) original: Option<&'a str>,
}

/// The surroundings of one evaluation.
pub(crate) struct Scope<'a> {
    names: Names<'a>,
    faker: &'a Mutex<Faker>,
    steps: Cell<u64>,
    depth: Cell<usize>,
    /// How many members the record has.
    members: usize,
}

impl<'a> Scope<'a> {
    pub(crate) fn new(names: Names<'a>, faker: &'a Mutex<Faker>) -> Self {
        Self {
            members: names.record.map_or(0, |record| record.members().count()),
            names,
            faker,
            steps: Cell::new(STEPS),
            depth: Cell::new(0),
        }
    }

    /// The value of a name. As in the SDK, the names with a meaning of their own win over those of
    /// the record's members.
    pub(super) fn name(&self, name: &str) -> Outcome<Option<Value<'a>>> {
        self.pay(self.members / MEMBERS_A_STEP)?;
        let own = match name {
            "_" | "record" => self.names.record,
            "config" => self.names.config,
            "self" => self.names.this,
            "__stream_name__" => return Ok(Some(Value::text(self.names.stream))),
            "__original_stream_name__" => return Ok(self.names.original.map(Value::text)),
            _ => None,
        };
        let member = || self.names.record?.get(name);
        Ok(own.or_else(member).map(Value::of))
    }

    pub(super) fn faker(&self) -> MutexGuard<'a, Faker> {
        self.faker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Pays for `count` steps.
    pub(super) fn pay(&self, count: usize) -> Outcome<()> {
        match self.steps.get().checked_sub(count as u64) {
            Some(left) => {
                self.steps.set(left);
                Ok(())
            }
            None => Err("takes too many steps, or makes too much data, for one record".to_owned()),
        }
    }

    /// Pays for making `bytes` bytes.
    pub(super) fn pay_bytes(&self, bytes: usize) -> Outcome<()> {
        self.pay(1 + (bytes as u64 / BYTES_A_STEP) as usize)
    }

    /// Pays for a value with all that is in it, before something goes through it. What came with the
    /// record and is handed on as it is costs nothing yet.
    pub(super) fn pay_for(&self, value: &Value<'a>) -> Outcome<()> {
        match value {
            Value::Json(_) => Ok(()),
            made => self.pay_deeply(made),
        }
    }

    /// Of what is in a value several times, each time counts: it is written so often.
    fn pay_deeply(&self, value: &Value<'a>) -> Outcome<()> {
        self.pay_bytes(value.weight())?;
        let parts = || match value {
            Value::List(values) | Value::Tuple(values) => {
                values.iter().try_for_each(|value| self.pay_deeply(value))
            }
            Value::Dict(members) => members.iter().try_for_each(|(name, value)| {
                self.pay_deeply(name)?;
                self.pay_deeply(value)
            }),
            _ => Ok(()),
        };
        self.deeper(parts, Err)
    }

    /// The elements of a value, paid for before they are made.
    pub(super) fn elements(&self, value: &Value<'a>) -> Outcome<Option<Vec<Value<'a>>>> {
        self.pay(value.length().unwrap_or(0))?;
        Ok(value.elements())
    }

    /// The member of an object.
    pub(super) fn member(
        &self,
        object: &Value<'a>,
        name: &Value<'a>,
    ) -> Outcome<Option<Value<'a>>> {
        if object.is_dict() {
            self.pay(object.length().unwrap_or(0) / MEMBERS_A_STEP)?;
        }
        object.member(name)
    }

    /// Evaluates what stands within another part.
    pub(super) fn deeper<T>(
        &self,
        part: impl FnOnce() -> T,
        too_deep: impl FnOnce(String) -> T,
    ) -> T {
        let depth = self.depth.get();
        if depth == DEEPEST {
            return too_deep(format!("nested deeper than {DEEPEST} levels"));
        }
        self.depth.set(depth + 1);
        let value = part();
        self.depth.set(depth);
        value
    }
}
