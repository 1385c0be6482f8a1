//! The methods of text, as Python's `str` has them.

mod parts;

pub(super) use parts::quoted;
use parts::{padded, separator, split, stripped};

use std::borrow::Cow;

use super::arguments::Arguments;
use super::scope::Scope;
use super::value::{Outcome, Value};

type Method = for<'a> fn(&Scope<'a>, &str, &mut Arguments<'a>) -> Outcome<Value<'a>>;

pub(super) const METHODS: &[(&str, Method)] = &[
    ("capitalize", |scope, text, _| {
        let mut chars = text.chars();
        let first: String = chars
            .next()
            .into_iter()
            .flat_map(char::to_uppercase)
            .collect();
        made(scope, first + &chars.as_str().to_lowercase())
    }),
    ("casefold", |scope, text, _| {
        made(scope, text.to_lowercase())
    }),
    ("center", |scope, text, arguments| {
        padded(scope, text, arguments, |missing| {
            // As Python does: the odd one goes to the left if the width is odd, too.
            let width = text.chars().count() + missing;
            missing / 2 + (missing & width & 1)
        })
    }),
    ("count", |_, text, arguments| {
        let part = arguments.text("sub")?;
        let count = if part.is_empty() {
            text.chars().count() + 1
        } else {
            text.matches(&*part).count()
        };
        Ok(Value::int(count))
    }),
    ("endswith", |_, text, arguments| {
        any_of(arguments, |part| text.ends_with(part))
    }),
    ("find", |_, text, arguments| {
        let part = arguments.text("sub")?;
        Ok(place(text, text.find(&*part)).unwrap_or_else(|| Value::int(-1)))
    }),
    ("index", |_, text, arguments| {
        let part = arguments.text("sub")?;
        place(text, text.find(&*part)).ok_or_else(not_there)
    }),
    ("isalnum", |_, text, _| Ok(all(text, char::is_alphanumeric))),
    ("isalpha", |_, text, _| Ok(all(text, char::is_alphabetic))),
    ("isascii", |_, text, _| Ok(Value::Bool(text.is_ascii()))),
    ("isdecimal", |_, text, _| {
        Ok(all(text, |c| c.is_ascii_digit()))
    }),
    ("isdigit", |_, text, _| {
        Ok(all(text, |c| c.is_ascii_digit()))
    }),
    ("islower", |_, text, _| {
        Ok(cased(text, char::is_lowercase, char::is_uppercase))
    }),
    ("isnumeric", |_, text, _| Ok(all(text, char::is_numeric))),
    ("isspace", |_, text, _| Ok(all(text, char::is_whitespace))),
    ("isupper", |_, text, _| {
        Ok(cased(text, char::is_uppercase, char::is_lowercase))
    }),
    ("join", |scope, text, arguments| {
        let values = arguments.need("iterable")?;
        let values = scope.elements(&values)?;
        let values = values.ok_or("it joins the elements of a list")?;
        let mut joined = String::new();
        for (index, value) in values.iter().enumerate() {
            let Value::Text(part) = value else {
                let kind = value.kind();
                return Err(format!(
                    "it joins text, not {kind}; write [str(x) for x in …]"
                ));
            };
            if index > 0 {
                joined.push_str(text);
            }
            joined.push_str(part);
            scope.pay_bytes(part.len() + text.len())?;
        }
        Ok(Value::text(joined))
    }),
    ("ljust", |scope, text, arguments| {
        padded(scope, text, arguments, |_| 0)
    }),
    ("lower", |scope, text, _| made(scope, text.to_lowercase())),
    ("lstrip", |scope, text, arguments| {
        let chars = arguments.text_or_none("chars")?;
        made(scope, stripped(text, chars.as_deref(), true, false))
    }),
    ("partition", |scope, text, arguments| {
        let part = separator(arguments)?;
        let parts = match text.split_once(&*part) {
            Some((before, after)) => [before, &part, after],
            None => [text, "", ""],
        };
        tuple(scope, parts)
    }),
    ("removeprefix", |scope, text, arguments| {
        let part = arguments.text("prefix")?;
        made(scope, text.strip_prefix(&*part).unwrap_or(text))
    }),
    ("removesuffix", |scope, text, arguments| {
        let part = arguments.text("suffix")?;
        made(scope, text.strip_suffix(&*part).unwrap_or(text))
    }),
    ("replace", |scope, text, arguments| {
        let (old, new) = (arguments.text("old")?, arguments.text("new")?);
        let count = usize::try_from(arguments.int_or("count", -1)?).unwrap_or(usize::MAX);
        let times = text.matches(&*old).take(count).count();
        scope.pay_bytes(text.len() + times.saturating_mul(new.len()))?;
        Ok(Value::text(text.replacen(&*old, &new, count)))
    }),
    ("rfind", |_, text, arguments| {
        let part = arguments.text("sub")?;
        Ok(place(text, text.rfind(&*part)).unwrap_or_else(|| Value::int(-1)))
    }),
    ("rindex", |_, text, arguments| {
        let part = arguments.text("sub")?;
        place(text, text.rfind(&*part)).ok_or_else(not_there)
    }),
    ("rjust", |scope, text, arguments| {
        padded(scope, text, arguments, |missing| missing)
    }),
    ("rpartition", |scope, text, arguments| {
        let part = separator(arguments)?;
        let parts = match text.rsplit_once(&*part) {
            Some((before, after)) => [before, &part, after],
            None => ["", "", text],
        };
        tuple(scope, parts)
    }),
    ("rsplit", |scope, text, arguments| {
        split(scope, text, arguments, true)
    }),
    ("rstrip", |scope, text, arguments| {
        let chars = arguments.text_or_none("chars")?;
        made(scope, stripped(text, chars.as_deref(), false, true))
    }),
    ("split", |scope, text, arguments| {
        split(scope, text, arguments, false)
    }),
    ("splitlines", |scope, text, _| list(scope, text.lines())),
    ("startswith", |_, text, arguments| {
        any_of(arguments, |part| text.starts_with(part))
    }),
    ("strip", |scope, text, arguments| {
        let chars = arguments.text_or_none("chars")?;
        made(scope, stripped(text, chars.as_deref(), true, true))
    }),
    ("swapcase", |scope, text, _| {
        let swap = |c: char| -> String {
            if c.is_uppercase() {
                c.to_lowercase().collect()
            } else {
                c.to_uppercase().collect()
            }
        };
        made(scope, text.chars().map(swap).collect::<String>())
    }),
    ("title", |scope, text, _| {
        let mut titled = String::with_capacity(text.len());
        let mut inside = false;
        for c in text.chars() {
            if inside {
                titled.extend(c.to_lowercase());
            } else {
                titled.extend(c.to_uppercase());
            }
            inside = c.is_alphabetic();
        }
        made(scope, titled)
    }),
    ("upper", |scope, text, _| made(scope, text.to_uppercase())),
    ("zfill", |scope, text, arguments| {
        let width = arguments.int_or("width", 0)?;
        let missing = usize::try_from(width)
            .unwrap_or(0)
            .saturating_sub(text.chars().count());
        scope.pay_bytes(missing)?;
        let (sign, digits) = match text.strip_prefix(['-', '+']) {
            Some(digits) => (&text[..1], digits),
            None => ("", text),
        };
        made(scope, format!("{sign}{}{digits}", "0".repeat(missing)))
    }),
];

