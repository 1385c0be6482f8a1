//! The records of a batch as bytes and subjects, before anything is sent.
//!
//! All payloads of a batch share one buffer and all subjects another; what is published are slices
//! of them, so a record costs no allocation here. In JSON, the payloads are the batch's own text.

use std::collections::HashMap;
use std::ops::Range;

use async_nats::Subject;
use bytes::Bytes;
use singer_target::Encoder;
use singer_target::Rejection;
use singer_target::{Batch, Record};

use super::super::compare::Removal;

/// How large a message may be, headers included.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Limit {
    bytes: usize,
    name: &'static str,
}

/// The records of a batch that can be sent.
pub(super) struct Prepared {
    payloads: Bytes,
    subjects: Bytes,
    /// The same, known to be text, so that no key need be checked for that again.
    text: Subject,
    /// Where each record's payload and key are; empty for those that are rejected.
    places: Vec<(Range<u32>, Range<u32>)>,
    /// How much of a subject stands before the key.
    prefix: usize,
    /// Records that have no payload, since they remove what is stored.
    removals: HashMap<u32, Removal>,
    pub(super) rejected: Vec<Rejection>,
}

impl Prepared {
    /// Encodes all records of `batch` but those of which `removal` says that they remove what is
    /// stored, and lets `write_key` append their keys to `prefix`.
    pub(super) fn new(
        batch: &Batch,
        encoder: &dyn Encoder,
        prefix: &str,
        limit: Limit,
        removal: impl Fn(Record<'_>) -> Option<Removal>,
        mut write_key: impl FnMut(Record<'_>, &mut String) -> Result<(), String>,
    ) -> Self {
        const TYPICAL_KEY: usize = 48;
        let is_json = encoder.is_compact_json();
        let mut payloads = Vec::new();
        if !is_json {
            // No encoding takes much more than JSON, and to grow is to copy.
            let lengths = (0..batch.len()).map(|index| batch.json_range(index).len());
            payloads.reserve_exact(lengths.sum());
        }
        let mut subjects = String::with_capacity(batch.len() * (prefix.len() + TYPICAL_KEY));
        let mut places = Vec::with_capacity(batch.len());
        let mut removals = HashMap::new();
        let mut rejected = Vec::new();
        for (index, record) in batch.records().enumerate() {
            let (start, subject) = (payloads.len(), subjects.len());
            subjects.push_str(prefix);
            let result = write_key(record, &mut subjects).and_then(|()| {
                if let Some(removal) = removal(record) {
                    removals.insert(offset(index), removal);
                    return Ok(0..0);
                }
                let payload = if is_json {
                    batch.json_range(index)
                } else {
                    encoder
                        .encode(record.value(), &mut payloads)
                        .map_err(|error| error.to_string())?;
                    start..payloads.len()
                };
                limit.check(payload.len()).map(|()| payload)
            });
            let payload = result.unwrap_or_else(|reason| {
                payloads.truncate(start);
                subjects.truncate(subject);
                rejected.push(Rejection::new(index, reason));
                0..0
            });
            places.push((
                offset(payload.start)..offset(payload.end),
                offset(subject)..offset(subjects.len()),
            ));
        }
        let subjects = Bytes::from(subjects);
        Self {
            payloads: if is_json {
                batch.json_text()
            } else {
                payloads.into()
            },
            text: Subject::from_utf8(subjects.clone()).expect("it was a string"),
            subjects,
            places,
            prefix: prefix.len(),
            removals,
            rejected,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether the record has neither payload nor key.
    pub(super) fn is_rejected(&self, index: u32) -> bool {
        self.places[index as usize].1.is_empty()
    }

    /// Why the record can not be sent, if so.
    pub(super) fn rejection(&self, index: usize) -> Option<&str> {
        let at = self.rejected.binary_search_by_key(&index, |it| it.index);
        at.ok().map(|at| self.rejected[at].reason.as_str())
    }

    /// The record as one that removes what is stored, if it is one.
    pub(super) fn removal(&self, index: u32) -> Option<&Removal> {
        self.removals.get(&index)
    }

    /// Whether there is a record that removes what is stored.
    pub(super) fn has_removals(&self) -> bool {
        !self.removals.is_empty()
    }

    pub(super) fn payload(&self, index: u32) -> Bytes {
        self.payloads.slice(range(&self.places[index as usize].0))
    }

    pub(super) fn payload_bytes(&self, index: u32) -> &[u8] {
        &self.payloads[range(&self.places[index as usize].0)]
    }

    pub(super) fn subject(&self, index: u32) -> Subject {
        let subject = self.subjects.slice(range(&self.places[index as usize].1));
        Subject::from_utf8(subject).expect("cut out of a string at its own borders")
    }

    pub(super) fn key(&self, index: u32) -> &str {
        let subject = range(&self.places[index as usize].1);
        &self.text[subject.start + self.prefix..subject.end]
    }
}

impl Limit {
    /// The lesser of the server's and the bucket's limit.
    pub(in super::super) fn new(max_payload: usize, max_value_size: Option<usize>) -> Self {
        match max_value_size {
            Some(bytes) if bytes < max_payload => Self {
                bytes,
                name: "the bucket's max_value_size",
            },
            _ => Self {
                bytes: max_payload,
                name: "the server's max_payload",
            },
        }
    }

    pub(in super::super) fn check(self, size: usize) -> Result<(), String> {
        let Self { bytes, name } = self;
        if size > bytes {
            return Err(format!(
                "it takes {size} bytes with its headers, and {name} is {bytes}"
            ));
        }
        Ok(())
    }
}

/// A batch is bounded far below 4 GiB by its tape.
fn offset(position: usize) -> u32 {
    u32::try_from(position).expect("a batch holds less than 4 GiB")
}

fn range(range: &Range<u32>) -> Range<usize> {
    range.start as usize..range.end as usize
}
