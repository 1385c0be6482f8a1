//! Conflicts in the middle of a batch of fast ingest: the server ends the batch there. What is
//! before it is stored, what is behind it is sent again, and all others are as if nothing had been.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use target_tests::bucket::Bucket;
use target_tests::case::Case;
use target_tests::cluster::Cluster;
use target_tests::nats_server::NatsServer;
use target_tests::proxy::{Fate, Frame, From, Proxy};
use target_tests::singer::{record, schema_with_bookmark, state};

/// The records of a batch.
const BATCH: u64 = 1_000;
/// The batch that is cut begins with this key: those before it tell the run that keys are new.
const FIRST: u64 = 3_000;
/// How many keys it has, the last of which come twice.
const KEYS: u64 = BATCH - TWICE;
const TWICE: u64 = 10;

fn records(ids: impl IntoIterator<Item = u64>, b: u64) -> String {
    let record = |id| record("s", json!({"id": id, "b": b}));
    ids.into_iter().map(record).collect()
}

/// Keys that are thought to be new, of which somebody else has written the one at `place` of the
/// second batch, with this bookmark; some come twice. Returns how many writes of that batch
/// had an acknowledgement of their own.
async fn cut(case: &Case, proxy: &Proxy, place: u64, theirs: u64) -> usize {
    let case = case
        .clone()
        .set("url", proxy.url())
        .set("write_path", "fast")
        .set("refresh_mode", "newer")
        .set("batch_size_rows", BATCH)
        .set("state_interval_seconds", 0);
    let acks = Arc::new(AtomicUsize::new(0));
    let conflicts = Arc::new(AtomicUsize::new(0));
    let (of_one, refused) = (Arc::clone(&acks), Arc::clone(&conflicts));
    proxy.rule(move |frame| {
        of_one.fetch_add(usize::from(is_of_one_write(frame)), Ordering::Relaxed);
        refused.fetch_add(usize::from(is_of_a_conflict(frame)), Ordering::Relaxed);
        Fate::Pass
    });
    let mut run = case.target().spawn();
    let properties = json!({"id": {"type": "integer"}, "b": {"type": "integer"}});
    run.send(schema_with_bookmark("s", properties, &["id"], "b"));
    run.send(records(0..FIRST, 10) + &state(json!({"at": "new"})));
    assert_eq!(run.state(), json!({"at": "new"}));
    let bucket = case.bucket().await;
    let value = json!({"id": FIRST + place, "b": theirs}).to_string();
    let _ = bucket.put(&format!("s.{}", FIRST + place), value).await;
    let before = acks.load(Ordering::Relaxed);
    // The last ones come twice, so that their second values are still due when the batch is cut.
    let keys = FIRST..FIRST + KEYS;
    let twice = keys.end - TWICE..keys.end;
    run.send(records(keys, 10) + &records(twice, 11) + &state(json!({"at": "cut"})));
    assert_eq!(run.state(), json!({"at": "cut"}));
    let acks = acks.load(Ordering::Relaxed) - before;
    let outcome = run.finish().success();
    assert!(!outcome.stderr.contains("WARN"), "{}", outcome.stderr);
    assert_eq!(conflicts.load(Ordering::Relaxed), 1, "cut at {place}");
    acks
}

/// What must have been stored under each key by then, in this order.
async fn check(bucket: &Bucket, history: usize, place: u64, theirs: u64) {
    let end = FIRST + KEYS;
    let mut stored = vec![Vec::new(); end as usize];
    for entry in bucket.messages().await {
        if let Some(id) = entry.key.strip_prefix("s.") {
            let id: usize = id.parse().expect("a number");
            stored[id].push(entry.json()["b"].as_u64().expect("a number"));
        }
    }
    for (id, values) in (0..).zip(stored) {
        let is_theirs = id == FIRST + place;
        let is_twice = id >= end - TWICE;
        let mut expected: Vec<u64> = is_theirs.then_some(theirs).into_iter().collect();
        // Without a history only the value that would be left standing is written.
        let ours = match (is_twice, history) {
            (true, 1) => vec![11],
            (true, _) => vec![10, 11],
            (false, _) => vec![10],
        };
        expected.extend(ours.into_iter().filter(|b| !is_theirs || *b > theirs));
        let kept = expected.len().saturating_sub(history);
        assert_eq!(values, expected[kept..], "{id}, cut at {place}, {theirs}");
    }
}

