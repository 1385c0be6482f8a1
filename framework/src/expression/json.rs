//! `json.dumps` and `json.loads`, as Python's module `json` has them.

use std::rc::Rc;

use super::arguments::Arguments;
use super::functions::Native;
use super::number::Number;
use super::scope::Scope;
use super::value::{Outcome, Value};
use crate::value::{Tape, Value as Json, ValueKind};

pub(super) const FUNCTIONS: &[(&str, Native)] = &[("dumps", dumps), ("loads", loads)];

fn loads<'a>(scope: &Scope<'a>, arguments: &mut Arguments<'a>) -> Outcome<Value<'a>> {
    let text = arguments.text("s")?;
    scope.pay_bytes(text.len().saturating_mul(8))?;
    let mut tape = Tape::new();
    tape.parse(text.as_bytes())
        .map_err(|_| "the text is not valid JSON".to_owned())?;
    match tape.root() {
        Some(value) => owned(value),
        None => Err("the text is not valid JSON".to_owned()),
    }
}

/// A copy that does not need the tape it comes from.
fn owned(json: Json<'_>) -> Outcome<Value<'static>> {
    Ok(match json.kind() {
        ValueKind::Null => Value::None,
        ValueKind::Bool => Value::Bool(json.as_bool().unwrap_or_default()),
        ValueKind::Number => {
            let number = json.as_number();
            Value::Number(Number::parse(number.map_or("0", |number| number.as_str()))?)
        }
        ValueKind::String => Value::text(json.as_str().unwrap_or_default().to_owned()),
        ValueKind::Array => {
            let elements: Outcome<_> = json.elements().map(owned).collect();
            Value::list(elements?)
        }
        ValueKind::Object => {
            let member = |(name, value): (&str, _)| -> Outcome<_> {
                Ok((Value::text(name.to_owned()), owned(value)?))
            };
            let members: Outcome<_> = json.members().map(member).collect();
            Value::Dict(Rc::new(members?))
        }
    })
}

fn dumps<'a>(scope: &Scope<'a>, arguments: &mut Arguments<'a>) -> Outcome<Value<'a>> {
    let value = arguments.need("obj")?;
    let is_on = |arguments: &mut Arguments<'a>, name, default| match arguments.named(name) {
        Some(value) => value.is_true(),
        None => Ok(default),
    };
    let indent = match arguments.named("indent") {
        None | Some(Value::None) => None,
        Some(value) => {
            let spaces = value
                .index()
                .and_then(|spaces| usize::try_from(spaces).ok());
            Some(
                spaces
                    .filter(|spaces| *spaces <= 16)
                    .ok_or("indent is a number up to 16")?,
            )
        }
    };
    let separators = match arguments.named("separators") {
        Some(separators) => scope.elements(&separators)?,
        None => None,
    };
    let (item, member) = match separators {
        None if indent.is_some() => (",".to_owned(), ": ".to_owned()),
        None => (", ".to_owned(), ": ".to_owned()),
        Some(separators) => match separators.as_slice() {
            [Value::Text(item), Value::Text(member)] => (item.to_string(), member.to_string()),
            _ => return Err("separators is a tuple of two texts".to_owned()),
        },
    };
    let mut writer = Writer {
        scope,
        ascii: is_on(arguments, "ensure_ascii", true)?,
        sorted: is_on(arguments, "sort_keys", false)?,
        indent,
        item,
        member,
        default: match arguments.named("default") {
            None | Some(Value::None) => None,
            Some(Value::Function(_, native)) => Some(native),
            Some(_) => return Err("default is a function: default=str".to_owned()),
        },
        out: String::new(),
        paid: 0,
    };
    writer.write(&value, 0)?;
    Ok(Value::text(writer.out))
}

struct Writer<'s, 'a> {
    scope: &'s Scope<'a>,
    ascii: bool,
    sorted: bool,
    indent: Option<usize>,
    item: String,
    member: String,
    /// What makes something writable of what is not.
    default: Option<Native>,
    out: String,
    /// So much of it is paid for.
    paid: usize,
}

