//! The way in: from a line to an open batch.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use foldhash::quality::RandomState;
use serde_json::Value as JsonSchema;
use tokio::time::Instant;

use super::Pipeline;
use crate::batch::{KeyHash, OpenBatch, SpareTapes};
use crate::config::FlatteningSettings;
use crate::dead_letter::{Content, Invalid};
use crate::map::flatten::Flattening;
use crate::message::{self, Message, RecordMessage, SchemaMessage};
use crate::metadata::{Columns, Stamp};
use crate::reader;
use crate::run_error::RunError;
use crate::sink::SinkError;
use crate::stream::Stream;
use crate::validate::Validator;
use crate::value::{Number, Tape, Value, ValueKind};

/// Open batches of all streams together may take this many times `batch_size_bytes`; beyond it the
/// oldest is closed early, so that memory does not grow with the number of streams.
const OPEN_BATCHES: usize = 4;

/// What is known of the streams, and their open batches.
pub(super) struct Intake {
    streams: HashMap<String, Source, RandomState>,
    /// The tape of the line that is being taken in.
    line: Tape,
    hasher: RandomState,
    flattening: FlatteningSettings,
    /// The tape of the record that a transformation writes.
    pub(super) mapped: Tape,
    columns: Columns,
    stamp: Stamp,
    /// The line of the last STATE.
    last_state: u64,
    /// Bytes of all open batches.
    open_bytes: usize,
    /// Tapes of batches that are done, whose memory the next ones use.
    pub(super) spare: SpareTapes,
}

/// A stream with its open batch.
struct Source {
    stream: Arc<Stream>,
    /// Its SCHEMA message, to notice that it was repeated.
    message: String,
    flattening: Option<Arc<Flattening>>,
    batch: Option<OpenBatch>,
    /// When that was opened.
    batched_at: String,
    /// The last line of the input that was about it.
    last_line: u64,
}

impl Intake {
    pub(super) fn new(columns: Columns, versions: bool, flattening: FlatteningSettings) -> Self {
        Self {
            streams: HashMap::default(),
            line: Tape::new(),
            hasher: RandomState::default(),
            flattening,
            mapped: Tape::new(),
            columns,
            stamp: Stamp::new(columns, versions),
            last_state: 0,
            open_bytes: 0,
            spare: SpareTapes::default(),
        }
    }

    /// Lines of one chunk were received at the same time.
    pub(super) fn start_chunk(&mut self) {
        self.stamp.receive();
    }

    /// How records of the stream are flattened, if they are.
    pub(super) fn flattening(&self, stream: &str) -> Option<&Arc<Flattening>> {
        self.streams.get(stream)?.flattening.as_ref()
    }

    /// The stream of that name, if its SCHEMA was read.
    pub(super) fn stream(&self, name: &str) -> Option<Arc<Stream>> {
        self.streams
            .get(name)
            .map(|source| Arc::clone(&source.stream))
    }

    /// All streams, and whether a STATE follows the last line that was about each.
    pub(super) fn ends(&self) -> Vec<(Arc<Stream>, bool)> {
        let end = |source: &Source| {
            let is_followed = source.last_line < self.last_state;
            (Arc::clone(&source.stream), is_followed)
        };
        self.streams.values().map(end).collect()
    }

    /// When the oldest open batch was opened.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.streams
            .values()
            .filter_map(|source| source.batch.as_ref())
            .map(OpenBatch::opened)
            .min()
    }

    /// Takes a batch that was opened longer than `age` ago.
    pub(super) fn close_older_than(&mut self, age: Duration) -> Option<OpenBatch> {
        let oldest = self.oldest()?;
        (oldest.elapsed() >= age)
            .then(|| self.close_oldest())
            .flatten()
    }

    fn close_oldest(&mut self) -> Option<OpenBatch> {
        let source = self
            .streams
            .values_mut()
            .filter(|source| source.batch.is_some())
            .min_by_key(|source| source.batch.as_ref().map(OpenBatch::opened))?;
        let batch = source.batch.take()?;
        self.open_bytes -= batch.bytes();
        Some(batch)
    }

    /// Takes all open batches, the oldest first.
    pub(super) fn close_all(&mut self) -> Vec<OpenBatch> {
        std::iter::from_fn(|| self.close_oldest()).collect()
    }
}

