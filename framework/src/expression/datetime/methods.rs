//! The methods of dates, datetimes and timedeltas, and the parts of them.

use jiff::civil::{Date, Time};
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::Offset;

use super::moment::{Moment, offset_text, zone_name};
use super::{DAY, SECOND, make_date, make_time, zone};
use crate::expression::arguments::Arguments;
use crate::expression::number::Number;
use crate::expression::scope::Scope;
use crate::expression::value::{Outcome, Value};

/// Formats are written by hand, and a directive makes much of a few bytes.
const LONGEST_FORM: usize = 1000;

type Method = for<'a> fn(&Value<'a>, &mut Arguments<'a>) -> Option<Outcome<Value<'a>>>;

/// The methods of dates, datetimes and timedeltas; `None` for a value that has it not.
pub(in crate::expression) const METHODS: &[(&str, Method)] = &[
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

pub(in crate::expression) fn method<'a>(
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
pub(in crate::expression) fn strftime(value: &Value<'_>, form: &str) -> Outcome<String> {
    let (local, offset) = match value {
        Value::Date(date) => (date.to_datetime(Time::midnight()), None),
        Value::Moment(moment) => (moment.local, moment.offset),
        _ => return Err(format!("{} has no strftime", value.kind())),
    };
    if form.len() > LONGEST_FORM {
        return Err(format!("a format of more than {LONGEST_FORM} bytes"));
    }
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
pub(in crate::expression) fn part_of<'a>(object: &Value<'a>, name: &str) -> Option<Value<'a>> {
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
