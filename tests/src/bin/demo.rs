//! `cargo demo`: a real tap, the real target and a real NATS server, in both encodings.

#![allow(clippy::print_stdout, reason = "this program's purpose is to show")]

use serde_json::json;
use target_tests::bucket::Bucket;
use target_tests::nats_server::NatsServer;
use target_tests::tap;
use target_tests::target::Target;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let server = NatsServer::start();
    let client = async_nats::connect(server.url())
        .await
        .expect("the server has just started");
    let version = client.server_info().version;
    println!("nats-server {version} listens at {}", server.url());

    let singer = tap::jsonl(&json!({
        "path": "tests/demo/planets.jsonl",
        "stream_name": "planets",
        "primary_keys": ["name"],
        "emit_state_every": 4,
    }));
    println!("\n$ tap-jsonl --config tap.json");
    print!("{}", String::from_utf8_lossy(&singer));

    for encoding in ["json", "msgpack"] {
        let settings = json!({
            "url": server.url(),
            "bucket": format!("planets_{encoding}"),
            "msgpack": encoding == "msgpack",
        });
        println!("\n$ tap-jsonl --config tap.json | target-nats-kv --config {encoding}.json");
        println!("  {encoding}.json: {settings}");
        let outcome = Target::with_config(settings).run(&singer).success();
        println!("  states printed:");
        for state in outcome.stdout.lines() {
            println!("    {state}");
        }
        show(&server.url(), &format!("planets_{encoding}")).await;
    }
}

/// Prints what the bucket holds; MessagePack both as its bytes and decoded.
async fn show(url: &str, name: &str) {
    let bucket = Bucket::open(url, name).await;
    let config = bucket.config().await;
    println!(
        "  bucket {name}: {} writes, history {}, {:?} storage, {} replica",
        bucket.writes().await,
        config.max_messages_per_subject,
        config.storage,
        config.num_replicas
    );
    for (key, entry) in bucket.latest().await {
        println!("    {key}  (revision {})", entry.revision);
        if entry.value.first().is_some_and(|byte| *byte >= 0x80) {
            let start: String = entry.value.iter().take(24).map(hex).collect();
            println!("      {} bytes: {start}…", entry.value.len());
        }
        println!("      {}", entry.json());
    }
}

fn hex(byte: &u8) -> String {
    format!("{byte:02x} ")
}
