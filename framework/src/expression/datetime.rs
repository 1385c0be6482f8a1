//! Dates and times, as Python's module `datetime` has them, to the microsecond.
//!
//! A time without an offset counts as UTC where an instant is asked for; in the SDK it counts as
//! local time, so that results depend on the machine.

use std::cmp::Ordering;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::strtime::BrokenDownTime;
use jiff::fmt::temporal::Pieces;
use jiff::tz::Offset;
use num_traits::ToPrimitive;

use super::arguments::Arguments;
use super::functions::Native;
use super::number::Number;
use super::scope::Scope;
use super::syntax::Binary;
use super::value::{Outcome, Value};

const SECOND: i128 = 1_000_000;
const DAY: i128 = 86_400 * SECOND;

const OUT_OF_RANGE: &str = "the result is no date between the years 1 and 9999";

/// A `datetime.datetime`: local to its offset, if it has one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    local: DateTime,
    offset: Option<Offset>,
}

/// A `datetime.timedelta`, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Delta(i128);

impl Delta {
    fn new(micros: i128) -> Outcome<Self> {
        // Python's bounds.
        if micros.abs() > 999_999_999 * DAY {
            return Err("a timedelta of more than 999999999 days".to_owned());
        }
        Ok(Self(micros))
    }

    pub(super) fn is_zero(self) -> bool {
        self.0 == 0
    }

    pub(super) fn negated(self) -> Self {
        Self(-self.0)
    }

