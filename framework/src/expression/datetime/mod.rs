//! Dates and times, as Python's module `datetime` has them, to the microsecond.
//!
//! A time without an offset counts as UTC where an instant is asked for; in the SDK it counts as
//! local time, so that results depend on the machine.

mod methods;
mod moment;
mod operators;

pub(super) use methods::{METHODS, method, part_of, strftime};
pub(super) use moment::{Delta, Moment, zone_name};
pub(super) use operators::binary;

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::fmt::strtime::BrokenDownTime;
use jiff::fmt::temporal::Pieces;
use jiff::tz::Offset;
use num_traits::ToPrimitive;

use super::arguments::Arguments;
use super::functions::Native;
use super::number::Number;
use super::syntax::Binary;
use super::value::{Outcome, Value};

const SECOND: i128 = 1_000_000;
const DAY: i128 = 86_400 * SECOND;

const OUT_OF_RANGE: &str = "the result is no date between the years 1 and 9999";

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
