//! Secrets are never printed, whatever the level of the logs and however the run ends.

use nkeys::KeyPair;
use serde_json::{Value, json};
use target_tests::case::Case;
use target_tests::nats_server::NatsServer;
use target_tests::singer::{record, schema, state};
use target_tests::target::Target;

/// Looks for the secrets in all that the target says at its most talkative.
fn says_nothing_of(secrets: &[&str], settings: &Value, codes: &[i32]) {
    let input = [
        schema("s", json!({"id": {}}), &["id"]),
        record("s", json!({"id": 1})),
        state(json!({"n": 1})),
    ]
    .concat();
    for command in [&[][..], &["check"], &["discover"]] {
        for format in ["text", "json"] {
            let outcome = Target::with_config_and(settings.clone(), command)
                .args(["--log-level", "trace", "--log-format", format])
                .env("RUST_LOG", "trace")
                .run(&input);
            let code = outcome.code.expect("no signal ended it");
            assert!(codes.contains(&code), "{code}: {}", outcome.stderr);
            assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
            for secret in secrets {
                assert!(!outcome.stdout.contains(secret), "{}", outcome.stdout);
                assert!(!outcome.stderr.contains(secret), "{}", outcome.stderr);
            }
        }
    }
}

/// On a server that lets one in, on one that does not, and where there is none.
fn is_never_told(lines: &str, secrets: &[&str], settings: Value) {
    let server = NatsServer::builder().config(lines).start();
    let other = NatsServer::builder()
        .config("authorization { user: other, password: other }")
        .start();
    for (url, codes) in [
        (server.url(), &[0][..]),
        (other.url(), &[3]),
        ("nats://127.0.0.1:9".to_owned(), &[3]),
    ] {
        let mut all = Case::on(&server).settings;
        for (name, value) in settings.as_object().expect("an object") {
            all[name] = value.clone();
        }
        all["connect_timeout_seconds"] = json!(1);
        all["url"] = json!(url);
        says_nothing_of(secrets, &all, codes);
    }
}

#[test]
fn a_password() {
    is_never_told(
        "authorization { user: ann, password: canary-1 }",
        &["canary-1"],
        json!({"user": "ann", "password": "canary-1"}),
    );
}

#[test]
fn a_token() {
    is_never_told(
        "authorization { token: canary-2 }",
        &["canary-2"],
        json!({"token": "canary-2"}),
    );
}

#[test]
fn an_nkey_seed() {
    let pair = KeyPair::new_user();
    let seed = pair.seed().expect("it was made with one");
    is_never_told(
        &format!(
            "authorization {{ users: [{{ nkey: {} }}] }}",
            pair.public_key()
        ),
        &[&seed],
        json!({"nkey_seed": seed}),
    );
}

/// What is in the wrong place or of the wrong kind is still a secret.
#[test]
fn secrets_in_wrong_settings() {
    for settings in [
        json!({"password": ["canary-3"]}),
        json!({"password": "canary-3"}),
        json!({"token": {"canary-3": "canary-3"}}),
        json!({"nkey_seed": "canary-3"}),
        json!({"creds_content": "canary-3"}),
        json!({"jwt": "canary-3", "nkey_seed": "canary-3"}),
        json!({"url": "nats://ann:canary-3@127.0.0.1:9"}),
        json!({"url": "nats://canary-3@127.0.0.1:9"}),
        json!({"url": ["nats://ann:canary-3@127.0.0.1:9999999"]}),
    ] {
        let mut settings = settings;
        settings["connect_timeout_seconds"] = json!(1);
        if settings.get("url").is_none() {
            settings["url"] = json!("nats://127.0.0.1:9");
        }
        says_nothing_of(&["canary-3"], &settings, &[2, 3]);
    }
}
