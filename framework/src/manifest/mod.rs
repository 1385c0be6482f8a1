//! The files that a BATCH message names, as chunks of lines, each line a record.
//!
//! ```text
//! file:// ───────────────────┐
//! s3://, gs://, az://, https:// → pipe → decompress → reader → chunks
//! Parquet → rows as JSON ────┘
//! ```
//!
//! What comes over a network, and Parquet, is read by a task; unpacking and cutting into lines is
//! done on a thread, by the [`reader`] that also reads standard input. A file is never in memory as
//! a whole: of Parquet, it is one row group at a time.

mod offer;
#[cfg(feature = "parquet")]
mod parquet;
mod pipe;
mod store;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use tokio::sync::mpsc;

pub(crate) use offer::BatchFiles;

use crate::error::BoxError;
use crate::reader::{self, Chunk};
use crate::run_error::RunError;
use store::Address;

/// How the records of a file are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// A JSON object a line.
    JsonLines(Option<Compression>),
    Parquet,
}

/// How a file of lines is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    /// What the end of a file's name says.
    fn of(name: &str) -> Self {
        let extension = Path::new(name).extension().and_then(|it| it.to_str());
        match extension {
            Some("gz" | "gzip") => Self::Gzip,
            Some("zst" | "zstd") => Self::Zstd,
            _ => Self::None,
        }
    }

    fn unpack(self, input: Box<dyn Read + Send>) -> std::io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::None => input,
            Self::Gzip => Box::new(flate2::read::MultiGzDecoder::new(input)),
            Self::Zstd => Box::new(zstd::Decoder::new(input)?),
        })
    }
}

/// Unpacks when it is read for the first time: unpackers read as soon as they are made, and only the
/// reader's thread may wait.
struct Unpacked {
    packed: Option<Box<dyn Read + Send>>,
    compression: Compression,
    plain: Box<dyn Read + Send>,
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if let Some(packed) = self.packed.take() {
            self.plain = self.compression.unpack(packed)?;
        }
        self.plain.read(buffer)
    }
}

/// A file of a BATCH message.
#[derive(Debug)]
pub(crate) struct BatchFile {
    address: Address,
    format: Format,
}

impl BatchFile {
    /// The file at an address, which is a URL.
    pub(crate) fn new(address: &str, format: Format) -> Result<Self, BoxError> {
        let address = Address::parse(address)?;
        Ok(Self { address, format })
    }

    /// The address without what may be secret in it.
    pub(crate) fn name(&self) -> &str {
        self.address.name()
    }

    /// What a record of it is called.
    pub(crate) fn unit(&self) -> &'static str {
        match self.format {
            Format::JsonLines(_) => "line",
            Format::Parquet => "row",
        }
    }

    /// Starts reading. The lines are numbered from 1; the last item is an error if reading failed.
    pub(crate) async fn open(
        &self,
        max_line_bytes: usize,
    ) -> Result<mpsc::Receiver<Result<Chunk, RunError>>, BoxError> {
        let input: Box<dyn Read + Send> = match (self.format, self.address.local()?) {
            (Format::JsonLines(_), Some(path)) => Box::new(File::open(path)?),
            (Format::JsonLines(_), None) => Box::new(pipe::of(self.address.get().await?)),
            (Format::Parquet, _) => self.rows().await?,
        };
        let compression = match self.format {
            Format::JsonLines(Some(compression)) => compression,
            Format::JsonLines(None) => Compression::of(self.name()),
            Format::Parquet => Compression::None,
        };
        let input = Unpacked {
            packed: Some(input),
            compression,
            plain: Box::new(std::io::empty()),
        };
        Ok(reader::spawn(input, max_line_bytes)?)
    }

    #[cfg(feature = "parquet")]
    async fn rows(&self) -> Result<Box<dyn Read + Send>, BoxError> {
        let (store, path) = self.address.store()?;
        Ok(Box::new(pipe::of(parquet::rows(store, path).await?)))
    }

    #[cfg(not(feature = "parquet"))]
    async fn rows(&self) -> Result<Box<dyn Read + Send>, BoxError> {
        Err("this target was built without the feature 'parquet'".into())
    }
}
