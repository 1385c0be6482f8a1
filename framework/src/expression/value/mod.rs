//! The values of expressions: those of the record, which are not copied, and those that are made.

mod compare;
mod show;

use std::borrow::Cow;
use std::rc::Rc;

use super::datetime::{Delta, Moment};
use super::functions::Native;
use super::number::Number;
use crate::value::{Value as Json, ValueKind};

/// A result, or what is wrong, without values.
pub(super) type Outcome<T> = Result<T, String>;

/// A value. Cheap to copy; never changed.
#[derive(Debug, Clone)]
pub(crate) enum Value<'a> {
    None,
    Bool(bool),
    /// A number that was calculated or written in the expression.
    Number(Number),
    Text(Cow<'a, str>),
    List(Rc<Vec<Value<'a>>>),
    Tuple(Rc<Vec<Value<'a>>>),
    /// In the order of their members. A name occurs once.
    Dict(Rc<Vec<(Value<'a>, Value<'a>)>>),
    /// A number, an array or an object as it came.
    Json(Json<'a>),
    Date(jiff::civil::Date),
    Moment(Moment),
    Delta(Delta),
    /// `datetime.timezone.utc` and the like.
    Zone(jiff::tz::Offset),
    /// A function that is not called but passed on: `default=str`.
    Function(&'static str, Native),
}

impl<'a> Value<'a> {
    pub(super) fn of(json: Json<'a>) -> Self {
        match (json.kind(), json.as_bool(), json.as_str()) {
            (ValueKind::Null, ..) => Self::None,
            (_, Some(value), _) => Self::Bool(value),
            (_, _, Some(text)) => Self::text(text),
            _ => Self::Json(json),
        }
    }

    pub(super) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn int(value: impl Into<num_bigint::BigInt>) -> Self {
        Self::Number(Number::Int(value.into()))
    }

    pub(super) fn list(values: Vec<Value<'a>>) -> Self {
        Self::List(Rc::new(values))
    }

    /// What it is called in messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::None => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Tuple(_) => "a tuple",
            Self::Dict(_) => "an object",
            Self::Json(json) => match json.kind() {
                ValueKind::Array => "a list",
                ValueKind::Object => "an object",
                _ => "a number",
            },
            Self::Date(_) => "a date",
            Self::Moment(_) => "a datetime",
            Self::Delta(_) => "a timedelta",
            Self::Zone(_) => "a time zone",
            Self::Function(..) => "a function",
        }
    }

    /// The number, if this is one; as in Python, booleans are.
    ///
    /// # Errors
    /// One that cannot be calculated with.
    pub(super) fn number(&self) -> Outcome<Option<Number>> {
        Ok(match self {
            Self::Bool(value) => Some(Number::Int(u8::from(*value).into())),
            Self::Number(number) => Some(number.clone()),
            Self::Json(json) => match json.as_number() {
                Some(number) => Some(Number::parse(number.as_str())?),
                None => None,
            },
            _ => None,
        })
    }

    /// A whole number that fits, for what counts something.
    pub(super) fn index(&self) -> Option<i64> {
        match self.number() {
            Ok(Some(Number::Int(value))) => i64::try_from(value).ok(),
            _ => None,
        }
    }

    pub(super) fn is_dict(&self) -> bool {
        self.kind() == "an object"
    }

    /// Whether it counts as true.
    pub(crate) fn is_true(&self) -> Outcome<bool> {
        Ok(match self {
            Self::None => false,
            Self::Bool(value) => *value,
            Self::Number(number) => !number.is_zero(),
            Self::Text(text) => !text.is_empty(),
            Self::List(values) | Self::Tuple(values) => !values.is_empty(),
            Self::Dict(members) => !members.is_empty(),
            Self::Json(json) => match json.as_number() {
                Some(number) => number != *ZERO,
                None => json.members().next().is_some() || json.elements().next().is_some(),
            },
            Self::Delta(delta) => !delta.is_zero(),
            Self::Date(_) | Self::Moment(_) | Self::Zone(_) | Self::Function(..) => true,
        })
    }

    /// How many elements there are in what can be gone through.
    pub(super) fn length(&self) -> Option<usize> {
        Some(match self {
            Self::List(values) | Self::Tuple(values) => values.len(),
            Self::Dict(members) => members.len(),
            Self::Json(json) => match json.kind() {
                ValueKind::Array => json.elements().count(),
                ValueKind::Object => json.members().count(),
                _ => return None,
            },
            Self::Text(text) => text.chars().count(),
            _ => return None,
        })
    }

    /// About how many bytes an operator has to look at.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Json(json) => json.json_slice().map_or(0, str::len),
            Self::List(values) | Self::Tuple(values) => values.len() * size_of::<Self>(),
            Self::Dict(members) => members.len() * 2 * size_of::<Self>(),
            Self::Number(number) => number.weight(),
            _ => 0,
        }
    }

    /// The elements of what can be gone through: of text its characters, of an object its names.
    pub(super) fn elements(&self) -> Option<Vec<Value<'a>>> {
        Some(match self {
            Self::List(values) | Self::Tuple(values) => values.to_vec(),
            Self::Dict(members) => members.iter().map(|(name, _)| name.clone()).collect(),
            Self::Json(json) => match json.kind() {
                ValueKind::Array => json.elements().map(Value::of).collect(),
                ValueKind::Object => json.members().map(|(name, _)| Value::text(name)).collect(),
                _ => return None,
            },
            Self::Text(text) => {
                let character = |c: char| Value::text(c.to_string());
                text.chars().map(character).collect()
            }
            _ => return None,
        })
    }

    /// The members of an object.
    pub(super) fn members(&self) -> Option<Vec<(Value<'a>, Value<'a>)>> {
        match self {
            Self::Dict(members) => Some(members.to_vec()),
            Self::Json(json) if json.kind() == ValueKind::Object => {
                let members = json.members();
                Some(
                    members
                        .map(|(name, value)| (Value::text(name), Value::of(value)))
                        .collect(),
                )
            }
            _ => None,
        }
    }

    /// The member of an object.
    pub(super) fn member(&self, name: &Value<'a>) -> Outcome<Option<Value<'a>>> {
        match (self, name) {
            (Self::Json(json), Self::Text(name)) => Ok(json.get(name).map(Value::of)),
            (Self::Dict(members), _) => {
                for (other, value) in members.iter() {
                    if other.equals(name)? {
                        return Ok(Some(value.clone()));
                    }
                }
                Ok(None)
            }
            _ => Ok(None),
        }
    }
}

static ZERO: std::sync::LazyLock<crate::value::Number<'static>> =
    std::sync::LazyLock::new(|| crate::value::Number::like("0").expect("it is one"));
