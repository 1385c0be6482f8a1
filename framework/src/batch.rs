//! A batch: records of one stream, on their way to the sink.
//!
//! The records of a batch share one tape, so that a batch costs a handful of allocations however
//! many records it holds. Batches are closed by count, by size and by age.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::state::{Ticket, Tickets};
use crate::stream::Stream;
use crate::value::{Plain, Tape, Value};

/// Records of one stream, in the order in which the tap sent them.
///
/// Every record has all its key properties, none of them null unless
/// [`Sink::takes_null_keys`](crate::Sink::takes_null_keys), and has passed validation unless
/// the user switched that off. A key may occur more than once; the last record is the newest.
///
/// ```
/// # use singer_target::Batch;
/// /// One insert for the whole batch.
/// fn statement(batch: &Batch) -> String {
///     let rows: Vec<String> = batch
///         .records()
///         .map(|record| {
///             let key: Vec<String> = record.key().map(|part| part.to_json()).collect();
///             format!("({}, ?)", key.join(", "))
///         })
///         .collect();
///     format!("INSERT INTO {} VALUES {}", batch.stream().name(), rows.join(", "))
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Batch {
    stream: Arc<Stream>,
    tape: Arc<Tape>,
    entries: Vec<Entry>,
    attempt: u32,
}

/// Shares the text of a tape.
struct Text(Arc<Tape>);

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        self.0.text()
    }
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    at: u32,
    line: u64,
    key: KeyHash,
}

/// Stands for a stream's name and a record's key. Equal keys have equal hashes; the converse is
/// likely, and where it matters a collision only costs a wait.
pub(crate) type KeyHash = u64;

/// One record of a [`Batch`].
///
/// ```
/// # use singer_target::Record;
/// /// A line for a log: where it came from, and its key; never what it holds.
/// fn place(record: Record<'_>) -> String {
///     let key: Vec<String> = record.key().map(|part| part.to_json()).collect();
///     format!("line {}: {} {}", record.line(), record.stream().name(), key.join(","))
/// }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    stream: &'a Stream,
    value: Value<'a>,
    line: u64,
}

impl Batch {
    /// The stream that the records belong to.
    #[must_use]
    pub fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// How many records there are: at least one.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a batch is never empty")]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The record at `index`.
    ///
    /// # Panics
    /// If `index` is not less than [`len`](Self::len).
    #[must_use]
    pub fn record(&self, index: usize) -> Record<'_> {
        let entry = self.entries[index];
        Record {
            stream: &self.stream,
            value: self.tape.value(entry.at),
            line: entry.line,
        }
    }

    /// All records in order.
    pub fn records(&self) -> impl ExactSizeIterator<Item = Record<'_>> {
        (0..self.len()).map(|index| self.record(index))
    }

    /// The compact JSON of the records, to send or to store without a copy: [`json_range`](Self::json_range)
    /// says where each one's is. The bytes keep the batch's memory alive.
    ///
    /// ```
    /// # use singer_target::Batch;
    /// fn payloads(batch: &Batch) -> Vec<bytes::Bytes> {
    ///     let text = batch.json_text();
    ///     (0..batch.len()).map(|index| text.slice(batch.json_range(index))).collect()
    /// }
    /// ```
    #[must_use]
    pub fn json_text(&self) -> Bytes {
        Bytes::from_owner(Text(Arc::clone(&self.tape)))
    }

    /// Where in [`json_text`](Self::json_text) the record at `index` is, in bytes.
    ///
    /// # Panics
    /// If `index` is not less than [`len`](Self::len).
    #[must_use]
    pub fn json_range(&self, index: usize) -> Range<usize> {
        self.tape.object_range(self.entries[index].at)
    }

    /// How many times these records were given to the sink before: more than 0 means that some may
    /// be there already.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The records at `indexes`, which must ascend, for another attempt.
    pub(crate) fn retry(&self, indexes: &[usize]) -> Self {
        Self {
            attempt: self.attempt + 1,
            ..self.part(indexes)
        }
    }

    /// The records at `indexes`, which must ascend.
    pub(crate) fn part(&self, indexes: &[usize]) -> Self {
        let entries = indexes.iter().map(|index| self.entries[*index]).collect();
        Self {
            stream: Arc::clone(&self.stream),
            tape: Arc::clone(&self.tape),
            entries,
            attempt: self.attempt,
        }
    }

    pub(crate) fn key_hash(&self, index: usize) -> KeyHash {
        self.entries[index].key
    }

    pub(crate) fn key_hashes(&self) -> impl Iterator<Item = KeyHash> {
        self.entries.iter().map(|entry| entry.key)
    }
}

impl<'a> Record<'a> {
    /// The stream that it belongs to.
    #[must_use]
    pub fn stream(self) -> &'a Stream {
        self.stream
    }

    /// The record itself: an object.
    #[must_use]
    pub fn value(self) -> Value<'a> {
        self.value
    }

    /// The value of the property `name`.
    #[must_use]
    pub fn get(self, name: &str) -> Option<Value<'a>> {
        self.value.get(name)
    }

    /// The values of the stream's key properties in their order; nothing for a stream without any.
    pub fn key(self) -> impl Iterator<Item = Value<'a>> {
        self.stream
            .key_properties()
            .iter()
            .filter_map(move |name| self.value.get(name))
    }

    /// The line of the input where it was read, counted from 1.
    #[must_use]
    pub fn line(self) -> u64 {
        self.line
    }
}

