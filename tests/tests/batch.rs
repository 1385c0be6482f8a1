//! BATCH messages: files of records, from this machine and from servers.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use serde_json::{Value, json};
use target_tests::case::Case;
use target_tests::file_server::FileServer;
use target_tests::object_store::ObjectStore;
use target_tests::place;
use target_tests::singer::{line, record, schema, state};
use target_tests::target::Outcome;

fn people() -> String {
    let properties = json!({"id": {"type": "integer"}, "name": {"type": ["string", "null"]}});
    schema("people", properties, &["id"])
}

fn batch(encoding: Value, manifest: &[String]) -> String {
    line(json!({"type": "BATCH", "stream": "people", "encoding": encoding, "manifest": manifest}))
}

fn jsonl(manifest: &[String]) -> String {
    batch(json!({"format": "jsonl"}), manifest)
}

fn lines(ids: impl IntoIterator<Item = u32>) -> String {
    let record = |id| line(json!({"id": id, "name": format!("person {id}")}));
    ids.into_iter().map(record).collect()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).expect("in memory");
    encoder.finish().expect("in memory")
}

fn zstd(text: &str) -> Vec<u8> {
    zstd::encode_all(text.as_bytes(), 3).expect("in memory")
}

/// Files of a test.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("writable"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file and returns its URL.
    fn put(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        fs::write(self.path(name), content).expect("writable");
        format!("file://{}", self.path(name).display())
    }
}

async fn names(case: &Case) -> Vec<String> {
    case.bucket().await.keys().await
}

/// A good record and state, this BATCH, and what must not be reached.
fn around(batch: &str) -> String {
    [
        people(),
        record("people", json!({"id": 900, "name": "before"})),
        state(json!({"before": 1})),
        batch.to_owned(),
        record("people", json!({"id": 901, "name": "after"})),
        state(json!({"after": 1})),
    ]
    .concat()
}

/// The run fails in line 4, loads what came before, and says where.
async fn fails(batch: &str, said: &[&str]) -> (Case, Outcome) {
    let case = Case::new();
    let outcome = case.load(around(batch)).exited(1);
    assert_eq!(outcome.states(), [json!({"before": 1})], "{batch}");
    for said in [&["line 4"], said].concat() {
        assert!(outcome.stderr.contains(said), "{said}: {}", outcome.stderr);
    }
    let keys = names(&case).await;
    assert!(keys.contains(&"people.900".to_owned()));
    assert!(!keys.contains(&"people.901".to_owned()));
    (case, outcome)
}

#[tokio::test]
async fn files_of_lines_are_loaded_whatever_their_compression() {
    let files = Files::new();
    let plain = files.put("plain.jsonl", lines(1..=3));
    let unzipped = files.put("packed", gzip(&lines(4..=6)));
    let zipped = files.put(
        "packed.jsonl.gz",
        [gzip(&lines(7..=8)), gzip(&lines([9]))].concat(),
    );
    let packed = files.put("packed.jsonl.zst", zstd(&lines(10..=12)));
    let named = files.put("named", zstd(&lines([13])));
    let nothing = files.put("nothing.jsonl", "");
    let input = [
        people(),
        jsonl(&[plain, zipped, packed, nothing]),
        batch(
            json!({"format": "jsonl", "compression": "gzip"}),
            &[unzipped],
        ),
        batch(json!({"format": "jsonl", "compression": "zstd"}), &[named]),
        state(json!({"n": 1})),
    ]
    .concat();
    let case = Case::new();
    let outcome = case.load(input).success();
    assert_eq!(outcome.states(), [json!({"n": 1})]);
    let contents = case.bucket().await.contents().await;
    assert_eq!(contents.len(), 13);
    let one = &contents["people.7"];
    assert_eq!(one["name"], "person 7");
    assert!(one["_sdc_received_at"].is_string(), "{one}");
}

#[tokio::test]
async fn records_before_and_after_it_keep_their_order() {
    let files = Files::new();
    let both = line(json!({"id": 1, "name": "second"})) + &line(json!({"id": 1, "name": "third"}));
    let file = files.put("people.jsonl", both);
    let case = Case::new().set("refresh_mode", "full");
    let bucket = case.make_bucket().await;
    let input = [
        people(),
        record("people", json!({"id": 1, "name": "first"})),
        jsonl(&[file]),
        record("people", json!({"id": 1, "name": "fourth"})),
    ]
    .concat();
    let _ = case.load(input).success();
    let written: Vec<Value> = bucket
        .messages()
        .await
        .iter()
        .map(|entry| entry.json()["name"].clone())
        .collect();
    assert_eq!(written, ["first", "second", "third", "fourth"]);
}

