//! The values of dates and times beside [`jiff::civil::Date`]: datetimes and timedeltas.

use std::cmp::Ordering;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

use super::{DAY, OUT_OF_RANGE, SECOND};
use crate::expression::value::Outcome;

/// A `datetime.datetime`: local to its offset, if it has one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(super) local: DateTime,
    pub(super) offset: Option<Offset>,
}

/// A `datetime.timedelta`, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Delta(pub(super) i128);

impl Delta {
    pub(super) fn new(micros: i128) -> Outcome<Self> {
        // Python's bounds.
        if micros.abs() > 999_999_999 * DAY {
            return Err("a timedelta of more than 999999999 days".to_owned());
        }
        Ok(Self(micros))
    }

    pub(in crate::expression) fn is_zero(self) -> bool {
        self.0 == 0
    }

    pub(in crate::expression) fn negated(self) -> Self {
        Self(-self.0)
    }

    pub(super) fn seconds(self) -> f64 {
        self.0 as f64 / SECOND as f64
    }
}

/// As Python writes it: `-1 day, 23:59:59`.
impl fmt::Display for Delta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, rest) = (self.0.div_euclid(DAY), self.0.rem_euclid(DAY));
        if days != 0 {
            let plural = if days.abs() == 1 { "" } else { "s" };
            write!(f, "{days} day{plural}, ")?;
        }
        let seconds = rest / SECOND;
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        write!(f, "{hours}:{minutes:02}:{:02}", seconds % 60)?;
        match rest % SECOND {
            0 => Ok(()),
            micros => write!(f, ".{micros:06}"),
        }
    }
}

impl Moment {
    /// To the microsecond, as Python does.
    pub(super) fn new(local: DateTime, offset: Option<Offset>) -> Outcome<Self> {
        if !(1..=9999).contains(&local.year()) {
            return Err(OUT_OF_RANGE.to_owned());
        }
        let nanos = local.subsec_nanosecond();
        let local = local
            .with()
            .subsec_nanosecond(nanos - nanos % 1000)
            .build()
            .map_err(|_| OUT_OF_RANGE)?;
        Ok(Self { local, offset })
    }

    pub(super) fn instant(&self) -> Outcome<Timestamp> {
        let offset = self.offset.unwrap_or(Offset::UTC);
        offset
            .to_timestamp(self.local)
            .map_err(|_| OUT_OF_RANGE.to_owned())
    }

    pub(super) fn at(instant: Timestamp, offset: Option<Offset>) -> Outcome<Self> {
        Self::new(offset.unwrap_or(Offset::UTC).to_datetime(instant), offset)
    }

    pub(super) fn plus(&self, micros: i128) -> Outcome<Self> {
        let span = i64::try_from(micros)
            .ok()
            .map(jiff::SignedDuration::from_micros);
        let local = span.and_then(|span| self.local.checked_add(span).ok());
        Self::new(local.ok_or(OUT_OF_RANGE)?, self.offset)
    }

    pub(super) fn minus(&self, other: &Self) -> Outcome<Delta> {
        self.comparable(other)?;
        let (left, right) = (self.instant()?, other.instant()?);
        Delta::new(i128::from(left.as_microsecond()) - i128::from(right.as_microsecond()))
    }

    fn comparable(&self, other: &Self) -> Outcome<()> {
        if self.offset.is_some() == other.offset.is_some() {
            return Ok(());
        }
        Err("one datetime has an offset and the other has none".to_owned())
    }

    pub(in crate::expression) fn compare(&self, other: &Self) -> Outcome<Ordering> {
        self.comparable(other)?;
        Ok(self.instant()?.cmp(&other.instant()?))
    }

    pub(in crate::expression) fn iso(&self, separator: char) -> String {
        let time = self.local.time();
        let micros = time.subsec_nanosecond() / 1000;
        let fraction = match micros {
            0 => String::new(),
            micros => format!(".{micros:06}"),
        };
        self.iso_with(&separator.to_string(), &fraction)
    }

    pub(super) fn iso_with(&self, separator: &str, fraction: &str) -> String {
        let (date, time) = (self.local.date(), self.local.time());
        let (hour, minute, second) = (time.hour(), time.minute(), time.second());
        let offset = self.offset.map(offset_text).unwrap_or_default();
        format!("{date}{separator}{hour:02}:{minute:02}:{second:02}{fraction}{offset}")
    }
}

/// `+02:00`
pub(super) fn offset_text(offset: Offset) -> String {
    let seconds = offset.seconds();
    let sign = if seconds < 0 { '-' } else { '+' };
    let seconds = seconds.abs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let rest = match rest {
        0 => String::new(),
        rest => format!(":{rest:02}"),
    };
    format!("{sign}{hours:02}:{minutes:02}{rest}")
}

/// `UTC+02:00`
pub(in crate::expression) fn zone_name(offset: Offset) -> String {
    if offset == Offset::UTC {
        return "UTC".to_owned();
    }
    format!("UTC{}", offset_text(offset))
}
