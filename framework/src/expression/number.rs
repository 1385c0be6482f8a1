//! Arithmetic that never rounds in silence.
//!
//! As in the SDK, whole numbers have any size, a number with a fraction in a record is a decimal
//! with all its digits, and one that is written in an expression (`1.1`), or comes from `float()`
//! or a division of whole numbers, is a 64-bit float. Where the two meet, the SDK fails; here the
//! float counts as the shortest decimal that stands for it. A whole number or decimal that no float
//! is equal to is not made one.

use std::cmp::Ordering;
use std::str::FromStr;

use bigdecimal::{BigDecimal, RoundingMode};
use num_bigint::{BigInt, Sign};
use num_integer::Integer;
use num_traits::{Pow, Signed, ToPrimitive, Zero};

use super::syntax::Binary;
use super::value::Outcome;

/// Numbers with more digits, or so many zeros, are not calculated with: it would take too long.
const MOST_DIGITS: i64 = 4300;

/// Digits of the quotient of two decimals, as in Python; it is the only result that is rounded.
const QUOTIENT_DIGITS: u64 = 28;

const TOO_LARGE: &str = "the number has too many digits to calculate with";
const INEXACT: &str =
    "the number has more digits than a 64-bit float can hold, and would be rounded";

#[derive(Debug, Clone)]
pub(crate) enum Number {
    Int(BigInt),
    Decimal(BigDecimal),
    /// Finite.
    Float(f64),
}

impl Number {
    /// A JSON number.
    pub(super) fn parse(text: &str) -> Outcome<Self> {
        if text.len() as i64 > MOST_DIGITS {
            return Err(TOO_LARGE.to_owned());
        }
        let whole = !text.contains(['.', 'e', 'E']);
        let number = if whole {
            BigInt::from_str(text).ok().map(Self::Int)
        } else {
            BigDecimal::from_str(text).ok().map(Self::Decimal)
        };
        number.ok_or_else(|| TOO_LARGE.to_owned())?.bounded()
    }

    /// A result of a calculation with floats.
    pub(super) fn float(value: f64) -> Outcome<Self> {
        if value.is_finite() {
            Ok(Self::Float(value))
        } else {
            Err("the result is beyond the range of 64-bit floats".to_owned())
        }
    }

    fn bounded(self) -> Outcome<Self> {
        let fits = match &self {
            Self::Int(value) => value.bits() <= MOST_DIGITS as u64 * 10 / 3,
            Self::Decimal(value) => {
                let scale = value.fractional_digit_count();
                value.digits() <= MOST_DIGITS as u64 && scale.abs() <= MOST_DIGITS
            }
            Self::Float(_) => true,
        };
        if fits {
            Ok(self)
        } else {
            Err(TOO_LARGE.to_owned())
        }
    }

    pub(super) fn is_zero(&self) -> bool {
        match self {
            Self::Int(value) => value.is_zero(),
            Self::Decimal(value) => value.is_zero(),
            Self::Float(value) => *value == 0.0,
        }
    }

    /// What `float()` gives.
    pub(super) fn to_float(&self) -> Outcome<f64> {
        let float = match self {
            Self::Int(value) => value
                .to_f64()
                .filter(|float| float.is_finite() && exact(*float) == *value),
            Self::Decimal(value) => {
                let float = value.to_f64();
                float.filter(|float| float.is_finite() && shortest(*float) == *value)
            }
            Self::Float(value) => Some(*value),
        };
        float.ok_or_else(|| INEXACT.to_owned())
    }

    fn to_decimal(&self) -> BigDecimal {
        match self {
            Self::Int(value) => BigDecimal::from_bigint(value.clone(), 0),
            Self::Decimal(value) => value.clone(),
            Self::Float(value) => shortest(*value),
        }
    }

    /// What `int()` gives: without its fraction.
    pub(super) fn truncated(&self) -> BigInt {
        match self {
            Self::Int(value) => value.clone(),
            Self::Decimal(value) => {
                let whole = value.with_scale_round(0, RoundingMode::Down);
                whole.into_bigint_and_scale().0
            }
            Self::Float(value) => exact(value.trunc()),
        }
    }