#[tokio::test]
async fn its_records_are_validated_and_go_to_the_dead_letter_as_others() {
    let files = Files::new();
    let bad =
        lines(1..=2) + "{\"id\":\"canary\"}\n{\"id\":4,\"name\":\"\\ud800\"}\n[]\n" + &lines([6]);
    let file = files.put("people.jsonl", bad);
    let (_, outcome) = fails(
        &jsonl(std::slice::from_ref(&file)),
        &["people.jsonl, line 3", "/id"],
    )
    .await;
    assert!(!outcome.stderr.contains("canary"), "{}", outcome.stderr);

    let dead_letter = files.path("dead-letter.jsonl");
    let case = Case::new()
        .set("on_invalid_record", "dead_letter")
        .set("dead_letter_file", dead_letter.display().to_string());
    let input = [people(), jsonl(&[file]), state(json!({"n": 1}))].concat();
    let outcome = case.load(input).success();
    assert_eq!(outcome.states(), [json!({"n": 1})]);
    assert_eq!(names(&case).await, ["people.1", "people.2", "people.6"]);
    let kept = fs::read_to_string(dead_letter).expect("it was written");
    let reasons: Vec<Value> = kept
        .lines()
        .filter_map(|line| {
            let message: Value = serde_json::from_str(&line.replace("\\ud800", "")).expect("JSON");
            Some(message.get("error")?["reason"].clone())
        })
        .collect();
    assert_eq!(reasons.len(), 3, "{kept}");
    for (reason, number) in reasons.iter().zip([3, 4, 5]) {
        let reason = reason.as_str().expect("a text");
        assert!(
            reason.contains(&format!("people.jsonl, line {number}:")),
            "{reason}"
        );
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_told_with_file_and_place() {
    let files = Files::new();
    let text = lines(100_001..=120_000);
    let cut = |bytes: Vec<u8>| bytes[..bytes.len() / 2].to_vec();
    let corrupt = |mut bytes: Vec<u8>| {
        let middle = bytes.len() / 2;
        bytes[middle..middle + 64].fill(0xa5);
        bytes
    };
    let half = &text[..text.len() - 10];
    for (name, content, said) in [
        (
            "half.jsonl",
            half.as_bytes().to_vec(),
            &["line 20000", "column"][..],
        ),
        ("cut.jsonl.gz", cut(gzip(&text)), &["after line"]),
        ("cut.jsonl.zst", cut(zstd(&text)), &["cannot be read"]),
        ("corrupt.jsonl.gz", corrupt(gzip(&text)), &[]),
        ("corrupt.jsonl.zst", corrupt(zstd(&text)), &[]),
        (
            "plain.jsonl.gz",
            b"{\"id\":1}\n".to_vec(),
            &["cannot be read"],
        ),
        (
            "bad.jsonl",
            b"{\"id\":1}\n{\"id\":canary}\n".to_vec(),
            &["line 2", "column"],
        ),
        ("no.parquet", b"{\"id\":1}\n".to_vec(), &[]),
    ] {
        let url = files.put(name, content);
        let format = if name.ends_with("parquet") {
            "parquet"
        } else {
            "jsonl"
        };
        let said = [&[name], said].concat();
        let (_, outcome) = fails(&batch(json!({"format": format}), &[url]), &said).await;
        assert!(!outcome.stderr.contains("canary"), "{}", outcome.stderr);
    }
    fails(
        &jsonl(&["file:///no/such/file.jsonl".into()]),
        &["/no/such/file.jsonl"],
    )
    .await;
    fails(
        &jsonl(&["people.jsonl".into()]),
        &["file 1 of the BATCH", "URL"],
    )
    .await;
    fails(
        &jsonl(&["ftp://127.0.0.1/x".into()]),
        &["ftp://127.0.0.1/x"],
    )
    .await;
    let secret = "https://user:canary@127.0.0.1:1/x?canary".to_owned();
    let (_, outcome) = fails(&jsonl(&[secret]), &["query"]).await;
    assert!(!outcome.stderr.contains("canary"), "{}", outcome.stderr);
}

#[tokio::test]
async fn rows_of_parquet_are_records() {
    for compression in ["snappy", "zstd"] {
        let file = format!("tests/batch/people.{compression}.parquet");
        let path = place::repository().join(file);
        let input = [
            people(),
            batch(
                json!({"format": "parquet"}),
                &[format!("file://{}", path.display())],
            ),
        ]
        .concat();
        let case = Case::new();
        let _ = case.load(input).success();
        let bucket = case.bucket().await;
        let contents = bucket.contents().await;
        assert_eq!(contents.len(), 7);
        let mut first = contents["people.1"].clone();
        let members = first.as_object_mut().expect("an object");
        members.retain(|name, _| !name.starts_with("_sdc_"));
        let price: Value = serde_json::from_str("12345678901234567.89").expect("JSON");
        assert_eq!(
            first,
            json!({"id": 1, "name": "Ann", "at": "2024-02-29T12:00:00.123456Z",
                "day": "2024-02-29", "price": price, "ok": true, "tags": ["a", "b"],
                "at_home": {"city": "X", "zip": 0}, "share": 0.1})
        );
        assert_eq!(contents["people.3"]["name"], Value::Null);
        assert_eq!(contents["people.3"]["tags"], Value::Null);
        assert_eq!(contents["people.5"]["name"], "語");
    }
}

#[tokio::test]
async fn a_large_file_takes_no_more_memory_than_a_small_one() {
    let files = Files::new();
    let peak = |count: u32| {
        let name = format!("{count}.jsonl.zst");
        let file = files.put(&name, zstd(&lines(1..=count)));
        let case = Case::new().set("refresh_mode", "full");
        let mut running = case.target().spawn();
        let _ = running.send([people(), jsonl(&[file]), state(json!({"n": 1}))].concat());
        assert_eq!(running.state(), json!({"n": 1}));
        let status = fs::read_to_string(format!("/proc/{}/status", running.id()));
        let status = status.expect("it runs");
        let _ = running.finish().success();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = peak.expect("Linux tells").trim().trim_end_matches(" kB");
        kilobytes.parse::<u64>().expect("a number")
    };
    let (small, large) = (peak(20_000), peak(200_000));
    assert!(large < small + 8 * 1024, "{small} kB, then {large} kB");
}

#[tokio::test]
async fn from_web_servers() {
    let files = Files::new();
    files.put("people.jsonl.gz", gzip(&lines(1..=5_000)));
    let key = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("made");
    files.put("cert.pem", key.cert.pem());
    files.put("key.pem", key.signing_key.serialize_pem());
    let certificate = files.path("cert.pem");
    for (scheme, tls) in [("http", false), ("https", true)] {
        let key = files.path("key.pem");
        let pair = tls.then_some((certificate.as_path(), key.as_path()));
        let server = FileServer::http(files.0.path(), pair);
        let at = |name: &str| format!("{scheme}://127.0.0.1:{}/{name}", server.port());
        let load = |name: &str| {
            let case = Case::new();
            let trusting = case
                .target()
                .env("SSL_CERT_FILE", &certificate.display().to_string());
            let outcome = trusting.run([people(), jsonl(&[at(name)])].concat());
            (case, outcome)
        };
        let (case, outcome) = load("people.jsonl.gz");
        let _ = outcome.success();
        assert_eq!(names(&case).await.len(), 5_000);
        let (_, outcome) = load("absent.jsonl");
        let outcome = outcome.exited(1);
        assert!(
            outcome.stderr.contains(&at("absent.jsonl")),
            "{}",
            outcome.stderr
        );
    }
}

/// Files of this store, whose bucket has this address, are loaded; one that it lacks is told.
async fn load_from(store: &ObjectStore, bucket: &str) {
    let files = Files::new();
    files.put("people.jsonl.zst", zstd(&lines(101..=5_100)));
    store.put("in/people.jsonl.zst", &files.path("people.jsonl.zst"));
    let parquet = place::repository().join("tests/batch/people.snappy.parquet");
    store.put("in/people.parquet", &parquet);
    let at = |name: &str| [format!("{bucket}/in/{name}")];
    let load = |input: String| {
        let case = Case::new();
        // Not meant for the stores, though their clients know these names, too.
        let others = [("TIMEOUT", "5"), ("TOKEN", "x"), ("ALLOW_HTTP", "x")];
        let mut target = case.target().env("ODD", OsStr::from_bytes(b"\xff"));
        for (name, value) in others {
            target = target.env(name, value);
        }
        for (name, value) in store.environment() {
            target = target.env(name, &value);
        }
        (case, target.run(input))
    };
    let (case, outcome) = load(
        [
            people(),
            jsonl(&at("people.jsonl.zst")),
            batch(json!({"format": "parquet"}), &at("people.parquet")),
            state(json!({"n": 1})),
        ]
        .concat(),
    );
    assert_eq!(outcome.success().states(), [json!({"n": 1})]);
    let contents = case.bucket().await.contents().await;
    assert_eq!(contents.len(), 5_007);
    assert_eq!(contents["people.1"]["name"], "Ann");
    for id in [101, 5_100] {
        let one = &contents[&format!("people.{id}")];
        assert_eq!(one["name"], format!("person {id}"));
    }

    let (case, outcome) = load(around(&jsonl(&at("absent.jsonl"))));
    let outcome = outcome.exited(1);
    assert_eq!(outcome.states(), [json!({"before": 1})]);
    assert_eq!(names(&case).await, ["people.900"]);
    let absent = &at("absent.jsonl")[0];
    for said in ["line 4", absent, "not found"] {
        assert!(outcome.stderr.contains(said), "{said}: {}", outcome.stderr);
    }
}

#[tokio::test]
async fn from_s3() {
    load_from(&ObjectStore::s3("data"), "s3://data").await;
}

#[tokio::test]
async fn from_google() {
    load_from(&ObjectStore::google("data"), "gs://data").await;
}

#[tokio::test]
async fn from_azure() {
    load_from(&ObjectStore::azure("data"), "az://data").await;
}
