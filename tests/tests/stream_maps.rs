//! Stream maps through the binary, beside what the Meltano SDK's own mapper makes of the same.
//!
//! `tests/stream_maps` has what is compared: expressions, the examples of the SDK's documentation
//! and their input. The differences are in a table in `docs/stream-maps.md`, which is checked, too.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Map, Value, json};
use target_tests::case::Case;
use target_tests::place;
use target_tests::sdk_maps;
use target_tests::singer::{line, raw_record, record, schema, state};

fn file(name: &str) -> String {
    let path = place::repository().join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The records of a bucket, sorted, by the streams of these names, without `_sdc_*`.
async fn stored<'n>(
    case: &Case,
    streams: impl IntoIterator<Item = &'n String>,
) -> BTreeMap<&'n str, Vec<String>> {
    let contents = case.bucket().await.contents().await;
    let mut stored = BTreeMap::new();
    for stream in streams {
        let prefix = format!("{stream}.");
        let ours = contents.iter().filter(|(key, _)| key.starts_with(&prefix));
        let mut records: Vec<String> = ours.map(|(_, record)| data(record.clone())).collect();
        records.sort();
        stored.insert(stream.as_str(), records);
    }
    assert_eq!(stored.values().map(Vec::len).sum::<usize>(), contents.len());
    stored
}

fn data(mut record: Value) -> String {
    let members = record.as_object_mut().expect("a record");
    members.retain(|name, _| !name.starts_with("_sdc_"));
    record.to_string()
}

/// Expressions beside the record that they are for and the `stream_map_config`.
struct Table {
    expressions: Vec<String>,
    record: String,
    config: Value,
}

impl Table {
    fn read() -> Self {
        let text = file("tests/stream_maps/expressions.txt");
        let mut objects = text.lines().filter_map(|line| line.strip_prefix("# {"));
        let mut object = || format!("{{{}", objects.next().expect("an object"));
        let config = serde_json::from_str(&object()).expect("JSON");
        let record = object();
        let expressions = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self {
            expressions: expressions.map(str::to_owned).collect(),
            record,
            config,
        }
    }

