//! What the operators do with values that are no numbers, and what they refuse.

use std::cmp::Ordering;
use std::rc::Rc;

use super::datetime;
use super::number::Number;
use super::scope::Scope;
use super::syntax::{Binary, Comparison, Unary};
use super::value::{Outcome, Value};
use super::{containers, format};

pub(super) fn unary<'a>(operator: Unary, value: Value<'a>) -> Outcome<Value<'a>> {
    if operator == Unary::Not {
        return Ok(Value::Bool(!value.is_true()?));
    }
    if let (Unary::Minus, Value::Delta(delta)) = (operator, &value) {
        return Ok(Value::Delta(delta.negated()));
    }
    let Some(number) = value.number()? else {
        let sign = match operator {
            Unary::Minus => "-",
            Unary::Plus => "+",
            Unary::Invert | Unary::Not => "~",
        };
        return Err(format!(
            "{sign} goes with numbers, not with {}",
            value.kind()
        ));
    };
    Ok(Value::Number(match (operator, number) {
        (Unary::Minus, number) => number.negated(),
        (Unary::Invert, Number::Int(value)) => Number::Int(!value),
        (Unary::Invert, _) => return Err("~ goes with whole numbers only".to_owned()),
        (_, number) => number,
    }))
}

pub(super) fn binary<'a>(
    scope: &Scope<'a>,
    operator: Binary,
    left: Value<'a>,
    right: Value<'a>,
) -> Outcome<Value<'a>> {
    if let (Binary::Modulo, Value::Text(form)) = (operator, &left) {
        let text = format::percent(scope, form, &right)?;
        scope.pay_bytes(text.len())?;
        return Ok(Value::text(text));
    }
    let (left_number, right_number) = (left.number()?, right.number()?);
    if let (Some(left), Some(right)) = (&left_number, &right_number) {
        return left.calculate(operator, right).map(Value::Number);
    }
    if let Some(value) = datetime::binary(operator, &left, &right) {
        return value;
    }
    match (operator, &left, &right) {
        (Binary::Add, Value::Text(a), Value::Text(b)) => {
            scope.pay_bytes(a.len() + b.len())?;
            return Ok(Value::text(format!("{a}{b}")));
        }
        (Binary::Add, Value::Tuple(a), Value::Tuple(b)) => {
            return Ok(Value::Tuple(Rc::new(joined(scope, a, b)?)));
        }
        (Binary::Add, ..) if left.kind() == "a list" && right.kind() == "a list" => {
            let (a, b) = (left.elements(), right.elements());
            let joined = joined(scope, &a.unwrap_or_default(), &b.unwrap_or_default());
            return Ok(Value::list(joined?));
        }
        (Binary::Multiply, Value::Text(text), _) if right_number.is_some() => {
            return repeated(scope, text, &right);
        }
        (Binary::Multiply, _, Value::Text(text)) if left_number.is_some() => {
            return repeated(scope, text, &left);
        }
        (Binary::BitOr, ..) => {
            if let (Some(mut members), Some(more)) = (left.members(), right.members()) {
                members.extend(more);
                return containers::dict(scope, members);
            }
        }
        _ => {}
    }
    let (sign, left, right) = (operator.sign(), left.kind(), right.kind());
    let hint = match (operator, left, right) {
        (Binary::Add, "text", _) | (Binary::Add, _, "text") => {
            "; str() makes text of a value, and `value or ''` nothing of a null"
        }
        _ => "",
    };
    Err(format!("{sign} does not go with {left} and {right}{hint}"))
}

fn joined<'a>(
    scope: &Scope<'a>,
    left: &[Value<'a>],
    right: &[Value<'a>],
) -> Outcome<Vec<Value<'a>>> {
    scope.pay(left.len() + right.len())?;
    Ok([left, right].concat())
}

fn repeated<'a>(scope: &Scope<'a>, text: &str, times: &Value<'a>) -> Outcome<Value<'a>> {
    let whole = || "text is repeated a whole number of times".to_owned();
    let times = usize::try_from(times.index().ok_or_else(whole)?).unwrap_or(0);
    scope.pay_bytes(text.len().saturating_mul(times))?;
    Ok(Value::text(text.repeat(times)))
}

pub(super) fn compare<'a>(
    scope: &Scope<'a>,
    comparison: Comparison,
    left: &Value<'a>,
    right: &Value<'a>,
) -> Outcome<bool> {
    let order = |holds: fn(Ordering) -> bool| left.compare(right).map(holds);
    match comparison {
        Comparison::Equal => left.equals(right),
        Comparison::NotEqual => left.equals(right).map(|equal| !equal),
        Comparison::Less => order(Ordering::is_lt),
        Comparison::LessOrEqual => order(Ordering::is_le),
        Comparison::Greater => order(Ordering::is_gt),
        Comparison::GreaterOrEqual => order(Ordering::is_ge),
        Comparison::In => containers::contains(scope, right, left),
        Comparison::NotIn => containers::contains(scope, right, left).map(|found| !found),
        Comparison::Is => is(left, right),
        Comparison::IsNot => is(left, right).map(|same| !same),
    }
}

/// Values have no identity here, so only what is one of a kind can be asked for.
fn is(left: &Value<'_>, right: &Value<'_>) -> Outcome<bool> {
    match (left, right) {
        (Value::None, _) | (_, Value::None) => Ok(left.kind() == right.kind()),
        (Value::Bool(left), Value::Bool(right)) => Ok(left == right),
        (Value::Bool(_), _) | (_, Value::Bool(_)) => Ok(false),
        _ => Err("`is` goes with None, True and False; compare with ==".to_owned()),
    }
}