impl<'a> Writer<'_, 'a> {
    fn write(&mut self, value: &Value<'a>, level: usize) -> Outcome<()> {
        self.scope.pay_bytes(self.out.len() - self.paid)?;
        self.paid = self.out.len();
        if let Some(members) = value.members() {
            return self.object(members, level);
        }
        match value {
            Value::None => self.out.push_str("null"),
            Value::Bool(true) => self.out.push_str("true"),
            Value::Bool(false) => self.out.push_str("false"),
            Value::Text(text) => self.text(text),
            Value::Number(_) | Value::Json(_) if value.kind() == "a number" => {
                return self.number(value, level);
            }
            Value::List(_) | Value::Tuple(_) | Value::Json(_) => {
                let elements = value.elements().unwrap_or_default();
                self.out.push('[');
                for (index, element) in elements.iter().enumerate() {
                    self.before(index, level + 1);
                    self.write(element, level + 1)?;
                }
                self.after(elements.len(), level);
                self.out.push(']');
            }
            other => return self.other(other, level),
        }
        Ok(())
    }

    fn object(&mut self, mut members: Vec<(Value<'a>, Value<'a>)>, level: usize) -> Outcome<()> {
        if self.sorted {
            let mut outcome = Ok(());
            members.sort_by(|(left, _), (right, _)| {
                left.compare(right).unwrap_or_else(|problem| {
                    outcome = Err(problem);
                    std::cmp::Ordering::Equal
                })
            });
            outcome?;
        }
        self.out.push('{');
        for (index, (name, value)) in members.iter().enumerate() {
            self.before(index, level + 1);
            self.text(&name.member_name()?);
            let member = self.member.clone();
            self.out.push_str(&member);
            self.write(value, level + 1)?;
        }
        self.after(members.len(), level);
        self.out.push('}');
        Ok(())
    }

    fn before(&mut self, index: usize, level: usize) {
        if index > 0 {
            self.out.push_str(&self.item);
        }
        if let Some(indent) = self.indent {
            self.out.push('\n');
            self.out.push_str(&" ".repeat(indent * level));
        }
    }

    fn after(&mut self, count: usize, level: usize) {
        if let Some(indent) = self.indent.filter(|_| count > 0) {
            self.out.push('\n');
            self.out.push_str(&" ".repeat(indent * level));
        }
    }

    /// Decimals are no part of Python's JSON, so that they go to `default`. Without one the SDK
    /// fails; here they are written as they are.
    fn number(&mut self, value: &Value<'a>, level: usize) -> Outcome<()> {
        let decimal = match value {
            Value::Number(number) => matches!(number, Number::Decimal(_)),
            Value::Json(json) => json
                .as_number()
                .is_some_and(|number| !number.is_written_as_integer()),
            _ => false,
        };
        if decimal && self.default.is_some() {
            return self.other(value, level);
        }
        match value {
            Value::Json(json) => json.write_json(&mut self.out),
            Value::Number(number) => self.out.push_str(&number.to_json()),
            _ => {}
        }
        Ok(())
    }

    fn other(&mut self, value: &Value<'a>, level: usize) -> Outcome<()> {
        let Some(default) = self.default else {
            return Err(format!("{} is not JSON; add default=str", value.kind()));
        };
        let mut arguments = Arguments::new(vec![value.clone()], Vec::new());
        let made = default(self.scope, &mut arguments)?;
        if made.kind() == value.kind() && !matches!(made, Value::Number(_)) {
            return Err(format!("{} is not JSON", value.kind()));
        }
        let default = self.default.take();
        let outcome = self.write(&made, level);
        self.default = default;
        outcome
    }

    fn text(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\u{8}' => self.out.push_str("\\b"),
                '\u{c}' => self.out.push_str("\\f"),
                c if (c as u32) < 0x20
                    || self.ascii && !c.is_ascii()
                    || c == '\u{7f}' && self.ascii =>
                {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        self.out.push_str(&format!("\\u{unit:04x}"));
                    }
                }
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }
}
