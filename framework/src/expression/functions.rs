//! The functions of expressions that belong to no module.

use std::cmp::Ordering;
use std::str::FromStr;

use md5::Md5;
use num_bigint::BigInt;
use sha2::{Sha256, Sha512};

use super::arguments::Arguments;
use super::containers;
use super::number::Number;
use super::scope::Scope;
use super::value::{Outcome, Value};

/// Longer text is not read as a number, as in Python.
const LONGEST_NUMBER: usize = 4300;

/// A function that is called with values.
pub(crate) type Native = for<'a> fn(&Scope<'a>, &mut Arguments<'a>) -> Outcome<Value<'a>>;

/// The functions without a module.
pub(super) const FUNCTIONS: &[(&str, Native)] = &[
    ("abs", |_, arguments| {
        let value = arguments.need("x")?;
        Ok(Value::Number(number(&value)?.absolute()))
    }),
    ("all", |scope, arguments| {
        let mut all = true;
        for value in elements(scope, arguments)? {
            all = all && value.is_true()?;
        }
        Ok(Value::Bool(all))
    }),
    ("any", |scope, arguments| {
        let mut any = false;
        for value in elements(scope, arguments)? {
            any = any || value.is_true()?;
        }
        Ok(Value::Bool(any))
    }),
    ("bool", |_, arguments| match arguments.next("x") {
        Some(value) => Ok(Value::Bool(value.is_true()?)),
        None => Ok(Value::Bool(false)),
    }),
    ("dict", dict),
    ("float", float),
    ("int", int),
    ("len", |_, arguments| {
        let value = arguments.need("obj")?;
        let length = value
            .length()
            .ok_or_else(|| format!("{} has no length", value.kind()))?;
        Ok(Value::int(length))
    }),
    ("list", |scope, arguments| {
        match arguments.next("iterable") {
            Some(value) => Ok(Value::list(elements_of(scope, &value)?)),
            None => Ok(Value::list(Vec::new())),
        }
    }),
    ("max", |scope, arguments| {
        most(scope, arguments, Ordering::Greater)
    }),
    ("md5", |scope, arguments| digest::<Md5>(scope, arguments)),
    ("min", |scope, arguments| {
        most(scope, arguments, Ordering::Less)
    }),
    ("rand", |scope, _| {
        Number::float(scope.faker().fraction()).map(Value::Number)
    }),
    ("randint", |scope, arguments| {
        let top = arguments.int_or("top", 0)?;
        let fraction = scope.faker().fraction();
        Ok(Value::int((fraction * top as f64) as i64))
    }),
    ("round", |_, arguments| {
        let value = number(&arguments.need("number")?)?;
        let digits = match arguments.next("ndigits") {
            None | Some(Value::None) => None,
            Some(digits) => Some(digits.index().ok_or("ndigits must be a whole number")?),
        };
        Ok(Value::Number(value.rounded(digits)?))
    }),
    ("set", |scope, arguments| match arguments.next("iterable") {
        Some(value) => containers::distinct(scope, elements_of(scope, &value)?),
        None => Ok(Value::list(Vec::new())),
    }),
    ("sha256", |scope, arguments| {
        digest::<Sha256>(scope, arguments)
    }),
    ("sha512", |scope, arguments| {
        digest::<Sha512>(scope, arguments)
    }),
    ("sorted", |scope, arguments| {
        let mut values = elements(scope, arguments)?;
        let reverse = match arguments.named("reverse") {
            Some(value) => value.is_true()?,
            None => false,
        };
        // A comparison cannot fail within a sort, so that one which does is remembered.
        let mut outcome = Ok(());
        values.sort_by(|left, right| {
            let paid = scope.pay_bytes(left.weight() + right.weight());
            let order = paid.and_then(|()| left.compare(right));
            let order = order.unwrap_or_else(|problem| {
                outcome = Err(problem);
                Ordering::Equal
            });
            if reverse { order.reverse() } else { order }
        });
        outcome.map(|()| Value::list(values))
    }),
    ("str", |scope, arguments| {
        let text = match arguments.next("object") {
            Some(value) => value.to_text(),
            None => String::new(),
        };
        scope.pay_bytes(text.len())?;
        Ok(Value::text(text))
    }),
    ("sum", |scope, arguments| {
        let mut sum = Number::Int(BigInt::ZERO);
        for value in elements(scope, arguments)? {
            sum = sum.calculate(super::syntax::Binary::Add, &number(&value)?)?;
        }
        Ok(Value::Number(sum))
    }),
    ("tuple", |scope, arguments| {
        match arguments.next("iterable") {
            Some(value) => Ok(Value::Tuple(std::rc::Rc::new(elements_of(scope, &value)?))),
            None => Ok(Value::Tuple(std::rc::Rc::default())),
        }
    }),
];