    fn seconds(self) -> f64 {
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
    fn new(local: DateTime, offset: Option<Offset>) -> Outcome<Self> {
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

    fn instant(&self) -> Outcome<Timestamp> {
        let offset = self.offset.unwrap_or(Offset::UTC);
        offset
            .to_timestamp(self.local)
            .map_err(|_| OUT_OF_RANGE.to_owned())
    }

    fn at(instant: Timestamp, offset: Option<Offset>) -> Outcome<Self> {
        Self::new(offset.unwrap_or(Offset::UTC).to_datetime(instant), offset)
    }

    fn plus(&self, micros: i128) -> Outcome<Self> {
        let span = i64::try_from(micros)
            .ok()
            .map(jiff::SignedDuration::from_micros);
        let local = span.and_then(|span| self.local.checked_add(span).ok());
        Self::new(local.ok_or(OUT_OF_RANGE)?, self.offset)
    }

    fn minus(&self, other: &Self) -> Outcome<Delta> {
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

    pub(super) fn compare(&self, other: &Self) -> Outcome<Ordering> {
        self.comparable(other)?;
        Ok(self.instant()?.cmp(&other.instant()?))
    }

    pub(super) fn iso(&self, separator: char) -> String {
        let time = self.local.time();
        let micros = time.subsec_nanosecond() / 1000;
        let fraction = match micros {
            0 => String::new(),
            micros => format!(".{micros:06}"),
        };
        self.iso_with(&separator.to_string(), &fraction)
    }

    fn iso_with(&self, separator: &str, fraction: &str) -> String {
        let (date, time) = (self.local.date(), self.local.time());
        let (hour, minute, second) = (time.hour(), time.minute(), time.second());
        let offset = self.offset.map(offset_text).unwrap_or_default();
        format!("{date}{separator}{hour:02}:{minute:02}:{second:02}{fraction}{offset}")
    }
}

/// `+02:00`
fn offset_text(offset: Offset) -> String {
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
pub(super) fn zone_name(offset: Offset) -> String {
    if offset == Offset::UTC {
        return "UTC".to_owned();
    }
    format!("UTC{}", offset_text(offset))
}

pub(super) const CONSTANTS: &[(&str, Native)] = &[
    ("UTC", |_, _| Ok(Value::Zone(Offset::UTC))),
    ("timezone.utc", |_, _| Ok(Value::Zone(Offset::UTC))),
];

pub(super) const FUNCTIONS: &[(&str, Native)] = &[
    ("date", |_, arguments| {
        let (year, month, day) = (
            part(arguments, "year")?,
            part(arguments, "month")?,
            part(arguments, "day")?,
        );
        make_date(year, month, day).map(Value::Date)
    }),
    ("date.fromisoformat", |_, arguments| {
        let text = arguments.text("date_string")?;
        let pieces = Pieces::parse(&*text).ok();
        pieces
            .filter(|pieces| pieces.time().is_none() && pieces.date().year() > 0)
            .map(|pieces| Value::Date(pieces.date()))
            .ok_or_else(|| "the text is no date in the form ISO 8601".to_owned())
    }),
    ("date.fromtimestamp", |_, arguments| {
        let instant = instant(&arguments.need("timestamp")?)?;
        Ok(Value::Date(Moment::at(instant, None)?.local.date()))
    }),
    ("date.today", |_, _| {
        Ok(Value::Date(now(None)?.local.date()))
    }),
    ("datetime", |_, arguments| {
        let (year, month, day) = (
            part(arguments, "year")?,
            part(arguments, "month")?,
            part(arguments, "day")?,
        );
        let date = make_date(year, month, day)?;
        let time =
            ["hour", "minute", "second", "microsecond"].map(|name| arguments.int_or(name, 0));
        let [hour, minute, second, micros] = time;
        let time = make_time(hour?, minute?, second?, micros?)?;
        let offset = zone(arguments, "tzinfo")?;
        Moment::new(date.to_datetime(time), offset).map(Value::Moment)
    }),
    ("datetime.fromisoformat", |_, arguments| {
        let text = arguments.text("date_string")?;
        parse_iso(&text)
            .map(Value::Moment)
            .ok_or_else(|| "the text is no datetime in the form ISO 8601".to_owned())
    }),
    ("datetime.fromtimestamp", |_, arguments| {
        let instant = instant(&arguments.need("timestamp")?)?;
        let offset = zone(arguments, "tz")?;
        Moment::at(instant, offset).map(Value::Moment)
    }),
    ("datetime.now", |_, arguments| {
        let offset = zone(arguments, "tz")?;
        now(offset).map(Value::Moment)
    }),
    ("datetime.strptime", |_, arguments| {
        let (text, form) = (arguments.text("date_string")?, arguments.text("format")?);
        let parsed = BrokenDownTime::parse(&*form, &*text).ok();
        let moment = parsed.and_then(|parsed| {
            let date = parsed.to_date().ok()?;
            let time = parsed.to_time().unwrap_or(Time::midnight());
            Some((date.to_datetime(time), parsed.offset()))
        });
        let (local, offset) = moment.ok_or("the text has not this format")?;
        Moment::new(local, offset).map(Value::Moment)
    }),
    ("datetime.today", |_, _| now(None).map(Value::Moment)),
    ("datetime.utcnow", |_, _| now(None).map(Value::Moment)),
    ("timedelta", |_, arguments| {
        let units = [
            ("days", DAY),
            ("seconds", SECOND),
            ("microseconds", 1),
            ("milliseconds", 1000),
            ("minutes", 60 * SECOND),
            ("hours", 3600 * SECOND),
            ("weeks", 7 * DAY),
        ];
        let mut micros = 0_i128;
        for (name, unit) in units {
            if let Some(value) = arguments.next(name) {
                micros = micros.saturating_add(times(unit, &value)?);
            }
        }
        Delta::new(micros).map(Value::Delta)
    }),
    ("timezone", |_, arguments| {
        match arguments.need("offset")? {
            Value::Delta(delta) => i32::try_from(delta.0 / SECOND)
                .ok()
                .and_then(|seconds| Offset::from_seconds(seconds).ok())
                .map(Value::Zone)
                .ok_or_else(|| "an offset of more than a day".to_owned()),
            other => Err(format!(
                "the argument offset must be a timedelta, not {}",
                other.kind()
            )),
        }
    }),
];

fn part(arguments: &mut Arguments<'_>, name: &str) -> Outcome<i64> {
    let value = arguments.need(name)?;
    value
        .index()
        .ok_or_else(|| format!("the argument {name} must be a whole number"))
}

fn make_date(year: i64, month: i64, day: i64) -> Outcome<Date> {
    let wrong = || "there is no such date".to_owned();
    let year = i16::try_from(year).ok().filter(|year| *year > 0);
    let (month, day) = (i8::try_from(month), i8::try_from(day));
    match (year, month, day) {
        (Some(year), Ok(month), Ok(day)) => Date::new(year, month, day).map_err(|_| wrong()),
        _ => Err(wrong()),
    }
}

fn make_time(hour: i64, minute: i64, second: i64, micros: i64) -> Outcome<Time> {
    let wrong = || "there is no such time".to_owned();
    let nanos = i32::try_from(micros.saturating_mul(1000));
    match (
        i8::try_from(hour),
        i8::try_from(minute),
        i8::try_from(second),
        nanos,
    ) {
        (Ok(hour), Ok(minute), Ok(second), Ok(nanos)) => {
            Time::new(hour, minute, second, nanos).map_err(|_| wrong())
        }
        _ => Err(wrong()),
    }
}

fn parse_iso(text: &str) -> Option<Moment> {
    let pieces = Pieces::parse(text).ok()?;
    if pieces.time_zone_annotation().is_some() {
        return None;
    }
    let offset = pieces.to_numeric_offset();
    let time = pieces.time().unwrap_or(Time::midnight());
    Moment::new(pieces.date().to_datetime(time), offset).ok()
}

fn zone(arguments: &mut Arguments<'_>, name: &str) -> Outcome<Option<Offset>> {
    match arguments.next(name) {
        None | Some(Value::None) => Ok(None),
        Some(Value::Zone(offset)) => Ok(Some(offset)),
        Some(other) => Err(format!(
            "the argument {name} must be a time zone, not {}",
            other.kind()
        )),
    }
}

fn now(offset: Option<Offset>) -> Outcome<Moment> {
    Moment::at(Timestamp::now(), offset)
}

/// Seconds since 1970, with a fraction.
fn instant(seconds: &Value<'_>) -> Outcome<Timestamp> {
    let micros = i64::try_from(times(SECOND, seconds)?).ok();
    micros
        .and_then(|micros| Timestamp::from_microsecond(micros).ok())
        .ok_or_else(|| OUT_OF_RANGE.to_owned())
}

/// A number of units, in whole microseconds.
fn times(unit: i128, value: &Value<'_>) -> Outcome<i128> {
    let number = value
        .number()?
        .ok_or_else(|| format!("it takes numbers, not {}", value.kind()))?;
    let unit = Number::Int(unit.into());
    let micros = number.calculate(Binary::Multiply, &unit)?.rounded(None)?;
    micros
        .truncated()
        .to_i128()
        .ok_or_else(|| OUT_OF_RANGE.to_owned())
}

type Method = for<'a> fn(&Value<'a>, &mut Arguments<'a>) -> Option<Outcome<Value<'a>>>;

/// The methods of dates, datetimes and timedeltas; `None` for a value that has it not.
pub(super) const METHODS: &[(&str, Method)] = &[
    ("astimezone", |value, arguments| {
        let Value::Moment(moment) = value else {
            return None;
        };
        let offset = zone(arguments, "tz");
        Some(offset.and_then(|offset| {
            let offset = offset.unwrap_or(Offset::UTC);
            Moment::at(moment.instant()?, Some(offset)).map(Value::Moment)
        }))
    }),
    ("date", |value, _| match value {
        Value::Moment(moment) => Some(Ok(Value::Date(moment.local.date()))),
        _ => None,
    }),
    ("isoformat", |value, arguments| match value {
        Value::Date(date) => Some(Ok(Value::text(date.to_string()))),
        Value::Moment(moment) => Some(isoformat(moment, arguments)),
        _ => None,
    }),
    ("isoweekday", |value, _| {
        let day = date_of(value)?.weekday();
        Some(Ok(Value::int(day.to_monday_one_offset())))
    }),
    ("replace", |value, arguments| {
        date_of(value).map(|_| replace(value, arguments))
    }),
    ("strftime", |value, arguments| {
        date_of(value)?;
        let form = arguments.text("format");
        Some(form.and_then(|form| strftime(value, &form).map(Value::text)))
    }),
    ("timestamp", |value, _| match value {
        Value::Moment(moment) => Some(moment.instant().and_then(|instant| {
            let seconds = instant.as_microsecond() as f64 / SECOND as f64;
            Number::float(seconds).map(Value::Number)
        })),
        _ => None,
    }),
    ("total_seconds", |value, _| match value {
        Value::Delta(delta) => Some(Number::float(delta.seconds()).map(Value::Number)),
        _ => None,
    }),
    ("weekday", |value, _| {
        let day = date_of(value)?.weekday();
        Some(Ok(Value::int(day.to_monday_zero_offset())))
    }),
];

fn date_of(value: &Value<'_>) -> Option<Date> {
    match value {
        Value::Date(date) => Some(*date),
        Value::Moment(moment) => Some(moment.local.date()),
        _ => None,
    }
}

pub(super) fn method<'a>(
    _: &Scope<'a>,
    object: &Value<'a>,
    name: &str,
    arguments: &mut Arguments<'a>,
) -> Option<Outcome<Value<'a>>> {
    let (_, method) = METHODS.iter().find(|(other, _)| *other == name)?;
    method(object, arguments)
}

fn isoformat<'a>(moment: &Moment, arguments: &mut Arguments<'a>) -> Outcome<Value<'a>> {
    let separator = arguments.text_or_none("sep")?;
    let separator = separator.as_deref().unwrap_or("T");
    let micros = moment.local.subsec_nanosecond() / 1000;
    let fraction = match arguments.text_or_none("timespec")?.as_deref() {
        None | Some("auto") if micros == 0 => String::new(),
        None | Some("auto" | "microseconds") => format!(".{micros:06}"),
        Some("milliseconds") => format!(".{:03}", micros / 1000),
        Some("seconds") => String::new(),
        Some(_) => {
            return Err("timespec is auto, seconds, milliseconds or microseconds".to_owned());
        }
    };
    Ok(Value::text(moment.iso_with(separator, &fraction)))
}

