//! How records stand in a file: encoded, told apart, compressed.

use std::io::{self, Write};

use flate2::write::GzEncoder;
use singer_target::BoxError;
use singer_target::Encoder;
use singer_target::value::Value;

use super::config::Compression;

/// How the end of a record is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// A line feed follows: JSON Lines. Compact JSON has none within.
    Lines,
    /// The encoding says itself where a value ends, as MessagePack and CBOR do.
    Concatenated,
    /// Its length precedes it, in 4 bytes, the highest first: for all other encodings.
    LengthPrefixed,
}

impl Framing {
    /// What fits the bytes of this media type.
    pub(super) fn of(content_type: &str) -> Self {
        match content_type {
            "application/json" => Self::Lines,
            "application/msgpack"
            | "application/vnd.msgpack"
            | "application/x-msgpack"
            | "application/cbor" => Self::Concatenated,
            other if other.ends_with("+json") => Self::Lines,
            _ => Self::LengthPrefixed,
        }
    }

    /// Appends an encoded record to `out`; nothing if it cannot be encoded.
    pub(super) fn push(
        self,
        encoder: &dyn Encoder,
        record: Value<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), BoxError> {
        let start = out.len();
        let framed = self.try_push(encoder, record, out);
        if framed.is_err() {
            out.truncate(start);
        }
        framed
    }

    fn try_push(
        self,
        encoder: &dyn Encoder,
        record: Value<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), BoxError> {
        match self {
            Self::Concatenated => encoder.encode(record, out),
            Self::Lines => {
                encoder.encode(record, out)?;
                out.push(b'\n');
                Ok(())
            }
            Self::LengthPrefixed => {
                let start = out.len();
                out.extend_from_slice(&[0; 4]);
                encoder.encode(record, out)?;
                let length = u32::try_from(out.len() - start - 4)?;
                out[start..start + 4].copy_from_slice(&length.to_be_bytes());
                Ok(())
            }
        }
    }
}

/// Compresses batches, each to a complete gzip member or zstd frame.
pub(super) enum Compressor {
    None,
    Gzip,
    Zstd(zstd::bulk::Compressor<'static>),
}

impl Compressor {
    pub(super) fn new(compression: Compression) -> io::Result<Self> {
        Ok(match compression {
            Compression::None => Self::None,
            Compression::Gzip => Self::Gzip,
            Compression::Zstd => {
                let mut compressor = zstd::bulk::Compressor::new(zstd::DEFAULT_COMPRESSION_LEVEL)?;
                compressor.include_checksum(true)?;
                Self::Zstd(compressor)
            }
        })
    }

    /// Replaces `plain` with what is to be written.
    pub(super) fn compress(&mut self, plain: Vec<u8>) -> io::Result<Vec<u8>> {
        match self {
            Self::None => Ok(plain),
            Self::Gzip => {
                let mut member = GzEncoder::new(Vec::new(), flate2::Compression::default());
                member.write_all(&plain)?;
                member.finish()
            }
            Self::Zstd(compressor) => compressor.compress(&plain),
        }
    }
}
