//! `cargo throughput`: how many records a second the target loads, beside a real nats-server.
//!
//! Every run is a process of its own, timed from its start to its end. What is printed are medians:
//! machines are noisy, so compare the rows of one run with each other.

#![allow(clippy::print_stdout, reason = "this program's purpose is to show")]

use std::fmt::Write as _;
use std::time::Instant;

use serde_json::{Value, json};
use target_tests::nats_server::NatsServer;
use target_tests::target::Target;

const RECORDS: usize = 200_000;
const RUNS: usize = 5;

fn main() {
    let server = NatsServer::start();
    let first = workload(false);
    let updated = workload(true);
    println!(
        "{RECORDS} records of {} bytes, medians of {RUNS} runs",
        first.len() / RECORDS
    );
    println!("{:40}{:>12}", "case", "records/s");
    for encoding in ["json", "msgpack"] {
        let mut cases: [(&str, Vec<f64>); 4] = [
            ("full", vec![]),
            ("newer, empty bucket", vec![]),
            ("newer, identical data: nothing written", vec![]),
            ("newer, half of the records updated", vec![]),
        ];
        for run in 0..RUNS {
            let bucket = format!("{encoding}_{run}");
            let load = |mode: &str, bucket: &str, input: &str| {
                rate(
                    &json!({
                        "url": server.url(), "bucket": bucket, "encoding": encoding, "refresh_mode": mode,
                    }),
                    input,
                )
            };
            cases[0]
                .1
                .push(load("full", &format!("{bucket}_full"), &first));
            cases[1].1.push(load("newer", &bucket, &first));
            cases[2].1.push(load("newer", &bucket, &first));
            cases[3].1.push(load("newer", &bucket, &updated));
        }
        for (case, mut rates) in cases {
            rates.sort_by(f64::total_cmp);
            println!(
                "{:40}{:>12.0}",
                format!("{encoding}, {case}"),
                rates[RUNS / 2]
            );
        }
    }
}

/// Records a second of one run.
fn rate(settings: &Value, input: &str) -> f64 {
    let start = Instant::now();
    let _ = Target::with_config(settings.clone()).run(input).success();
    RECORDS as f64 / start.elapsed().as_secs_f64()
}

/// Records of twelve properties, among them dates, an object and an array. `updated`: every other
/// one is newer.
fn workload(updated: bool) -> String {
    let text = json!({"type": ["string", "null"]});
    let schema = json!({"type": "object", "properties": {
        "id": {"type": "integer"}, "uuid": text, "name": text, "email": text, "status": text, "note": text,
        "score": {"type": ["number", "null"]}, "active": {"type": ["boolean", "null"]},
        "created_at": {"type": ["string", "null"], "format": "date-time"},
        "updated_at": {"type": "string", "format": "date-time"},
        "address": {"type": ["object", "null"], "properties": {"city": text, "zip": text}},
        "tags": {"type": ["array", "null"], "items": {"type": "string"}},
    }});
    let mut out = json!({
        "type": "SCHEMA", "stream": "accounts", "schema": schema,
        "key_properties": ["id"], "bookmark_properties": ["updated_at"],
    })
    .to_string();
    out.push('\n');
    for id in 0..RECORDS {
        let (month, day) = (if updated && id % 2 == 0 { 2 } else { 1 }, id % 28 + 1);
        let (minute, second) = (id / 60 % 60, id % 60);
        let _ = writeln!(
            out,
            r#"{{"type":"RECORD","stream":"accounts","record":{{"id":{id},"uuid":"{:016x}","name":"Ada Eriksen","email":"ada{id}@example.org","status":"active","note":null,"score":{}.{:04},"active":true,"created_at":"2024-01-{day:02}T10:{minute:02}:{second:02}Z","updated_at":"2024-{month:02}-{day:02}T12:{minute:02}:{second:02}.125Z","address":{{"city":"Kraków","zip":"{:05}"}},"tags":["alpha","zeta"]}},"time_extracted":"2025-02-04T00:{minute:02}:{second:02}.001Z"}}"#,
            id * 2_654_435_761,
            id % 1000,
            id % 10_000,
            id % 100_000,
        );
        if id % 10_000 == 9_999 {
            out.push_str(&json!({"type": "STATE", "value": {"n": id}}).to_string());
            out.push('\n');
        }
    }
    out
}