    /// What the SDK gives for one expression; an error as `{"error": …}`.
    fn of_sdk(&self, expressions: &[String]) -> Vec<Value> {
        let case = |expression: &String| {
            let config = json!({
                "stream_maps": {"s": {"x": expression, "__else__": null, "__key_properties__": []}},
                "stream_map_config": self.config,
            });
            let schema = schema("s", json!({}), &[]);
            let record = raw_record("s", &self.record);
            let (schema, record) = (schema.trim(), record.trim());
            format!(r#"{{"config": {config}, "messages": [{schema}, {record}]}}"#)
        };
        let cases: Vec<String> = expressions.iter().map(case).collect();
        let results = sdk_maps::mapped(&cases).into_iter();
        results
            .map(|result| match result.get("error") {
                Some(error) => json!({"error": error}),
                None => result["streams"]["s"]["records"][0]["x"].clone(),
            })
            .collect()
    }

    /// What one run of the binary gives for all expressions together.
    async fn of_binary(&self, expressions: &[String]) -> Value {
        let mut map: Map<String, Value> = expressions
            .iter()
            .enumerate()
            .map(|(index, expression)| (format!("x{index}"), json!(expression)))
            .collect();
        map.insert("__else__".to_owned(), Value::Null);
        let case = Case::new()
            .set("validate_records", false)
            .set("stream_map_config", self.config.clone())
            .set("stream_maps", json!({"s": map}));
        let input = [
            schema("s", json!({"id": {}}), &["id"]),
            raw_record("s", &self.record),
        ];
        let _ = case.load(input.concat()).success();
        case.bucket().await.contents().await["s.7"].clone()
    }
}

#[tokio::test]
async fn expressions_give_what_the_sdk_gives() {
    let table = Table::read();
    let record = table.of_binary(&table.expressions).await;
    let expected = table.of_sdk(&table.expressions);
    let mut differing = Vec::new();
    for (index, expression) in table.expressions.iter().enumerate() {
        let (here, sdk) = (&record[format!("x{index}")], &expected[index]);
        if here != sdk {
            differing.push(format!("{expression}\n    SDK:  {sdk}\n    here: {here}"));
        }
    }
    assert!(table.expressions.len() > 250);
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[tokio::test]
async fn the_examples_of_the_sdk_give_the_same() {
    let input = file("tests/stream_maps/input.jsonl");
    let messages: Vec<&str> = input.lines().collect();
    let examples: Vec<Value> = file("tests/stream_maps/examples.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let case = |example: &Value| {
        let (config, messages) = (&example["config"], messages.join(","));
        format!(r#"{{"config": {config}, "messages": [{messages}]}}"#)
    };
    let cases: Vec<String> = examples.iter().map(case).collect();
    for (example, expected) in examples.iter().zip(sdk_maps::mapped(&cases)) {
        let name = &example["name"];
        let mut case = Case::new().set("key_from", "hash");
        for (setting, value) in example["config"].as_object().expect("settings") {
            case = case.set(setting, value.clone());
        }
        let _ = case.load(&input).success();
        let Some(streams) = expected["streams"].as_object() else {
            panic!("{name}: the SDK says {expected}");
        };
        let stored = stored(&case, streams.keys()).await;
        for (stream, expected) in streams {
            let records = expected["records"].as_array().expect("records");
            let mut records: Vec<String> = records.iter().map(Value::to_string).collect();
            records.sort();
            assert_eq!(stored[stream.as_str()], records, "{name}, stream {stream}");
        }
    }
    assert!(examples.len() > 30);
}

/// Each row of the table of differences: expression, what the SDK gives, what is given here.
#[tokio::test]
async fn the_differences_are_those_of_the_documentation() {
    let page = file("docs/stream-maps.md");
    let rows = page
        .lines()
        .skip_while(|line| !line.starts_with("| Expression | Meltano SDK | here |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let cells = |row: &str| {
        let row = row.replace("\\|", "\u{1}");
        let cells: Vec<String> = row
            .split('|')
            .map(|cell| cell.trim().trim_matches('`').replace('\u{1}', "|"))
            .collect();
        [1, 2, 3].map(|at| cells[at].clone())
    };
    let rows: Vec<[String; 3]> = rows.map(cells).collect();
    assert!(rows.len() > 15, "the table is there");
    let table = Table::read();
    let expressions: Vec<String> = rows
        .iter()
        .map(|[expression, ..]| expression.clone())
        .collect();
    let of_sdk = table.of_sdk(&expressions);
    for ([expression, sdk, here], of_sdk) in rows.iter().zip(of_sdk) {
        let shown = match of_sdk.get("error") {
            Some(_) => "error".to_owned(),
            None => of_sdk.to_string(),
        };
        assert_eq!(shown, *sdk, "{expression} in the SDK: {of_sdk}");
        let shown = of_binary_alone(&table, expression).await;
        assert_eq!(shown, *here, "{expression} here");
    }
}

async fn of_binary_alone(table: &Table, expression: &str) -> String {
    let map = json!({"s": {"x": expression, "__else__": null}});
    let case = Case::new()
        .set("validate_records", false)
        .set("stream_map_config", table.config.clone())
        .set("stream_maps", map);
    let input = [
        schema("s", json!({"id": {}}), &["id"]),
        raw_record("s", &table.record),
    ];
    let outcome = case.load(input.concat());
    match outcome.code {
        Some(0) => case.bucket().await.contents().await["s.7"]["x"].to_string(),
        Some(1) => "error".to_owned(),
        Some(2) => "error in the configuration".to_owned(),
        _ => panic!("{expression}: {}", outcome.stderr),
    }
}

#[test]
fn mistakes_are_told_with_the_configuration() {
    let maps = json!({
        "users": {
            "a": "email.splitt('@')", "b": "md6(email)", "c": "email +", "d": {"e": "x"}, "f": 7,
            "g": "fake.nonsense()", "h": "datetime.datetime.parse(x)", "i": "(1 + 2", "j": "x = 1",
            "__filter__": "a b", "__key_properties__": "id", "__else__": "x", "__odd__": "1",
            "__alias__": "two words",
        },
        "copy": {"__source__": 1},
        "__odd__": null,
        "n": 1,
    });
    let case = Case::new()
        .set("stream_maps", maps)
        .set("faker_config", json!({"locale": "xx_XX"}));
    let told = case.load("").exited(2).stderr;
    for expected in [
        "stream_maps: stream 'users': property 'a': there is no method splitt; did you mean split?, at character 7",
        "property 'b': there is no function md6; did you mean md5?, at character 1",
        "property 'c': expected a value, but it ends, at character 8",
        "property 'd': must be an expression or null; properties of properties",
        "property 'f': must be an expression or null; a fixed value",
        "property 'g': there is no function fake.nonsense; there are fake.address, ",
        "property 'h': there is no function datetime.datetime.parse; ",
        "property 'i': expected \")\", but it ends, at character 7",
        "property 'j': nothing can be assigned in an expression, at character 3",
        "__filter__: expected the end, but there is \"b\", at character 3",
        "__key_properties__: must be a list of properties, or null",
        "__else__: can only be null",
        "property '__odd__': there is no such operation; there are __alias__, __source__",
        "__alias__: expected the end, but there is \"words\", at character 5; a name that holds more",
        "stream 'copy': __source__ must be the name of a stream",
        "stream '__odd__': there is no such operation for all streams",
        "stream 'n': must be an object of properties, or null",
        "faker_config: there is no locale xx_XX; there are en_US, ",
    ] {
        assert!(told.contains(expected), "{expected}\n{told}");
    }
}

fn users() -> String {
    let properties = json!({"id": {"type": "integer"}, "email": {"type": "string"}});
    schema("users", properties, &["id"])
}

#[tokio::test]
async fn a_record_without_a_value_is_invalid_and_kept_as_it_came() {
    let input = [
        users(),
        record("users", json!({"id": 1, "email": "secret@example.com"})),
        record("users", json!({"id": 2})),
        record("users", json!({"id": "secret", "email": "b@example.com"})),
        state(json!({"n": 1})),
    ]
    .concat();
    let maps = json!({"users": {"__alias__": "people", "email": "email.upper()"}});
    let case = Case::new().set("stream_maps", maps);
    let told = case.load(&input).exited(1).stderr;
    for expected in [
        "line 3: stream 'people'",
        "stream map of 'people', property 'email': the name 'email' is not defined",
        "at character 1",
    ] {
        assert!(told.contains(expected), "{expected}\n{told}");
    }
    assert!(!told.contains("secret"), "{told}");

    let directory = tempfile::tempdir().expect("writable");
    let letters = directory.path().join("letters.jsonl");
    let case = case
        .again()
        .set("on_invalid_record", "dead_letter")
        .set("dead_letter_file", letters.display().to_string());
    let outcome = case.load(&input).success();
    assert_eq!(outcome.states(), [json!({"n": 1})]);
    let kept = fs::read_to_string(&letters).expect("it was written");
    let kept: Vec<Value> = kept
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let records: Vec<_> = kept
        .iter()
        .map(|message| (&message["stream"], &message["record"]))
        .collect();
    let users = json!("users");
    assert_eq!(records[0], (&users, &Value::Null));
    assert_eq!(records[1], (&users, &json!({"id": 2})));
    assert_eq!(
        records[2],
        (&users, &json!({"id": "secret", "email": "b@example.com"}))
    );
    // Given to the target again, they take the same way.
    let told = case.again().set("on_invalid_record", "fail");
    let told = told.load(fs::read(&letters).expect("readable")).exited(1);
    assert!(
        told.stderr.contains("stream map of 'people'"),
        "{}",
        told.stderr
    );
}

#[tokio::test]
async fn what_is_filtered_is_counted_and_states_pass() {
    let input = [
        users(),
        record("users", json!({"id": 1, "email": "a@example.com"})),
        state(json!({"n": 1})),
        record("users", json!({"id": 2, "email": "b@example.org"})),
        state(json!({"n": 2})),
    ]
    .concat();
    let maps = json!({"users": {"__filter__": "email.endswith('.com')"}});
    let case = Case::new().set("stream_maps", maps);
    let outcome = case.load(&input).success();
    assert_eq!(outcome.states().last(), Some(&json!({"n": 2})));
    assert!(outcome.stderr.contains("filtered=1"), "{}", outcome.stderr);
    assert_eq!(case.bucket().await.contents().await.len(), 1);

    let none = Case::new().set("stream_maps", json!({"users": null}));
    let outcome = none.load(&input).success();
    assert_eq!(outcome.states().last(), Some(&json!({"n": 2})));
}

#[test]
fn a_slip_of_the_pen_is_warned_of() {
    let maps = json!({
        "users": {"emial": null}, "user": {"email": null}, "x*": {"y": null}, "*": {"z": null},
    });
    let told = Case::new().set("stream_maps", maps).load(users()).success();
    for (expected, count) in [
        (
            "stream 'users' has no property 'emial' that could be left out",
            1,
        ),
        ("there was no stream 'user'", 1),
        ("there was no stream 'x*'", 1),
        ("WARN", 3),
    ] {
        let found = told.stderr.matches(expected).count();
        assert_eq!(found, count, "{expected}\n{}", told.stderr);
    }
}

#[tokio::test]
async fn numbers_that_pass_through_keep_their_digits() {
    let amount = "123456789012345678901234567890.10";
    let input = [
        schema(
            "s",
            json!({"id": {}, "amount": {"type": "number"}, "tiny": {}}),
            &["id"],
        ),
        raw_record(
            "s",
            &format!(r#"{{"id":1,"amount":{amount},"tiny":1e-999}}"#),
        ),
    ]
    .concat();
    let maps = json!({"s": {
        "same": "amount", "again": "record['amount']", "listed": "[tiny, {'a': amount}]",
        "double": "amount * 2", "amount": "self if amount > 0 else 0",
    }});
    let case = Case::new()
        .set("stream_maps", maps)
        .set("validate_records", false);
    let _ = case.load(&input).success();
    let text = case.bucket().await.text("s.1").await;
    let expected = format!(
        r#"{{"id":1,"amount":{amount},"tiny":1e-999,"same":{amount},"again":{amount},"listed":[1e-999,{{"a":{amount}}}],"double":246913578024691357802469135780.20,"_sdc_"#
    );
    assert!(text.starts_with(&expected), "{text}");
}

#[tokio::test]
async fn versions_and_files_take_the_same_way() {
    let file = tempfile::NamedTempFile::new().expect("writable");
    fs::write(
        file.path(),
        line(json!({"id": 3, "email": "c@example.com"})),
    )
    .expect("writable");
    let batch = json!({"type": "BATCH", "stream": "users", "encoding": {"format": "jsonl"},
        "manifest": [format!("file://{}", file.path().display())]});
    let of = |id: u32, version: u32| {
        line(
            json!({"type": "RECORD", "stream": "users", "version": version,
            "record": {"id": id, "email": "x@example.com"}}),
        )
    };
    let activate = |version: u32| {
        line(json!({"type": "ACTIVATE_VERSION", "stream": "users", "version": version}))
    };
    let maps = json!({
        "users": {"__alias__": "people", "email": "email.upper()"},
        "copy": {"__source__": "users"},
    });
    let case = Case::new()
        .set("stream_maps", maps)
        .set("hard_delete", true);
    let first = [users(), of(1, 1), of(2, 1), activate(1)].concat();
    let _ = case.load(first).success();
    let second = [users(), of(2, 2), activate(2), line(batch)].concat();
    let _ = case.load(second).success();
    let contents = case.bucket().await.contents().await;
    let keys: Vec<&str> = contents.keys().map(String::as_str).collect();
    assert_eq!(keys, ["copy.2", "copy.3", "people.2", "people.3"]);
    assert_eq!(contents["people.3"]["email"], "C@EXAMPLE.COM");
    assert_eq!(contents["copy.3"]["email"], "c@example.com");
}

#[tokio::test]
async fn streams_can_become_one_if_they_are_alike() {
    let part = |name: &str, id: u32| {
        let properties = json!({"id": {"type": "integer"}});
        let schema = schema(name, properties, &["id"]);
        schema + &record(name, json!({"id": id})) + &record(name, json!({"id": 9, "of": name}))
    };
    let case = Case::new().set("stream_maps", json!({"part_*": {"__alias__": "'all'"}}));
    let input = part("part_1", 1) + &part("part_2", 2) + &state(json!({"n": 1}));
    let outcome = case.load(&input).success();
    assert_eq!(outcome.states(), [json!({"n": 1})]);
    let contents = case.bucket().await.contents().await;
    let keys: Vec<&str> = contents.keys().map(String::as_str).collect();
    assert_eq!(keys, ["all.1", "all.2", "all.9"]);
    assert_eq!(contents["all.9"]["of"], "part_2");

    let other = schema("part_3", json!({"id": {"type": "string"}}), &["id"]);
    let told = case.again().load(input + &other).exited(1).stderr;
    assert!(
        told.contains("line 8: the schema of stream 'part_3'"),
        "{told}"
    );
    assert!(
        told.contains("becomes 'all', too, but with another schema or key"),
        "{told}"
    );
}

#[test]
fn keys_that_a_map_breaks_are_told_at_the_schema() {
    for (map, expected) in [
        (json!({"id": null}), "leaves out the key property 'id'"),
        (
            json!({"__key_properties__": ["none"]}),
            "its key property 'none' is not among",
        ),
    ] {
        let case = Case::new().set("stream_maps", json!({"users": map}));
        let told = case.load(users()).exited(1).stderr;
        assert!(
            told.contains("line 1: the schema of stream 'users'"),
            "{told}"
        );
        assert!(told.contains(expected), "{expected}\n{told}");
    }
    let maps = json!({"users": {"__alias__": "copy"}, "copy": {"__source__": "users"}});
    let told = Case::new()
        .set("stream_maps", maps)
        .load(users())
        .exited(1)
        .stderr;
    assert!(
        told.contains("two maps make a stream 'copy' of it"),
        "{told}"
    );
}

#[tokio::test]
async fn masks_are_the_same_for_the_same_seed() {
    let input = [
        users(),
        record("users", json!({"id": 1, "email": "a@example.com"})),
        record("users", json!({"id": 2, "email": "a@example.com"})),
        record("users", json!({"id": 3, "email": "b@example.com"})),
    ]
    .concat();
    let masked = |map: Value, fake: Value| {
        let case = Case::new()
            .set("stream_maps", json!({"users": map}))
            .set("faker_config", fake);
        let _ = case.load(&input).success();
        case
    };
    let emails = async |case: &Case| {
        let contents = case.bucket().await.contents().await;
        [1, 2, 3].map(|id| contents[&format!("users.{id}")]["email"].to_string())
    };
    let by_value = json!({"email": "fake.seed_instance(email) or fake.email()"});
    let one = emails(&masked(by_value.clone(), json!({"locale": "en_US"}))).await;
    let two = emails(&masked(by_value, json!({"locale": ["en_GB"]}))).await;
    assert_eq!(one, two);
    assert_eq!(one[0], one[1]);
    assert_ne!(one[0], one[2]);
    let by_run = json!({"email": "fake.email()"});
    let one = emails(&masked(by_run.clone(), json!({"seed": 123_456}))).await;
    assert_eq!(
        one,
        emails(&masked(by_run.clone(), json!({"seed": 123_456}))).await
    );
    assert_ne!(one, emails(&masked(by_run, json!({"seed": 7}))).await);
    assert_ne!(one[0], one[1]);
}

#[test]
fn an_expression_cannot_hang_a_run() {
    for expression in [
        "[x + y + z for x in big for y in big for z in big]",
        "9 ** 9 ** 9",
        "'x' * 1000000000",
        "sum([len(a + b) for a in big for b in big for c in big])",
    ] {
        let maps = json!({"s": {"x": expression}});
        let big: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
        let input =
            schema("s", json!({"id": {}}), &["id"]) + &record("s", json!({"id": 1, "big": big}));
        let case = Case::new().set("stream_maps", maps);
        let told = case.load(input).exited(1).stderr;
        assert!(told.contains("property 'x': "), "{expression}: {told}");
    }
}
