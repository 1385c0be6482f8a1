//! The conformance kit: it passes a sink that keeps the contract, and tells of every other one which
//! rule it breaks.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value as Json, json};
use singer_target::activation::{Activated, Activation};
use singer_target::conformance::memory::{Memory, MemorySink};
use singer_target::conformance::{Destination, Kit, Rule, Violations};
use singer_target::value::{Tape, Value};
use singer_target::{
    Batch, BoxError, Ending, Rejection, Report, Sink, SinkError, Stream, StreamEnd,
};

fn too_large() -> Json {
    json!({"text": "too long ".repeat(2_000)})
}

#[tokio::test]
async fn a_sink_that_upserts_conforms() -> Result<(), Violations> {
    let kit = Kit::new(async || Ok(Memory::upserting()));
    kit.rejecting(too_large()).runs(200).check_all().await
}

#[tokio::test]
async fn a_sink_that_appends_conforms() -> Result<(), Violations> {
    let kit = Kit::new(async || Ok(Memory::appending())).appending();
    kit.rejecting(too_large()).runs(200).check_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sink_conforms_on_several_threads() -> Result<(), Violations> {
    let kit = Kit::new(async || Ok(Memory::upserting()));
    kit.rejecting(too_large()).check_all().await
}

/// A way to be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    AcknowledgesBeforeWriting,
    DropsARecord,
    CutsTexts,
    BreaksWhenBusy,
    ReportsTooFew,
    NamesARecordTwice,
    WritesBackwards,
    KeepsTheOldest,
    StoresWhatItRejects,
    ClaimsRejectedAsWritten,
    RejectsWholeBatches,
    FailsWholeBatches,
    QuotesValues,
    TrustsTheRetry,
    AppendsAgain,
    PanicsWhenWrittenAgain,
    ForgetsWithANewSchema,
    StaysLockedWhenDropped,
    LosesOnClose,
    KeepsTheRestForClose,
    CannotCloseUnused,
    MixesStreams,
    HangsOnALargeBatch,
    ForgetsTheLimit,
    DeletesNothing,
    DeletesAll,
    ReplacesAPartOfATable,
    PreprocessesAsItLikes,
    PreprocessesKeysAway,
}

/// A destination whose sinks are wrong.
struct Flawed {
    memory: Memory,
    how: Wrong,
}

struct FlawedSink {
    inner: MemorySink,
    memory: Memory,
    how: Wrong,
    busy: AtomicBool,
    writing: AtomicUsize,
    written: AtomicUsize,
    keys: Mutex<HashSet<String>>,
}

impl Destination for Flawed {
    type Sink = FlawedSink;

    async fn open(&self) -> Result<FlawedSink, SinkError> {
        Ok(FlawedSink {
            inner: self.memory.open().await?,
            memory: self.memory.clone(),
            how: self.how,
            busy: AtomicBool::new(false),
            writing: AtomicUsize::new(0),
            written: AtomicUsize::new(0),
            keys: Mutex::default(),
        })
    }

    async fn read(&self, stream: &str) -> Result<Vec<Json>, BoxError> {
        let stream = if self.how == Wrong::MixesStreams {
            "all"
        } else {
            stream
        };
        self.memory.read(stream).await
    }
}

/// Stores one record, past everything that the sink does rightly.
fn store(memory: &Memory, stream: &str, record: &Json) {
    memory.insert(stream, record["id"].to_string(), record.clone());
}

fn records(batch: &Batch) -> Vec<Json> {
    batch
        .records()
        .map(|record| serde_json::from_str(&record.value().to_json()).expect("JSON"))
        .collect()
}

fn is_too_large(record: &Json) -> bool {
    record.to_string().len() > 10_000
}

impl FlawedSink {
    fn store_all<'a>(&self, stream: &str, records: impl IntoIterator<Item = &'a Json>) {
        for record in records {
            store(&self.memory, stream, record);
        }
    }
}

impl Sink for FlawedSink {
    const ACTIVATES_VERSIONS: bool = true;
    const PREPROCESSES: bool = true;

    fn preprocess(&self, _: &Stream, _: Value<'_>, into: &mut Tape) -> Result<bool, String> {
        let json = match self.how {
            Wrong::PreprocessesAsItLikes => {
                let n = self.written.fetch_add(1, Ordering::Relaxed);
                json!({"id": "key-1", "n": n})
            }
            Wrong::PreprocessesKeysAway => json!({"n": 1}),
            _ => return Ok(false),
        };
        into.parse(json.to_string().as_bytes())
            .map_err(|error| error.to_string())?;
        Ok(true)
    }

    async fn close_stream(
        &self,
        stream: &std::sync::Arc<Stream>,
        _: &StreamEnd,
    ) -> Result<u64, SinkError> {
        if self.how == Wrong::ReplacesAPartOfATable {
            self.memory.clear(stream.name());
            return Ok(1);
        }
        Ok(0)
    }

