//! The records that are loaded: what a tap of an accounts table would send.
//!
//! A record has twelve properties, among them an instant to compare by, a nested object and an
//! array, and some 350 bytes. It is made from its number alone, so that a run of any length can be
//! fed without being kept, and the updated version of a record is the same record changed.

use std::io::{self, BufWriter, Write};

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tempfile::{NamedTempFile, TempPath};

/// The stream's name.
pub(crate) const STREAM: &str = "accounts";

/// How often a key comes that comes again.
pub(crate) const TIMES: usize = 10;

/// A STATE follows this many records.
const STATE_EVERY: u64 = 10_000;

const FIRST: [&str; 8] = ["Ada", "Bo", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hana"];
const LAST: [&str; 8] = [
    "Adler", "Brandt", "Costa", "Dvorak", "Eriksen", "Fischer", "Garcia", "Hughes",
];
const CITIES: [&str; 8] = [
    "Oslo", "Porto", "Zürich", "Kraków", "Lyon", "Boston", "Kyoto", "Lima",
];
const TAGS: [&str; 8] = [
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta",
];

/// What a tap sends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Workload {
    /// The number of records; their ids are 1, 2, and so on.
    pub(crate) records: u64,
    /// The size of a text in each record; for records that are larger than usual.
    pub(crate) text: usize,
    /// Whether every other record is newer than it was.
    pub(crate) updated: bool,
    /// The id before the first.
    pub(crate) after: u64,
    /// The number of streams that the records are of, in turn.
    pub(crate) streams: u64,
    /// How often each id comes: all of them in turn, and then again, newer.
    pub(crate) times: u64,
}

impl Workload {
    /// This many records of the usual size.
    pub(crate) fn of(records: u64) -> Self {
        Self {
            records,
            text: 0,
            updated: false,
            after: 0,
            streams: 1,
            times: 1,
        }
    }

    /// The same, every other record newer.
    pub(crate) fn updated(self) -> Self {
        Self {
            updated: true,
            ..self
        }
    }

    /// As many records of a tenth of the ids, each ten times.
    pub(crate) fn again(self) -> Self {
        Self {
            times: TIMES as u64,
            ..self
        }
    }

    /// Writes it as a tap would.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let streams: Vec<String> = match self.streams {
            1 => vec![STREAM.to_owned()],
            count => (0..count)
                .map(|number| format!("{STREAM}_{number}"))
                .collect(),
        };
        for stream in &streams {
            writeln!(out, "{}", schema(stream))?;
        }
        let text: String = "lorem ipsum dolor sit amet, "
            .chars()
            .cycle()
            .take(self.text)
            .collect();
        let ids = self.records / self.times;
        for number in 0..self.records {
            let id = self.after + 1 + number % ids;
            let stream = &streams[(id % self.streams) as usize];
            let version = match self.updated {
                true => u32::from(id.is_multiple_of(2)),
                false => u32::try_from(number / ids).expect("it comes a few times"),
            };
            record(out, stream, id, &text, version)?;
            let sent = self.after + 1 + number;
            if sent.is_multiple_of(STATE_EVERY) || number + 1 == self.records {
                writeln!(
                    out,
                    r#"{{"type":"STATE","value":{{"bookmarks":{{"{STREAM}":{{"id":{sent}}}}}}}}}"#
                )?;
            }
        }
        Ok(())
    }

    /// Writes it to a file that is removed with what is returned.
    pub(crate) fn file(&self) -> TempPath {
        let mut file = NamedTempFile::new().expect("the temporary directory is writable");
        let mut out = BufWriter::with_capacity(1024 * 1024, file.as_file_mut());
        self.write(&mut out)
            .and_then(|()| out.flush())
            .expect("the disk is not full");
        drop(out);
        file.into_temp_path()
    }
}

fn schema(stream: &str) -> serde_json::Value {
    let text = json!({"type": ["string", "null"]});
    let properties = json!({
        "id": {"type": "integer"}, "uuid": {"type": "string"},
        "name": text, "email": text, "status": text, "note": text,
        "score": {"type": ["number", "null"]}, "active": {"type": ["boolean", "null"]},
        "created_at": {"type": ["string", "null"], "format": "date-time"},
        "updated_at": {"type": "string", "format": "date-time"},
        "address": {"type": ["object", "null"], "properties": {"city": text, "zip": text}},
        "tags": {"type": ["array", "null"], "items": {"type": "string"}},
    });
    json!({
        "type": "SCHEMA", "stream": stream,
        "schema": {"type": "object", "properties": properties},
        "key_properties": ["id"], "bookmark_properties": ["updated_at"],
    })
}

fn record(out: &mut impl Write, stream: &str, id: u64, text: &str, version: u32) -> io::Result<()> {
    const FIRST_OF_2024: i64 = 1_704_067_200;
    let mut chance = Rng::with_seed(id);
    let mut one_of = |all: &[&'static str]| all[chance.usize(..all.len())];
    let (first, last, city) = (one_of(&FIRST), one_of(&LAST), one_of(&CITIES));
    let status = one_of(&["active", "paused", "closed"]);
    let start = Timestamp::constant(FIRST_OF_2024, 0);
    let created = start + SignedDuration::from_secs(chance.i64(0..10_000_000));
    let mut updated_at = created + SignedDuration::from_millis(chance.i64(0..5_000_000_000));
    let mut score = chance.u32(..10_000_000);
    let extracted = start
        + SignedDuration::from_hours(400 * 24)
        + SignedDuration::from_millis(i64::try_from(id).expect("ids are small"));
    updated_at += SignedDuration::from_hours(i64::from(version) * 30 * 24);
    score += version * 10_000;
    write!(
        out,
        r#"{{"type":"RECORD","stream":"{stream}","record":{{"id":{id},"uuid":"{:016x}","name":"{first} {last}","email":"{}{id}@ex.org","status":"{status}","note":"#,
        chance.u64(..),
        first.to_lowercase(),
    )?;
    if version > 0 {
        write!(out, r#""changed {text}""#)?;
    } else if text.is_empty() && chance.bool() {
        write!(out, "null")?;
    } else {
        write!(out, r#""row {} {text}""#, chance.u32(..10_000))?;
    }
    write!(
        out,
        r#","score":{}.{:04},"active":{},"created_at":"{created}","updated_at":"{updated_at:.3}","address":{{"city":"{city}","zip":"{:05}"}},"tags":["#,
        score / 10_000,
        score % 10_000,
        chance.bool(),
        chance.u32(..100_000),
    )?;
    for index in 0..chance.usize(..3) {
        let comma = if index == 0 { "" } else { "," };
        write!(out, r#"{comma}"{}""#, TAGS[chance.usize(..TAGS.len())])?;
    }
    writeln!(out, r#"]}},"time_extracted":"{extracted:.3}"}}"#)
}
