//! The dead letter: a file that keeps the records which could not be loaded.
//!
//! It holds Singer messages, a SCHEMA line before the first RECORD of each stream, so that it can
//! be given to the target again as its input. Beside each record stands why it is there.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;

use crate::run_error::RunError;
use crate::state::{Ticket, Tickets};
use crate::stream::Stream;
use crate::value::Value;

/// A record that cannot be loaded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Invalid<'a> {
    pub(crate) stream: &'a Arc<Stream>,
    pub(crate) content: Content<'a>,
    pub(crate) line: u64,
    /// What is wrong with it, without its values.
    pub(crate) reason: &'a str,
}

/// What there is of an invalid record.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Content<'a> {
    Record {
        record: Value<'a>,
        time_extracted: Option<Value<'a>>,
    },
    /// The whole line, in well-formed JSON, of a record that cannot be read.
    Line(&'a str),
}

/// An open dead letter with the tickets of what is written but not yet durable.
#[derive(Debug)]
pub(crate) struct DeadLetter {
    path: PathBuf,
    file: File,
    buffer: String,
    described: HashMap<String, Arc<Stream>>,
    tickets: Tickets,
}

impl DeadLetter {
    /// Opens `path` to append to it.
    pub(crate) fn open(path: &Path) -> Result<Self, RunError> {
        let (file, broken) = OpenOptions::new()
            .create(true)
            .append(true)
            .read(true)
            .open(path)
            .and_then(|mut file| {
                let broken = ends_within_a_line(&mut file)?;
                Ok((file, broken))
            })
            .map_err(|source| {
                RunError::io(
                    format!(
                        "cannot open the dead letter {} (setting dead_letter_file)",
                        path.display()
                    ),
                    source,
                )
            })?;
        Ok(Self {
            path: path.to_owned(),
            file,
            // A process that was killed may have left a part of a line: ours must not follow it.
            buffer: if broken { "\n".into() } else { String::new() },
            described: HashMap::new(),
            tickets: Tickets::default(),
        })
    }

    /// Adds a record. Its ticket is settled when [`sync`](Self::sync) returns it.
    pub(crate) fn push(&mut self, invalid: &Invalid<'_>, ticket: Ticket) {
        let Invalid {
            stream,
            line,
            reason,
            ..
        } = invalid;
        let described = self.described.get(stream.name());
        if described.is_none_or(|described| !Arc::ptr_eq(described, stream)) {
            let schema = json!({
                "type": "SCHEMA",
                "stream": stream.name(),
                "schema": stream.schema(),
                "key_properties": stream.key_properties(),
                "bookmark_properties": stream.bookmark_properties(),
            });
            self.buffer.push_str(&schema.to_string());
            self.buffer.push('\n');
            self.described
                .insert(stream.name().to_owned(), Arc::clone(stream));
        }
        let name = json!(stream.name());
        let error = json!({"line": line, "reason": reason});
        match invalid.content {
            Content::Record {
                record,
                time_extracted,
            } => {
                self.buffer.push_str(&format!(
                    r#"{{"type":"RECORD","stream":{name},"error":{error},"record":"#
                ));
                record.write_json(&mut self.buffer);
                if let Some(time) = time_extracted {
                    self.buffer.push_str(r#","time_extracted":"#);
                    time.write_json(&mut self.buffer);
                }
                self.buffer.push_str("}\n");
            }
            Content::Line(line) => {
                let members = line.trim().trim_start_matches('{');
                self.buffer
                    .push_str(&format!("{{\"error\":{error},{members}\n"));
            }
        }
        self.tickets.push(ticket);
    }

    /// Whether there is something to [`sync`](Self::sync).
    pub(crate) fn is_dirty(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// Makes all records durable and returns their tickets.
    pub(crate) fn sync(&mut self) -> Result<Tickets, RunError> {
        // Given up if it cannot be written: the run fails, and what was written of it is not
        // written again.
        let buffer = std::mem::take(&mut self.buffer);
        self.file
            .write_all(buffer.as_bytes())
            .and_then(|()| self.file.sync_data())
            .map_err(|source| {
                RunError::io(
                    format!("cannot write the dead letter {}", self.path.display()),
                    source,
                )
            })?;
        Ok(std::mem::take(&mut self.tickets))
    }
}

fn ends_within_a_line(file: &mut File) -> std::io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Ledger;
    use crate::validate::Validator;
    use crate::value::Tape;

    #[test]
    fn what_follows_a_line_that_was_cut_off_is_on_a_line_of_its_own() {
        let name = format!("singer-target-dead-letter-{}.jsonl", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, "{}\n{\"type\":\"REC").expect("writes");
        let validator = Validator::new(&json!({})).expect("valid");
        let stream = Stream::new("s".into(), json!({}), vec![], vec![], validator);
        let record = Tape::parsed(r#"{"id":1}"#);
        let ticket = Ledger::default().admit();
        let mut dead_letter = DeadLetter::open(&path).expect("opens");
        let invalid = Invalid {
            stream: &stream,
            content: Content::Record {
                record: record.root().expect("a record"),
                time_extracted: record.root(),
            },
            line: 1,
            reason: "odd",
        };
        dead_letter.push(&invalid, ticket);
        let _ = dead_letter.sync().expect("writes");
        let text = std::fs::read_to_string(&path).expect("reads");
        std::fs::remove_file(&path).expect("removes");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[..2], ["{}", "{\"type\":\"REC"]);
        assert!(lines[2].starts_with("{\"type\":\"SCHEMA\""), "{text}");
        assert!(
            lines[3].ends_with(r#""record":{"id":1},"time_extracted":{"id":1}}"#),
            "{text}"
        );
    }
}
