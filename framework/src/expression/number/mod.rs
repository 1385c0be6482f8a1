//! Arithmetic that never rounds in silence.
//!
//! As in the SDK, whole numbers have any size, a number with a fraction in a record is a decimal
//! with all its digits, and one that is written in an expression (`1.1`), or comes from `float()`
//! or a division of whole numbers, is a 64-bit float. Where the two meet, the SDK fails; here the
//! float counts as the shortest decimal that stands for it. A whole number or decimal that no float
//! is equal to is not made one.

mod arithmetic;
mod text;

pub(super) use text::text_of;

use std::cmp::Ordering;
use std::str::FromStr;

use bigdecimal::{BigDecimal, RoundingMode};
use num_bigint::BigInt;
use num_traits::{Signed, ToPrimitive, Zero};

use super::syntax::Binary;
use super::value::Outcome;
use arithmetic::{decimals, floats, ints};
use text::{decimal_text, float_text};

/// Numbers with more digits, or so many zeros, are not calculated with: it would take too long.
const MOST_DIGITS: i64 = 4300;

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

    pub(super) fn bounded(self) -> Outcome<Self> {
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

    /// About how many bytes it takes.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Int(value) => (value.bits() / 8) as usize,
            Self::Decimal(value) => {
                let zeros = value.fractional_digit_count().unsigned_abs();
                (value.digits() + zeros) as usize
            }
            Self::Float(_) => 0,
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
            // Else a zero that counts thousands would have as many digits.
            Self::Decimal(value) if value.is_zero() && value.fractional_digit_count() < 0 => {
                "0".to_owned()
            }
            Self::Decimal(value) => value.to_plain_string(),
            other => other.to_text(),
        }
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
