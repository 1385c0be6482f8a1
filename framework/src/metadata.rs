//! The `_sdc_*` columns: when a record was extracted, received and batched, and of which version of
//! its table it is.
//!
//! Names and order are the Meltano SDK's. Moments are ISO 8601 with microseconds and `+00:00`,
//! counts of time are milliseconds since 1970. What the tap has sent itself stays as it is, but for
//! the table's version: it decides what ACTIVATE_VERSION deletes, and so the message's one counts.

use jiff::{Timestamp, fmt::temporal::DateTimePrinter, tz::Offset};
use serde_json::{Value as JsonSchema, json};

use crate::activation::{DELETED_AT, TABLE_VERSION};
use crate::batch::OpenBatch;
use crate::value::{Plain, Value};

/// The column that says when the tap read the record.
const EXTRACTED_AT: &str = "_sdc_extracted_at";
/// The column that says when the target read it.
const RECEIVED_AT: &str = "_sdc_received_at";
/// The column that says when its batch was begun.
const BATCHED_AT: &str = "_sdc_batched_at";
/// The column that tells the order of two records.
const SEQUENCE: &str = "_sdc_sequence";
/// The column that says when the run began.
const SYNC_STARTED_AT: &str = "_sdc_sync_started_at";

const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(6));

/// Which columns every record has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Columns {
    /// None.
    None,
    /// When it was extracted and received.
    Times,
    /// All.
    All,
}

impl Columns {
    /// The schema of a stream whose records have these columns.
    pub(crate) fn describe(self, mut schema: JsonSchema) -> JsonSchema {
        let moments: &[&str] = match self {
            Self::None => return schema,
            Self::Times => &[EXTRACTED_AT, RECEIVED_AT],
            Self::All => &[EXTRACTED_AT, RECEIVED_AT, BATCHED_AT, DELETED_AT],
        };
        let counts: &[&str] = match self {
            Self::All => &[SEQUENCE, TABLE_VERSION, SYNC_STARTED_AT],
            _ => &[],
        };
        let Some(properties) = schema
            .get_mut("properties")
            .and_then(JsonSchema::as_object_mut)
        else {
            return schema;
        };
        let mut add = |name: &str, column: JsonSchema| {
            properties.entry(name).or_insert(column);
        };
        for name in moments {
            add(
                name,
                json!({"type": ["null", "string"], "format": "date-time"}),
            );
        }
        for name in counts {
            add(name, json!({"type": ["null", "integer"]}));
        }
        schema
    }
}

/// Gives records their columns.
#[derive(Debug)]
pub(crate) struct Stamp {
    columns: Columns,
    /// Whether a record that has a version keeps it, whatever the columns.
    versions: bool,
    started: String,
    received_at: String,
    sequence: String,
    extracted_at: String,
    extracted: bool,
}

impl Stamp {
    /// For a run that begins now.
    pub(crate) fn new(columns: Columns, versions: bool) -> Self {
        Self {
            columns,
            versions,
            started: Timestamp::now().as_millisecond().to_string(),
            received_at: String::new(),
            sequence: String::new(),
            extracted_at: String::new(),
            extracted: false,
        }
    }

    /// The records that follow are received now.
    pub(crate) fn receive(&mut self) {
        let now = Timestamp::now();
        if self.columns == Columns::All {
            self.sequence = now.as_millisecond().to_string();
        }
        self.received_at = text(now);
    }

    /// Reads when the next record was extracted.
    pub(crate) fn extract(&mut self, time_extracted: Option<Value<'_>>) -> Result<(), String> {
        self.extracted = false;
        let Some(time) = time_extracted.filter(|_| self.columns != Columns::None) else {
            return Ok(());
        };
        moment(time, &mut self.extracted_at)
            .ok_or("its \"time_extracted\" is not a date-time with an offset")?;
        self.extracted = true;
        Ok(())
    }

    /// When the records that are taken in now were received.
    pub(crate) fn received_at(&self) -> &str {
        &self.received_at
    }

