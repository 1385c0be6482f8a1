//! The limits of the server and the bucket, to the byte: what fits is stored, what does not is an
//! invalid record. And a disk that is full, which is nobody's fault but ends the run.

use std::path::Path;
use std::process::Command;

use async_nats::jetstream::kv;
use serde_json::json;
use target_tests::bucket::Bucket;
use target_tests::case::Case;
use target_tests::nats_server::NatsServer;
use target_tests::oracle::Workload;
use target_tests::server_binary::{NEWEST, OLDEST};
use target_tests::singer::{record, schema, state};

fn input(id: &str, text: &str) -> String {
    [
        schema("s", json!({"id": {}}), &["id"]),
        record("s", json!({"id": id, "text": text})),
        state(json!({"n": 1})),
    ]
    .concat()
}

/// A value of exactly so many bytes, headers included, is stored, and one of a byte more refused.
async fn is_the_limit(case: Case, bytes: usize, said: &str) {
    // A new key is written with a condition, except in full.
    let condition = "NATS/1.0\r\nNats-Expected-Last-Subject-Sequence: 0\r\n\r\n";
    for (mode, headers) in [("newer", condition.len()), ("full", 0)] {
        let case = case.clone().set("refresh_mode", mode);
        let empty = case.load(input(mode, "")).success();
        assert_eq!(empty.states(), [json!({"n": 1})]);
        let bucket = Bucket::open(&case.url, &case.name).await;
        let rest = bucket.text(&format!("s.{mode}")).await.len() + headers;
        let id = |end: &str| format!("{mode}{end}");
        // The key is part of the value: one character more.
        let text = "x".repeat(bytes - rest - 1);
        let _ = case.load(input(&id("1"), &text)).success();
        let outcome = case.load(input(&id("2"), &format!("{text}x"))).exited(1);
        for part in ["line 2", said, &bytes.to_string()] {
            assert!(outcome.stderr.contains(part), "{part}: {}", outcome.stderr);
        }
        assert!(outcome.states().is_empty());
        let keys = bucket.keys().await;
        assert!(keys.contains(&format!("s.{mode}1")), "{keys:?}");
        assert!(!keys.contains(&format!("s.{mode}2")), "{keys:?}");
    }
}

#[tokio::test]
async fn max_payload() {
    let server = NatsServer::builder().config("max_payload: 5000").start();
    is_the_limit(Case::on(&server), 5000, "max_payload").await;
}

#[tokio::test]
async fn max_value_size() {
    let case = Case::new();
    case.make_bucket_with(kv::Config {
        max_value_size: 3000,
        ..kv::Config::default()
    })
    .await;
    is_the_limit(case, 3000, "max_value_size").await;
}

/// The server closes the connection over a longer line, also when the key is read back.
#[tokio::test]
async fn control_line() {
    for version in [NEWEST, OLDEST] {
        let server = NatsServer::builder().version(version).start();
        for direct in [true, false] {
            let case = Case::on(&server);
            let stream = async_nats::jetstream::stream::Config {
                name: format!("KV_{}", case.name),
                subjects: vec![format!("$KV.{}.>", case.name)],
                max_messages_per_subject: 1,
                allow_direct: direct,
                ..Default::default()
            };
            target_tests::bucket::jetstream(&case.url)
                .await
                .create_stream(stream)
                .await
                .expect("the server takes it");
            let longest = "k".repeat(3800 - format!("$KV.{}.s.", case.name).len());
            for text in ["first", "read back and written again"] {
                let _ = case.load(input(&longest, text)).success();
            }
            let outcome = case.load(input(&format!("{longest}k"), "")).exited(1);
            assert!(
                outcome.stderr.contains("its key takes"),
                "{}",
                outcome.stderr
            );
            let contents = case.bucket().await.contents().await;
            let text = &contents[&format!("s.{longest}")]["text"];
            assert_eq!(text, "read back and written again");
        }
    }
}

/// A small file system of its own, for as long as this lives.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// None where the system does not permit it.
    fn mount(size: &str) -> Option<Self> {
        let directory = tempfile::tempdir().expect("the temporary directory is writable");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(directory.path())
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then_some(Self(directory))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk() {
    let Some(disk) = SmallDisk::mount("12m") else {
        #[allow(
            clippy::print_stderr,
            reason = "a test that was not run must not look like one"
        )]
        {
            eprintln!("SKIPPED a_full_disk: mounting a tmpfs is not permitted here");
        }
        return;
    };
    let server = NatsServer::builder().store(disk.path()).start();
    let case = Case::on(&server)
        .set("on_invalid_record", "skip")
        .set("max_retry_seconds", 5)
        .set("state_interval_seconds", 0.05);
    let workload = Workload {
        size: 4_000,
        ..Workload::of(5_000)
    };
    case.make_bucket().await;
    let mut run = case.target().spawn();
    workload.feed(&mut run, 0);
    let outcome = run.wait().exited(1);
    // The server stops to acknowledge, and says why only in its log.
    assert!(server.log().contains("no space left on device"));
    assert!(!outcome.states().is_empty(), "{}", outcome.stderr);
    assert_ne!(
        outcome.states().last(),
        Some(&json!({"done": workload.records}))
    );
    // What was acknowledged before can be read still.
    workload
        .holds(&case.bucket().await, &outcome.states())
        .await;
    drop(server);
}
