//! The values of expressions: those of the record, which are not copied, and those that are made.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::rc::Rc;

use super::datetime::{Delta, Moment};
use super::functions::Native;
use super::number::Number;
use crate::value::{Tape, Value as Json, ValueKind};

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

    /// Whether `==` holds.
    pub(super) fn equals(&self, other: &Self) -> Outcome<bool> {
        if let (Self::Json(left), Self::Json(right)) = (self, other) {
            return Ok(left == right);
        }
        if let (Some(left), Some(right)) = (self.number()?, other.number()?) {
            return Ok(left.compare(&right)? == Ordering::Equal);
        }
        Ok(match (self, other) {
            (Self::None, Self::None) => true,
            (Self::Text(left), Self::Text(right)) => left == right,
            (Self::Date(left), Self::Date(right)) => left == right,
            (Self::Moment(left), Self::Moment(right)) => left.compare(right) == Ok(Ordering::Equal),
            (Self::Delta(left), Self::Delta(right)) => left == right,
            (Self::Zone(left), Self::Zone(right)) => left == right,
            (Self::Tuple(left), Self::Tuple(right)) => all_equal(left, right)?,
            _ if self.kind() == "a list" && other.kind() == "a list" => {
                let (left, right) = (self.elements(), other.elements());
                all_equal(&left.unwrap_or_default(), &right.unwrap_or_default())?
            }
            _ => match (self.members(), other.members()) {
                (Some(left), Some(right)) => {
                    let mut equal = left.len() == right.len();
                    for (name, value) in left {
                        let found = other.member(&name)?;
                        equal = equal && found.is_some_and(|it| it.equals(&value) == Ok(true));
                    }
                    equal
                }
                _ => false,
            },
        })
    }

    /// The order of two values of one kind.
    pub(super) fn compare(&self, other: &Self) -> Outcome<Ordering> {
        if let (Some(left), Some(right)) = (self.number()?, other.number()?) {
            return left.compare(&right);
        }
        match (self, other) {
            (Self::Text(left), Self::Text(right)) => Ok(left.cmp(right)),
            (Self::Date(left), Self::Date(right)) => Ok(left.cmp(right)),
            (Self::Moment(left), Self::Moment(right)) => left.compare(right),
            (Self::Delta(left), Self::Delta(right)) => Ok(left.cmp(right)),
            _ if self.kind() == other.kind() && matches!(self.kind(), "a list" | "a tuple") => {
                let (left, right) = (self.elements(), other.elements());
                let (left, right) = (left.unwrap_or_default(), right.unwrap_or_default());
                for (left, right) in left.iter().zip(&right) {
                    let order = left.compare(right)?;
                    if order != Ordering::Equal {
                        return Ok(order);
                    }
                }
                Ok(left.len().cmp(&right.len()))
            }
            _ => Err(format!(
                "{} and {} have no order",
                self.kind(),
                other.kind()
            )),
        }
    }

    /// Appends the value to a tape. Dates become text in the form ISO 8601.
    pub(crate) fn write(&self, tape: &mut Tape) -> Outcome<()> {
        self.write_at(tape, 1)
    }

    /// `depth` counts the levels around it, the record's own included.
    fn write_at(&self, tape: &mut Tape, depth: usize) -> Outcome<()> {
        let around = if depth > 1 { depth } else { 0 };
        if around > 0 && around + self.levels() > Tape::MAX_DEPTH {
            return Err(format!("gives more than {} levels", Tape::MAX_DEPTH));
        }
        match self {
            Self::None => tape.push_null(),
            Self::Bool(value) => tape.push_bool(*value),
            Self::Number(number) => tape.push_number(&number.to_json()),
            Self::Text(text) => tape.push_str(text),
            Self::Json(json) => {
                tape.append(*json);
            }
            Self::List(values) | Self::Tuple(values) => {
                let open = tape.open_array();
                let mut first = true;
                for value in values.iter() {
                    tape.separate(&mut first);
                    value.write_at(tape, depth + 1)?;
                }
                tape.close_array(open);
            }
            Self::Dict(members) => {
                let open = tape.open_object();
                let mut first = true;
                for (name, value) in members.iter() {
                    tape.separate(&mut first);
                    tape.push_str(&name.member_name()?);
                    tape.colon();
                    value.write_at(tape, depth + 1)?;
                }
                tape.close_object(open);
            }
            Self::Date(_) | Self::Moment(_) | Self::Delta(_) => tape.push_str(&self.iso()),
            Self::Zone(_) | Self::Function(..) => {
                return Err(format!("gives {}, which cannot be stored", self.kind()));
            }
        }
        Ok(())
    }

    /// How many levels of arrays and objects there are in a value of the record.
    fn levels(&self) -> usize {
        fn of(json: Json<'_>) -> usize {
            let children = json
                .elements()
                .chain(json.members().map(|(_, value)| value));
            match json.kind() {
                ValueKind::Array | ValueKind::Object => 1 + children.map(of).max().unwrap_or(0),
                _ => 0,
            }
        }
        match self {
            Self::Json(json) => of(*json),
            Self::List(_) | Self::Tuple(_) | Self::Dict(_) => 1,
            _ => 0,
        }
    }

    /// A member's name in JSON, as Python's `json` makes it of what is no text.
    pub(super) fn member_name(&self) -> Outcome<Cow<'a, str>> {
        Ok(match self {
            Self::Text(name) => name.clone(),
            Self::None => "null".into(),
            Self::Bool(true) => "true".into(),
            Self::Bool(false) => "false".into(),
            Self::Number(_) | Self::Json(_) if self.kind() == "a number" => self.to_text().into(),
            _ => return Err(format!("{} cannot be the name of a member", self.kind())),
        })
    }

    /// Dates and times as text.
    fn iso(&self) -> String {
        match self {
            Self::Date(date) => date.to_string(),
            Self::Moment(moment) => moment.iso('T'),
            other => other.to_text(),
        }
    }

    /// What `str()` gives.
    pub(super) fn to_text(&self) -> String {
        match self {
            Self::Text(text) => text.clone().into_owned(),
            Self::Moment(moment) => moment.iso(' '),
            Self::Date(date) => date.to_string(),
            Self::Delta(delta) => delta.to_string(),
            Self::Zone(zone) => super::datetime::zone_name(*zone),
            _ => self.quoted(),
        }
    }

    /// What Python's `repr()` gives: as in an expression.
    pub(super) fn quoted(&self) -> String {
        let all = |values: &[Value<'_>]| {
            let texts: Vec<_> = values.iter().map(Value::quoted).collect();
            texts.join(", ")
        };
        match self {
            Self::None => "None".to_owned(),
            Self::Bool(true) => "True".to_owned(),
            Self::Bool(false) => "False".to_owned(),
            Self::Number(number) => number.to_text(),
            Self::Text(text) => super::text::quoted(text),
            Self::Tuple(values) if values.len() == 1 => format!("({},)", values[0].quoted()),
            Self::Tuple(values) => format!("({})", all(values)),
            Self::List(values) => format!("[{}]", all(values)),
            Self::Dict(members) => {
                let member = |(name, value): &(Value<'_>, Value<'_>)| {
                    format!("{}: {}", name.quoted(), value.quoted())
                };
                let texts: Vec<_> = members.iter().map(member).collect();
                format!("{{{}}}", texts.join(", "))
            }
            Self::Json(json) => match json.as_number() {
                Some(number) => super::number::text_of(number.as_str()),
                None => match self.members() {
                    Some(members) => Value::Dict(Rc::new(members)).quoted(),
                    None => format!("[{}]", all(&self.elements().unwrap_or_default())),
                },
            },
            Self::Function(name, _) => format!("<function {name}>"),
            Self::Date(_) | Self::Moment(_) | Self::Delta(_) | Self::Zone(_) => self.to_text(),
        }
    }
}

static ZERO: std::sync::LazyLock<crate::value::Number<'static>> =
    std::sync::LazyLock::new(|| crate::value::Number::like("0").expect("it is one"));

fn all_equal<'a>(left: &[Value<'a>], right: &[Value<'a>]) -> Outcome<bool> {
    if left.len() != right.len() {
        return Ok(false);
    }
    for (left, right) in left.iter().zip(right) {
        if !left.equals(right)? {
            return Ok(false);
        }
    }
    Ok(true)
}
