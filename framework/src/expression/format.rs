//! Values as text in a given form: what stands behind the colon in an `f'{x:>5}'`, and the old way
//! with `%`.

use num_bigint::BigInt;
use num_traits::Signed;

use super::datetime;
use super::number::Number;
use super::scope::Scope;
use super::value::{Outcome, Value};

/// Wider than this nobody fills with blanks.
const WIDEST: usize = 1000;

/// `[[fill]align][sign][#][0][width][,][.precision][type]`
#[derive(Debug, Clone, Copy, Default)]
struct Form {
    fill: Option<char>,
    align: Option<char>,
    /// A sign for what is not negative: a plus, a blank or none.
    plus: Option<char>,
    prefix: bool,
    width: usize,
    grouping: Option<char>,
    precision: Option<usize>,
    kind: Option<char>,
}

impl Form {
    fn parse(text: &str) -> Outcome<Self> {
        let mut form = Self::default();
        let mut rest = text.chars().peekable();
        let is_align = |c: &char| matches!(c, '<' | '>' | '^' | '=');
        let mut ahead = text.chars();
        match (ahead.next(), ahead.next()) {
            (Some(fill), Some(align)) if is_align(&align) => {
                (form.fill, form.align) = (Some(fill), Some(align));
                rest.nth(1);
            }
            _ => form.align = rest.next_if(is_align),
        }
        form.plus = rest
            .next_if(|c| matches!(c, '+' | '-' | ' '))
            .filter(|c| *c != '-');
        form.prefix = rest.next_if_eq(&'#').is_some();
        if rest.next_if_eq(&'0').is_some() && form.align.is_none() {
            (form.fill, form.align) = (Some('0'), Some('='));
        }
        form.width = number(&mut rest)?.unwrap_or(0);
        form.grouping = rest.next_if(|c| matches!(c, ',' | '_'));
        if rest.next_if_eq(&'.').is_some() {
            let precision = number(&mut rest)?;
            form.precision = Some(precision.ok_or("a form with a point but no precision")?);
        }
        form.kind = rest.next();
        match rest.next() {
            None => Ok(form),
            Some(_) => Err("this form of a value is not offered".to_owned()),
        }
    }
}

fn number(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Outcome<Option<usize>> {
    let mut digits = String::new();
    while let Some(digit) = rest.next_if(char::is_ascii_digit) {
        digits.push(digit);
    }
    if digits.is_empty() {
        return Ok(None);
    }
    let number = digits.parse().ok().filter(|number| *number <= WIDEST);
    let wrong = || format!("a width or a precision of more than {WIDEST}");
    number.map(Some).ok_or_else(wrong)
}

/// What `f'{value:form}'` gives.
pub(super) fn value(value: &Value<'_>, form: &str) -> Outcome<String> {
    if form.is_empty() {
        return Ok(value.to_text());
    }
    if matches!(value, Value::Date(_) | Value::Moment(_)) {
        return datetime::strftime(value, form);
    }
    shown(value, Form::parse(form)?)
}

fn shown(value: &Value<'_>, form: Form) -> Outcome<String> {
    let is_text =
        matches!(value, Value::Text(_)) || matches!(value, Value::Bool(_)) && form.kind.is_none();
    match (value.number()?, form.kind) {
        (Some(number), kind) if !is_text && kind != Some('s') => shown_number(&number, form),
        (_, None | Some('s')) => {
            let text = value.to_text();
            let text = match form.precision {
                Some(precision) => text.chars().take(precision).collect(),
                None => text,
            };
            Ok(aligned("", &text, form, '<'))
        }
        _ => Err(format!("{} does not go with this form", value.kind())),
    }
}

fn shown_number(number: &Number, form: Form) -> Outcome<String> {
    let whole = |number: &Number| match number {
        Number::Int(value) => Ok(value.clone()),
        _ => Err("this form goes with whole numbers only".to_owned()),
    };
    let digits = match form.kind {
        None if form.precision.is_none() => number.to_text(),
        Some('d') => whole(number)?.to_string(),
        Some('x') => radix(&whole(number)?, 16, "0x", form),
        Some('X') => radix(&whole(number)?, 16, "0x", form).to_uppercase(),
        Some('o') => radix(&whole(number)?, 8, "0o", form),
        Some('b') => radix(&whole(number)?, 2, "0b", form),
        Some('f' | 'F') => fixed(number, form.precision.unwrap_or(6))?,
        Some('%') => {
            let hundred = Number::Int(100.into());
            let percent = number.calculate(super::syntax::Binary::Multiply, &hundred)?;
            fixed(&percent, form.precision.unwrap_or(6))? + "%"
        }
        _ => return Err("this form of a number is not offered".to_owned()),
    };
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => ("-".to_owned(), digits.to_owned()),
        None => (form.plus.map(String::from).unwrap_or_default(), digits),
    };
    let digits = match form.grouping {
        Some(separator) => grouped(&digits, separator),
        None => digits,
    };
    Ok(aligned(&sign, &digits, form, '>'))
}

