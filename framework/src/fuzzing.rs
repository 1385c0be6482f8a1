//! A door for the fuzz targets in `tests/fuzz`: the one inner part that they need by itself.

use crate::message::{self, Message};
use crate::value::Tape;

/// What a line of the input was taken for.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// A SCHEMA of this stream.
    Schema(String),
    /// A RECORD: its stream, and the record as JSON.
    Record(String, String),
    /// A STATE as JSON, or none.
    State(Option<String>),
    /// A RECORD of this stream that cannot be carried.
    Unreadable(String),
}

/// Reads one line as the pipeline does.
///
/// # Errors
/// What is wrong with it.
pub fn message(line: &[u8]) -> Result<Line, String> {
    let mut tape = Tape::new();
    Ok(match message::parse(line, &mut tape)? {
        Message::Schema(schema) => Line::Schema(schema.stream.to_owned()),
        Message::Record(record) => Line::Record(record.stream.to_owned(), record.record.to_json()),
        Message::State(state) => Line::State(state.map(|state| state.to_json())),
        Message::Unreadable { stream, .. } => Line::Unreadable(stream),
    })
}
