//! Numbers as Python writes them.

use bigdecimal::BigDecimal;
use num_traits::Signed;

use super::Number;

/// The text of a JSON number as Python writes it.
pub(in crate::expression) fn text_of(json: &str) -> String {
    match Number::parse(json) {
        Ok(number) => number.to_text(),
        // Only numbers that nobody calculates with: their own digits.
        Err(_) => json.to_owned(),
    }
}

/// As Python's `Decimal`: with an exponent only if there are zeros that it does not write.
pub(super) fn decimal_text(value: &BigDecimal) -> String {
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
