//! Metrics for Prometheus: in a file, and at a port. Read with the parser of Prometheus' own client.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use target_tests::case::Case;
use target_tests::python;
use target_tests::singer::{record, schema, state};

/// A name that needs escaping in a label, and one that does not.
const STREAMS: [&str; 2] = ["a \"quoted\\ stream", "s"];

fn input() -> String {
    let lines = STREAMS.iter().flat_map(|stream| {
        [
            schema(stream, json!({"id": {"type": "integer"}}), &["id"]),
            record(stream, json!({"id": 1})),
            record(stream, json!({"id": 2})),
            record(stream, json!({"id": "x"})),
        ]
    });
    lines.collect::<String>() + &state(json!({"n": 1}))
}

fn case() -> Case {
    Case::new().set("on_invalid_record", "skip")
}

/// The samples of a text, by name and labels.
fn parsed(text: &str) -> BTreeMap<String, f64> {
    let script = r#"
import json, sys
from prometheus_client.parser import text_string_to_metric_families
samples = {}
for family in text_string_to_metric_families(sys.stdin.read()):
    assert family.documentation, family
    assert family.type in ("counter", "gauge"), family
    for sample in family.samples:
        labels = json.dumps(sample.labels, sort_keys=True)
        samples[sample.name + " " + labels] = sample.value
print(json.dumps(samples))
"#;
    let mut parser = Command::new(python::installed("prometheus").join("python"))
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdin = parser.stdin.take().expect("piped");
    stdin.write_all(text.as_bytes()).expect("it reads");
    drop(stdin);
    let output = parser.wait_with_output().expect("it ends");
    assert!(output.status.success(), "not Prometheus' format: {text}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn sample(samples: &BTreeMap<String, f64>, name: &str, labels: Value) -> Option<f64> {
    samples
        .get(&format!("singer_target_{name} {}", python_json(&labels)))
        .copied()
}

/// JSON as Python writes it.
fn python_json(labels: &Value) -> String {
    let members: Vec<String> = labels
        .as_object()
        .expect("labels")
        .iter()
        .map(|(name, value)| format!("\"{name}\": {value}"))
        .collect();
    format!("{{{}}}", members.join(", "))
}

fn file_in(folder: &Path) -> String {
    folder.join("target.prom").to_string_lossy().into_owned()
}

#[test]
fn the_file_tells_what_became_of_the_records() {
    let folder = tempfile::tempdir().expect("the temporary directory is writable");
    let file = file_in(folder.path());
    let case = case().set("metrics_file", file.as_str());
    let _ = case.load(input()).success();
    let samples = parsed(&std::fs::read_to_string(&file).expect("it was written"));
    for stream in STREAMS {
        let read = sample(&samples, "records_read_total", json!({"stream": stream}));
        assert_eq!(read, Some(3.0), "{samples:?}");
        for (outcome, records) in [("written", 2.0), ("skipped", 1.0), ("failed", 0.0)] {
            let labels = json!({"outcome": outcome, "stream": stream});
            assert_eq!(sample(&samples, "records_total", labels), Some(records));
        }
    }
    assert_eq!(sample(&samples, "run_succeeded", json!({})), Some(1.0));
    assert!(sample(&samples, "run_ended_timestamp_seconds", json!({})) > Some(1.7e9));
    // Nothing is left but the file.
    assert_eq!(
        std::fs::read_dir(folder.path()).expect("readable").count(),
        1
    );

    // A run that fails says so, in the place of the one that did not.
    let outcome = case.set("on_invalid_record", "fail").load(input());
    let _ = outcome.exited(1);
    let samples = parsed(&std::fs::read_to_string(&file).expect("it was written"));
    assert_eq!(sample(&samples, "run_succeeded", json!({})), Some(0.0));
    let failed = json!({"outcome": "failed", "stream": STREAMS[0]});
    assert_eq!(sample(&samples, "records_total", failed), Some(1.0));
}

#[test]
fn the_file_is_there_from_the_beginning() {
    let folder = tempfile::tempdir().expect("the temporary directory is writable");
    let file = file_in(folder.path());
    let mut run = case().set("metrics_file", file.as_str()).target().spawn();
    assert!(run.send(input()));
    let _ = run.state();
    let samples = parsed(&std::fs::read_to_string(&file).expect("it was written"));
    assert_eq!(sample(&samples, "run_succeeded", json!({})), Some(0.0));
    assert_eq!(
        sample(&samples, "run_ended_timestamp_seconds", json!({})),
        Some(0.0)
    );
    let _ = run.finish().success();
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there are free ports");
    listener.local_addr().expect("it has an address").port()
}

fn get(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(10))
        .unwrap_or_else(|error| panic!("{address}: {error}"));
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .expect("it can be set");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("it answers");
    response
}

#[test]
fn the_port_is_open_as_long_as_the_run_goes_on() {
    let port = free_port();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let mut run = case().set("metrics_port", port).target().spawn();
    assert!(run.send(input()));
    let _ = run.state();
    // A connection that says nothing holds nobody up.
    let _silent = TcpStream::connect(address).expect("it is open");
    for _ in 0..3 {
        let response = get(address, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        let (head, body) = response.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
        assert!(head.contains("text/plain; version=0.0.4"), "{head}");
        let read = sample(&parsed(body), "records_read_total", json!({"stream": "s"}));
        assert_eq!(read, Some(3.0));
    }
    let response = get(address, "GET / HTTP/1.1\r\n\r\n");
    assert!(response.starts_with("HTTP/1.1 404"), "{response}");
    let _ = run.finish().success();
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn what_cannot_be_opened_ends_the_run_before_it_begins() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("there are free ports");
    let port = taken.local_addr().expect("it has an address").port();
    for (setting, value) in [
        ("metrics_port", json!(port)),
        ("metrics_file", json!("/nowhere/at/all.prom")),
    ] {
        let outcome = case().set(setting, value).load(input()).exited(2);
        assert_eq!(outcome.stdout, "", "{setting}");
        assert!(outcome.stderr.contains(setting), "{}", outcome.stderr);
    }
}
