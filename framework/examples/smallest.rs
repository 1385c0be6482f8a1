//! The smallest complete target: it appends every record to a file, `<stream>.jsonl`.
//!
//! ```sh
//! some-tap | cargo run --example smallest -- --config config.json
//! ```

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use singer_target::{Batch, Report, Sink, SinkContext, SinkEntry, SinkError, SinkPlugin, Target};

/// Where the records go.
#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Config {
    /// The folder of the files.
    folder: PathBuf,
}

struct Lines(Config);

impl Sink for Lines {
    async fn write(&self, batch: &Batch) -> Result<Report, SinkError> {
        let lines: Vec<String> = batch.records().map(|it| it.value().to_json()).collect();
        let name = format!("{}.jsonl", batch.stream().name().replace('/', "_"));
        File::options()
            .create(true)
            .append(true)
            .open(self.0.folder.join(name))
            .and_then(|mut file| {
                file.write_all((lines.join("\n") + "\n").as_bytes())?;
                file.sync_data()
            })
            // Tried again, it could store a part of the batch twice: so the run ends.
            .map_err(SinkError::permanent)?;
        Ok(Report::all_written(batch))
    }
}

impl SinkPlugin for Lines {
    const NAME: &'static str = "lines";
    const DESCRIPTION: &'static str = "Appends records to files";
    type Config = Config;
    type Sink = Self;

    async fn open(config: Config, _: SinkContext) -> Result<Self, SinkError> {
        Ok(Self(config))
    }
}

singer_target::inventory::submit! { SinkEntry::of::<Lines>() }

fn main() -> ExitCode {
    Target::new("target-lines", "1.0.0", Lines::DESCRIPTION)
        .sink(Lines::NAME)
        .run()
}
