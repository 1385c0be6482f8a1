//! Reads that are behind: JetStream lets any replica and any mirror answer a direct get, and one
//! may not know yet what its leader has stored. Here thirty mirrors do not, and never will.

use async_nats::jetstream::stream;
use serde_json::json;
use target_tests::bucket::{Bucket, jetstream};
use target_tests::case::Case;
use target_tests::oracle::Workload;
use target_tests::singer::{record, schema, schema_with_bookmark, state};

const KEYS: u64 = 300;

/// Records with this bookmark for all keys.
fn input(b: u64) -> String {
    let properties = json!({"id": {"type": "integer"}, "b": {"type": "integer"}});
    let mut input = schema_with_bookmark("s", properties, &["id"], "b");
    for id in 0..KEYS {
        input += &record("s", json!({"id": id, "b": b}));
    }
    input + &state(json!({"b": b}))
}

/// Mirrors of the bucket that answer for it, and learn of nothing any more.
async fn freeze_what_mirrors_know(case: &Case, bucket: &Bucket) {
    let jetstream = jetstream(&case.url).await;
    for number in 0..30 {
        let mirror = stream::Config {
            name: format!("{}_mirror_{number}", case.name),
            mirror: Some(stream::Source {
                name: bucket.config().await.name,
                ..stream::Source::default()
            }),
            mirror_direct: true,
            max_messages_per_subject: 64,
            ..stream::Config::default()
        };
        let made = jetstream.create_stream(mirror.clone()).await;
        let made = made.expect("the server takes it");
        while made.get_info().await.expect("it answers").state.messages < KEYS {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        let sealed = stream::Config {
            sealed: true,
            ..made.get_info().await.expect("it answers").config
        };
        let sealed = jetstream.update_stream(sealed).await;
        sealed.expect("the server takes it");
    }
}

/// Each write is decided by what is stored, not by what was read: older records lose, newer ones
/// win, and neither is tried for ever.
#[tokio::test]
async fn mirrors_that_are_behind() {
    for mode in ["newer", "same"] {
        let case = Case::new()
            .set("refresh_mode", mode)
            .set("batch_size_rows", 20)
            // A conflict is settled by one look at the leader, so nothing has to be tried again.
            .set("max_retry_seconds", 0);
        let bucket = case.make_bucket().await;
        let _ = case.load(input(1)).success();
        freeze_what_mirrors_know(&case, &bucket).await;
        let holds = async |half: u64, other: u64| {
            let stored = Workload::default().holds(&bucket, &[]).await;
            for id in 0..KEYS {
                let expected = if id % 2 == 0 { half } else { other };
                assert_eq!(stored[&format!("s.{id}")], expected, "{mode}, key {id}");
            }
        };
        for id in (0..KEYS).step_by(2) {
            bucket
                .put(&format!("s.{id}"), json!({"id": id, "b": 5}).to_string())
                .await;
        }
        for (b, half, other) in [(3, 5, 3), (7, 7, 7), (6, 7, 7)] {
            let outcome = case.load(input(b)).success();
            assert_eq!(outcome.states().last(), Some(&json!({"b": b})));
            holds(half, other).await;
        }
    }
}

/// A record that looks as if it were there already, to who does not know what came after it.
#[tokio::test]
async fn what_was_there_once_is_not_taken_for_what_is() {
    let case = Case::new();
    let bucket = case.make_bucket().await;
    let input = |v: &str| {
        let mut input = schema("s", json!({"id": {"type": "integer"}, "v": {}}), &["id"]);
        for id in 0..KEYS {
            input += &record("s", json!({"id": id, "v": v}));
        }
        input
    };
    let _ = case.load(input("first")).success();
    freeze_what_mirrors_know(&case, &bucket).await;
    for v in ["second", "first", "second"] {
        let _ = case.load(input(v)).success();
        let contents = bucket.contents().await;
        assert_eq!(contents.len() as u64, KEYS);
        assert!(contents.values().all(|value| value["v"] == v), "{v}");
    }
}
