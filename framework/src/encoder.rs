//! The encoder: one record to bytes and back. Synchronous and pure, and unaware of any sink.

use crate::error::BoxError;
use crate::value::{Tape, Value};

/// Turns a record into bytes, and stored bytes back into a value.
///
/// Every format that serde speaks is a few lines, since a [`Value`] serializes and a [`Tape`]
/// deserializes. An encoder is made known by an [`EncoderPlugin`](crate::EncoderPlugin), and then a
/// sink gets it by its name.
///
/// ```
/// use singer_target::value::{BigNumbers, Tape, Value};
/// use singer_target::{BoxError, Encoder};
///
/// struct Cbor;
///
/// impl Encoder for Cbor {
///     fn content_type(&self) -> &'static str {
///         "application/cbor"
///     }
///
///     fn encode(&self, record: Value<'_>, out: &mut Vec<u8>) -> Result<(), BoxError> {
///         let record = record.with_big_numbers(BigNumbers::String);
///         Ok(ciborium::into_writer(&record, out)?)
///     }
///
///     fn decode(&self, mut bytes: &[u8], into: &mut Tape) -> Result<(), BoxError> {
///         into.clear();
///         let decoded = ciborium::from_reader(&mut bytes)?;
///         if !bytes.is_empty() {
///             return Err("more than one value".into());
///         }
///         *into = decoded;
///         Ok(())
///     }
///
///     fn recognises(&self, bytes: &[u8]) -> bool {
///         bytes.first().is_some_and(|first| first >> 5 == 5)
///     }
/// }
///
/// let mut record = Tape::new();
/// record.parse(br#"{"id":1,"name":"Ann"}"#)?;
/// let mut bytes = Vec::new();
/// Cbor.encode(record.root().expect("a value"), &mut bytes)?;
/// let mut back = Tape::new();
/// Cbor.decode(&bytes, &mut back)?;
/// assert_eq!(back.root(), record.root());
/// # Ok::<(), BoxError>(())
/// ```
pub trait Encoder: Send + Sync + 'static {
    /// The media type of the bytes, for sinks that say it.
    fn content_type(&self) -> &'static str;

    /// Appends the encoded record to `out`.
    ///
    /// # Errors
    /// If the encoding cannot hold the record as it is. The message must not contain its values.
    fn encode(&self, record: Value<'_>, out: &mut Vec<u8>) -> Result<(), BoxError>;

    /// Whether what [`encode`](Self::encode) appends is the record's compact JSON and nothing else, as
    /// [`Value::to_json`] gives it. Then a sink may take the batch's own text
    /// ([`Batch::json_text`](crate::Batch::json_text)), which saves a copy of each record.
    fn is_compact_json(&self) -> bool {
        false
    }

    /// Replaces the contents of `into` with the value that `bytes` hold.
    ///
    /// # Errors
    /// If `bytes` are not exactly one value of this encoding. `into` is then empty.
    fn decode(&self, bytes: &[u8], into: &mut Tape) -> Result<(), BoxError>;

    /// Whether stored bytes look like a record in this encoding. A look at the first bytes is
    /// enough; no two encoders of one target should recognise the same bytes.
    fn recognises(&self, bytes: &[u8]) -> bool;
}
