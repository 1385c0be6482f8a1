//! BATCH: a barrier, and then each line of each file is a record.

use super::{Pipeline, Turn};
use crate::manifest::BatchFile;
use crate::message::{BatchMessage, Origin, RecordMessage};
use crate::run_error::RunError;
use crate::value::Tape;

impl Pipeline {
    /// Takes in the files of a BATCH, once all records before it are settled.
    pub(super) async fn take_batch(
        &mut self,
        number: u64,
        message: BatchMessage<'_>,
    ) -> Result<(), RunError> {
        let BatchMessage {
            stream,
            format,
            manifest,
        } = message;
        let Some(input) = self.intake.inputs.get(stream) else {
            let problem = format!("a BATCH of stream '{stream}' before its SCHEMA");
            return Err(RunError::input(number, problem));
        };
        if input.routes.is_empty() {
            return Ok(());
        }
        self.settle_input(stream).await?;
        for (index, address) in manifest.iter().enumerate() {
            let file = BatchFile::new(address, format).map_err(|why| {
                let problem = format!("file {} of the BATCH: {why}", index + 1);
                RunError::input(number, problem)
            })?;
            self.take_file(number, stream, &file).await?;
            if self.shutdown.requested() {
                break;
            }
        }
        Ok(())
    }

    async fn take_file(
        &mut self,
        number: u64,
        stream: &str,
        file: &BatchFile,
    ) -> Result<(), RunError> {
        let (name, unit) = (file.name(), file.unit());
        let mut input = file
            .open(self.settings.max_line_bytes)
            .await
            .map_err(|why| {
                let problem = format!("BATCH file {name}: {}", in_short(&*why));
                RunError::input(number, problem)
            })?;
        let mut origin = Origin {
            file: name,
            unit,
            line: 0,
        };
        let mut tape = Tape::new();
        loop {
            match self.turn(&mut input).await? {
                Turn::Chunk(Ok(chunk)) => {
                    self.intake.start_chunk();
                    for (line, text) in chunk.lines() {
                        origin.line = line;
                        self.take_file_line(number, stream, origin, text, &mut tape)
                            .await?;
                    }
                    // The sink's tasks and the one that reads run on this thread too: let them.
                    tokio::task::yield_now().await;
                }
                Turn::Chunk(Err(error)) => return Err(in_file(error, number, origin)),
                Turn::Nothing => {}
                Turn::End | Turn::Stop => return Ok(()),
            }
            self.keep_up().await?;
        }
    }

    async fn take_file_line(
        &mut self,
        number: u64,
        stream: &str,
        origin: Origin<'_>,
        line: &[u8],
        tape: &mut Tape,
    ) -> Result<(), RunError> {
        if let Err(error) = tape.parse(line) {
            let problem = format!("{origin}: {error}");
            let Some(line) = crate::message::record_line(stream, line) else {
                return Err(RunError::input(number, problem));
            };
            return self.take_unreadable(number, line.as_bytes(), stream, &problem);
        }
        let Some(record) = tape.root() else {
            return Ok(());
        };
        let message = RecordMessage {
            stream,
            record,
            time_extracted: None,
            version: None,
            origin: Some(origin),
        };
        self.take_record(number, message).await
    }
}

/// What a store says, without the page of HTML that it may have sent.
fn in_short(error: &dyn std::error::Error) -> String {
    const LONGEST: usize = 300;
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.chars().take(LONGEST).collect()
}

/// The error of a file as one of the BATCH line that names it.
fn in_file(error: RunError, number: u64, origin: Origin<'_>) -> RunError {
    let Origin { file, unit, line } = origin;
    let problem = match error {
        RunError::Input { line, problem } => {
            let at = Origin { line, ..origin };
            format!("{at}: {problem}")
        }
        RunError::Io { source, .. } => {
            let why = in_short(&source);
            format!("BATCH file {file}: cannot be read after {unit} {line}: {why}")
        }
        other => return other,
    };
    RunError::input(number, problem)
}
