//! An encoder plugin, [CBOR](https://cbor.io), and a target whose sink finds it by its name.
//!
//! The sink knows nothing of CBOR: it writes what the encoder of the setting `encoding` gives it,
//! one record behind the other, which for CBOR is a sequence of RFC 8742. Every other sink with
//! such a setting can use the encoder in the same way: a crate that holds it must only be named.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use singer_target::value::{BigNumbers, Tape, Value};
use singer_target::{
    Batch, BoxError, Encoder, EncoderEntry, EncoderPlugin, Report, Sink, SinkContext, SinkEntry,
    SinkError, SinkPlugin, Target, inventory,
};

/// How records become CBOR.
#[derive(Deserialize, JsonSchema)]
struct CborConfig {
    /// What to do with numbers that 64 bits cannot hold.
    #[serde(default)]
    cbor_big_numbers: BigNumbers,
}

struct Cbor(CborConfig);

impl Encoder for Cbor {
    fn content_type(&self) -> &'static str {
        "application/cbor"
    }

    fn encode(&self, record: Value<'_>, out: &mut Vec<u8>) -> Result<(), BoxError> {
        let record = record.with_big_numbers(self.0.cbor_big_numbers);
        Ok(ciborium::into_writer(&record, out)?)
    }

    fn decode(&self, mut bytes: &[u8], into: &mut Tape) -> Result<(), BoxError> {
        into.clear();
        let decoded: Tape = ciborium::from_reader(&mut bytes)?;
        if !bytes.is_empty() {
            return Err("more than one value".into());
        }
        *into = decoded;
        Ok(())
    }

    fn recognises(&self, bytes: &[u8]) -> bool {
        // A map: the major type 5.
        bytes.first().is_some_and(|first| first >> 5 == 5)
    }
}

impl EncoderPlugin for Cbor {
    const NAME: &'static str = "cbor";
    const DESCRIPTION: &'static str = "Concise Binary Object Representation, RFC 8949";
    type Config = CborConfig;
    type Encoder = Self;

    fn build(config: CborConfig) -> Self {
        Self(config)
    }
}

inventory::submit! { EncoderEntry::of::<Cbor>() }

/// Where the records go, and how.
#[derive(Deserialize, JsonSchema)]
struct FilesConfig {
    /// The folder of the files.
    folder: PathBuf,
    /// The name of an encoder.
    encoding: String,
}

struct Files {
    config: FilesConfig,
    encoder: Arc<dyn Encoder>,
}

impl Sink for Files {
    async fn write(&self, batch: &Batch) -> Result<Report, SinkError> {
        let mut bytes = Vec::new();
        for record in batch.records() {
            let encoded = self.encoder.encode(record.value(), &mut bytes);
            encoded.map_err(SinkError::permanent)?;
        }
        let name = batch.stream().name().replace('/', "_");
        let name = format!("{name}.{}", self.config.encoding);
        let path = self.config.folder.join(name);
        let file = File::options().create(true).append(true).open(path);
        let written = file.and_then(|mut file| {
            file.write_all(&bytes)?;
            file.sync_data()
        });
        written.map_err(SinkError::permanent)?;
        Ok(Report::all_written(batch))
    }
}

impl SinkPlugin for Files {
    const NAME: &'static str = "files";
    const DESCRIPTION: &'static str = "Appends encoded records to files";
    type Config = FilesConfig;
    type Sink = Self;

    async fn open(config: FilesConfig, context: SinkContext) -> Result<Self, SinkError> {
        let encoder = context.encoders.choose("encoding", &config.encoding)?;
        Ok(Self { config, encoder })
    }
}

inventory::submit! { SinkEntry::of::<Files>() }

fn main() -> ExitCode {
    Target::new("target-cbor", "1.0.0", "Appends encoded records to files")
        .sink("files")
        .run()
}