impl Pipeline {
    /// Takes in one line.
    pub(super) async fn take_line(&mut self, number: u64, line: &[u8]) -> Result<(), RunError> {
        reader::check_length(number, line.len(), self.settings.max_line_bytes)?;
        // The tape is lent to the message, and comes back when the line is done.
        let mut tape = std::mem::take(&mut self.intake.line);
        let outcome = match message::parse(line, &mut tape) {
            Ok(Message::Record(record)) => match self.take_record(number, record) {
                Ok(Some(full)) => self.dispatch(full).await,
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            },
            Ok(Message::State(Some(state))) => {
                self.ledger.state(state.to_json());
                self.intake.last_state = number;
                Ok(())
            }
            Ok(Message::State(None)) => Ok(()),
            Ok(Message::Unreadable { stream, problem }) => {
                self.take_unreadable(number, line, &stream, &problem)
            }
            // Boxed, since these are rare, and the future of a record is made for every line.
            Ok(Message::ActivateVersion(message)) => {
                Box::pin(self.take_activation(number, message)).await
            }
            Ok(Message::Batch(message)) => Box::pin(self.take_batch(number, message)).await,
            Ok(Message::Schema(schema)) => self.take_schema(number, schema).await,
            Err(problem) => Err(RunError::input(number, problem)),
        };
        self.intake.line = tape;
        outcome
    }

    /// Takes in a record. Returns a batch that must be written now.
    pub(super) fn take_record(
        &mut self,
        number: u64,
        message: RecordMessage<'_>,
    ) -> Result<Option<OpenBatch>, RunError> {
        if self.intake.flattening.flattening_enabled {
            self.take_mapped(number, message)
        } else {
            self.admit(number, message)
        }
    }

    /// Adds a record to the batch of its stream. Returns a batch that must be written now.
    pub(super) fn admit(
        &mut self,
        number: u64,
        message: RecordMessage<'_>,
    ) -> Result<Option<OpenBatch>, RunError> {
        let Some(source) = self.intake.streams.get_mut(message.stream) else {
            return Err(before_schema(number, message.stream));
        };
        let ticket = self.ledger.admit();
        source.last_line = number;
        let stream = &source.stream;
        let rules = Rules {
            validate: self.settings.validate_records,
            null_keys: self.delivery.takes_null_keys(),
        };
        let checked = self
            .intake
            .stamp
            .extract(message.time_extracted)
            .and_then(|()| check(stream, &message, rules, &self.intake.hasher))
            .and_then(|key| self.delivery.validate(stream, message.record).map(|()| key));
        let key = match checked {
            Ok(key) => key,
            Err(mut problem) => {
                if let Some(origin) = message.origin {
                    problem = format!("{origin}: {problem}");
                }
                let stream = Arc::clone(stream);
                let invalid = Invalid {
                    stream: &stream,
                    content: Content::Record {
                        record: message.record,
                        time_extracted: message.time_extracted,
                        version: message.version,
                    },
                    line: number,
                    reason: &problem,
                };
                let bytes = message.record.json_slice().map_or(0, str::len);
                self.summary.read(&stream, 1, bytes);
                self.reject(&invalid, ticket)?;
                return Ok(None);
            }
        };
        let stamp = &self.intake.stamp;
        let batch = source.batch.get_or_insert_with(|| {
            stamp.received_at().clone_into(&mut source.batched_at);
            self.intake.spare.open(stream)
        });
        let before = batch.bytes();
        batch.push(message.record, key, number, ticket);
        stamp.mark(batch, &source.batched_at, message.version);
        self.intake.open_bytes += batch.bytes() - before;
        let (rows, bytes) = (batch.rows(), batch.bytes());
        if rows >= self.settings.batch_size_rows || bytes >= self.settings.batch_size_bytes {
            self.intake.open_bytes -= bytes;
            return Ok(source.batch.take());
        }
        let most = self.settings.batch_size_bytes.saturating_mul(OPEN_BATCHES);
        Ok(if self.intake.open_bytes > most {
            self.intake.close_oldest()
        } else {
            None
        })
    }

