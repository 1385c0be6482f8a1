//! Numbers of any size, kept as the digits that were sent.
//!
//! Keys, comparison, validation and encoding all read the same text, so nothing is rounded on the
//! way. Two numbers compare by value: `0.10` equals `0.1`, and `1e400` is more than `9e399`.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

/// A JSON number: its text, and what it is worth.
///
/// ```
/// # use singer_target::value::Tape;
/// # let mut tape = Tape::new();
/// tape.parse(b"[0.10, 0.1, 18446744073709551616, 1e400, 9e399]")?;
/// let numbers: Vec<_> = tape.root().unwrap().elements().filter_map(|it| it.as_number()).collect();
/// let [ten_cents, tenth, huge, larger, smaller] = numbers[..] else { unreachable!() };
/// assert_eq!(ten_cents, tenth);
/// assert_eq!(ten_cents.as_str(), "0.10");
/// // More than 64 bits, and still all its digits.
/// assert_eq!((huge.as_u64(), huge.as_str()), (None, "18446744073709551616"));
/// // Beyond any float, and still compared.
/// assert!(larger > smaller && larger.as_f64().is_none());
/// # Ok::<(), singer_target::value::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Number<'a> {
    text: &'a str,
}

/// What an encoder without big numbers does with one.
///
/// An integer beyond 64 bits, or a decimal whose nearest 64-bit float does not print back as the
/// same number, is never rounded silently.
///
/// ```
/// # use singer_target::value::{BigNumbers, Tape};
/// # let mut tape = Tape::new();
/// tape.parse(b"100000000000000000001")?;
/// let as_json = |policy| serde_json::to_string(&tape.root().unwrap().with_big_numbers(policy));
/// assert_eq!(as_json(BigNumbers::String).unwrap(), r#""100000000000000000001""#);
/// assert_eq!(as_json(BigNumbers::Float).unwrap(), "1e+20");
/// assert!(as_json(BigNumbers::Error).is_err());
/// # Ok::<(), singer_target::value::ParseError>(())
/// ```
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum BigNumbers {
    /// Write its digits as a string.
    #[default]
    String,
    /// Refuse the record.
    Error,
    /// Write the nearest 64-bit float; a number beyond its range is refused.
    Float,
}

/// A number that 64 bits cannot hold, and may not be rounded. What an encoder answers with for a
/// format that has no place for it.
///
/// ```
/// # use singer_target::value::{Number, NumberError};
/// fn packed(number: Number<'_>) -> Result<[u8; 8], NumberError> {
///     number.as_i64().map(i64::to_be_bytes).ok_or(NumberError)
/// }
/// # let mut tape = singer_target::value::Tape::new();
/// # tape.parse(b"1.5").unwrap();
/// # assert_eq!(packed(tape.root().unwrap().as_number().unwrap()), Err(NumberError));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a number does not fit in 64 bits without rounding")]
pub struct NumberError;

/// A number as a format holds it that has 64 bits for one: see [`Number::fitted`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fitted<'a> {
    /// An integer that is not negative
    Unsigned(u64),
    /// A negative integer
    Signed(i64),
    /// A number with a fraction or an exponent
    Float(f64),
    /// The digits of one that does not fit
    Text(&'a str),
}

impl<'a> Number<'a> {
    /// `text` must be a JSON number.
    pub(super) fn trusted(text: &'a str) -> Self {
        Self { text }
    }

    /// Any text that consists of the characters of a number and begins as one. It has a hash like
    /// every number; what it is worth is known only if it is one.
    pub(crate) fn like(text: &'a str) -> Option<Self> {
        let begins = text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
        let only = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
        (begins && text.bytes().all(only)).then_some(Self { text })
    }

