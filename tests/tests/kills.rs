//! The one promise under fire: whenever the target or the server is killed, no printed state is
//! ahead of the data, and running again from the last state makes the bucket right.
//!
//! The moments are chosen by chance; `SEED=… cargo test -p target-tests --test kills` repeats them.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use fastrand::Rng;
use nix::sys::signal::Signal;
use serde_json::json;
use target_tests::bucket::Bucket;
use target_tests::case::Case;
use target_tests::nats_server::NatsServer;
use target_tests::server_binary::{NEWEST, OLDEST};
use target_tests::singer::{record, schema_with_bookmark, state};
use target_tests::target::Running;

/// Each key is written several times, with a growing bookmark.
const KEYS: u64 = 700;
const RECORDS: u64 = 10_000;

fn input_from(first: u64) -> String {
    let properties = json!({"id": {"type": "integer"}, "b": {"type": "integer"}});
    let mut input = schema_with_bookmark("s", properties, &["id"], "b");
    for number in first..RECORDS {
        input += &record(
            "s",
            json!({"id": number % KEYS, "b": number, "text": "x".repeat(100)}),
        );
        if number % 50 == 49 {
            input += &state(json!({"done": number + 1}));
        }
    }
    input
}

/// What every key must at least be at, when all records before this one are safe.
fn model(done: u64) -> BTreeMap<String, u64> {
    (0..done)
        .map(|number| (format!("s.{}", number % KEYS), number))
        .collect()
}

async fn bookmarks(bucket: &Bucket) -> BTreeMap<String, u64> {
    let contents = bucket.contents().await;
    contents
        .into_iter()
        .map(|(key, value)| (key, value["b"].as_u64().expect("all records have one")))
        .collect()
}

async fn is_not_behind(bucket: &Bucket, done: u64) {
    let stored = bookmarks(bucket).await;
    for (key, bookmark) in model(done) {
        let found = stored.get(&key);
        assert!(
            found >= Some(&bookmark),
            "{key}: {found:?}, but state {done} was printed"
        );
    }
}

/// No key ever went back to an older value.
async fn is_monotonic(bucket: &Bucket) {
    let mut newest: BTreeMap<String, u64> = BTreeMap::new();
    for entry in bucket.messages().await {
        let bookmark = entry.json()["b"].as_u64().expect("all records have one");
        let before = newest.insert(entry.key.clone(), bookmark);
        assert!(
            before < Some(bookmark),
            "{}: {before:?}, then {bookmark}",
            entry.key
        );
    }
}

/// Feeds the run in small pieces, so that it is somewhere in the middle for a while.
fn feed(run: &mut Running, input: String) {
    let mut stdin = run.take_stdin();
    std::thread::spawn(move || {
        for piece in input.as_bytes().chunks(20_000) {
            if stdin.write_all(piece).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    });
}

fn chance(name: &str) -> Rng {
    let given = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| fastrand::u64(..));
    #[allow(
        clippy::print_stderr,
        reason = "a failure must be repeatable; shown only then"
    )]
    {
        eprintln!("{name}: SEED={seed}");
    }
    Rng::with_seed(seed)
}

#[tokio::test]
async fn kill_the_target() {
    let mut chance = chance("kill_the_target");
    for round in 0..10 {
        let server = if round == 5 {
            Case::on_oldest()
        } else {
            Case::new()
        };
        let case = server
            .set("msgpack", round % 2 == 0)
            .set("state_interval_seconds", 0.05)
            .set("batch_size_rows", chance.u64(1..2000));
        let bucket = case.make_bucket().await;
        let mut done = 0;
        // Killed again and again on its way, each time later than the last.
        for _ in 0..2 {
            let mut run = case.target().spawn();
            feed(&mut run, input_from(done));
            std::thread::sleep(Duration::from_millis(chance.u64(50..1200)));
            run.signal(Signal::SIGKILL);
            for state in run.wait().states() {
                done = state["done"].as_u64().expect("our states have numbers");
            }
            is_not_behind(&bucket, done).await;
        }
        let outcome = case.load(input_from(done)).success();
        if done < RECORDS {
            assert_eq!(outcome.states().last(), Some(&json!({"done": RECORDS})));
        }
        assert_eq!(bookmarks(&bucket).await, model(RECORDS));
        is_monotonic(&bucket).await;
    }
}

#[tokio::test]
async fn kill_the_server() {
    let mut chance = chance("kill_the_server");
    for round in 0..5 {
        let version = if round == 4 { OLDEST } else { NEWEST };
        let mut server = NatsServer::builder().version(version).start();
        let case = Case::on(&server)
            .set("msgpack", round % 2 == 0)
            .set("state_interval_seconds", 0.05);
        case.make_bucket().await;
        let mut run = case.target().spawn();
        feed(&mut run, input_from(0));
        std::thread::sleep(Duration::from_millis(chance.u64(300..1000)));
        server.kill();
        // Read without a target that goes on writing: whatever was printed by now must be there.
        let mut done = 0;
        while let Some(state) = run.state_within(Duration::from_millis(200)) {
            done = state["done"].as_u64().expect("our states have numbers");
        }
        std::thread::sleep(Duration::from_millis(chance.u64(0..1500)));
        server.restart();
        is_not_behind(&case.bucket().await, done).await;
        let outcome = run.wait().success();
        assert_eq!(outcome.states().last(), Some(&json!({"done": RECORDS})));
        let bucket = case.bucket().await;
        assert_eq!(bookmarks(&bucket).await, model(RECORDS));
        is_monotonic(&bucket).await;
    }
}
