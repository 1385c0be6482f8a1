//! What the target has written, read by the clients that others use: nats.js and nats-py.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::{Value, json};
use target_tests::bucket::Bucket;
use target_tests::case::Case;
use target_tests::python;
use target_tests::singer::{record, schema};

/// Prints keys, values, history and what a watcher sees as one object of JSON.
const JAVASCRIPT: &str = r#"
const { connect } = require("@nats-io/transport-node");
const { Kvm } = require("@nats-io/kv");
const [url, name] = process.argv.slice(1);
const all = async (iterator, take) => {
  const items = [];
  for await (const item of iterator) {
    items.push(item);
    if (take !== undefined && items.length === take) break;
  }
  return items;
};
(async () => {
  const connection = await connect({ servers: url });
  const bucket = await new Kvm(connection).open(name);
  const keys = (await all(await bucket.keys())).sort();
  const text = (entry) => (entry.operation === "PUT" ? entry.string() : entry.operation);
  const seen = { keys, get: {}, history: {}, watch: {}, below: [] };
  for (const key of keys) {
    seen.get[key] = (await bucket.get(key)).string();
    const history = await all(await bucket.history({ key }));
    seen.history[key] = history.map(text);
  }
  const everything = (await bucket.status()).values;
  for (const entry of await all(await bucket.watch({ include: "history" }), everything)) {
    seen.watch[entry.key] = text(entry);
  }
  seen.below = (await all(await bucket.keys("dotted.name.*"))).sort();
  console.log(JSON.stringify(seen));
  await connection.close();
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
"#;

/// The same with nats-py.
const PYTHON: &str = r#"
import asyncio, json, sys
import nats

async def found(look):
    # Now and then, on a busy machine, its watcher takes what is delivered but not yet received
    # for nothing: once in 4,000 times, also of what it has written itself.
    for _ in range(5):
        try:
            if entries := await look():
                return entries
        except nats.js.errors.NoKeysError:
            pass
    sys.exit("nothing is found")

async def watched(watcher):
    watcher, entries = await watcher, []
    while (entry := await watcher.updates(timeout=10)) is not None:
        entries.append(entry)
    return entries

async def main(url, name):
    connection = await nats.connect(url)
    bucket = await connection.jetstream().key_value(name)
    keys = sorted(await found(bucket.keys))
    text = lambda entry: entry.operation or entry.value.decode()
    seen = {"keys": keys, "get": {}, "history": {}, "watch": {}, "below": []}
    for key in keys:
        seen["get"][key] = (await bucket.get(key)).value.decode()
        entries = await found(lambda: bucket.history(key))
        seen["history"][key] = [text(entry) for entry in entries]
    for entry in await found(lambda: watched(bucket.watchall())):
        seen["watch"][entry.key] = text(entry)
    below = await found(lambda: watched(bucket.watch("dotted.name.*")))
    seen["below"] = sorted(entry.key for entry in below)
    print(json.dumps(seen))
    await connection.close()

asyncio.run(main(*sys.argv[1:]))
"#;

/// Values that make awkward keys.
const IDS: [&str; 9] = [
    "plain",
    "a b",
    "a.b",
    "*",
    ">",
    "me@example.org",
    "a=b",
    "żółć/🦀",
    "line\nbreak",
];

/// Two loads, the second of which changes all, and then deletes one.
async fn filled() -> (Case, Bucket) {
    let case = Case::new()
        .set("bucket_history", 5)
        .set("delete_mode", "delete");
    let properties = json!({"id": {"type": "string"}, "n": {"type": "integer"},
        "_sdc_deleted_at": {"type": ["string", "null"]}});
    for n in 0..2 {
        let mut input = schema("dotted.name", properties.clone(), &["id"]);
        for id in IDS {
            input += &record("dotted.name", json!({"id": id, "n": n}));
        }
        // The empty stream's name is none, but one of blanks is.
        input += &schema("with blanks", properties.clone(), &["n", "id"]);
        input += &record("with blanks", json!({"id": format!("x{n}"), "n": -1}));
        let _ = case.load(input).success();
    }
    let gone = json!({"id": "plain", "n": 2, "_sdc_deleted_at": "2026-01-01T00:00:00Z"});
    let input = schema("dotted.name", properties, &["id"]) + &record("dotted.name", gone);
    let _ = case.load(input).success();
    let bucket = case.bucket().await;
    (case, bucket)
}

async fn reads_it_all(client: &mut Command) {
    let (case, bucket) = filled().await;
    let output = python::checked(client.args([&case.url, &case.name]), "the client fails");
    let seen: Value = serde_json::from_slice(&output.stdout).expect("it prints JSON");
    let latest = bucket.latest().await;
    let keys: Vec<_> = latest.keys().cloned().collect();
    assert_eq!(seen["keys"], json!(keys));
    assert_eq!(keys.len(), IDS.len() - 1 + 2, "{keys:?}");
    for (key, entry) in &latest {
        let text = String::from_utf8(entry.value.to_vec()).expect("it is JSON");
        assert_eq!(seen["get"][key], text, "{key}");
    }
    let mut history: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in bucket.messages().await {
        let text = match entry.operation.as_str() {
            "PUT" => String::from_utf8(entry.value.to_vec()).expect("it is JSON"),
            operation => operation.to_owned(),
        };
        history.entry(entry.key).or_default().push(text);
    }
    let gone = "dotted.name.plain";
    for (key, texts) in &history {
        assert_eq!(
            seen["watch"][key],
            *texts.last().expect("one at least"),
            "{key}"
        );
        if key != gone {
            assert_eq!(seen["history"][key], json!(texts), "{key}");
        }
    }
    assert_eq!(seen["watch"][gone], "DEL");
    let below: Vec<_> = keys
        .iter()
        .filter(|key| key.starts_with("dotted.name."))
        .collect();
    let with_gone: Vec<_> = history
        .keys()
        .filter(|key| key.starts_with("dotted.name."))
        .collect();
    let seen = &seen["below"];
    assert!(*seen == json!(below) || *seen == json!(with_gone), "{seen}");
}

#[tokio::test]
async fn nats_js() {
    let programs = python::installed("nats-js");
    let mut node = Command::new(programs.join("node"));
    let environment = programs.parent().expect("it is in an environment");
    reads_it_all(node.current_dir(environment).args(["-e", JAVASCRIPT])).await;
}

#[tokio::test]
async fn nats_py() {
    let mut python = Command::new(python::installed("nats-py").join("python"));
    reads_it_all(python.args(["-c", PYTHON])).await;
}
