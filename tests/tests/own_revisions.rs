//! Keys that come again in one run: what the run has written itself need not be read, and what
//! others have written since is never taken for it.

use std::collections::BTreeMap;

use async_nats::{Client, Subscriber};
use futures_util::StreamExt;
use serde_json::{Value, json};
use target_tests::bucket::{Bucket, jetstream};
use target_tests::case::Case;
use target_tests::singer::{record, schema_with_bookmark, state};
use target_tests::target::Running;

const KEYS: u64 = 400;

fn prologue() -> String {
    let properties = json!({"id": {"type": "integer"}, "b": {"type": "integer"}, "v": {}});
    schema_with_bookmark("s", properties, &["id"], "b")
}

fn row(id: u64, b: u64) -> String {
    record("s", json!({"id": id, "b": b, "v": format!("{b} of {id}")}))
}

/// Sends records of some keys with this bookmark, and waits until they are safe.
fn send(run: &mut Running, ids: impl IntoIterator<Item = u64>, b: u64) {
    let records: String = ids.into_iter().map(|id| row(id, b)).collect();
    let at = json!({"after": b});
    run.send(records + &state(at.clone()));
    assert_eq!(run.state(), at);
}

/// No batch has to wait for more.
fn case() -> Case {
    Case::new()
        .set("batch_size_rows", KEYS)
        .set("state_interval_seconds", 0)
}

/// A run that knows what it has written: the keys came again, and then once more.
fn begun(case: &Case) -> Running {
    let mut run = case.target().spawn();
    run.send(prologue());
    for b in 1..=3 {
        send(&mut run, 0..KEYS, b);
    }
    run
}

/// Sees what the target asks of its bucket's contents.
struct Reads {
    client: Client,
    requests: Subscriber,
    bucket: String,
}

impl Reads {
    async fn watch(case: &Case) -> Self {
        let client = jetstream(&case.url).await.client();
        let requests = client.subscribe("$JS.API.>").await.expect("subscribed");
        client.flush().await.expect("the server knows");
        let bucket = format!("KV_{}", case.name);
        Self {
            client,
            requests,
            bucket,
        }
    }

    /// How many requests there were since the last time.
    async fn count(&mut self) -> usize {
        const ASKS: [&str; 3] = ["DIRECT.GET.", "STREAM.MSG.GET.", "CONSUMER.MSG.NEXT."];
        let end = format!("$JS.API.END.{}", self.bucket);
        let sent = self.client.publish(end.clone(), "".into()).await;
        sent.expect("it is connected");
        let mut count = 0;
        loop {
            let request = self.requests.next().await.expect("it is connected");
            let subject = request.subject.as_str();
            if subject == end {
                return count;
            }
            let is_ours = subject.contains(&self.bucket);
            count += usize::from(is_ours && ASKS.iter().any(|ask| subject.contains(ask)));
        }
    }
}

/// The bookmarks of what is stored.
async fn bookmarks(bucket: &Bucket) -> BTreeMap<String, u64> {
    let contents = bucket.contents().await.into_iter();
    let bookmark = |value: Value| value["b"].as_u64().expect("a bookmark");
    contents
        .map(|(key, value)| (key, bookmark(value)))
        .collect()
}

/// The same, as they should be.
fn all(expected: impl Fn(u64) -> u64) -> BTreeMap<String, u64> {
    let keys = 0..KEYS;
    keys.map(|id| (format!("s.{id}"), expected(id))).collect()
}

#[tokio::test]
async fn what_the_run_wrote_itself_is_not_read() {
    for (mode, encoding) in [("newer", "json"), ("newer", "msgpack"), ("same", "json")] {
        let case = case().set("refresh_mode", mode).set("encoding", encoding);
        let mut reads = Reads::watch(&case).await;
        let mut run = begun(&case);
        let bucket = case.bucket().await;
        assert!(reads.count().await > 0, "{mode}, {encoding}");
        // In another order each time, since what comes in order may be read ahead.
        for b in 4..10 {
            send(&mut run, (0..KEYS).map(|id| (id * 7 + b) % KEYS), b);
        }
        let _ = run.finish().success();
        assert_eq!(reads.count().await, 0, "{mode}, {encoding}");
        assert_eq!(bookmarks(&bucket).await, all(|_| 9));
    }
}