pub(super) fn method<'a>(
    scope: &Scope<'a>,
    text: &Cow<'a, str>,
    name: &str,
    arguments: &mut Arguments<'a>,
) -> Option<Outcome<Value<'a>>> {
    let (_, method) = METHODS.iter().find(|(other, _)| *other == name)?;
    let called = scope
        .pay_bytes(text.len())
        .and_then(|()| method(scope, text, arguments));
    Some(called)
}

fn made<'a>(scope: &Scope<'a>, text: impl Into<String>) -> Outcome<Value<'a>> {
    let text = text.into();
    scope.pay_bytes(text.len())?;
    Ok(Value::text(text))
}

fn list<'a, 't>(scope: &Scope<'a>, parts: impl Iterator<Item = &'t str>) -> Outcome<Value<'a>> {
    let parts: Outcome<_> = parts.map(|part| made(scope, part)).collect();
    Ok(Value::list(parts?))
}

fn tuple<'a>(scope: &Scope<'a>, parts: [&str; 3]) -> Outcome<Value<'a>> {
    let parts: Outcome<_> = parts.into_iter().map(|part| made(scope, part)).collect();
    Ok(Value::Tuple(std::rc::Rc::new(parts?)))
}

fn all(text: &str, test: impl Fn(char) -> bool) -> Value<'static> {
    Value::Bool(!text.is_empty() && text.chars().all(test))
}

fn cased(text: &str, is: fn(char) -> bool, is_other: fn(char) -> bool) -> Value<'static> {
    Value::Bool(text.chars().any(is) && !text.chars().any(is_other))
}

/// The place of a byte, in characters.
fn place<'a>(text: &str, byte: Option<usize>) -> Option<Value<'a>> {
    byte.map(|byte| Value::int(text[..byte].chars().count()))
}

fn not_there() -> String {
    "the text has no such part; .find() gives -1 then".to_owned()
}

/// Whether it holds for the argument, or for one of those in it.
fn any_of<'a>(arguments: &mut Arguments<'a>, test: impl Fn(&str) -> bool) -> Outcome<Value<'a>> {
    let wrong = |value: &Value<'_>| {
        Err(format!(
            "the argument must be text or a tuple of it, not {}",
            value.kind()
        ))
    };
    match arguments.need("prefix")? {
        Value::Text(part) => Ok(Value::Bool(test(&part))),
        Value::Tuple(parts) => {
            for part in parts.iter() {
                match part {
                    Value::Text(part) if test(part) => return Ok(Value::Bool(true)),
                    Value::Text(_) => {}
                    other => return wrong(other),
                }
            }
            Ok(Value::Bool(false))
        }
        other => wrong(&other),
    }
}
