//! Points in time as taps write them, compared exactly.
//!
//! Date libraries stop at nanoseconds; databases do not, and two bookmarks that differ only in the
//! tenth digit must not be taken for equal. So seconds are counted here and the digits of the
//! fraction compared as they are.

use std::cmp::Ordering;

/// A point in time: seconds since 1970 and the digits of the fraction without trailing zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Instant<'a> {
    seconds: i64,
    fraction: &'a [u8],
}

/// Compares two texts as instants; `None` if one of them is not one.
pub(super) fn compare(left: &str, right: &str) -> Option<Ordering> {
    Some(Instant::parse(left)?.cmp(&Instant::parse(right)?))
}

impl<'a> Instant<'a> {
    /// Reads `2024-02-29`, `2024-02-29T12:00`, `2024-02-29 12:00:00.123+02:00` and the like.
    /// A date is its midnight, and a time without an offset is UTC.
    fn parse(text: &'a str) -> Option<Self> {
        let mut rest = Reader(text.as_bytes());
        let year = rest.number(4)?;
        rest.expect(b'-')?;
        let month = rest.number(2)?;
        rest.expect(b'-')?;
        let day = rest.number(2)?;
        if day < 1 || day > days_in(year, month)? {
            return None;
        }
        let mut seconds = days_since_1970(year, month, day) * 86_400;
        let mut fraction = &b""[..];
        if rest
            .take(|byte| matches!(byte, b'T' | b't' | b' '))
            .is_some()
        {
            let hour = rest.number(2)?;
            rest.expect(b':')?;
            let minute = rest.number(2)?;
            let mut second = 0;
            if rest.take(|byte| byte == b':').is_some() {
                second = rest.number(2)?;
                if rest.take(|byte| matches!(byte, b'.' | b',')).is_some() {
                    fraction = rest.fraction()?;
                }
            }
            // 60 is a leap second: the instant at which the next minute starts.
            if hour > 23 || minute > 59 || second > 60 {
                return None;
            }
            seconds += hour * 3600 + minute * 60 + second - rest.offset()?;
        }
        rest.0.is_empty().then_some(Self { seconds, fraction })
    }
}

/// What is left of a text.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, wanted: impl Fn(u8) -> bool) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        wanted(*first).then(|| {
            self.0 = rest;
            *first
        })
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.take(|found| found == byte).map(|_| ())
    }

    fn number(&mut self, digits: usize) -> Option<i64> {
        (0..digits).try_fold(0, |number, _| {
            let digit = self.take(|byte| byte.is_ascii_digit())?;
            Some(number * 10 + i64::from(digit - b'0'))
        })
    }

    fn fraction(&mut self) -> Option<&'a [u8]> {
        let digits = self
            .0
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let (fraction, rest) = self.0.split_at(digits);
        self.0 = rest;
        let significant = fraction.iter().rposition(|digit| *digit != b'0');
        (digits > 0).then(|| &fraction[..significant.map_or(0, |last| last + 1)])
    }

    /// `Z`, `+02:00`, `+0200`, `+02` or nothing, in seconds east of UTC.
    fn offset(&mut self) -> Option<i64> {
        self.take(|byte| byte == b' ');
        let sign = match self.take(|byte| matches!(byte, b'Z' | b'z' | b'+' | b'-')) {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return Some(0),
        };
        let hours = self.number(2)?;
        self.take(|byte| byte == b':');
        let minutes = if self.0.is_empty() {
            0
        } else {
            self.number(2)?
        };
        (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
    }
}

fn days_in(year: i64, month: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => Some(if leap { 29 } else { 28 }),
        4 | 6 | 9 | 11 => Some(30),
        1..=12 => Some(31),
        _ => None,
    }
}

/// The proleptic Gregorian calendar, with years that start in March so that leap days come last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let century_of_four = year.div_euclid(400);
    let year = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    century_of_four * 146_097 + year * 365 + year / 4 - year / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_order_as_instants() {
        let ascending = [
            "0001-01-01",
            "1969-12-31T23:59:59.999999999999",
            "1970-01-01",
            "2024-02-29 11:59:59.9+00",
            "2024-02-29T10:00:00-02:00",
            "2024-02-29T12:00:00.0000000000000000001Z",
            "2024-02-29t12:00:00.00001 +0000",
            "2024-02-29 12:00:00,1",
            "2024-03-01",
            "2024-03-01T01:00+00:30",
            "2024-12-31T23:59:59Z",
            "2024-12-31T23:59:60Z",
            "9999-12-31T23:59:59z",
        ];
        for (i, left) in ascending.iter().enumerate() {
            for (j, right) in ascending.iter().enumerate() {
                assert_eq!(compare(left, right), Some(i.cmp(&j)), "{left} and {right}");
            }
        }
    }

    #[test]
    fn one_instant_has_many_texts() {
        let noon = "2024-02-29T12:00:00Z";
        for same in [
            "2024-02-29T12:00",
            "2024-02-29 12:00:00",
            "2024-02-29T12:00:00.000",
            "2024-02-29T14:00:00+02:00",
            "2024-02-29T14:00:00+02",
            "2024-03-01T00:00:00+1200",
            "2024-02-28T23:30:00-12:30",
        ] {
            assert_eq!(compare(noon, same), Some(Ordering::Equal), "{same}");
        }
        assert_eq!(
            compare("2024-02-29", "2024-02-29T00:00:00Z"),
            Some(Ordering::Equal)
        );
    }

    #[test]
    fn days_are_counted_as_a_calendar_counts_them() {
        let mut expected = -719_162;
        for year in 1..=2400 {
            for month in 1..=12 {
                for day in 1..=days_in(year, month).expect("a month") {
                    assert_eq!(days_since_1970(year, month, day), expected);
                    expected += 1;
                }
            }
        }
    }

    #[test]
    fn what_is_not_an_instant_is_none() {
        for text in [
            "",
            "2024",
            "2024-1-1",
            "20240101",
            "2023-02-29",
            "2024-00-01",
            "2024-13-01",
            "2024-01-00",
            "2024-04-31",
            "2024-01-01T",
            "2024-01-01T10",
            "2024-01-01T24:00",
            "2024-01-01T10:60",
            "2024-01-01T10:00:61",
            "2024-01-01T10:00:00.",
            "2024-01-01T10:00:00Zx",
            "2024-01-01T10:00:00+24:00",
            "2024-01-01T10:00:00+1",
            "2024-01-01Z",
            " 2024-01-01",
            "12024-01-01",
        ] {
            assert_eq!(Instant::parse(text), None, "{text}");
        }
    }
}