fn radix(value: &BigInt, radix: u32, prefix: &str, form: Form) -> String {
    let sign = if value.is_negative() { "-" } else { "" };
    let prefix = if form.prefix { prefix } else { "" };
    format!("{sign}{prefix}{}", value.magnitude().to_str_radix(radix))
}

/// With so many digits behind the point.
fn fixed(number: &Number, precision: usize) -> Outcome<String> {
    Ok(match number {
        Number::Float(value) => format!("{value:.precision$}"),
        Number::Int(value) if precision == 0 => value.to_string(),
        Number::Int(value) => format!("{value}.{}", "0".repeat(precision)),
        Number::Decimal(_) => number.rounded(Some(precision as i64))?.to_json(),
    })
}

/// With a separator between thousands.
fn grouped(digits: &str, separator: char) -> String {
    let end = digits
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(digits.len());
    let (whole, rest) = digits.split_at(end);
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(separator);
        }
        grouped.push(digit);
    }
    grouped + rest
}

fn aligned(sign: &str, text: &str, form: Form, default: char) -> String {
    let missing = form.width.saturating_sub(sign.len() + text.chars().count());
    let fill = form.fill.unwrap_or(' ');
    let blanks = |count: usize| fill.to_string().repeat(count);
    match form.align.unwrap_or(default) {
        '<' => format!("{sign}{text}{}", blanks(missing)),
        '^' => {
            let left = missing / 2;
            format!("{}{sign}{text}{}", blanks(left), blanks(missing - left))
        }
        '=' => format!("{sign}{}{text}", blanks(missing)),
        _ => format!("{}{sign}{text}", blanks(missing)),
    }
}

/// What `form % values` gives.
pub(super) fn percent(scope: &Scope<'_>, form: &str, values: &Value<'_>) -> Outcome<String> {
    let mut values = match values {
        Value::Tuple(values) => values.to_vec(),
        one => vec![one.clone()],
    }
    .into_iter();
    let is_object = values.as_slice().first().is_some_and(Value::is_dict);
    let mut text = String::new();
    let mut rest = form;
    while let Some(at) = rest.find('%') {
        let before = text.len();
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(behind) = rest.strip_prefix('%') {
            text.push('%');
            rest = behind;
            continue;
        }
        if rest.starts_with('(') {
            return Err("%(name)s is not offered; write f'{name}'".to_owned());
        }
        let end = rest
            .find(|c: char| c.is_ascii_alphabetic())
            .ok_or("a form that ends behind %")?;
        let (flags, kind) = (&rest[..end], &rest[end..=end]);
        rest = &rest[end + 1..];
        let value = values.next().ok_or("fewer values than forms")?;
        text.push_str(&percent_value(flags, kind, &value)?);
        scope.pay_bytes(text.len() - before)?;
    }
    if values.next().is_some() && !is_object {
        return Err("more values than forms".to_owned());
    }
    text.push_str(rest);
    Ok(text)
}

fn percent_value(flags: &str, kind: &str, value: &Value<'_>) -> Outcome<String> {
    let flag = |c: char| matches!(c, '-' | '+' | ' ' | '#' | '0');
    let end = flags.find(|c| !flag(c)).unwrap_or(flags.len());
    let (flags, width) = flags.split_at(end);
    let mut form = Form::parse(width)?;
    form.plus = ['+', ' '].into_iter().find(|sign| flags.contains(*sign));
    form.prefix = flags.contains('#');
    if flags.contains('-') {
        form.align = Some('<');
    } else if flags.contains('0') && !matches!(kind, "s" | "r") {
        (form.fill, form.align) = (Some('0'), Some('='));
    } else {
        form.align = Some('>');
    }
    match kind {
        "s" | "r" => {
            let text = if kind == "r" {
                value.quoted()
            } else {
                value.to_text()
            };
            shown(&Value::text(text), form)
        }
        "d" | "i" | "u" => {
            let number = value.number()?;
            let number = number.ok_or_else(|| format!("%{kind} goes with numbers only"))?;
            form.kind = Some('d');
            shown(&Value::int(number.truncated()), form)
        }
        "f" | "F" | "x" | "X" | "o" => {
            form.kind = kind.chars().next();
            shown(value, form)
        }
        _ => Err(format!("%{kind} is not offered")),
    }
}