    /// What `round()` gives: the nearest, and of two the even one.
    pub(super) fn rounded(&self, digits: Option<i64>) -> Outcome<Self> {
        let places = digits.unwrap_or(0);
        if places.abs() > MOST_DIGITS {
            return Err(TOO_LARGE.to_owned());
        }
        Ok(match (self, digits) {
            (Self::Int(value), _) if places >= 0 => Self::Int(value.clone()),
            (Self::Float(value), Some(places @ 0..)) => {
                // The nearest of what the float is worth exactly, as in Python.
                let text = format!("{value:.*}", places as usize);
                return Self::float(text.parse().unwrap_or(*value));
            }
            (Self::Float(value), _) if places == 0 => Self::Int(exact(value.round_ties_even())),
            (_, _) => {
                let rounded = self
                    .to_decimal()
                    .with_scale_round(places, RoundingMode::HalfEven);
                match (self, digits) {
                    (Self::Decimal(_), Some(_)) => Self::Decimal(rounded),
                    (Self::Float(_), Some(_)) => {
                        return Self::float(rounded.to_f64().unwrap_or_default());
                    }
                    _ => {
                        let whole = rounded.with_scale(0);
                        Self::Int(whole.into_bigint_and_scale().0)
                    }
                }
            }
        })
    }

    /// The same text for all numbers of one value.
    pub(super) fn canonical(&self) -> String {
        self.to_decimal().normalized().to_scientific_notation()
    }

    pub(super) fn negated(self) -> Self {
        match self {
            Self::Int(value) => Self::Int(-value),
            Self::Decimal(value) => Self::Decimal(-value),
            Self::Float(value) => Self::Float(-value),
        }
    }

    pub(super) fn absolute(self) -> Self {
        match self {
            Self::Int(value) => Self::Int(value.abs()),
            Self::Decimal(value) => Self::Decimal(value.abs()),
            Self::Float(value) => Self::Float(value.abs()),
        }
    }

    pub(super) fn compare(&self, other: &Self) -> Outcome<Ordering> {
        Ok(match (self, other) {
            (Self::Int(left), Self::Int(right)) => left.cmp(right),
            (Self::Float(left), Self::Float(right)) => left.total_cmp(right),
            _ => self.to_decimal().cmp(&other.to_decimal()),
        })
    }

    pub(super) fn calculate(&self, operator: Binary, other: &Self) -> Outcome<Self> {
        let result = match (self, other) {
            (Self::Int(left), Self::Int(right)) => ints(operator, left, right)?,
            (Self::Decimal(_), _) | (_, Self::Decimal(_)) => {
                decimals(operator, &self.to_decimal(), &other.to_decimal())?
            }
            _ => floats(operator, self.to_float()?, other.to_float()?)?,
        };
        result.bounded()
    }

    /// As Python writes it.
    pub(super) fn to_text(&self) -> String {
        match self {
            Self::Int(value) => value.to_string(),
            Self::Decimal(value) => decimal_text(value),
            Self::Float(value) => float_text(*value),
        }
    }

    /// As a JSON number; decimals in plain digits.
    pub(super) fn to_json(&self) -> String {
        match self {
            Self::Decimal(value) => value.to_plain_string(),
            other => other.to_text(),
        }
    }
}

/// The text of a JSON number as Python writes it.
pub(super) fn text_of(json: &str) -> String {
    match Number::parse(json) {
        Ok(number) => number.to_text(),
        // Only numbers that nobody calculates with: their own digits.
        Err(_) => json.to_owned(),
    }
}

/// The whole number that a float is.
fn exact(whole: f64) -> BigInt {
    <BigInt as num_traits::FromPrimitive>::from_f64(whole).unwrap_or_default()
}

/// The shortest decimal whose nearest float this is.
fn shortest(value: f64) -> BigDecimal {
    BigDecimal::from_str(&format!("{value:e}")).unwrap_or_default()
}

fn ints(operator: Binary, left: &BigInt, right: &BigInt) -> Outcome<Number> {
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

fn decimals(operator: Binary, left: &BigDecimal, right: &BigDecimal) -> Outcome<Number> {
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

fn floats(operator: Binary, left: f64, right: f64) -> Outcome<Number> {
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

/// As Python's `Decimal`: with an exponent only if there are zeros that it does not write.
fn decimal_text(value: &BigDecimal) -> String {
    let (digits, scale) = value.as_bigint_and_scale();
    let magnitude = digits.magnitude().to_string();
    let sign = if digits.is_negative() { "-" } else { "" };
    let count = magnitude.len() as i64;
    let first = count - scale;
    if scale >= 0 && first > -6 {
        let plain = if scale == 0 {
            magnitude
        } else if first > 0 {
            let (whole, fraction) = magnitude.split_at(first as usize);
            format!("{whole}.{fraction}")
        } else {
            format!("0.{}{magnitude}", "0".repeat(-first as usize))
        };
        return format!("{sign}{plain}");
    }
    let (head, tail) = magnitude.split_at(1);
    let point = if tail.is_empty() { "" } else { "." };
    format!("{sign}{head}{point}{tail}E{:+}", first - 1)
}

/// As Python's `float`: the fewest digits that stand for it.
pub(super) fn float_text(value: f64) -> String {
    let shortest = format!("{value:e}");
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        format!("{value:?}")
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
    }
}
