//! Values as JSON on a tape, and as Python's text.

use std::borrow::Cow;
use std::rc::Rc;

use super::{Outcome, Value};
use crate::expression::{datetime, number, text};
use crate::value::{Tape, Value as Json, ValueKind};

impl<'a> Value<'a> {
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
    pub(in crate::expression) fn member_name(&self) -> Outcome<Cow<'a, str>> {
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
    pub(in crate::expression) fn to_text(&self) -> String {
        match self {
            Self::Text(text) => text.clone().into_owned(),
            Self::Moment(moment) => moment.iso(' '),
            Self::Date(date) => date.to_string(),
            Self::Delta(delta) => delta.to_string(),
            Self::Zone(zone) => datetime::zone_name(*zone),
            _ => self.quoted(),
        }
    }

    /// What Python's `repr()` gives: as in an expression.
    pub(in crate::expression) fn quoted(&self) -> String {
        let all = |values: &[Value<'_>]| {
            let texts: Vec<_> = values.iter().map(Value::quoted).collect();
            texts.join(", ")
        };
        match self {
            Self::None => "None".to_owned(),
            Self::Bool(true) => "True".to_owned(),
            Self::Bool(false) => "False".to_owned(),
            Self::Number(number) => number.to_text(),
            Self::Text(text) => text::quoted(text),
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
                Some(number) => number::text_of(number.as_str()),
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