fn number(value: &Value<'_>) -> Outcome<Number> {
    value
        .number()?
        .ok_or_else(|| format!("it takes numbers, not {}", value.kind()))
}

fn elements<'a>(scope: &Scope<'a>, arguments: &mut Arguments<'a>) -> Outcome<Vec<Value<'a>>> {
    elements_of(scope, &arguments.need("iterable")?)
}

fn elements_of<'a>(scope: &Scope<'a>, value: &Value<'a>) -> Outcome<Vec<Value<'a>>> {
    let elements = scope.elements(value)?;
    elements.ok_or_else(|| format!("{} has no elements", value.kind()))
}

fn dict<'a>(scope: &Scope<'a>, arguments: &mut Arguments<'a>) -> Outcome<Value<'a>> {
    let mut members = Vec::new();
    if let Some(value) = arguments.next("iterable") {
        match value.members() {
            Some(all) => members = all,
            None => {
                for pair in elements_of(scope, &value)? {
                    match scope.elements(&pair)?.as_deref() {
                        Some([name, value]) => members.push((name.clone(), value.clone())),
                        _ => return Err("it takes an object or a list of pairs".to_owned()),
                    }
                }
            }
        }
    }
    let named = arguments.rest_named();
    members.extend(
        named
            .into_iter()
            .map(|(name, value)| (Value::text(name), value)),
    );
    containers::dict(scope, members)
}

fn int<'a>(_: &Scope<'a>, arguments: &mut Arguments<'a>) -> Outcome<Value<'a>> {
    let Some(value) = arguments.next("x") else {
        return Ok(Value::int(0));
    };
    let base = arguments.int_or("base", 10)?;
    let Value::Text(text) = &value else {
        let number = value
            .number()?
            .ok_or_else(|| format!("{} is no number", value.kind()))?;
        return Ok(Value::int(number.truncated()));
    };
    let base = u32::try_from(base)
        .ok()
        .filter(|base| (2..=36).contains(base));
    let base = base.ok_or("the base must be from 2 to 36")?;
    let digits = text.trim().replace('_', "");
    if digits.len() > LONGEST_NUMBER {
        return Err("the text has too many digits".to_owned());
    }
    let whole = BigInt::parse_bytes(digits.as_bytes(), base);
    whole
        .map(Value::int)
        .ok_or_else(|| "the text is no whole number".to_owned())
}

fn float<'a>(_: &Scope<'a>, arguments: &mut Arguments<'a>) -> Outcome<Value<'a>> {
    let Some(value) = arguments.next("x") else {
        return Number::float(0.0).map(Value::Number);
    };
    let number = match &value {
        Value::Text(text) => {
            let digits = text.trim().replace('_', "");
            if digits.len() > LONGEST_NUMBER {
                return Err("the text has too many digits".to_owned());
            }
            // Python reads `.5`, `5.` and `+5` as well.
            f64::from_str(&digits)
                .ok()
                .filter(|float| float.is_finite())
                .ok_or("the text is no number")?;
            let digits = digits.strip_prefix('+').unwrap_or(&digits);
            let decimal = bigdecimal::BigDecimal::from_str(digits);
            Number::Decimal(decimal.map_err(|_| "the text is no number")?).bounded()?
        }
        _ => value
            .number()?
            .ok_or_else(|| format!("{} is no number", value.kind()))?,
    };
    Number::float(number.to_float()?).map(Value::Number)
}

/// The greatest or the least.
fn most<'a>(
    scope: &Scope<'a>,
    arguments: &mut Arguments<'a>,
    wanted: Ordering,
) -> Outcome<Value<'a>> {
    let default = arguments.named("default");
    let mut values = arguments.rest();
    if let [only] = values.as_slice() {
        values = elements_of(scope, only)?;
    }
    let mut most: Option<Value<'a>> = None;
    for value in values {
        most = match most {
            Some(most) if value.compare(&most)? != wanted => Some(most),
            _ => Some(value),
        };
    }
    most.or(default)
        .ok_or_else(|| "there is no element".to_owned())
}

fn digest<'a, D: md5::Digest>(
    scope: &Scope<'a>,
    arguments: &mut Arguments<'a>,
) -> Outcome<Value<'a>> {
    match arguments.need("string")? {
        Value::Text(text) => {
            scope.pay_bytes(text.len())?;
            Ok(Value::text(hex(&D::digest(text.as_bytes()))))
        }
        other => Err(format!(
            "it takes text, not {}; str() makes it",
            other.kind()
        )),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