/// A batch that is being filled, with the tickets of its records.
#[derive(Debug)]
pub(crate) struct OpenBatch {
    stream: Arc<Stream>,
    tape: Tape,
    entries: Vec<Entry>,
    tickets: Tickets,
    /// Bytes of the records' JSON, as they were read.
    read: usize,
    opened: tokio::time::Instant,
}

impl OpenBatch {
    /// A batch on an empty tape.
    pub(crate) fn new(stream: Arc<Stream>, tape: Tape) -> Self {
        Self {
            stream,
            tape,
            entries: Vec::new(),
            tickets: Tickets::default(),
            read: 0,
            opened: tokio::time::Instant::now(),
        }
    }

    /// Adds a record, copied from the tape of its line.
    pub(crate) fn push(&mut self, record: Value<'_>, key: KeyHash, line: u64, ticket: Ticket) {
        let at = self.tape.append(record);
        self.read += record.json_slice().map_or(0, str::len);
        self.entries.push(Entry { at, line, key });
        self.tickets.push(ticket);
    }

    /// Adds members to the last record, but for those that it has.
    pub(crate) fn append_members<const N: usize>(&mut self, members: [(&str, Plain<'_>); N]) {
        let Some(&Entry { at, .. }) = self.entries.last() else {
            return;
        };
        let present = self.tape.value(at).has(members.map(|(name, _)| name));
        for ((name, value), present) in members.into_iter().zip(present) {
            if !present {
                self.tape.append_member(at, name, value);
            }
        }
    }

    /// Adds a member to the last record, in the place of one that it may have.
    pub(crate) fn set_member(&mut self, name: &str, value: Plain<'_>) {
        if let Some(last) = self.entries.last() {
            self.tape.set_member(last.at, name, value);
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.entries.len()
    }

    /// Bytes of the records' JSON, as they were read.
    pub(crate) fn bytes_read(&self) -> usize {
        self.read
    }

    /// Memory that the records take, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.tape.size()
    }

    pub(crate) fn opened(&self) -> tokio::time::Instant {
        self.opened
    }

    pub(crate) fn close(self) -> (Batch, Tickets) {
        let batch = Batch {
            stream: self.stream,
            tape: Arc::new(self.tape),
            entries: self.entries,
            attempt: 0,
        };
        (batch, self.tickets)
    }
}

/// Tapes of batches that are done. New memory costs more than filling it again.
#[derive(Debug, Default)]
pub(crate) struct SpareTapes(Vec<Tape>);

impl SpareTapes {
    /// More than this many are not needed at once by a steady stream.
    const MAX: usize = 8;

    /// Opens a batch.
    pub(crate) fn open(&mut self, stream: &Arc<Stream>) -> OpenBatch {
        OpenBatch::new(Arc::clone(stream), self.0.pop().unwrap_or_default())
    }

    /// Keeps the tape of a batch, if nobody else does.
    pub(crate) fn keep(&mut self, batch: Batch) {
        if self.0.len() < Self::MAX
            && let Some(mut tape) = Arc::into_inner(batch.tape)
        {
            tape.clear();
            self.0.push(tape);
        }
    }
}

/// The keys that are being written. Two batches that share one are never in flight together, so
/// that a retried older value cannot land after a newer one of the same key.
#[derive(Debug, Default)]
pub(crate) struct KeysInFlight(HashSet<KeyHash, foldhash::fast::RandomState>);

impl KeysInFlight {
    pub(crate) fn conflicts(&self, batch: &Batch) -> bool {
        !self.0.is_empty() && batch.key_hashes().any(|key| self.0.contains(&key))
    }

    pub(crate) fn insert(&mut self, batch: &Batch) {
        self.0.extend(batch.key_hashes());
    }

    pub(crate) fn remove(&mut self, batch: &Batch) {
        for key in batch.key_hashes() {
            self.0.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Ledger;
    use crate::validate::Validator;

    #[test]
    fn the_text_of_each_record_is_where_it_is_said_to_be() {
        let schema = serde_json::json!({});
        let validator = Validator::new(&schema).expect("valid");
        let stream = Stream::new("s".into(), schema, vec![], vec![], validator);
        let mut open = OpenBatch::new(stream, Tape::new());
        let mut ledger = Ledger::default();
        for (line, json) in (1..).zip([
            r#"{"id":1,"v":"\u00e9\n\""}"#,
            "{}",
            r#"{"a":1,"a":{"b":[1.10]},"_sdc_x":"old"}"#,
        ]) {
            let line_tape = Tape::parsed(json);
            let record = line_tape.root().expect("a value");
            open.push(record, line, line, ledger.admit());
            open.append_members([("_sdc_x", Plain::Text("x")), ("_sdc_n", Plain::Null)]);
            open.set_member("_sdc_x", Plain::Number("7"));
        }
        let batch = open.close().0;
        let texts = |batch: &Batch| {
            let text = batch.json_text();
            let of = |index| String::from_utf8_lossy(&text[batch.json_range(index)]).into_owned();
            (0..batch.len()).map(of).collect::<Vec<_>>()
        };
        let expected = [
            r#"{"id":1,"v":"é\n\"","_sdc_n":null,"_sdc_x":7}"#,
            r#"{"_sdc_n":null,"_sdc_x":7}"#,
            r#"{"a":{"b":[1.10]},"_sdc_n":null,"_sdc_x":7}"#,
        ];
        assert_eq!(texts(&batch), expected);
        assert_eq!(texts(&batch.part(&[2])), expected[2..]);
        assert_eq!(texts(&batch.retry(&[0, 2])), [expected[0], expected[2]]);
    }
}
