//! Servers that are reached by a detour: a leaf node's domain and another account's bucket; and how
//! the connection looks from the server's side.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};
use target_tests::bucket::Bucket;
use target_tests::case::Case;
use target_tests::file_server::free_port;
use target_tests::nats_server::NatsServer;
use target_tests::page;
use target_tests::server_binary::{NEWEST, OLDEST};
use target_tests::singer::{record, schema, state};
use target_tests::target::Target;

fn input(ids: std::ops::Range<u64>, n: u64) -> String {
    let mut input = schema("s", json!({"id": {}, "n": {"type": "integer"}}), &["id"]);
    for id in ids {
        input += &record("s", json!({"id": id, "n": n}));
    }
    input + &state(json!({"n": n}))
}

fn run(case: &Case, args: &[&str]) -> String {
    let outcome = Target::with_config_and(case.settings.clone(), args).run("");
    outcome.success().stdout
}

/// Loads twice in each mode, so that all is read and written; then checks.
async fn works(case: &Case, inside: &str) {
    for (n, mode) in ["newer", "same", "full", "newer"].into_iter().enumerate() {
        let case = case.clone().set("refresh_mode", mode);
        let outcome = case.load(input(0..300, n as u64)).success();
        assert_eq!(outcome.states().last(), Some(&json!({"n": n})));
        assert!(!outcome.stderr.contains("WARN"), "{}", outcome.stderr);
    }
    let bucket = Bucket::open(inside, &case.name).await;
    assert_eq!(bucket.keys().await.len(), 300);
    let writes = bucket.writes().await;
    let again = case.load(input(0..300, 3)).success();
    assert_eq!(again.states(), [json!({"n": 3})]);
    assert_eq!(
        bucket.writes().await,
        writes,
        "all of it was read, and is there"
    );
    let other = bucket.put("s.7", r#"{"id":7,"n":9}"#).await;
    assert!(other > writes);
    let _ = case.load(input(0..300, 4)).success();
    let checked = run(case, &["check"]);
    assert!(
        !checked.contains("warning") && !checked.contains("FAILED"),
        "{checked}"
    );
}

/// A hub and a leaf node, each with JetStream in a domain of its own.
fn hub_and_leaf(version: &str) -> (NatsServer, NatsServer) {
    let port = free_port();
    let domain = |name: &str| format!("server_name: {name}\n");
    let hub = NatsServer::builder()
        .version(version)
        .domain("hub")
        .config(&format!(
            "{}leafnodes {{ listen: \"127.0.0.1:{port}\" }}",
            domain("hub")
        ))
        .start();
    let leaf = NatsServer::builder()
        .version(version)
        .domain("leaf")
        .config(&format!(
            "{}leafnodes {{ remotes: [{{ url: \"nats://127.0.0.1:{port}\" }}] }}",
            domain("leaf")
        ))
        .start();
    (hub, leaf)
}

/// Who is connected to the hub loads into the leaf's bucket, and the other way round.
#[tokio::test]
async fn the_domain_of_a_leaf_node() {
    for version in [NEWEST, OLDEST] {
        let (hub, leaf) = hub_and_leaf(version);
        for (near, far, domain) in [(&hub, &leaf, "leaf"), (&leaf, &hub, "hub")] {
            let case = Case::on(near).set("jetstream_domain", domain);
            works(&case, &far.url()).await;
            let catalog: Value = serde_json::from_str(&run(&case, &["discover"])).expect("JSON");
            assert_eq!(catalog["streams"][0]["tap_stream_id"], "s");
            assert!(!Bucket::exists(&near.url(), &case.name).await, "{domain}");
        }
        let wrong = Case::on(&hub).set("jetstream_domain", "nowhere");
        let outcome = wrong.load(input(0..1, 0)).exited(3);
        assert!(
            outcome.stderr.contains("jetstream_domain"),
            "{}",
            outcome.stderr
        );
    }
}

/// The configuration of two accounts as `docs/operations.md` shows it.
fn accounts() -> String {
    let mut blocks = page::blocks(&page::read("docs/operations.md")).into_iter();
    let block = blocks.find(|block| block.kind == "conf");
    block.expect("the page shows it").text
}

/// A user of one account loads into the bucket of another, which exports it.
#[tokio::test]
async fn the_bucket_of_another_account() {
    for version in [NEWEST, OLDEST] {
        let server = NatsServer::builder()
            .version(version)
            .config(&accounts())
            .start();
        let inside = server.url().replace("nats://", "nats://owner:secret@");
        let bucket = Bucket::create(&inside, "singer", 1).await;
        let mut case = Case::on(&server)
            .set("user", "loader")
            .set("password", "secret")
            .set("jetstream_api_prefix", "JS.shop")
            .set("bucket", "singer");
        case.name = "singer".to_owned();
        works(&case, &inside).await;
        // At the end all but what the last run has written is deleted.
        let whole = case
            .clone()
            .set("refresh_mode", "full")
            .set("load_method", "overwrite");
        let _ = whole.load(input(0..100, 5)).success();
        assert_eq!(bucket.keys().await.len(), 100);
        let catalog: Value = serde_json::from_str(&run(&case, &["discover"])).expect("JSON");
        assert_eq!(catalog["streams"][0]["row_count"], 100);
        // The owner's other buckets are not exported.
        let other = case
            .clone()
            .set("bucket", "other")
            .set("request_timeout_seconds", 1);
        let _ = other.load(input(0..1, 0)).exited(3);
    }
}

/// What the server's monitoring shows of its connections.
fn connections(port: u16) -> Vec<Value> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the server monitors");
    let request = "GET /connz HTTP/1.0\r\nHost: localhost\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("it listens");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let (_, body) = answer.split_once("\r\n\r\n").expect("it is HTTP");
    let body: Value = serde_json::from_str(body).expect("it is JSON");
    body["connections"].as_array().expect("a list").clone()
}

#[test]
fn the_name_of_the_connection_is_seen_by_the_server() {
    let port = free_port();
    let server = NatsServer::builder()
        .config(&format!("http: \"127.0.0.1:{port}\""))
        .start();
    let case = Case::on(&server);
    for (case, name) in [
        (
            case.clone(),
            concat!("target-nats-kv ", env!("CARGO_PKG_VERSION")),
        ),
        (
            case.set("connection_name", "nightly orders"),
            "nightly orders",
        ),
    ] {
        let mut run = case.target().spawn();
        assert!(run.send(input(0..1, 0)));
        let _ = run.state();
        let seen = connections(port);
        assert_eq!(seen.len(), 1, "{seen:?}");
        assert_eq!(seen[0]["name"], name);
        assert_eq!(seen[0]["lang"], "rust");
        let _ = run.finish().success();
    }
}