    /// The digits as they were sent.
    #[must_use]
    pub fn as_str(self) -> &'a str {
        self.text
    }

    /// The integer, if it is written as one and fits.
    #[must_use]
    pub fn as_u64(self) -> Option<u64> {
        self.text.parse().ok()
    }

    /// The integer, if it is written as one and fits.
    #[must_use]
    pub fn as_i64(self) -> Option<i64> {
        self.text.parse().ok()
    }

    /// The nearest 64-bit float, if the number is within its range.
    #[must_use]
    pub fn as_f64(self) -> Option<f64> {
        self.text
            .parse()
            .ok()
            .filter(|value: &f64| value.is_finite())
    }

    /// Whether it is written without a fraction and an exponent.
    #[must_use]
    pub fn is_written_as_integer(self) -> bool {
        !self
            .text
            .bytes()
            .any(|byte| matches!(byte, b'.' | b'e' | b'E'))
    }

    /// Whether its value is whole: `1.0` and `1e2` are.
    #[must_use]
    pub fn is_integer(self) -> bool {
        if self.is_written_as_integer() {
            return true;
        }
        if !self.has_exponent() {
            return self.text.trim_end_matches('0').ends_with('.');
        }
        let decimal = Decimal::of(self.text);
        decimal.is_zero() || decimal.last_digit_exponent() >= 0
    }

    /// The number for a format that has 64 bits for one. What they cannot hold without losing a
    /// digit, `policy` decides.
    ///
    /// # Errors
    /// If `policy` refuses it.
    ///
    /// ```
    /// # use singer_target::value::{BigNumbers, Fitted, Tape};
    /// # let mut tape = Tape::new();
    /// tape.parse(b"[200, -1, 1.5, 100000000000000000001]")?;
    /// let numbers = tape.root().unwrap().elements().filter_map(|it| it.as_number());
    /// let fitted: Result<Vec<_>, _> = numbers.map(|it| it.fitted(BigNumbers::String)).collect();
    /// let expected =
    ///     [Fitted::Unsigned(200), Fitted::Signed(-1), Fitted::Float(1.5), Fitted::Text("100000000000000000001")];
    /// assert_eq!(fitted.unwrap(), expected);
    /// # Ok::<(), singer_target::value::ParseError>(())
    /// ```
    pub fn fitted(self, policy: BigNumbers) -> Result<Fitted<'a>, NumberError> {
        match (self.exact(), policy) {
            (Some(exact), _) => Ok(exact),
            (None, BigNumbers::String) => Ok(Fitted::Text(self.text)),
            (None, BigNumbers::Error) => Err(NumberError),
            (None, BigNumbers::Float) => self.as_f64().map(Fitted::Float).ok_or(NumberError),
        }
    }

    /// The value in a 64-bit type, if no digit is lost by that.
    pub(super) fn exact(self) -> Option<Fitted<'a>> {
        if self.is_written_as_integer() && self.text != "-0" {
            let unsigned = self.as_u64().map(Fitted::Unsigned);
            return unsigned.or_else(|| self.as_i64().map(Fitted::Signed));
        }
        let float = self.as_f64()?;
        (self.is_short_decimal() || self.is_printed_for(float)).then_some(Fitted::Float(float))
    }

    /// Whether it has at most 15 digits and no exponent: then no other number that short has the
    /// same nearest float (`f64::DIGITS`), and so the float prints back as this one.
    fn is_short_decimal(self) -> bool {
        self.text.len() <= f64::DIGITS as usize && !self.has_exponent()
    }

    fn has_exponent(self) -> bool {
        self.text.bytes().any(|byte| matches!(byte, b'e' | b'E'))
    }

    fn is_printed_for(self, float: f64) -> bool {
        Number::trusted(&format!("{float:e}")) == self
    }
}

impl PartialEq for Number<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text || self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number<'_> {}

impl Hash for Number<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let decimal = Decimal::of(self.text);
        if decimal.is_zero() {
            return 0u8.hash(state);
        }
        (decimal.negative, decimal.magnitude).hash(state);
        match decimal.fraction {
            [] => decimal.whole_without_zeros().hash(state),
            fraction => [decimal.whole, fraction].concat().hash(state),
        }
    }
}

