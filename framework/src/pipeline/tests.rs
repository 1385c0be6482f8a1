//! Ends of a run that a real destination does not show on demand.

mod batches;

use super::*;
use crate::batch::{Batch, Record};
use crate::captured::Captured;
use crate::reader;
use crate::sink::{Report, Sink, SinkError};
use crate::stream::Stream;
use crate::value::Value;

const INPUT: &str = r#"{"type":"SCHEMA","stream":"s","schema":{},"key_properties":["id"]}
{"type":"RECORD","stream":"s","record":{"id":1}}
{"type":"STATE","value":{"n":1}}
"#;

async fn run(sink: impl Sink, input: &'static str) -> (Result<End, RunError>, String) {
    let output = Captured::default();
    let settings = TargetSettings::default();
    let lines = reader::spawn(input.as_bytes(), settings.max_line_bytes).expect("starts");
    let emitter = Emitter::spawn(output.clone(), Duration::ZERO).expect("starts");
    let pipeline = Pipeline::new(
        settings.into(),
        Arc::new(sink),
        emitter,
        None,
        Shutdown::new(),
    );
    let outcome = pipeline.run(lines).await;
    (outcome, output.text())
}

/// Writes everything, and cannot be closed.
struct LosesAtTheEnd;

impl Sink for LosesAtTheEnd {
    async fn write(&self, batch: &Batch) -> Result<Report, SinkError> {
        Ok(Report::all_written(batch))
    }

    async fn close(&self, _: Ending) -> Result<(), SinkError> {
        Err(SinkError::permanent("the file could not be renamed"))
    }
}

#[tokio::test]
async fn the_last_state_is_not_printed_if_the_sink_cannot_be_closed() {
    let (outcome, printed) = run(LosesAtTheEnd, INPUT).await;
    let error = outcome.err().expect("not closed").to_string();
    assert_eq!(
        (error.as_str(), printed.as_str()),
        ("the file could not be renamed", "")
    );
}

/// Fails one stream for good while another one is being tried again.
struct OneFailsForGood;

impl Sink for OneFailsForGood {
    async fn write(&self, batch: &Batch) -> Result<Report, SinkError> {
        if batch.stream().name() == "s" {
            return Err(SinkError::transient("busy"));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        Err(SinkError::permanent("disk full"))
    }

    fn concurrency(&self) -> usize {
        2
    }
}

// In real time: a paused clock would run ahead of the thread that reads.
#[tokio::test]
async fn a_run_that_has_failed_while_draining_tries_nothing_again() {
    let input = r#"{"type":"SCHEMA","stream":"s","schema":{},"key_properties":["id"]}
{"type":"SCHEMA","stream":"t","schema":{},"key_properties":["id"]}
{"type":"RECORD","stream":"s","record":{"id":1}}
{"type":"RECORD","stream":"t","record":{"id":1}}
"#;
    let started = Instant::now();
    let (outcome, printed) = run(OneFailsForGood, input).await;
    assert_eq!(outcome.err().expect("failed").to_string(), "disk full");
    assert_eq!(printed, "");
    assert!(started.elapsed() < Duration::from_secs(10), "it went on");
}

/// Takes no record whose `id` is 2.
struct Picky;

impl Sink for Picky {
    fn validate(&self, stream: &Stream, record: Value<'_>) -> Result<(), String> {
        assert_eq!(stream.name(), "s");
        match record.get("id").map(Value::to_json).as_deref() {
            Some("2") => Err("an id of 2 is not for us".to_owned()),
            _ => Ok(()),
        }
    }

    async fn write(&self, batch: &Batch) -> Result<Report, SinkError> {
        Ok(Report::all_written(batch))
    }
}

#[tokio::test]
async fn a_sinks_own_check_has_its_say() {
    let (outcome, printed) = run(Picky, INPUT).await;
    assert!(outcome.is_ok());
    assert_eq!(printed, "{\"n\":1}\n");
    let (outcome, printed) = run(
        Picky,
        r#"{"type":"SCHEMA","stream":"s","schema":{},"key_properties":["id"]}
{"type":"RECORD","stream":"s","record":{"id":1}}
{"type":"STATE","value":{"n":1}}
{"type":"RECORD","stream":"s","record":{"id":2}}
{"type":"STATE","value":{"n":2}}
"#,
    )
    .await;
    let error = outcome.err().expect("refused").to_string();
    assert!(error.starts_with("line 4: stream 's'"), "{error}");
    assert!(error.contains("an id of 2 is not for us"), "{error}");
    assert_eq!(printed, "{\"n\":1}\n");
}
