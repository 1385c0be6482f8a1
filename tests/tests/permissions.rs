//! What a user must be permitted, as `docs/operations.md` lists it: that is enough, and `check`
//! names what is missing.

use serde_json::json;
use target_tests::case::Case;
use target_tests::nats_server::NatsServer;
use target_tests::server_binary::{NEWEST, OLDEST};
use target_tests::singer::{record, schema, state};
use target_tests::target::Target;

/// Subjects to publish to, for the bucket `b` and the dead letter `d`.
const PUBLISH: [&str; 10] = [
    "$JS.API.INFO",
    "$JS.API.STREAM.INFO.KV_b",
    "$JS.API.STREAM.CREATE.KV_b",
    "$JS.API.STREAM.MSG.GET.KV_b",
    "$JS.API.DIRECT.GET.KV_b",
    "$JS.API.DIRECT.GET.KV_b.>",
    "$KV.b.>",
    "$JS.API.STREAM.INFO.d",
    "$JS.API.STREAM.CREATE.d",
    "d.>",
];

/// A server whose user `ann` may do this and nothing else.
fn server(version: &str, publish: &[&str]) -> NatsServer {
    let publish = publish.join("\", \"");
    NatsServer::builder()
        .version(version)
        .config(&format!(
            "authorization {{ users: [{{ user: root, password: secret }}, \
             {{ user: ann, password: secret, permissions: {{ \
             publish: [\"{publish}\"], subscribe: [\"_INBOX.>\"] }} }}] }}"
        ))
        .start()
}

fn input(b: u64) -> String {
    let mut input = schema("s", json!({"id": {}, "b": {"type": "integer"}}), &["id"]);
    for id in 0..500 {
        input += &record("s", json!({"id": id, "b": b}));
    }
    // Not an integer, so that the dead letter is written.
    input += &record("s", json!({"id": 500, "b": "none"}));
    input + &state(json!({"b": b}))
}

fn case(server: &NatsServer, user: &str) -> Case {
    Case::on(server)
        .set("bucket", "b")
        .set("on_invalid_record", "dead_letter")
        .set("dead_letter_stream", "d")
        .set("user", user)
        .set("password", "secret")
        .set("request_timeout_seconds", 2)
        .set("max_retry_seconds", 3)
}

#[test]
fn the_listed_subjects_are_enough() {
    for version in [NEWEST, OLDEST] {
        let server = server(version, &PUBLISH);
        let case = case(&server, "ann");
        for (b, mode) in ["newer", "same", "full"].into_iter().enumerate() {
            let outcome = case
                .clone()
                .set("refresh_mode", mode)
                .load(input(b as u64))
                .success();
            assert_eq!(outcome.states().last(), Some(&json!({"b": b})));
            assert!(!outcome.stderr.contains("ermission"), "{}", outcome.stderr);
        }
        let check = Target::with_config_and(case.settings, &["check"]).run("");
        let _ = check.success();
    }
}

/// Going through a stream's keys needs more.
#[test]
fn the_listed_subjects_are_enough_to_overwrite() {
    let consumers = [
        "$JS.API.CONSUMER.CREATE.KV_b.>",
        "$JS.API.CONSUMER.MSG.NEXT.KV_b.>",
        "$JS.API.CONSUMER.INFO.KV_b.>",
    ];
    for version in [NEWEST, OLDEST] {
        let server = server(version, &[&PUBLISH[..], &consumers].concat());
        let case = case(&server, "ann")
            .set("on_invalid_record", "fail")
            .set("validate_records", false)
            .set("dead_letter_stream", json!(null))
            .set("refresh_mode", "full")
            .set("load_method", "overwrite");
        for b in 0..2 {
            let outcome = case.load(input(b)).success();
            assert!(!outcome.stderr.contains("ermission"), "{}", outcome.stderr);
        }
    }
}

#[test]
fn check_names_the_missing_subject() {
    for missing in PUBLISH {
        let rest: Vec<_> = PUBLISH.into_iter().filter(|it| *it != missing).collect();
        let server = server(NEWEST, &rest);
        let _ = case(&server, "root").load(input(1)).success();
        let outcome = Target::with_config_and(case(&server, "ann").settings, &["check"]).run("");
        let said = outcome.stdout + &outcome.stderr;
        let named = missing.trim_end_matches('>');
        // Both are there, so that they could not be created is no matter.
        if missing.contains("CREATE") {
            assert_eq!(outcome.code, Some(0), "{said}");
        } else {
            assert!(said.contains(named), "without {missing}: {said}");
        }
        // Without the level of the API there are slower ways.
        if !missing.contains("CREATE") && missing != "$JS.API.INFO" {
            assert_eq!(outcome.code, Some(3), "without {missing}: {said}");
        }
    }
}