    /// Adds the columns to the last record of a batch that was begun at `batched_at`. `version` is
    /// that of the record's table.
    pub(crate) fn mark(&self, batch: &mut OpenBatch, batched_at: &str, version: Option<Value<'_>>) {
        if self.columns != Columns::None {
            let extracted_at = if self.extracted {
                &self.extracted_at
            } else {
                &self.received_at
            };
            batch.append_members([
                (EXTRACTED_AT, Plain::Text(extracted_at)),
                (RECEIVED_AT, Plain::Text(&self.received_at)),
            ]);
        }
        if self.columns == Columns::All {
            batch.append_members([
                (BATCHED_AT, Plain::Text(batched_at)),
                (DELETED_AT, Plain::Null),
                (SEQUENCE, Plain::Number(&self.sequence)),
            ]);
        }
        match version.and_then(Value::as_number) {
            Some(version) if self.versions || self.columns == Columns::All => {
                batch.set_member(TABLE_VERSION, Plain::Number(version.as_str()));
            }
            None if self.columns == Columns::All => {
                batch.append_members([(TABLE_VERSION, Plain::Null)]);
            }
            _ => {}
        }
        if self.columns == Columns::All {
            batch.append_members([(SYNC_STARTED_AT, Plain::Number(&self.started))]);
        }
    }
}

/// The present moment.
pub(crate) fn now() -> String {
    text(Timestamp::now())
}

/// The moment that a record's `time_extracted` names, or `None` if it names none. `out` holds the
/// moment before it, since many records are extracted in one second.
fn moment(time_extracted: Value<'_>, out: &mut String) -> Option<()> {
    let text = time_extracted.as_str()?;
    if let Some(micros) = micros_of_same_second(text, out) {
        const ZEROS: &str = "000000";
        out.truncate(SECOND.len());
        for part in [".", micros, &ZEROS[micros.len()..], "+00:00"] {
            out.push_str(part);
        }
        return Some(());
    }
    let moment: Timestamp = text.parse().ok()?;
    out.clear();
    print(moment, out)
}

fn text(moment: Timestamp) -> String {
    let mut out = String::with_capacity(32);
    // Writing to a string cannot fail.
    let _ = print(moment, &mut out);
    out
}

/// The shape of the part of a moment that seldom changes.
const SECOND: &str = "YYYY-MM-DDTHH:MM:SS";

/// The first six digits, or fewer, of the fraction of a moment that differs from `last` in nothing
/// else.
fn micros_of_same_second<'t>(text: &'t str, last: &str) -> Option<&'t str> {
    let rest = text.strip_prefix(last.get(..SECOND.len())?)?;
    let fraction = rest
        .strip_suffix('Z')
        .or_else(|| rest.strip_suffix("+00:00"))?;
    let digits = fraction.strip_prefix('.')?;
    let plain = (1..=9).contains(&digits.len()) && digits.bytes().all(|it| it.is_ascii_digit());
    plain.then(|| &digits[..digits.len().min(6)])
}

fn print(moment: Timestamp, out: &mut String) -> Option<()> {
    PRINTER
        .print_timestamp_with_offset(&moment, Offset::UTC, out)
        .ok()
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
            (
                "2024-02-29T10:00:00.5Z",
                Some("2024-02-29T10:00:00.500000+00:00"),
            ),
            (
                "2024-02-29T10:00:00.1234569+00:00",
                Some("2024-02-29T10:00:00.123456+00:00"),
            ),
            ("2024-02-29T10:00:00.Z", None),
            ("2024-02-29T10:00:00.1", None),
            ("2024-02-29T10:00:00.1z+00:00", None),
            ("2024-02-30T12:00:00Z", None),
            ("2024-02-29", None),
            ("yesterday", None),
        ] {
            let mut tape = Tape::new();
            // Alone, and after another moment of the same second.
            for mut out in [String::new(), "2024-02-29T10:00:00.000001+00:00".to_owned()] {
                let found = moment(tape.set_string(given), &mut out);
                assert_eq!(found.map(|()| out.as_str()), written, "{given}");
            }
        }
        assert_eq!(now().len(), "2024-02-29T12:00:00.000000+00:00".len());
    }

    #[test]
    fn a_schema_gets_the_columns_that_it_has_not() {
        let schema = json!({"properties": {"_sdc_sequence": {"type": "string"}}});
        let all = Columns::All.describe(schema.clone());
        assert_eq!(all["properties"].as_object().map(|all| all.len()), Some(7));
        assert_eq!(all["properties"]["_sdc_sequence"]["type"], "string");
        assert_eq!(all["properties"]["_sdc_deleted_at"]["format"], "date-time");
        assert_eq!(Columns::None.describe(schema.clone()), schema);
        assert_eq!(Columns::All.describe(json!({})), json!({}));
    }
}
