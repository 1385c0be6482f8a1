//! The keys that records get: every value has a legal one, no two values share one.

use serde_json::{Value, json};
use target_tests::case::Case;
use target_tests::singer::{raw_record, record, schema, state};

/// The key of a record whose only key property, as JSON text, is this.
async fn key_of(stream: &str, id: &str) -> String {
    let case = Case::new();
    let input = [
        schema(stream, json!({"id": {}}), &["id"]),
        raw_record(stream, &format!("{{\"id\":{id}}}")),
    ]
    .concat();
    let _ = case.load(input).success();
    let keys = case.bucket().await.keys().await;
    assert_eq!(keys.len(), 1, "{keys:?} for {id}");
    keys[0].clone()
}

#[tokio::test]
async fn strings() {
    for (id, key) in [
        (r#""plain""#, "s.plain"),
        (r#""A-Z_a/z-09""#, "s.A-Z_a/z-09"),
        (r#""a b""#, "s.a=20b"),
        (r#""a.b""#, "s.a=2Eb"),
        (r#"".""#, "s.=2E"),
        (r#""a=b""#, "s.a=3Db"),
        (r#""*""#, "s.=2A"),
        (r#"">""#, "s.=3E"),
        (r#""$x""#, "s.=24x"),
        (r#""a:b""#, "s.a=3Ab"),
        (r#""a_b""#, "s.a_b"),
        (r#""me@example.org""#, "s.me=40example=2Eorg"),
        (r#""\u0000""#, "s.=00"),
        (r#""\t""#, "s.=09"),
        (r#""a\n""#, "s.a=0A"),
        (r#""\r\n""#, "s.=0D=0A"),
        (r#""\u007f""#, "s.=7F"),
        (r#""é""#, "s.=C3=A9"),
        (r#""\u20ac""#, "s.=E2=82=AC"),
        (r#""\ud83d\ude00""#, "s.=F0=9F=98=80"),
        (r#"" ""#, "s.=20"),
    ] {
        assert_eq!(key_of("s", id).await, key, "for {id}");
    }
}

#[tokio::test]
async fn numbers_and_booleans() {
    for (id, key) in [
        ("1", "s.1"),
        (r#""1""#, "s.1"),
        ("-5", "s.-5"),
        ("1.10", "s.1=2E10"),
        ("1e2", "s.1e2"),
        ("1E+2", "s.1E=2B2"),
        ("1180591620717411303424", "s.1180591620717411303424"),
        ("true", "s.true"),
        ("false", "s.false"),
    ] {
        assert_eq!(key_of("s", id).await, key, "for {id}");
    }
}

#[tokio::test]
async fn stream_names() {
    for (stream, key) in [
        ("public.orders", "public.orders.1"),
        ("public-orders", "public-orders.1"),
        ("my stream", "my=20stream.1"),
        ("a:b", "a=3Ab.1"),
        ("a..b", "a=2E=2Eb.1"),
        (".a", "=2Ea.1"),
        ("a.", "a=2E.1"),
        ("*", "=2A.1"),
        ("$KV", "=24KV.1"),
        ("größe", "gr=C3=B6=C3=9Fe.1"),
    ] {
        assert_eq!(key_of(stream, "1").await, key, "for {stream}");
    }
}

#[tokio::test]
async fn the_parts_of_a_key_do_not_run_into_each_other() {
    let properties = json!({"a": {"type": "string"}, "b": {"type": "string"}});
    let case = Case::new();
    let mut input = schema("s", properties, &["a", "b"]);
    for (a, b) in [("x-y", "z"), ("x", "y-z"), ("x.y", "z"), ("x", "y.z")] {
        input += &record("s", json!({"a": a, "b": b}));
    }
    let _ = case.load(input).success();
    let keys = case.bucket().await.keys().await;
    assert_eq!(keys, ["s.x-y.z", "s.x.y-z", "s.x.y=2Ez", "s.x=2Ey.z"]);
}

#[tokio::test]
async fn key_properties_are_joined_in_their_order() {
    let case = Case::new();
    let input = [
        schema("s", json!({"a": {}, "b": {}}), &["b", "a"]),
        record("s", json!({"a": 1, "b": 2})),
    ]
    .concat();
    let _ = case.load(input).success();
    assert_eq!(case.bucket().await.keys().await, ["s.2.1"]);
}

#[tokio::test]
async fn a_prefix() {
    let case = Case::new().set("key_prefix", "crm.");
    let input = [
        schema("s", json!({"id": {}}), &["id"]),
        record("s", json!({"id": 1})),
    ]
    .concat();
    let _ = case.load(input).success();
    assert_eq!(case.bucket().await.keys().await, ["crm.s.1"]);
}

#[tokio::test]
async fn a_prefix_that_no_key_may_have() {
    for prefix in ["a b", ".a", "a..b.", "*.", ">", "é", "a\n"] {
        let case = Case::new().set("key_prefix", prefix);
        let outcome = case.load("").exited(2);
        assert!(outcome.stderr.contains("key_prefix"), "{}", outcome.stderr);
    }
}

/// Neither a key that is no key, nor what follows it, may be lost silently.
#[tokio::test]
async fn values_that_cannot_be_a_key() {
    let long = "x".repeat(5000);
    let escaped_to_long = "é".repeat(1000);
    for id in [
        json!(""),
        json!(long),
        json!(escaped_to_long),
        json!([1]),
        json!({"a": 1}),
    ] {
        let input = [
            schema("s", json!({"id": {}}), &["id"]),
            record("s", json!({"id": 1})),
            state(json!({"n": 1})),
            record("s", json!({"id": id})),
            record("s", json!({"id": 2})),
            state(json!({"n": 2})),
        ]
        .concat();
        let outcome = Case::new().load(&input).exited(1);
        assert!(outcome.stderr.contains("line 4"), "{}", outcome.stderr);
        assert_eq!(outcome.states(), [json!({"n": 1})]);

        let case = Case::new().set("on_invalid_record", "skip");
        let outcome = case.load(&input).success();
        assert_eq!(outcome.states().last(), Some(&json!({"n": 2})));
        assert_eq!(case.bucket().await.keys().await, ["s.1", "s.2"]);
    }
}

#[tokio::test]
async fn a_long_key_that_the_server_can_carry() {
    let id = "x".repeat(3000);
    assert_eq!(key_of("s", &format!("\"{id}\"")).await, format!("s.{id}"));
}

#[tokio::test]
async fn records_without_key_properties_get_their_content_as_key() {
    let case = Case::new().set("key_from", "hash");
    let input = [
        schema("s", json!({}), &[]),
        record("s", json!({"a": 1})),
        record("s", json!({"a": 2})),
        record("s", json!({"a": 1})),
    ]
    .concat();
    let _ = case.load(&input).success();
    let bucket = case.bucket().await;
    let contents = bucket.contents().await;
    assert_eq!(contents.len(), 2, "{contents:?}");
    for key in contents.keys() {
        let hash = key.strip_prefix("s.").expect("the stream comes first");
        assert_eq!(hash.len(), 32, "128 bits in hexadecimal: {key}");
    }
    let values: Vec<&Value> = contents.values().map(|value| &value["a"]).collect();
    assert!(values.contains(&&json!(1)) && values.contains(&&json!(2)));

    // The hash is the same in the next run, so nothing is written again.
    let writes = bucket.writes().await;
    let _ = case.load(&input).success();
    assert_eq!(bucket.writes().await, writes);
}

#[tokio::test]
async fn a_bucket_for_each_stream() {
    let case = Case::new();
    let case = Case {
        settings: case.settings.clone(),
        name: format!("{}_people", case.name),
        ..case
    };
    let bucket = case.name.replace("people", "{stream}");
    let case = case.set("bucket", bucket);
    let input = [
        schema("people", json!({"id": {}}), &["id"]),
        record("people", json!({"id": 1})),
        schema("cities", json!({"id": {}}), &["id"]),
        record("cities", json!({"id": 2})),
    ]
    .concat();
    let _ = case.load(input).success();
    assert_eq!(case.bucket().await.keys().await, ["people.1"]);
    let cities = Case {
        name: case.name.replace("people", "cities"),
        ..case
    };
    assert_eq!(cities.bucket().await.keys().await, ["cities.2"]);
}
