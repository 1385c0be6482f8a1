//! Taking text apart and filling it up.

use std::borrow::Cow;

use super::{list, made};
use crate::expression::arguments::Arguments;
use crate::expression::scope::Scope;
use crate::expression::value::{Outcome, Value};

pub(super) fn separator<'a>(arguments: &mut Arguments<'a>) -> Outcome<Cow<'a, str>> {
    let part = arguments.text("sep")?;
    if part.is_empty() {
        return Err("the separator is empty".to_owned());
    }
    Ok(part)
}

pub(super) fn stripped<'t>(text: &'t str, chars: Option<&str>, left: bool, right: bool) -> &'t str {
    let strip = |c: char| match chars {
        Some(chars) => chars.contains(c),
        None => c.is_whitespace(),
    };
    let text = if left {
        text.trim_start_matches(strip)
    } else {
        text
    };
    if right {
        text.trim_end_matches(strip)
    } else {
        text
    }
}

pub(super) fn padded<'a>(
    scope: &Scope<'a>,
    text: &str,
    arguments: &mut Arguments<'a>,
    left: impl Fn(usize) -> usize,
) -> Outcome<Value<'a>> {
    let width = usize::try_from(arguments.int_or("width", 0)?).unwrap_or(0);
    let fill = arguments.text_or_none("fillchar")?;
    let fill = fill.as_deref().unwrap_or(" ");
    if fill.chars().count() != 1 {
        return Err("the argument fillchar must be one character".to_owned());
    }
    let missing = width.saturating_sub(text.chars().count());
    scope.pay_bytes(missing.saturating_mul(fill.len()))?;
    let left = left(missing);
    let (before, after) = (fill.repeat(left), fill.repeat(missing - left));
    made(scope, format!("{before}{text}{after}"))
}

pub(super) fn split<'a>(
    scope: &Scope<'a>,
    text: &str,
    arguments: &mut Arguments<'a>,
    from_right: bool,
) -> Outcome<Value<'a>> {
    let separator = arguments.text_or_none("sep")?;
    let most = usize::try_from(arguments.int_or("maxsplit", -1)?).unwrap_or(usize::MAX);
    let pieces = most.saturating_add(1);
    match separator.as_deref() {
        Some("") => Err("the separator is empty".to_owned()),
        Some(separator) if from_right => {
            let parts = text
                .rsplitn(pieces, separator)
                .map(|part| scope.pay(1).map(|()| part));
            let mut parts = parts.collect::<Outcome<Vec<_>>>()?;
            parts.reverse();
            list(scope, parts.into_iter())
        }
        Some(separator) => list(scope, text.splitn(pieces, separator)),
        None => list(scope, words(scope, text, most, from_right)?.into_iter()),
    }
}

/// Parts between white space, of which there may be any amount.
fn words<'t>(
    scope: &Scope<'_>,
    text: &'t str,
    most: usize,
    from_right: bool,
) -> Outcome<Vec<&'t str>> {
    let mut words = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        scope.pay(1)?;
        let cut = if words.len() == most {
            None
        } else if from_right {
            rest.rfind(char::is_whitespace)
        } else {
            rest.find(char::is_whitespace)
        };
        let Some(cut) = cut else {
            words.push(rest);
            break;
        };
        let (before, after) = rest.split_at(cut);
        if from_right {
            words.push(after.trim_start());
            rest = before.trim_end();
        } else {
            words.push(before);
            rest = after.trim_start();
        }
    }
    if from_right {
        words.reverse();
    }
    Ok(words)
}

/// A string as it is written in an expression.
pub(in crate::expression) fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    let mut quoted = String::from(quote);
    for c in text.chars() {
        match c {
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if c == quote => quoted.extend(['\\', c]),
            c if c.is_control() && (c as u32) < 0x100 => {
                quoted.push_str(&format!("\\x{:02x}", c as u32));
            }
            c => quoted.push(c),
        }
    }
    quoted.push(quote);
    quoted
}
