//! The sink `{{sink}}`: a folder for each stream, and in it a file for each record.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use singer_target::{
    Batch, Encoder, Record, Report, Sink, SinkContext, SinkEntry, SinkError, SinkPlugin, inventory,
};

/// Where the records go.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Settings {
    /// The folder that holds the folders of the streams. It is created.
    folder: PathBuf,

    /// The encoding of the records: the name of an encoder.
    #[serde(default = "json")]
    encoding: String,

    /// The longest record that is stored, in bytes. A longer one is invalid.
    #[serde(default = "one_mebibyte")]
    #[schemars(range(min = 1))]
    max_record_bytes: usize,
}

fn json() -> String {
    "json".to_owned()
}

fn one_mebibyte() -> usize {
    1024 * 1024
}

/// The open sink.
pub struct Files {
    settings: Settings,
    encoder: Arc<dyn Encoder>,
}

impl Sink for Files {
    async fn write(&self, batch: &Batch) -> Result<Report, SinkError> {
        let folder = self.settings.folder.join(safe(batch.stream().name()));
        fs::create_dir_all(&folder).map_err(SinkError::permanent)?;
        let mut report = Report::default();
        let mut bytes = Vec::new();
        for (index, record) in batch.records().enumerate() {
            bytes.clear();
            let name = file_name(record);
            if let Err(error) = self.encoder.encode(record.value(), &mut bytes) {
                report.reject(index, error.to_string());
            } else if bytes.len() > self.settings.max_record_bytes {
                report.reject(index, "longer than max_record_bytes allows");
            } else if name.len() > 250 {
                report.reject(index, "its key is too long for the name of a file");
            } else {
                store(&folder, &name, &bytes).map_err(SinkError::permanent)?;
                report.written += 1;
            }
        }
        // What is reported as written must be durable: the files are, and now their names.
        File::open(&folder)
            .and_then(|folder| folder.sync_all())
            .map_err(SinkError::permanent)?;
        Ok(report)
    }
}

/// The name is given to a file that is complete, so that a kill leaves the old one or the new one.
fn store(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let partial = folder.join(".partial");
    let mut file = File::create(&partial)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    fs::rename(partial, folder.join(name))
}

/// The values of the key properties, which no other record of the stream has.
fn file_name(record: Record<'_>) -> String {
    let parts: Vec<String> = record.key().map(|part| part.to_json()).collect();
    safe(&parts.join(","))
}

/// Two texts never have the same file name, whatever is in them.
fn safe(text: &str) -> String {
    let mut name = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => name.push(char::from(byte)),
            _ => name.push_str(&format!("%{byte:02x}")),
        }
    }
    name
}

impl SinkPlugin for Files {
    const NAME: &'static str = "{{sink}}";
    const DESCRIPTION: &'static str = "A file for each record";
    type Config = Settings;
    type Sink = Self;

    async fn open(settings: Settings, context: SinkContext) -> Result<Self, SinkError> {
        let encoder = context.encoders.choose("encoding", &settings.encoding)?;
        Ok(Self { settings, encoder })
    }
}

inventory::submit! { SinkEntry::of::<Files>() }