    /// Deals with a record that cannot be carried.
    pub(super) fn take_unreadable(
        &mut self,
        number: u64,
        line: &[u8],
        stream: &str,
        problem: &str,
    ) -> Result<(), RunError> {
        let Some(source) = self.intake.streams.get(stream) else {
            return Err(before_schema(number, stream));
        };
        let stream = Arc::clone(&source.stream);
        let invalid = Invalid {
            stream: &stream,
            content: Content::Line(std::str::from_utf8(line).unwrap_or_default()),
            line: number,
            reason: problem,
        };
        self.summary.read(&stream, 1, line.len());
        let ticket = self.ledger.admit();
        self.reject(&invalid, ticket)
    }

    /// A barrier: writes the stream's open batch and waits until nothing is in flight.
    pub(super) async fn settle_stream(&mut self, stream: &str) -> Result<(), RunError> {
        let source = self.intake.streams.get_mut(stream);
        if let Some(batch) = source.and_then(|source| source.batch.take()) {
            self.intake.open_bytes -= batch.bytes();
            self.dispatch(batch).await?;
        }
        self.settle_in_flight().await
    }

    /// Learns of a stream, or of a change of one.
    async fn take_schema(
        &mut self,
        number: u64,
        message: SchemaMessage<'_>,
    ) -> Result<(), RunError> {
        let known = self.intake.streams.get(message.stream);
        let repeated = |source: &&Source| message.whole.json_slice() == Some(&*source.message);
        if known.as_ref().is_some_and(repeated) {
            return Ok(());
        }
        let refused = |problem: String| {
            RunError::input(
                number,
                format!("the schema of stream '{}': {problem}", message.stream),
            )
        };
        let mut schema: JsonSchema = serde_json::from_str(&message.schema.to_json())
            .map_err(|error| refused(error.to_string()))?;
        let mut flattening = None;
        if let Some((flatten, flat)) =
            Flattening::new(&self.intake.flattening, &schema).map_err(refused)?
        {
            (flattening, schema) = (Some(Arc::new(flatten)), flat);
        }
        let formats = self.settings.validate_formats;
        let validator = Validator::compile(&schema, formats).map_err(refused)?;
        // A changed schema is a barrier: records that follow the old one are written first.
        if known.is_some() {
            self.settle_stream(message.stream).await?;
        }
        let stream = Stream::new(
            message.stream.to_owned(),
            self.intake.columns.describe(schema),
            message.key_properties,
            message.bookmark_properties,
            validator,
        );
        self.delivery
            .open_stream(&stream)
            .await
            .map_err(|error| match error {
                SinkError::Permanent(why) => {
                    RunError::input(number, format!("stream '{}': {why}", message.stream))
                }
                other => other.into(),
            })?;
        let name = message.stream.to_owned();
        self.intake.streams.insert(
            name,
            Source {
                stream,
                message: message.whole.to_json(),
                flattening,
                batch: None,
                batched_at: String::new(),
                last_line: number,
            },
        );
        Ok(())
    }
}

fn before_schema(number: u64, stream: &str) -> RunError {
    RunError::input(
        number,
        format!("a RECORD of stream '{stream}' before its SCHEMA"),
    )
}

/// What is asked of a record.
#[derive(Clone, Copy)]
struct Rules {
    validate: bool,
    null_keys: bool,
}

/// What is wrong with a record, or the hash of its key.
fn check(
    stream: &Stream,
    message: &RecordMessage<'_>,
    rules: Rules,
    hasher: &RandomState,
) -> Result<KeyHash, String> {
    let record = message.record;
    if record.kind() != ValueKind::Object {
        return Err("the record is not an object".to_owned());
    }
    let key = key_hash(stream, record, rules.null_keys, hasher)?;
    if rules.validate
        && let Some(problem) = stream.validator().problem(record)
    {
        return Err(problem);
    }
    Ok(key)
}

