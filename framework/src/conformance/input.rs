//! Random Singer input, and what is to become of each of its lines.

use fastrand::Rng;
use serde_json::{Value as Json, json};

use super::direct::replace;
use super::held::Entry;
use super::trial::schema;

const STREAMS: [&str; 3] = ["orders", "customers", "order_items"];

pub(super) enum Line {
    Schema {
        stream: usize,
        changed: bool,
    },
    Record {
        stream: usize,
        entry: Entry,
        kind: Kind,
    },
    State,
    /// Not a message: it ends the run.
    Bad,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Good,
    /// Does not match its schema; the run leaves it out.
    Invalid,
    /// The destination cannot take it; the run leaves it out.
    Rejected,
}

/// An input; the line at index 0 is line 1. Each record's number is its line, each STATE's too.
pub(super) struct Input {
    pub(super) lines: Vec<Line>,
    rejected: Option<Json>,
}

impl Input {
    pub(super) fn random(rng: &mut Rng, rejected: Option<Json>) -> Self {
        let streams = rng.usize(1..=STREAMS.len());
        let keys = rng.u64(1..=12);
        let mut changed = [false; STREAMS.len()];
        let mut lines: Vec<_> = (0..streams)
            .map(|stream| Line::Schema {
                stream,
                changed: false,
            })
            .collect();
        for _ in 0..rng.usize(1..200) {
            let stream = rng.usize(..streams);
            let n = lines.len() as u64 + 1;
            lines.push(match rng.u32(..100) {
                0..12 => Line::State,
                12..15 => {
                    // Sometimes the same again, sometimes another one.
                    changed[stream] |= rng.bool();
                    Line::Schema {
                        stream,
                        changed: changed[stream],
                    }
                }
                roll => Line::Record {
                    stream,
                    // The same keys in all streams: they have nothing to do with each other.
                    entry: Entry::new(format!("key-{}", rng.u64(..keys)), n),
                    kind: match roll {
                        15..18 => Kind::Invalid,
                        18..21 if rejected.is_some() => Kind::Rejected,
                        _ => Kind::Good,
                    },
                },
            });
        }
        if rng.bool() {
            lines.push(Line::State);
        }
        if rng.u32(..6) == 0 {
            lines.push(Line::Bad);
        }
        Self { lines, rejected }
    }

    /// The input of a run that goes on behind a line, as a tap sends it.
    pub(super) fn after(&self, line: u64) -> Vec<u8> {
        let mut text = Vec::new();
        let (before, behind) = self.lines.split_at(line as usize);
        let schemas = before.iter().filter(|it| matches!(it, Line::Schema { .. }));
        for line in schemas {
            self.write(line, 0, &mut text);
        }
        for (line, n) in behind.iter().zip(line + 1..) {
            if !matches!(line, Line::Bad) {
                self.write(line, n, &mut text);
            }
        }
        text
    }

    /// The whole input.
    pub(super) fn text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for (line, n) in self.lines.iter().zip(1..) {
            self.write(line, n, &mut text);
        }
        text
    }

    fn write(&self, line: &Line, n: u64, text: &mut Vec<u8>) {
        let message = match line {
            Line::Schema { stream, changed } => json!({
                "type": "SCHEMA",
                "stream": STREAMS[*stream],
                "schema": schema(*changed),
                "key_properties": ["id"],
                "bookmark_properties": ["n"],
            }),
            Line::Record {
                stream,
                entry,
                kind,
            } => {
                let mut record = entry.to_json();
                match (kind, &self.rejected) {
                    (Kind::Invalid, _) => record["n"] = "not an integer".into(),
                    (Kind::Rejected, Some(members)) => replace(&mut record, members),
                    _ => {}
                }
                json!({"type": "RECORD", "stream": STREAMS[*stream], "record": record})
            }
            Line::State => json!({"type": "STATE", "value": {"line": n}}),
            Line::Bad => {
                text.extend_from_slice(b"{\"type\":\"RECO\n");
                return;
            }
        };
        text.extend_from_slice(message.to_string().as_bytes());
        text.push(b'\n');
    }

    pub(super) fn is_state(&self, line: u64) -> bool {
        let index = line.checked_sub(1).map(|index| index as usize);
        matches!(
            index.and_then(|index| self.lines.get(index)),
            Some(Line::State)
        )
    }

    pub(super) fn last_state(&self) -> Option<u64> {
        let index = self.lines.iter().rposition(|it| matches!(it, Line::State));
        index.map(|index| index as u64 + 1)
    }

    pub(super) fn ends_badly(&self) -> bool {
        matches!(self.lines.last(), Some(Line::Bad))
    }

    /// The streams that records are of.
    pub(super) fn streams(&self) -> impl Iterator<Item = (usize, &'static str)> {
        STREAMS.into_iter().enumerate().filter(|(stream, _)| {
            let of = |it: &Line| matches!(it, Line::Schema { stream: it, .. } if it == stream);
            self.lines.iter().any(of)
        })
    }

    /// The records of a stream that are to be stored.
    pub(super) fn good(&self, stream: usize) -> impl Iterator<Item = &Entry> {
        self.records()
            .filter(move |(of, _, kind)| *of == stream && *kind == Kind::Good)
            .map(|(_, entry, _)| entry)
    }

    pub(super) fn records(&self) -> impl Iterator<Item = (usize, &Entry, Kind)> {
        self.lines.iter().filter_map(|line| match line {
            Line::Record {
                stream,
                entry,
                kind,
            } => Some((*stream, entry, *kind)),
            _ => None,
        })
    }
}
