//! The encoder: one record to bytes and back. Synchronous and pure, and unaware of any sink.

use crate::error::BoxError;
use crate::value::{Tape, Value};

/// Turns a record into bytes, and stored bytes back into a value.
pub trait Encoder: Send + Sync + 'static {
    /// The media type of the bytes, for sinks that say it.
    fn content_type(&self) -> &'static str;

    /// Appends the encoded record to `out`.
    ///
    /// # Errors
    /// If the encoding cannot hold the record as it is. The message must not contain its values.
    fn encode(&self, record: Value<'_>, out: &mut Vec<u8>) -> Result<(), BoxError>;

    /// Replaces the contents of `into` with the value that `bytes` hold.
    ///
    /// # Errors
    /// If `bytes` are not exactly one value of this encoding. `into` is then empty.
    fn decode(&self, bytes: &[u8], into: &mut Tape) -> Result<(), BoxError>;

    /// Whether stored bytes look like a record in this encoding. A look at the first bytes is
    /// enough; no two encoders of one target should recognise the same bytes.
    fn recognises(&self, bytes: &[u8]) -> bool;
}
