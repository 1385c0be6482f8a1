//! The dead letter: what could not be loaded is kept, and can be loaded later from there. In a file
//! or in a stream of JetStream, the promise is the same.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_nats::jetstream::{kv, stream};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use target_tests::bucket::jetstream;
use target_tests::case::Case;
use target_tests::nats_server::NatsServer;
use target_tests::page;
use target_tests::proxy::{Fate, From, Proxy};
use target_tests::python;
use target_tests::server_binary::{NEWEST, OLDEST};
use target_tests::singer::{line, record, schema, state};
use target_tests::target::Target;
use tempfile::TempDir;

/// Records that are fine, do not match their schema, or are too large for the bucket.
fn input(ids: std::ops::Range<u64>) -> String {
    let mut input = start();
    for id in ids {
        let (n, text) = match id % 3 {
            0 => (json!(id), String::new()),
            1 => (json!("not a number"), String::new()),
            _ => (json!(id), "x".repeat(2_000)),
        };
        let message = json!({
            "type": "RECORD", "stream": "s",
            "record": {"id": id, "n": n, "text": text},
            "time_extracted": "2026-01-02T03:04:05Z",
            "version": 7,
        });
        input += &line(message);
    }
    input + &state(json!({"n": 1}))
}

fn start() -> String {
    let properties = json!({"id": {"type": "integer"}, "n": {"type": "integer"}});
    schema("s", properties, &["id"])
}

/// Records of which none matches its schema.
fn invalid(ids: std::ops::Range<u64>) -> String {
    let last = ids.end;
    let records: String = ids
        .map(|id| record("s", json!({"id": id, "n": "not a number"})))
        .collect();
    records + &state(json!({"done": last}))
}

/// Where dead letters go.
enum Place {
    File(TempDir),
    /// At this server.
    Stream(String),
}

impl Place {
    fn both(case: &Case) -> [Self; 2] {
        let directory = tempfile::tempdir().expect("the temporary directory is writable");
        [Self::File(directory), Self::Stream(case.url.clone())]
    }

    /// The case with this place. Its name is that of the bucket, so it is another one each time.
    fn of(&self, case: Case) -> Case {
        let case = case.set("on_invalid_record", "dead_letter");
        match self {
            Self::File(directory) => {
                let file = directory.path().join("dead.jsonl");
                case.set("dead_letter_file", file.to_string_lossy().into_owned())
            }
            Self::Stream(_) => {
                let name = stream_of(&case);
                case.set("dead_letter_stream", name)
            }
        }
    }

    /// All that is there: Singer messages, one a line.
    async fn text(&self, case: &Case) -> String {
        match self {
            Self::File(directory) => {
                std::fs::read_to_string(directory.path().join("dead.jsonl")).expect("it is there")
            }
            Self::Stream(url) => messages(url, &stream_of(case)).await.concat(),
        }
    }
}

fn stream_of(case: &Case) -> String {
    format!("dead_{}", case.name)
}

/// The messages of a stream, each of which must be a Singer input of its own.
async fn messages(url: &str, name: &str) -> Vec<String> {
    let stream = jetstream(url).await.get_stream(name).await;
    let stream = stream.expect("the target made it");
    let last = stream.get_info().await.expect("it answers").state;
    let mut messages = Vec::new();
    for number in 1..=last.last_sequence {
        let message = stream.get_raw_message(number).await.expect("it is kept");
        assert_eq!(&*message.subject, format!("{name}.s"));
        let text = String::from_utf8(message.payload.to_vec()).expect("it is text");
        let types: Vec<_> = text
            .lines()
            .map(|line| parse(line)["type"].clone())
            .collect();
        assert_eq!(types[0], "SCHEMA");
        assert!(types.len() > 1 && types[1..].iter().all(|it| it == "RECORD"));
        messages.push(text);
    }
    messages
}

fn parse(line: &str) -> Value {
    serde_json::from_str(line).expect("a line of JSON")
}

/// How many records a dead letter has, and which: a record may be there twice.
fn records(text: &str) -> (usize, BTreeSet<u64>) {
    let records = text.lines().map(parse).filter(|it| it["type"] == "RECORD");
    let ids: Vec<_> = records
        .map(|it| it["record"]["id"].as_u64().expect("our ids are numbers"))
        .collect();
    (ids.len(), ids.into_iter().collect())
}

/// A bucket for small values, and a dead letter for the others.
async fn small(place: &Place, case: Case) -> Case {
    let case = place.of(case);
    case.make_bucket_with(kv::Config {
        max_value_size: 1_000,
        history: 5,
        ..kv::Config::default()
    })
    .await;
    case
}

