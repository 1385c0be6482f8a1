//! What batches are made of, whatever comes in: properties, against the input itself.

use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// Where a record came from, and what it says.
type Noted = (u64, String);

/// Notes what it is given. Its batches overlap, and end in another order than they began in.
#[derive(Default)]
struct Notes {
    batches: Mutex<Vec<(String, Vec<Noted>)>>,
    writing: Mutex<HashSet<(String, String)>>,
}

impl Sink for Notes {
    async fn write(&self, batch: &Batch) -> Result<Report, SinkError> {
        let stream = batch.stream().name();
        let key = |record: Record<'_>| record.key().map(Value::to_json).collect::<String>();
        let keys: HashSet<_> = batch
            .records()
            .map(|record| (stream.to_owned(), key(record)))
            .collect();
        {
            let mut writing = self.writing.lock().expect("nothing panics here");
            let shared = !writing.is_disjoint(&keys);
            writing.extend(keys.iter().cloned());
            if shared {
                return Err(SinkError::permanent("two batches in flight share a key"));
            }
        }
        let text = batch.json_text();
        for (index, record) in batch.records().enumerate() {
            if text[batch.json_range(index)] != *record.value().to_json().as_bytes() {
                return Err(SinkError::permanent("the text of a record is another"));
            }
        }
        for _ in 0..batch.len() % 5 {
            tokio::task::yield_now().await;
        }
        let mut writing = self.writing.lock().expect("nothing panics here");
        writing.retain(|key| !keys.contains(key));
        let records = batch.records();
        let records = records.map(|record| (record.line(), record.value().to_json()));
        let noted = (stream.to_owned(), records.collect());
        self.batches
            .lock()
            .expect("nothing panics here")
            .push(noted);
        Ok(Report::all_written(batch))
    }

    fn concurrency(&self) -> usize {
        3
    }
}

#[derive(Debug, Clone)]
enum Line {
    Record {
        stream: usize,
        id: u64,
        size: usize,
    },
    State,
    /// Another SCHEMA of the stream.
    Change {
        stream: usize,
    },
}

fn lines() -> impl Strategy<Value = Vec<Line>> {
    let record = (0..3usize, 0..12u64, 0..300usize);
    let line = prop_oneof![
        20 => record.prop_map(|(stream, id, size)| Line::Record { stream, id, size }),
        2 => Just(Line::State),
        1 => (0..3usize).prop_map(|stream| Line::Change { stream }),
    ];
    prop::collection::vec(line, 0..150)
}

/// The input, and its records by their streams.
fn input(lines: &[Line]) -> (String, BTreeMap<String, Vec<Noted>>, Option<String>) {
    let (mut text, mut number) = (String::new(), 0);
    let (mut records, mut state) = (BTreeMap::<_, Vec<Noted>>::new(), None);
    let mut push = |line: String| {
        text += &(line + "\n");
        number += 1;
        number
    };
    let schema = |stream: usize, title: usize| {
        json!({"type": "SCHEMA", "stream": format!("s{stream}"),
            "schema": {"title": title.to_string()}, "key_properties": ["id"]})
        .to_string()
    };
    for stream in 0..3 {
        push(schema(stream, 0));
    }
    for (index, line) in lines.iter().enumerate() {
        match line {
            Line::Record { stream, id, size } => {
                let record = json!({"id": id, "n": index, "text": "x".repeat(*size)}).to_string();
                let name = format!("s{stream}");
                let line = format!(r#"{{"type":"RECORD","stream":"{name}","record":{record}}}"#);
                records.entry(name).or_default().push((push(line), record));
            }
            Line::State => {
                let value = json!({"n": index}).to_string();
                push(format!(r#"{{"type":"STATE","value":{value}}}"#));
                state = Some(value);
            }
            Line::Change { stream } => {
                push(schema(*stream, index + 1));
            }
        }
    }
    (text, records, state)
}

async fn load(
    sink: Arc<Notes>,
    input: String,
    rows: usize,
    bytes: usize,
) -> (Result<End, RunError>, String) {
    let output = Captured::default();
    let settings = TargetSettings {
        batch_size_rows: rows,
        batch_size_bytes: bytes,
        ..TargetSettings::default()
    };
    let lines = std::io::Cursor::new(input);
    let lines = reader::spawn(lines, settings.max_line_bytes).expect("starts");
    let emitter = Emitter::spawn(output.clone(), Duration::ZERO).expect("starts");
    let pipeline = Pipeline::new(settings.into(), sink, emitter, None, Shutdown::new());
    let outcome = pipeline.run(lines).await;
    (outcome, output.text())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    /// Every record arrives once and unchanged, in a batch of its stream that is within its limits;
    /// records of one key in their order, and never in two batches at the same time.
    #[test]
    fn batches_are_the_input(lines in lines(), rows in 1..12usize, bytes in 100..6_000usize) {
        let (text, records, state) = input(&lines);
        let sink = Arc::new(Notes::default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let (outcome, printed) = runtime
            .expect("starts")
            .block_on(load(Arc::clone(&sink), text, rows, bytes));
        prop_assert!(outcome.is_ok(), "{}", outcome.err().expect("failed"));
        prop_assert_eq!(printed.lines().last(), state.as_deref());
        let mut arrived = BTreeMap::<String, Vec<Noted>>::new();
        for (stream, batch) in &*sink.batches.lock().expect("nothing panicked") {
            prop_assert!(batch.len() <= rows);
            prop_assert!(batch.is_sorted_by_key(|(line, _)| *line));
            let but_last = &batch[..batch.len() - 1];
            prop_assert!(but_last.iter().map(|(_, record)| record.len()).sum::<usize>() < bytes);
            arrived.entry(stream.clone()).or_default().extend(batch.iter().cloned());
        }
        for (stream, records) in &records {
            for id in 0..12 {
                let of_key = |all: &[Noted]| -> Vec<Noted> {
                    let begin = format!("{{\"id\":{id},");
                    let of_key = all.iter().filter(|(_, record)| record.starts_with(&begin));
                    of_key.cloned().collect()
                };
                prop_assert_eq!(of_key(records), of_key(&arrived[stream]));
            }
        }
        let count = |all: &BTreeMap<_, Vec<Noted>>| all.values().map(Vec::len).sum::<usize>();
        prop_assert_eq!(count(&arrived), count(&records));
    }
}
