//! What the operators do with dates and timedeltas.

use jiff::civil::Date;
use num_traits::ToPrimitive;

use super::moment::Delta;
use super::{DAY, OUT_OF_RANGE, times};
use crate::expression::number::Number;
use crate::expression::syntax::Binary;
use crate::expression::value::{Outcome, Value};

/// What an operator does with a date or a timedelta; `None` if neither side is one.
pub(in crate::expression) fn binary<'a>(
    operator: Binary,
    left: &Value<'a>,
    right: &Value<'a>,
) -> Option<Outcome<Value<'a>>> {
    let sign = match operator {
        Binary::Add => 1,
        Binary::Subtract => -1,
        _ => 0,
    };
    let result = match (left, right) {
        (Value::Moment(moment), Value::Delta(delta)) if sign != 0 => {
            moment.plus(sign * delta.0).map(Value::Moment)
        }
        (Value::Delta(delta), Value::Moment(moment)) if sign == 1 => {
            moment.plus(delta.0).map(Value::Moment)
        }
        (Value::Date(date), Value::Delta(delta)) if sign != 0 => add_days(*date, sign, *delta),
        (Value::Delta(delta), Value::Date(date)) if sign == 1 => add_days(*date, 1, *delta),
        (Value::Moment(left), Value::Moment(right)) if sign == -1 => {
            left.minus(right).map(Value::Delta)
        }
        (Value::Date(left), Value::Date(right)) if sign == -1 => {
            let days = left.duration_since(*right).as_hours() / 24;
            Delta::new(i128::from(days) * DAY).map(Value::Delta)
        }
        (Value::Delta(left), Value::Delta(right)) if sign != 0 => {
            Delta::new(left.0 + sign * right.0).map(Value::Delta)
        }
        (Value::Delta(left), Value::Delta(right)) if operator == Binary::Divide => {
            if right.is_zero() {
                Err("a division by zero".to_owned())
            } else {
                Number::float(left.0 as f64 / right.0 as f64).map(Value::Number)
            }
        }
        (Value::Delta(delta), factor) | (factor, Value::Delta(delta))
            if operator == Binary::Multiply =>
        {
            match factor.number() {
                Ok(Some(_)) => times(delta.0, factor)
                    .and_then(Delta::new)
                    .map(Value::Delta),
                _ => return None,
            }
        }
        (Value::Delta(delta), divisor) if operator == Binary::Divide => match divisor.number() {
            Ok(Some(divisor)) => {
                let micros = Number::Int(delta.0.into());
                let quotient = micros.calculate(Binary::Divide, &divisor);
                let whole = quotient.and_then(|micros| micros.rounded(None));
                whole.and_then(|micros| {
                    let micros = micros.truncated().to_i128().ok_or(OUT_OF_RANGE)?;
                    Delta::new(micros).map(Value::Delta)
                })
            }
            _ => return None,
        },
        _ => return None,
    };
    Some(result)
}

fn add_days<'a>(date: Date, sign: i128, delta: Delta) -> Outcome<Value<'a>> {
    // Of a date, only whole days of the timedelta count.
    let days = sign * delta.0.div_euclid(DAY);
    let moved = i64::try_from(days)
        .ok()
        .and_then(|days| days.checked_mul(24))
        .map(jiff::SignedDuration::from_hours)
        .and_then(|span| date.checked_add(span).ok());
    moved
        .filter(|date| date.year() > 0)
        .map(Value::Date)
        .ok_or_else(|| OUT_OF_RANGE.to_owned())
}