#[tokio::test]
async fn it_can_be_loaded_with_input() {
    for case in [Case::new(), Case::on_oldest()] {
        for place in Place::both(&case) {
            let case = small(&place, case.again()).await;
            let outcome = case.load(input(0..300)).success();
            assert_eq!(outcome.states().last(), Some(&json!({"n": 1})));
            assert_eq!(case.bucket().await.keys().await.len(), 100);

            // Somewhere with more room, and without the schema that they do not match.
            let other = Case::new().set("validate_records", false);
            let outcome = Target::with_config(other.settings.clone())
                .file("dead.jsonl", &place.text(&case).await)
                .args(["--input", "dead.jsonl"])
                .run("")
                .success();
            assert_eq!(outcome.stdout, "");
            let whole = Case::new().set("validate_records", false);
            let _ = whole.load(input(0..300)).success();
            let mut all = case.bucket().await.contents().await;
            all.extend(other.bucket().await.contents().await);
            let without_receipt = |contents: std::collections::BTreeMap<String, Value>| {
                contents
                    .into_iter()
                    .map(|(key, mut value)| {
                        if let Some(members) = value.as_object_mut() {
                            members.remove("_sdc_received_at");
                        }
                        (key, value)
                    })
                    .collect::<Vec<_>>()
            };
            let expected = whole.bucket().await.contents().await;
            assert_eq!(without_receipt(all), without_receipt(expected));
        }
    }
}

/// As `docs/operations.md` shows it.
#[test]
fn a_stream_is_read_back_as_documented() {
    let server = NatsServer::start();
    let case = Case::on(&server)
        .set("on_invalid_record", "dead_letter")
        .set("dead_letter_stream", "dead");
    let _ = case.load(start() + &invalid(0..2_000)).success();
    let mut blocks = page::blocks(&page::read("docs/operations.md")).into_iter();
    let script = blocks.find(|block| block.kind == "python");
    let script = script.expect("it has a script").text;
    let read = python::checked(
        Command::new(python::installed("nats-py").join("python"))
            .arg("-c")
            .arg(script.replace("nats://localhost:4222", &server.url())),
        "the script of the page fails",
    );
    let text = String::from_utf8(read.stdout).expect("it is text");
    assert_eq!(records(&text), (2_000, (0..2_000).collect()));
    let again = case.set("validate_records", false).load(text).success();
    assert_eq!(again.stdout, "");
}

/// The state says that they are safe, so they are there by then.
#[tokio::test]
async fn what_a_state_covers_is_there() {
    for place in Place::both(&Case::new()) {
        let case = small(&place, Case::new()).await;
        let case = case
            .set("state_interval_seconds", 0)
            .set("batch_wait_limit_seconds", 0.05);
        let mut run = case.target().spawn();
        for round in 0..20 {
            assert!(run.send(input(round * 30..(round + 1) * 30)));
            run.state();
            let (count, ids) = records(&place.text(&case).await);
            assert_eq!((count, ids.len() as u64), (ids.len(), (round + 1) * 20));
        }
        run.signal(Signal::SIGKILL);
        let _ = run.wait();
    }
}

/// Nothing may be called safe that could not be kept.
#[tokio::test]
async fn a_file_that_cannot_be_written() {
    let case = Case::new()
        .set("on_invalid_record", "dead_letter")
        .set("dead_letter_file", "/dev/full");
    let input = [
        start(),
        record("s", json!({"id": 1})),
        state(json!({"n": 1})),
        invalid(2..3),
    ];
    let outcome = case.load(input.concat()).exited(1);
    assert!(outcome.stderr.contains("/dev/full"), "{}", outcome.stderr);
    assert_ne!(outcome.states().last(), Some(&json!({"done": 3})));
}

/// The server dies again and again while records are put there.
#[tokio::test]
async fn a_server_that_is_killed_meanwhile() {
    for version in [NEWEST, OLDEST] {
        let mut server = NatsServer::builder().version(version).start();
        let place = Place::Stream(server.url());
        let case = place.of(Case::on(&server));
        let mut run = case.target().spawn();
        assert!(run.send(start()));
        for part in 0..9 {
            assert!(run.send(invalid(part * 300..(part + 1) * 300)));
            if part % 3 == 2 {
                let reached = run.state()["done"]
                    .as_u64()
                    .expect("our states have numbers");
                server.kill();
                server.restart();
                let (_, kept) = records(&place.text(&case).await);
                assert!((0..reached).all(|id| kept.contains(&id)), "{version}");
            }
        }
        let outcome = run.finish().success();
        assert_eq!(outcome.states().last(), Some(&json!({"done": 2_700})));
        let (_, kept) = records(&place.text(&case).await);
        assert_eq!(kept, (0..2_700).collect(), "{version}");
    }
}

