//! When a record was extracted and received: `_sdc_extracted_at` and `_sdc_received_at`.
//!
//! ISO 8601 with microseconds and `+00:00`, as the Meltano SDK writes them.

use jiff::{Timestamp, fmt::temporal::DateTimePrinter, tz::Offset};

use crate::value::Value;

/// The column that says when the tap read the record.
pub(crate) const EXTRACTED_AT: &str = "_sdc_extracted_at";
/// The column that says when the target read it.
pub(crate) const RECEIVED_AT: &str = "_sdc_received_at";

const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(6));

/// The present moment.
pub(crate) fn now() -> String {
    print(Timestamp::now())
}

/// The moment that a record's `time_extracted` names, or `None` if it names none.
pub(crate) fn moment(time_extracted: Value<'_>, out: &mut String) -> Option<()> {
    let moment: Timestamp = time_extracted.as_str()?.parse().ok()?;
    out.clear();
    PRINTER
        .print_timestamp_with_offset(&moment, Offset::UTC, &mut *out)
        .ok()
}

fn print(moment: Timestamp) -> String {
    let mut out = String::with_capacity(32);
    // Writing to a string cannot fail.
    let _ = PRINTER.print_timestamp_with_offset(&moment, Offset::UTC, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Tape;

    #[test]
    fn moments_are_written_with_microseconds_in_utc() {
        for (given, written) in [
            (
                "2024-02-29T12:00:00Z",
                Some("2024-02-29T12:00:00.000000+00:00"),
            ),
            (
                "2024-02-29T12:00:00.1234567Z",
                Some("2024-02-29T12:00:00.123456+00:00"),
            ),
            (
                "2024-02-29T12:00:00+02:00",
                Some("2024-02-29T10:00:00.000000+00:00"),
            ),
            ("2024-02-30T12:00:00Z", None),
            ("2024-02-29", None),
            ("yesterday", None),
        ] {
            let mut tape = Tape::new();
            let mut out = String::new();
            let found = moment(tape.set_string(given), &mut out);
            assert_eq!(found.map(|()| out.as_str()), written, "{given}");
        }
        assert_eq!(now().len(), "2024-02-29T12:00:00.000000+00:00".len());
    }
}
