//! Every hook that a sink may have besides `write`: it appends records to `<stream>.jsonl`, with
//! e-mail addresses masked, and keeps a diary of what it was asked to do.
//!
//! ```sh
//! some-tap | cargo run --example hooks -- --config config.json
//! ```

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use singer_target::value::{Tape, Value};
use singer_target::{
    Batch, Ending, Report, Sink, SinkContext, SinkEntry, SinkError, SinkPlugin, Stream, StreamEnd,
    Target,
};

/// Where the records go.
#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Config {
    /// The folder of the files.
    folder: PathBuf,
}

struct Diary(Config);

impl Diary {
    fn append(&self, file: &str, lines: &str) -> Result<(), SinkError> {
        let append = || -> io::Result<()> {
            let path = self.0.folder.join(file);
            let mut file = File::options().create(true).append(true).open(path)?;
            writeln!(file, "{lines}")?;
            file.sync_data()
        };
        append().map_err(SinkError::permanent)
    }

    fn note(&self, what: &str) -> Result<(), SinkError> {
        self.append("diary.txt", what)
    }
}

impl Sink for Diary {
    const PREPROCESSES: bool = true;

    /// Set-up for a stream: make its table here.
    async fn open_stream(&self, stream: &Arc<Stream>) -> Result<(), SinkError> {
        self.note(&format!("open {}", stream.name()))
    }

    /// What is written in the place of a record. Numbers are copied as text, so that none is rounded.
    fn preprocess(&self, _: &Stream, record: Value<'_>, into: &mut Tape) -> Result<bool, String> {
        if record.get("email").is_none() {
            return Ok(false);
        }
        let members = record.members().map(|(name, value)| {
            let masked = name == "email" && !value.is_null();
            let json = if masked {
                r#""***""#.to_owned()
            } else {
                value.to_json()
            };
            format!("{}:{json}", serde_json::Value::from(name))
        });
        let json = format!("{{{}}}", members.collect::<Vec<_>>().join(","));
        into.parse(json.as_bytes())
            .map_err(|error| error.to_string())?;
        Ok(true)
    }

    /// A rule that no schema can state. The reason must not hold the record's values.
    fn validate(&self, _: &Stream, record: Value<'_>) -> Result<(), String> {
        let day = |name| record.get(name).and_then(Value::as_str);
        match (day("from"), day("to")) {
            (Some(from), Some(to)) if from > to => Err("it ends before it begins".to_owned()),
            _ => Ok(()),
        }
    }

    /// A batch from its start to its end: a transaction would begin and be committed here.
    async fn write(&self, batch: &Batch) -> Result<Report, SinkError> {
        let name = batch.stream().name();
        self.note(&format!("start of {} records of {name}", batch.len()))?;
        let lines: Vec<String> = batch.records().map(|it| it.value().to_json()).collect();
        self.append(&format!("{name}.jsonl"), &lines.join("\n"))?;
        self.note("end of the batch")?;
        Ok(Report::all_written(batch))
    }

    /// Clean-up of a stream, however the run ended.
    async fn close_stream(&self, stream: &Arc<Stream>, end: &StreamEnd) -> Result<u64, SinkError> {
        let how = end.gap().unwrap_or("all of it was loaded");
        self.note(&format!("close {}: {how}", stream.name()))?;
        Ok(0)
    }

    async fn close(&self, ending: Ending) -> Result<(), SinkError> {
        self.note(&format!("close: {ending:?}"))
    }
}

impl SinkPlugin for Diary {
    const NAME: &'static str = "diary";
    const DESCRIPTION: &'static str = "Appends records to files and keeps a diary";
    type Config = Config;
    type Sink = Self;

    async fn open(config: Config, _: SinkContext) -> Result<Self, SinkError> {
        Ok(Self(config))
    }
}

singer_target::inventory::submit! { SinkEntry::of::<Diary>() }

fn main() -> ExitCode {
    Target::new("target-diary", "1.0.0", Diary::DESCRIPTION)
        .sink(Diary::NAME)
        .run()
}
