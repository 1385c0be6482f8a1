//! The dead letter as a file: lines of Singer messages, with the SCHEMA of a stream before its
//! first RECORD.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::DeadLetters;
use crate::run_error::RunError;
use crate::stream::Stream;

/// A file that is appended to.
#[derive(Debug)]
pub(super) struct DeadLetterFile {
    path: PathBuf,
    file: File,
    /// Whether it ends within a line.
    broken: bool,
    described: HashMap<String, Arc<Stream>>,
}

impl DeadLetterFile {
    /// Opens `path` to append to it.
    pub(super) fn open(path: &Path) -> Result<Self, RunError> {
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
            broken,
            described: HashMap::new(),
        })
    }

    /// Writes all of it to the disk.
    pub(super) fn append(&mut self, all: &[DeadLetters]) -> Result<(), RunError> {
        let mut text = String::new();
        if std::mem::take(&mut self.broken) {
            // A process that was killed may have left a part of a line: ours must not follow it.
            text.push('\n');
        }
        for letters in all {
            let stream = letters.stream();
            let described = self.described.get(stream.name());
            if described.is_none_or(|described| !Arc::ptr_eq(described, stream)) {
                text.push_str(letters.schema());
                text.push('\n');
                let name = stream.name().to_owned();
                self.described.insert(name, Arc::clone(stream));
            }
            for record in letters.records() {
                text.push_str(record);
                text.push('\n');
            }
        }
        self.file
            .write_all(text.as_bytes())
            .and_then(|()| self.file.sync_data())
            .map_err(|source| {
                RunError::io(
                    format!("cannot write the dead letter {}", self.path.display()),
                    source,
                )
            })
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
    use serde_json::json;

    use super::super::{Content, Invalid};
    use super::*;
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
        let mut letters = DeadLetters::of(&stream);
        letters.push(&Invalid {
            stream: &stream,
            content: Content::Record {
                record: record.root().expect("a record"),
                time_extracted: record.root(),
                version: record.value(0).get("id"),
            },
            line: 1,
            reason: "odd",
        });
        let mut file = DeadLetterFile::open(&path).expect("opens");
        for _ in 0..2 {
            file.append(std::slice::from_ref(&letters)).expect("writes");
        }
        let text = std::fs::read_to_string(&path).expect("reads");
        std::fs::remove_file(&path).expect("removes");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[..2], ["{}", "{\"type\":\"REC"]);
        assert!(lines[2].starts_with("{\"type\":\"SCHEMA\""), "{text}");
        // The schema is written once.
        for record in &lines[3..] {
            assert!(
                record.ends_with(r#""record":{"id":1},"time_extracted":{"id":1},"version":1}"#),
                "{text}"
            );
        }
        assert_eq!(lines.len(), 5);
    }
}
