//! The operators, for each of the three kinds of numbers.

use bigdecimal::{BigDecimal, RoundingMode};
use num_bigint::{BigInt, Sign};
use num_integer::Integer;
use num_traits::{Pow, ToPrimitive, Zero};

use super::{MOST_DIGITS, Number, TOO_LARGE};
use crate::expression::syntax::Binary;
use crate::expression::value::Outcome;

/// Digits of the quotient of two decimals, as in Python; it is the only result that is rounded.
const QUOTIENT_DIGITS: u64 = 28;

pub(super) fn ints(operator: Binary, left: &BigInt, right: &BigInt) -> Outcome<Number> {
    Ok(Number::Int(match operator {
        Binary::Add => left + right,
        Binary::Subtract => left - right,
        Binary::Multiply => left * right,
        Binary::Divide => {
            let (left, right) = (Number::Int(left.clone()), Number::Int(right.clone()));
            return floats(operator, left.to_float()?, right.to_float()?);
        }
        Binary::FloorDivide => left.div_floor(divisor(right)?),
        Binary::Modulo => left.mod_floor(divisor(right)?),
        Binary::Power => return power(left, right),
        Binary::BitOr => left | right,
        Binary::BitXor => left ^ right,
        Binary::BitAnd => left & right,
    }))
}

fn divisor(value: &BigInt) -> Outcome<&BigInt> {
    if value.is_zero() {
        return Err("a division by zero".to_owned());
    }
    Ok(value)
}

fn power(base: &BigInt, exponent: &BigInt) -> Outcome<Number> {
    if exponent.sign() == Sign::Minus {
        let float = |value: &BigInt| Number::Int(value.clone()).to_float();
        return floats(Binary::Power, float(base)?, float(exponent)?);
    }
    let exponent = exponent.to_u64().ok_or(TOO_LARGE)?;
    if base.bits().saturating_mul(exponent) > MOST_DIGITS as u64 * 10 / 3 {
        return Err(TOO_LARGE.to_owned());
    }
    Ok(Number::Int(Pow::pow(base, exponent)))
}

pub(super) fn decimals(operator: Binary, left: &BigDecimal, right: &BigDecimal) -> Outcome<Number> {
    let by_zero = || Err("a division by zero".to_owned());
    Ok(Number::Decimal(match operator {
        Binary::Add => left + right,
        Binary::Subtract => left - right,
        Binary::Multiply => left * right,
        Binary::Divide | Binary::FloorDivide | Binary::Modulo if right.is_zero() => {
            return by_zero();
        }
        Binary::Divide => quotient(left, right),
        // Towards zero, as Python's decimals do.
        Binary::FloorDivide => whole_quotient(left, right),
        Binary::Modulo => left - whole_quotient(left, right) * right,
        Binary::Power => {
            let exponent = if right.is_integer() {
                right.to_u32()
            } else {
                None
            };
            match exponent.filter(|exponent| *exponent <= 1000) {
                Some(exponent) => {
                    let (digits, scale) = left.clone().into_bigint_and_scale();
                    let scale = scale.saturating_mul(i64::from(exponent));
                    let digits = power(&digits, &exponent.into())?;
                    BigDecimal::from_bigint(digits.truncated(), scale)
                }
                None => return Err("a decimal has only whole powers of 0 to 1000".to_owned()),
            }
        }
        Binary::BitOr | Binary::BitXor | Binary::BitAnd => return Err(not_whole(operator)),
    }))
}

fn quotient(left: &BigDecimal, right: &BigDecimal) -> BigDecimal {
    let (left_digits, left_scale) = left.as_bigint_and_scale();
    let (right_digits, right_scale) = right.as_bigint_and_scale();
    // So many digits more than are kept that one of them tells how to round.
    let more = QUOTIENT_DIGITS as i64 + 2 + right.digits() as i64 - left.digits() as i64;
    let more = more.max(0);
    let scaled = left_digits.as_ref() * BigInt::from(10).pow(more as u32);
    let (mut digits, rest) = scaled.div_rem(right_digits.as_ref());
    let mut scale = left_scale - right_scale + more;
    if !rest.is_zero() {
        // A last digit that says "and a little more", so that no half is taken for an exact one.
        let positive = left.sign() == right.sign();
        digits = digits * 10 + if positive { 1 } else { -1 };
        scale += 1;
    }
    let exact = BigDecimal::from_bigint(digits, scale);
    let rounded = if exact.digits() > QUOTIENT_DIGITS {
        exact.with_precision_round(
            std::num::NonZeroU64::new(QUOTIENT_DIGITS).unwrap_or(std::num::NonZeroU64::MIN),
            RoundingMode::HalfEven,
        )
    } else {
        exact
    };
    // Without the zeros at its end that neither side had.
    let ideal = (left_scale - right_scale).max(0);
    let normal = rounded.normalized();
    if normal.fractional_digit_count() < ideal {
        normal.with_scale(ideal)
    } else {
        normal
    }
}

fn whole_quotient(left: &BigDecimal, right: &BigDecimal) -> BigDecimal {
    let (left_digits, left_scale) = left.as_bigint_and_scale();
    let (right_digits, right_scale) = right.as_bigint_and_scale();
    let scale = left_scale.max(right_scale);
    let ten = |exponent: i64| BigInt::from(10).pow(exponent as u32);
    let left = left_digits.as_ref() * ten(scale - left_scale);
    let right = right_digits.as_ref() * ten(scale - right_scale);
    BigDecimal::from_bigint(left / right, 0)
}

pub(super) fn floats(operator: Binary, left: f64, right: f64) -> Outcome<Number> {
    let divides = matches!(
        operator,
        Binary::Divide | Binary::FloorDivide | Binary::Modulo
    );
    if divides && right == 0.0 || operator == Binary::Power && left == 0.0 && right < 0.0 {
        return Err("a division by zero".to_owned());
    }
    Number::float(match operator {
        Binary::Add => left + right,
        Binary::Subtract => left - right,
        Binary::Multiply => left * right,
        Binary::Divide => left / right,
        Binary::FloorDivide => (left / right).floor(),
        Binary::Modulo => left - right * (left / right).floor(),
        Binary::Power => left.powf(right),
        Binary::BitOr | Binary::BitXor | Binary::BitAnd => return Err(not_whole(operator)),
    })
}

fn not_whole(operator: Binary) -> String {
    format!("{} goes with whole numbers only", operator.sign())
}