    async fn activate_version(
        &self,
        stream: &std::sync::Arc<Stream>,
        activation: &Activation,
    ) -> Result<Activated, SinkError> {
        match self.how {
            Wrong::ForgetsTheLimit if activation.is_limited() => Ok(Activated::default()),
            Wrong::DeletesNothing if !activation.is_limited() => Ok(Activated::default()),
            Wrong::DeletesAll if activation.is_hard() => {
                self.memory.clear(stream.name());
                Ok(Activated::default())
            }
            _ => self.inner.activate_version(stream, activation).await,
        }
    }

    async fn write(&self, batch: &Batch) -> Result<Report, SinkError> {
        let stream = batch.stream().name().to_owned();
        let records = records(batch);
        let all = Ok(Report::all_written(batch));
        let bad: Vec<usize> = (0..batch.len())
            .filter(|index| is_too_large(&records[*index]))
            .collect();
        let rejection = |index| Rejection::new(index, "too large");
        match self.how {
            Wrong::AcknowledgesBeforeWriting if bad.is_empty() => {
                let memory = self.memory.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    for record in &records {
                        store(&memory, &stream, record);
                    }
                });
                return all;
            }
            Wrong::DropsARecord if bad.is_empty() => {
                let seen = self.written.fetch_add(records.len(), Ordering::Relaxed);
                let kept = records.iter().enumerate();
                let kept = kept.filter(|(index, _)| (seen + index) % 100 != 99);
                self.store_all(&stream, kept.map(|(_, record)| record));
                return all;
            }
            Wrong::CutsTexts => {
                for mut record in records {
                    let text = record["text"].as_str().unwrap_or_default();
                    record["text"] = text.chars().take(60).collect::<String>().into();
                    store(&self.memory, &stream, &record);
                }
                return all;
            }
            Wrong::BreaksWhenBusy => {
                let writing = self.writing.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                self.writing.fetch_sub(1, Ordering::Relaxed);
                if writing > 0 {
                    return all;
                }
            }
            Wrong::ReportsTooFew => {
                let mut report = self.inner.write(batch).await?;
                report.written = report.written.saturating_sub(1);
                return Ok(report);
            }
            Wrong::NamesARecordTwice => {
                let mut report = self.inner.write(batch).await?;
                if batch.attempt() == 0 && report.written >= 2 {
                    report.written -= 2;
                    report.unsettled = vec![0, 0];
                }
                return Ok(report);
            }
            Wrong::WritesBackwards => {
                self.store_all(&stream, records.iter().rev());
                return all;
            }
            Wrong::KeepsTheOldest => {
                for record in &records {
                    let key = format!("{stream} {}", record["id"]);
                    if self.keys.lock().expect("not poisoned").insert(key) {
                        store(&self.memory, &stream, record);
                    }
                }
                return all;
            }
            Wrong::StoresWhatItRejects => {
                self.store_all(&stream, &records);
                return self.inner.write(batch).await;
            }
            Wrong::ClaimsRejectedAsWritten => {
                let mut report = self.inner.write(batch).await?;
                report.written += std::mem::take(&mut report.rejected).len();
                return Ok(report);
            }
            Wrong::RejectsWholeBatches if !bad.is_empty() => {
                let mut report = Report::default();
                report.rejected = (0..batch.len()).map(rejection).collect();
                return Ok(report);
            }
            Wrong::FailsWholeBatches if !bad.is_empty() => {
                return Err(SinkError::permanent("a record is too large"));
            }
            Wrong::QuotesValues => {
                let mut report = self.inner.write(batch).await?;
                for rejection in &mut report.rejected {
                    rejection.reason = format!("cannot take {}", records[rejection.index]);
                }
                return Ok(report);
            }
            Wrong::TrustsTheRetry if batch.attempt() > 0 && bad.is_empty() => return all,
            Wrong::AppendsAgain if bad.is_empty() => {
                self.store_all(&stream, &records);
                return all;
            }
            Wrong::PanicsWhenWrittenAgain => assert!(batch.attempt() == 0, "that is impossible"),
            Wrong::StaysLockedWhenDropped => {
                if self.busy.swap(true, Ordering::Relaxed) {
                    return Err(SinkError::permanent("busy"));
                }
                let report = self.inner.write(batch).await;
                self.busy.store(false, Ordering::Relaxed);
                return report;
            }
            Wrong::KeepsTheRestForClose if bad.is_empty() => {
                self.store_all(&stream, &records[..records.len() - 1]);
                return all;
            }
            Wrong::MixesStreams if bad.is_empty() => {
                self.store_all("all", &records);
                return all;
            }
            Wrong::HangsOnALargeBatch if batch.len() >= 40 => std::future::pending().await,
            _ => {}
        }
        self.inner.write(batch).await
    }

    async fn open_stream(&self, stream: &std::sync::Arc<Stream>) -> Result<(), SinkError> {
        let changed = stream.schema()["properties"].get("later").is_some();
        if self.how == Wrong::ForgetsWithANewSchema && changed {
            self.memory.clear(stream.name());
        }
        Ok(())
    }

    fn concurrency(&self) -> usize {
        match self.how {
            Wrong::StaysLockedWhenDropped => 1,
            _ => 4,
        }
    }

    async fn close(&self, _: Ending) -> Result<(), SinkError> {
        match self.how {
            Wrong::LosesOnClose => self.memory.clear("orders"),
            Wrong::CannotCloseUnused if self.written.load(Ordering::Relaxed) == 0 => {
                return Err(SinkError::permanent("nothing to close"));
            }
            _ => {}
        }
        Ok(())
    }
}