fn replace<'a>(value: &Value<'a>, arguments: &mut Arguments<'a>) -> Outcome<Value<'a>> {
    let date = date_of(value).unwrap_or(Date::MIN);
    let year = arguments.int_or("year", date.year().into())?;
    let month = arguments.int_or("month", date.month().into())?;
    let day = arguments.int_or("day", date.day().into())?;
    let date = make_date(year, month, day)?;
    let Value::Moment(moment) = value else {
        return Ok(Value::Date(date));
    };
    let time = moment.local.time();
    let hour = arguments.int_or("hour", time.hour().into())?;
    let minute = arguments.int_or("minute", time.minute().into())?;
    let second = arguments.int_or("second", time.second().into())?;
    let micros = i64::from(time.subsec_nanosecond()) / 1000;
    let micros = arguments.int_or("microsecond", micros)?;
    let time = make_time(hour, minute, second, micros)?;
    let offset = match arguments.named("tzinfo") {
        None => moment.offset,
        Some(Value::None) => None,
        Some(Value::Zone(offset)) => Some(offset),
        Some(_) => return Err("the argument tzinfo must be a time zone".to_owned()),
    };
    Moment::new(date.to_datetime(time), offset).map(Value::Moment)
}

/// As Python does: `%f` has six digits, and what an offset would have to tell is empty without one.
pub(super) fn strftime(value: &Value<'_>, form: &str) -> Outcome<String> {
    let (local, offset) = match value {
        Value::Date(date) => (date.to_datetime(Time::midnight()), None),
        Value::Moment(moment) => (moment.local, moment.offset),
        _ => return Err(format!("{} has no strftime", value.kind())),
    };
    let zone = offset.map(zone_name).unwrap_or_default();
    let number = offset.map(offset_text).unwrap_or_default().replace(':', "");
    let mut filled = String::with_capacity(form.len());
    let mut rest = form;
    while let Some(at) = rest.find('%') {
        filled.push_str(&rest[..at]);
        let end = at + 1 + rest[at + 1..].chars().next().map_or(0, char::len_utf8);
        match &rest[at..end] {
            "%f" => filled.push_str("%6f"),
            "%Z" => filled.push_str(&zone),
            "%z" => filled.push_str(&number),
            other => filled.push_str(other),
        }
        rest = &rest[end..];
    }
    filled.push_str(rest);
    BrokenDownTime::from(local)
        .to_string(&filled)
        .map_err(|_| "the format has directives that are not offered".to_owned())
}