impl PartialOrd for Number<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        if let (Some(left), Some(right)) = (self.as_i64(), other.as_i64()) {
            return left.cmp(&right);
        }
        Decimal::of(self.text).cmp(&Decimal::of(other.text))
    }
}

/// A number taken apart: sign, significant digits, and the power of ten of the first of them.
struct Decimal<'a> {
    negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
    /// Power of ten of the first significant digit.
    magnitude: i64,
}

impl<'a> Decimal<'a> {
    fn of(text: &'a str) -> Self {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        if unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
            return Self::of_integer(negative, unsigned);
        }
        let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
        // The parser bounds the digits of an exponent, so this is exact for every number.
        let exponent: i64 = exponent.parse().unwrap_or(0);
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let whole = whole.trim_start_matches('0').as_bytes();
        let fraction = fraction.trim_end_matches('0').as_bytes();
        let leading_zeros = if whole.is_empty() {
            fraction.iter().take_while(|digit| **digit == b'0').count()
        } else {
            0
        };
        let first_digit = whole.len() as i64 - leading_zeros as i64 - 1;
        Self {
            negative,
            whole,
            fraction: &fraction[leading_zeros..],
            magnitude: exponent.saturating_add(first_digit),
        }
    }

    fn of_integer(negative: bool, digits: &'a str) -> Self {
        let whole = digits.trim_start_matches('0').as_bytes();
        Self {
            negative,
            whole,
            fraction: &[],
            magnitude: whole.len() as i64 - 1,
        }
    }

    /// The digits of a whole number without the zeros at its end, which its magnitude tells.
    fn whole_without_zeros(&self) -> &'a [u8] {
        let zeros = self.whole.iter().rev().take_while(|it| **it == b'0');
        &self.whole[..self.whole.len() - zeros.count()]
    }

    fn digits(&self) -> impl Iterator<Item = u8> {
        self.whole.iter().chain(self.fraction).copied()
    }

    fn is_zero(&self) -> bool {
        self.whole.is_empty() && self.fraction.is_empty()
    }

    fn last_digit_exponent(&self) -> i64 {
        let digits = match self.fraction {
            [] => self.whole_without_zeros().len(),
            fraction => self.whole.len() + fraction.len(),
        };
        self.magnitude - digits as i64 + 1
    }

    fn cmp_magnitude(&self, other: &Self) -> Ordering {
        self.magnitude.cmp(&other.magnitude).then_with(|| {
            let (mut left, mut right) = (self.digits(), other.digits());
            loop {
                match (left.next(), right.next()) {
                    (None, None) => return Ordering::Equal,
                    (l, r) => match l.unwrap_or(b'0').cmp(&r.unwrap_or(b'0')) {
                        Ordering::Equal => {}
                        unequal => return unequal,
                    },
                }
            }
        })
    }

    fn cmp(&self, other: &Self) -> Ordering {
        match (self.is_zero(), other.is_zero()) {
            (true, true) => return Ordering::Equal,
            (true, false) => {
                return if other.negative {
                    Ordering::Greater
                } else {
                    Ordering::Less
                };
            }
            (false, true) => {
                return if self.negative {
                    Ordering::Less
                } else {
                    Ordering::Greater
                };
            }
            (false, false) => {}
        }
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.cmp_magnitude(other),
            (true, true) => other.cmp_magnitude(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(text: &str) -> Number<'_> {
        Number::trusted(text)
    }

    fn hash(text: &str) -> u64 {
        use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
        BuildHasherDefault::<DefaultHasher>::default().hash_one(n(text))
    }

    #[test]
    fn order_is_by_value() {
        let ascending = [
            "-1e400",
            "-12345678901234567890.5",
            "-12345678901234567890",
            "-2",
            "-1.5",
            "-1",
            "-1e-400",
            "0",
            "1e-400",
            "0.099",
            "0.1",
            "0.10000000000000000001",
            "1",
            "9",
            "10",
            "99.9",
            "1e2",
            "9007199254740992",
            "9007199254740993",
            "18446744073709551616",
            "9e399",
            "1e400",
        ];
        for (i, left) in ascending.iter().enumerate() {
            for (j, right) in ascending.iter().enumerate() {
                assert_eq!(n(left).cmp(&n(right)), i.cmp(&j), "{left} and {right}");
                assert_eq!(hash(left) == hash(right), i == j, "{left} and {right}");
            }
        }
    }

    #[test]
    fn equal_values_are_equal_however_they_are_written() {
        for (left, right) in [
            ("0.10", "0.1"),
            ("1.0", "1"),
            ("1e2", "100"),
            ("0", "-0.0"),
            ("0e5", "0"),
            ("120e-1", "12"),
            ("0.00012", "1.2E-4"),
            ("1e-2", "0.01"),
        ] {
            assert_eq!(n(left), n(right), "{left} and {right}");
            assert_eq!(hash(left), hash(right), "{left} and {right}");
        }
    }

    #[test]
    fn whole_numbers_are_integers() {
        for whole in [
            "1", "-0", "1.0", "-10.00", "1e2", "1.20e1", "0.0", "1e400", "100e-2", "0e-5",
        ] {
            assert!(n(whole).is_integer(), "{whole}");
        }
        for broken in ["1.5", "10.50", "-1.05", "1e-2", "1.25e1", "12e-1"] {
            assert!(!n(broken).is_integer(), "{broken}");
        }
    }

    #[test]
    fn exact_forms_lose_no_digit() {
        assert_eq!(
            n("18446744073709551615").exact(),
            Some(Fitted::Unsigned(u64::MAX))
        );
        assert_eq!(
            n("-9223372036854775808").exact(),
            Some(Fitted::Signed(i64::MIN))
        );
        assert_eq!(n("0.1").exact(), Some(Fitted::Float(0.1)));
        assert_eq!(n("1.10").exact(), Some(Fitted::Float(1.1)));
        assert_eq!(n("1e3").exact(), Some(Fitted::Float(1000.0)));
        for rounded in [
            "0.1234567890123456789",
            "1e400",
            "18446744073709551616",
            "1e-400",
        ] {
            assert_eq!(n(rounded).exact(), None, "{rounded}");
        }
    }

    #[test]
    fn short_decimals_survive_as_floats() {
        let mut random = fastrand::Rng::with_seed(15);
        for _ in 0..100_000 {
            let mut digits = || {
                let length = random.u32(1..14);
                random.u64(..10u64.pow(length))
            };
            let (digits, fraction) = (digits(), digits());
            let sign = if random.bool() { "-" } else { "" };
            let text = format!("{sign}{digits}.{fraction}");
            let number = n(&text);
            if number.is_short_decimal() {
                let float = number.as_f64().expect("in range");
                assert!(number.is_printed_for(float), "{text}");
            }
        }
    }

    #[test]
    fn comparison_agrees_with_scaled_integers() {
        // The naive model: every number as an integer count of 10^-9.
        let mut seed = 7u64;
        let mut next = || {
            seed = seed
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            (seed >> 33) as i64
        };
        let mut numbers = Vec::new();
        for _ in 0..300 {
            let digits = next() % 2000 - 1000;
            let exponent = next() % 10 - 5;
            let scaled = i128::from(digits) * 10i128.pow((exponent + 9) as u32);
            let text = match next() % 3 {
                0 => format!("{digits}e{exponent}"),
                1 => format!("{digits}.000E{exponent}"),
                _ => format!("{digits}00e{}", exponent - 2),
            };
            numbers.push((text, scaled));
        }
        for (left, left_value) in &numbers {
            for (right, right_value) in &numbers {
                assert_eq!(
                    n(left).cmp(&n(right)),
                    left_value.cmp(right_value),
                    "{left} {right}"
                );
            }
        }
    }
}