/// Nobody says that the records are kept, whatever else is acknowledged.
#[tokio::test]
async fn without_its_acknowledgement_there_is_no_state() {
    let server = NatsServer::start();
    let proxy = Proxy::to(&server.url());
    let case = Place::Stream(server.url()).of(Case::on(&server));
    let case = case
        .set("url", proxy.url())
        .set("request_timeout_seconds", 1)
        .set("max_retry_seconds", 3);
    let mut run = case.target().spawn();
    assert!(run.send(start() + &invalid(0..10)));
    assert_eq!(run.state(), json!({"done": 10}));
    let acknowledgement = format!("{{\"stream\":\"{}\"", stream_of(&case));
    let seen = Arc::new(AtomicBool::new(false));
    let dropped = Arc::clone(&seen);
    proxy.rule(move |frame| {
        let text = String::from_utf8_lossy(&frame.bytes);
        if frame.from == From::Server && text.contains(&acknowledgement) {
            dropped.store(true, Ordering::Relaxed);
            return Fate::Drop;
        }
        Fate::Pass
    });
    assert!(run.send(invalid(10..20)));
    assert!(run.send(record("s", json!({"id": 20})) + &state(json!({"done": 21}))));
    let outcome = run.finish().exited(1);
    assert!(seen.load(Ordering::Relaxed), "it was not tried");
    assert_eq!(outcome.states(), [json!({"done": 10})]);
    for part in ["dead letter", "no acknowledgement"] {
        assert!(outcome.stderr.contains(part), "{}", outcome.stderr);
    }
}

/// Published again since their acknowledgements are lost, they are there once.
#[tokio::test]
async fn what_is_published_again_is_kept_once() {
    let server = NatsServer::start();
    let proxy = Proxy::to(&server.url());
    let place = Place::Stream(server.url());
    let case = place
        .of(Case::on(&server))
        .set("url", proxy.url())
        .set("request_timeout_seconds", 1);
    let acknowledgement = format!("{{\"stream\":\"{}\"", stream_of(&case));
    let mut seen = 0;
    proxy.rule(move |frame| {
        let text = String::from_utf8_lossy(&frame.bytes);
        let counts = frame.from == From::Server && text.contains(&acknowledgement);
        seen += usize::from(counts);
        if counts && seen == 1 {
            Fate::Drop
        } else {
            Fate::Pass
        }
    });
    let outcome = case.load(start() + &invalid(0..100)).success();
    assert!(
        outcome.stderr.contains("trying again"),
        "{}",
        outcome.stderr
    );
    let (count, ids) = records(&place.text(&case).await);
    assert_eq!((count, ids), (100, (0..100).collect()));
}

/// Neither NATS nor we can make it fit: the run ends, and the next state is not printed.
#[tokio::test]
async fn a_record_that_is_too_large_for_a_message() {
    let place = Place::Stream(Case::new().url);
    let case = place.of(Case::new());
    let huge = record("s", json!({"id": 1, "text": "x".repeat(1_100_000)}));
    let outcome = case
        .load(start() + &huge + &state(json!({"n": 1})))
        .exited(1);
    assert_eq!(outcome.states(), Vec::<Value>::new());
    for part in ["dead letter", "stream 's'", "use dead_letter_file"] {
        assert!(outcome.stderr.contains(part), "{}", outcome.stderr);
    }
}

#[tokio::test]
async fn a_stream_that_cannot_keep_them() {
    let with = |settings: stream::Config| async move {
        let case = Place::Stream(String::new()).of(Case::new());
        let name = stream_of(&case);
        let subjects = match settings.subjects.as_slice() {
            [] => vec![format!("{name}.>")],
            _ => settings.subjects.clone(),
        };
        let config = stream::Config {
            name,
            subjects,
            ..settings
        };
        let made = jetstream(&case.url).await.create_stream(config).await;
        made.expect("the server takes it");
        let checked = Target::with_config_and(case.settings.clone(), &["check"]).run("");
        let outcome = case.load(start() + &invalid(0..1)).exited(3);
        for said in [checked.stdout, outcome.stderr.clone()] {
            assert!(said.contains("dead_letter_stream"), "{said}");
        }
        outcome.stderr
    };
    let said = with(stream::Config {
        no_ack: true,
        ..stream::Config::default()
    })
    .await;
    assert!(said.contains("no_ack"), "{said}");
    let subjects = vec!["elsewhere.>".to_owned()];
    let said = with(stream::Config {
        subjects,
        ..stream::Config::default()
    })
    .await;
    assert!(said.contains("does not have the subjects"), "{said}");
    let retention = stream::RetentionPolicy::Interest;
    let said = with(stream::Config {
        retention,
        ..stream::Config::default()
    })
    .await;
    assert!(said.contains("by interest"), "{said}");
    let absent = Place::Stream(String::new())
        .of(Case::new())
        .set("create_bucket", false);
    absent.make_bucket().await;
    let outcome = absent.load(start()).exited(3);
    assert!(
        outcome.stderr.contains("does not exist"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn there_is_one_place() {
    let case = Case::new().set("on_invalid_record", "dead_letter");
    for (file, stream, told) in [
        (json!("dead.jsonl"), "dead", "only one of them"),
        (Value::Null, "a.b", "dead_letter_stream: must have"),
    ] {
        let case = case.clone().set("dead_letter_file", file);
        let outcome = case.set("dead_letter_stream", stream).load("").exited(2);
        assert!(outcome.stderr.contains(told), "{}", outcome.stderr);
    }
}