/// What stands behind the dot of a date, a datetime or a timedelta.
pub(super) fn part_of<'a>(object: &Value<'a>, name: &str) -> Option<Value<'a>> {
    let part = match (object, name) {
        (Value::Date(_) | Value::Moment(_), "year" | "month" | "day") => {
            let date = date_of(object)?;
            match name {
                "year" => i64::from(date.year()),
                "month" => i64::from(date.month()),
                _ => i64::from(date.day()),
            }
        }
        (Value::Moment(moment), "hour") => moment.local.hour().into(),
        (Value::Moment(moment), "minute") => moment.local.minute().into(),
        (Value::Moment(moment), "second") => moment.local.second().into(),
        (Value::Moment(moment), "microsecond") => {
            i64::from(moment.local.subsec_nanosecond()) / 1000
        }
        (Value::Moment(moment), "tzinfo") => {
            return Some(moment.offset.map_or(Value::None, Value::Zone));
        }
        (Value::Delta(delta), "days") => delta.0.div_euclid(DAY) as i64,
        (Value::Delta(delta), "seconds") => (delta.0.rem_euclid(DAY) / SECOND) as i64,
        (Value::Delta(delta), "microseconds") => delta.0.rem_euclid(SECOND) as i64,
        _ => return None,
    };
    Some(Value::int(part))
}

/// What an operator does with a date or a timedelta; `None` if neither side is one.
pub(super) fn binary<'a>(
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