#[tokio::test]
async fn what_would_not_be_written_is_read() {
    for change in ["deleted", "removed", "older", "newer"] {
        let (mut run, bucket, changed) = interrupted(change).await;
        let before = bucket.writes().await;
        // What the run has just written, once more: only a look at the bucket tells that it is gone.
        send(&mut run, 0..KEYS, 3);
        let (expected, writes) = match change {
            "newer" => (1_000, 0),
            _ => (3, changed.len()),
        };
        let now = all(|id| if changed.contains(&id) { expected } else { 3 });
        assert_eq!(bookmarks(&bucket).await, now, "{change}");
        assert_eq!(bucket.writes().await, before + writes as u64, "{change}");
        let _ = run.finish().success();
    }
}

/// Two buckets have the same keys, and the same revisions of them.
#[tokio::test]
async fn what_was_written_to_another_bucket_is_not_taken_for_it() {
    let case = case();
    let mut run = case.clone().set("bucket", "own_{stream}").target().spawn();
    let properties = json!({"x": {"type": "string"}, "id": {"type": "integer"}, "b": {}});
    run.send(schema_with_bookmark(
        "t",
        properties.clone(),
        &["x", "id"],
        "b",
    ));
    run.send(schema_with_bookmark("t.u", properties, &["id"], "b"));
    let mut load = |stream: &str, b: u64| {
        let row = |id: u64| record(stream, json!({"x": "u", "id": id, "b": b}));
        let at = json!({"stream": stream, "b": b});
        run.send((0..KEYS).map(row).collect::<String>() + &state(at.clone()));
        assert_eq!(run.state(), at);
    };
    for (stream, b) in [
        ("t", 1),
        ("t.u", 1),
        ("t", 2),
        ("t.u", 2),
        ("t.u", 20),
        ("t", 10),
    ] {
        load(stream, b);
    }
    // Newer than what `t` has under these keys, and older than what is there.
    load("t.u", 15);
    let _ = run.finish().success();
    let bucket = Bucket::open(&case.url, "own_t_u").await;
    let stored = bookmarks(&bucket).await;
    assert_eq!(stored.len() as u64, KEYS);
    assert!(stored.values().all(|b| *b == 20), "{stored:?}");
}

#[tokio::test]
async fn what_others_wrote_since_is_noticed_by_the_write() {
    for change in ["deleted", "removed", "older", "newer"] {
        let (mut run, bucket, changed) = interrupted(change).await;
        send(&mut run, 0..KEYS, 4);
        let _ = run.finish().success();
        let kept = |id| change == "newer" && changed.contains(&id);
        let now = all(|id| if kept(id) { 1_000 } else { 4 });
        assert_eq!(bookmarks(&bucket).await, now, "{change}");
    }
}

/// A run that has begun, and keys that another writer was at since.
async fn interrupted(change: &str) -> (Running, Bucket, Vec<u64>) {
    let case = case();
    let run = begun(&case);
    let bucket = case.bucket().await;
    let changed: Vec<_> = (0..KEYS).step_by(3).collect();
    change_by_hand(&case, &bucket, &changed, change).await;
    (run, bucket, changed)
}

/// Another writer is at these keys.
async fn change_by_hand(case: &Case, bucket: &Bucket, ids: &[u64], change: &str) {
    let jetstream = jetstream(&case.url).await;
    let store = jetstream.get_key_value(&case.name).await.expect("a bucket");
    for id in ids {
        let key = format!("s.{id}");
        match change {
            "deleted" => store.delete(&key).await.expect("deleted"),
            "removed" => {
                let subject = format!("$KV.{}.{key}", case.name);
                let purge = store.stream.purge().filter(subject);
                assert_eq!(purge.await.expect("removed").purged, 1);
            }
            change => {
                let b = if change == "newer" { 1_000 } else { 0 };
                let value = json!({"id": id, "b": b, "v": "theirs"}).to_string();
                let _ = bucket.put(&key, value).await;
            }
        }
    }
}