/// How many writes have an acknowledgement of their own: all that are sent again, and with a history
/// the second values of keys that come twice.
fn expected(place: u64, theirs: u64, history: usize) -> usize {
    let left_out = usize::from(theirs > 10);
    let again = (KEYS - place) as usize - left_out;
    match history {
        1 => again,
        _ if place >= KEYS - TWICE => again + TWICE as usize - left_out,
        _ => again + TWICE as usize,
    }
}

/// Whether it acknowledges one write, and not a batch.
fn is_of_one_write(frame: &Frame) -> bool {
    let text = String::from_utf8_lossy(&frame.bytes);
    let others = ["\"type\":", "\"batch\":", "\"error\":"];
    frame.is_ack() && !others.iter().any(|other| text.contains(other))
}

fn is_of_a_conflict(frame: &Frame) -> bool {
    frame.is_ack() && String::from_utf8_lossy(&frame.bytes).contains("\"err_code\":10071")
}

#[tokio::test]
async fn wherever_the_conflict_is() {
    let server = NatsServer::start();
    let last = KEYS - 1;
    for (history, others) in [(1, false), (1, true), (20, false), (20, true)] {
        for (place, theirs) in [(0, 5), (1, 20), (500, 5), (501, 20), (last, 5), (last, 20)] {
            let proxy = Proxy::to(&server.url());
            let case = Case::on(&server).set("bucket_history", history);
            // Somebody else writes to other keys, so that revisions are not known.
            let (started, stop) = (case.clone(), Arc::new(AtomicBool::new(!others)));
            let until = Arc::clone(&stop);
            let rival = tokio::spawn(async move {
                let mut number = 0_u64;
                let mut bucket = None;
                while !until.load(Ordering::Relaxed) {
                    if Bucket::exists(&started.url, &started.name).await {
                        let bucket = match &bucket {
                            Some(bucket) => bucket,
                            None => bucket.insert(started.bucket().await),
                        };
                        let _ = bucket.put(&format!("x.{}", number % 100), "0").await;
                        number += 1;
                    }
                }
            });
            let acks = cut(&case, &proxy, place, theirs).await;
            stop.store(true, Ordering::Relaxed);
            rival.await.expect("it ends");
            let expected = expected(place, theirs, history);
            assert_eq!(acks, expected, "{place}, {theirs}, history {history}");
            check(&case.bucket().await, history, place, theirs).await;
        }
    }
}

/// What the server says of the conflict, and of what it has stored before, takes its time.
#[tokio::test]
async fn on_a_slow_line() {
    let server = NatsServer::start();
    let slow = Proxy::to(&server.url());
    slow.rule(|frame| match frame.from {
        From::Server if String::from_utf8_lossy(&frame.bytes).contains("\"count\":") => {
            Fate::Delay(Duration::from_millis(1_500))
        }
        _ => Fate::Pass,
    });
    let case = Case::on(&server);
    let _ = cut(&case, &Proxy::to(&slow.url()), 500, 5).await;
    check(&case.bucket().await, 1, 500, 5).await;
}

/// Three replicas: the conflict is told while what is before it is not stored yet.
#[tokio::test]
async fn in_a_cluster() {
    let cluster = Cluster::start().await;
    for place in [0, 500, KEYS - 1] {
        let case = Case::on(&cluster.servers[0]).set("bucket_replicas", 3);
        let proxy = Proxy::to(&cluster.servers[0].url());
        let acks = cut(&case, &proxy, place, 5).await;
        assert_eq!(acks, expected(place, 5, 1), "{place}");
        check(&case.bucket().await, 1, place, 5).await;
    }
}