/// The hash of a record's key; of the whole record, for a stream without key properties.
fn key_hash(
    stream: &Stream,
    record: Value<'_>,
    null_keys: bool,
    hasher: &RandomState,
) -> Result<KeyHash, String> {
    let mut hash = hasher.build_hasher();
    stream.name().hash(&mut hash);
    for name in stream.key_properties() {
        match record.get(name) {
            None => return Err(format!("the key property {name:?} is missing")),
            Some(value) if value.is_null() && !null_keys => {
                return Err(format!("the key property {name:?} is null"));
            }
            Some(value) => hash_key_part(value, &mut hash),
        }
    }
    if stream.key_properties().is_empty() {
        hash_content(record, hasher).hash(&mut hash);
    }
    Ok(hash.finish())
}

/// Of a record without a key: the same whatever the order of its members, and whatever its
/// `_sdc_*` members say of the loading.
fn hash_content(record: Value<'_>, hasher: &RandomState) -> u64 {
    let data = record
        .members()
        .filter(|(name, _)| !name.starts_with("_sdc_"));
    data.fold(0, |sum: u64, (name, value)| {
        let mut hash = hasher.build_hasher();
        name.hash(&mut hash);
        hash_key_part(value, &mut hash);
        sum.wrapping_add(hash.finish())
    })
}

/// Whatever a sink could take for the same key must have the same hash: `1`, `1.0` and `"1"` have.
fn hash_key_part(value: Value<'_>, hash: &mut impl Hasher) {
    match (value.kind(), value.as_str().or(value.json_slice())) {
        // Their members have no order, and nobody has such keys.
        (ValueKind::Array | ValueKind::Object, _) | (_, None) => {}
        (_, Some(text)) => match Number::like(text) {
            Some(number) => number.hash(hash),
            None => text.hash(hash),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    fn key_of(record: &str) -> KeyHash {
        let schema = serde_json::json!({});
        let validator = Validator::new(&schema).expect("valid");
        let stream = Stream::new("s".into(), schema, vec!["id".into()], vec![], validator);
        let tape = Tape::parsed(record);
        static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::default);
        key_hash(&stream, tape.root().expect("a record"), false, &HASHER).expect("a key")
    }

    #[test]
    fn records_without_keys_are_known_by_their_content() {
        let hasher = RandomState::default();
        let content =
            |record: &str| hash_content(Tape::parsed(record).root().expect("a value"), &hasher);
        let one = content(r#"{"a":1,"b":"x"}"#);
        assert_eq!(
            one,
            content(r#"{"b":"x","_sdc_deleted_at":"2026-01-01","a":1.0}"#)
        );
        assert_ne!(one, content(r#"{"a":1,"b":"y"}"#));
        assert_ne!(one, content(r#"{"b":1,"a":"x"}"#));
    }

    #[test]
    fn keys_that_a_sink_could_take_for_one_have_one_hash() {
        for (left, right) in [
            ("1", "1.0"),
            ("1e5", "1E+5"),
            ("1", r#""1""#),
            (r#""a""#, r#""\u0061""#),
            (r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#),
            ("true", r#""true""#),
        ] {
            assert_eq!(
                key_of(&format!(r#"{{"id":{left}}}"#)),
                key_of(&format!(r#"{{"id":{right}}}"#)),
                "{left} and {right}"
            );
        }
        for (left, right) in [
            ("1", "2"),
            ("1", "10"),
            (r#""user-1""#, r#""user-2""#),
            (r#""2024-01-02""#, r#""2024-01-03""#),
        ] {
            assert_ne!(
                key_of(&format!(r#"{{"id":{left}}}"#)),
                key_of(&format!(r#"{{"id":{right}}}"#)),
                "{left} and {right}"
            );
        }
    }
}