/// Which rules a flawed sink breaks, and how the kit says that.
async fn violations(how: Wrong) -> Vec<(Rule, String)> {
    let memory = if how == Wrong::AppendsAgain {
        Memory::appending
    } else {
        Memory::upserting
    };
    let mut kit = Kit::new(async move || {
        Ok(Flawed {
            memory: memory(),
            how,
        })
    })
    .rejecting(too_large())
    .runs(8)
    .patience(Duration::from_secs(20));
    if how == Wrong::AppendsAgain {
        kit = kit.appending();
    }
    if how == Wrong::HangsOnALargeBatch {
        kit = kit.patience(Duration::from_millis(300));
    }
    let violations = kit.check_all().await.expect_err("it is wrong");
    violations
        .iter()
        .map(|it| (it.rule(), it.to_string()))
        .collect()
}

#[tokio::test]
async fn every_wrong_sink_is_caught_by_the_rule_that_it_breaks() {
    use Wrong::*;
    for (how, rule, what) in [
        (
            AcknowledgesBeforeWriting,
            Rule::Acknowledgement,
            "after a write that was acknowledged, key key-1 is not there",
        ),
        (DropsARecord, Rule::Acknowledgement, "is not there"),
        (
            CutsTexts,
            Rule::Acknowledgement,
            "read back with another \"text\"",
        ),
        (BreaksWhenBusy, Rule::Acknowledgement, "is not there"),
        (
            ReportsTooFew,
            Rule::Report,
            "the sink's report of a batch of 40 records tells of 39",
        ),
        (
            NamesARecordTwice,
            Rule::Report,
            "the sink's report of a batch of 40 records",
        ),
        (WritesBackwards, Rule::Order, "though record"),
        (KeepsTheOldest, Rule::Order, "though record"),
        (StoresWhatItRejects, Rule::Rejection, "another \"text\""),
        (
            ClaimsRejectedAsWritten,
            Rule::Rejection,
            "the record at index 0 cannot be stored, and was not reported",
        ),
        (
            RejectsWholeBatches,
            Rule::Rejection,
            "the record at index 1 was rejected, and nothing is wrong",
        ),
        (
            FailsWholeBatches,
            Rule::Rejection,
            "failed as a whole: a record is too large",
        ),
        (QuotesValues, Rule::Rejection, "quotes the record's values"),
        (
            TrustsTheRetry,
            Rule::Retry,
            "after a write that failed before the sink saw it, key",
        ),
        (AppendsAgain, Rule::Idempotence, "is there more than once"),
        (
            PanicsWhenWrittenAgain,
            Rule::Idempotence,
            "the sink panicked: that is impossible",
        ),
        (
            ForgetsWithANewSchema,
            Rule::Barrier,
            "opened with a changed schema, key",
        ),
        (
            StaysLockedWhenDropped,
            Rule::Cancellation,
            "a write failed: busy",
        ),
        (LosesOnClose, Rule::Close, "after the sink was closed, key"),
        (KeepsTheRestForClose, Rule::Acknowledgement, "is not there"),
        (
            CannotCloseUnused,
            Rule::Close,
            "cannot be closed: nothing to close",
        ),
        (
            MixesStreams,
            Rule::StateSafety,
            "which should not be stored under it",
        ),
        (
            HangsOnALargeBatch,
            Rule::Acknowledgement,
            "was not done after 0.3 s",
        ),
        (
            ForgetsTheLimit,
            Rule::Activation,
            "more was deleted than max_delete_fraction allows",
        ),
        (
            DeletesNothing,
            Rule::Activation,
            "after a version was activated, key old-100 is not marked",
        ),
        (
            DeletesAll,
            Rule::Activation,
            "after a version was activated that removes, key own-701 is not there",
        ),
        (
            ReplacesAPartOfATable,
            Rule::Close,
            "removed at the end of a stream that was not read as a whole",
        ),
        (
            PreprocessesAsItLikes,
            Rule::Preprocessing,
            "it makes something else of the same record",
        ),
        (
            PreprocessesKeysAway,
            Rule::Preprocessing,
            "what it makes has no key",
        ),
    ] {
        let found = violations(how).await;
        assert!(
            found
                .iter()
                .any(|(it, text)| *it == rule && text.contains(what)),
            "{how:?} should break {rule:?} with '{what}', found {found:#?}"
        );
    }
}
