//! Ways to connect and to authenticate, each with a server that asks for it.

use std::path::Path;

use nkeys::KeyPair;
use serde_json::{Value, json};
use target_tests::case::Case;
use target_tests::nats_server::NatsServer;
use target_tests::operator;
use target_tests::singer::{record, schema};
use target_tests::tls::Tls;

fn input() -> String {
    [
        schema("s", json!({"id": {}}), &["id"]),
        record("s", json!({"id": 1})),
    ]
    .concat()
}

/// A case that trusts the authority; the bucket cannot be looked at without TLS, so the
/// target's success and its state must do.
fn loads(tls: &Tls, server: &NatsServer, settings: &[(&str, Value)]) {
    let case = Case::on(server).set("tls_ca", tls.file("ca.pem"));
    let case = settings
        .iter()
        .fold(case, |case, (name, value)| case.set(name, value.clone()));
    let state = target_tests::singer::state(json!({"n": 1}));
    let outcome = case.load(input() + &state).success();
    assert_eq!(outcome.states(), [json!({"n": 1})]);
}

#[test]
fn tls() {
    let tls = Tls::new();
    let server = tls.server("");
    loads(&tls, &server, &[]);
    let url = server.url().replace("nats://", "tls://");
    loads(
        &tls,
        &server,
        &[("url", json!(url)), ("tls_required", json!(true))],
    );
}

#[test]
fn tls_with_an_authority_that_is_not_trusted() {
    let tls = Tls::new();
    let server = tls.server("");
    let outcome = Case::on(&server)
        .set("connect_timeout_seconds", 2)
        .load(input());
    assert_eq!(outcome.code, Some(3), "{}", outcome.stderr);
    let other = Tls::new();
    let outcome = Case::on(&server)
        .set("tls_ca", other.file("ca.pem"))
        .set("connect_timeout_seconds", 2)
        .load(input())
        .exited(3);
    assert!(
        outcome.stderr.to_lowercase().contains("certificate"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn tls_with_a_certificate_that_has_expired() {
    let tls = Tls::valid_until(Some(2020));
    let server = tls.server("");
    let outcome = Case::on(&server)
        .set("tls_ca", tls.file("ca.pem"))
        .set("connect_timeout_seconds", 2)
        .load(input())
        .exited(3);
    assert!(outcome.stderr.contains("expired"), "{}", outcome.stderr);
}

/// The server comes back with the certificate of another authority.
#[test]
fn tls_that_changes_during_the_run() {
    let (tls, other) = (Tls::new(), Tls::new());
    let mut server = tls.server("");
    let case = Case::on(&server)
        .set("tls_ca", tls.file("ca.pem"))
        .set("max_retry_seconds", 3);
    let mut run = case.target().spawn();
    let state = |n: u64| target_tests::singer::state(json!({"n": n}));
    assert!(run.send(input() + &state(1)));
    assert_eq!(run.state(), json!({"n": 1}));
    server.reconfigure(&other.lines(""));
    server.restart();
    run.send(record("s", json!({"id": 2})) + &state(2));
    let outcome = run.finish();
    assert!(matches!(outcome.code, Some(1 | 3)), "{}", outcome.stderr);
    assert_eq!(outcome.states(), [json!({"n": 1})]);
}

#[test]
fn a_client_whose_certificate_has_expired() {
    let tls = Tls::new();
    let expired = Tls::valid_until(Some(2020));
    let authorities = [&tls, &expired]
        .map(|tls| std::fs::read_to_string(tls.file("ca.pem")).expect("it was written"));
    std::fs::write(tls.file("ca.pem"), authorities.concat()).expect("writable");
    let server = tls.server("verify: true");
    let outcome = Case::on(&server)
        .set("tls_ca", tls.file("ca.pem"))
        .set("tls_cert", expired.file("client.pem"))
        .set("tls_key", expired.file("client.key"))
        .set("connect_timeout_seconds", 2)
        .load(input())
        .exited(3);
    assert_eq!(outcome.stdout, "");
}

/// Each way to say who one is, with what the server accepts and with what it does not.
#[test]
fn tokens_users_and_nkeys() {
    let pair = KeyPair::new_user();
    let seed = |pair: &KeyPair| pair.seed().expect("it was made with one");
    let nkey = format!("users: [{{ nkey: {} }}]", pair.public_key());
    for (server, setting, right, wrong) in [
        (
            "token: right",
            "token",
            "right".to_owned(),
            "wrong".to_owned(),
        ),
        (
            "user: ann, password: right",
            "password",
            "right".to_owned(),
            "wrong".to_owned(),
        ),
        (&nkey, "nkey_seed", seed(&pair), seed(&KeyPair::new_user())),
    ] {
        let server = NatsServer::builder()
            .config(&format!("authorization {{ {server} }}"))
            .start();
        let mut case = Case::on(&server);
        if setting == "password" {
            case = case.set("user", "ann");
        }
        let state = target_tests::singer::state(json!({"n": 1}));
        let outcome = case
            .clone()
            .set(setting, right)
            .load(input() + &state)
            .success();
        assert_eq!(outcome.states(), [json!({"n": 1})]);
        let outcome = case.set(setting, wrong).load(input() + &state).exited(3);
        assert_eq!(outcome.stdout, "", "{setting}");
        assert!(outcome.stderr.contains("credentials"), "{}", outcome.stderr);
    }
}

#[test]
fn tls_that_verifies_the_client() {
    let tls = Tls::new();
    let server = tls.server("verify: true");
    let own = [
        ("tls_cert", json!(tls.file("client.pem"))),
        ("tls_key", json!(tls.file("client.key"))),
    ];
    loads(&tls, &server, &own);
    let outcome = Case::on(&server)
        .set("tls_ca", tls.file("ca.pem"))
        .set("connect_timeout_seconds", 2)
        .load(input());
    assert_eq!(outcome.code, Some(3), "{}", outcome.stderr);
}

#[test]
fn tls_before_anything_else() {
    let tls = Tls::new();
    // It greets in clear text only those who are silent for so long, as our waiting for it is.
    let server = tls.server("handshake_first: \"300ms\"");
    loads(&tls, &server, &[("tls_first", json!(true))]);
}

#[test]
fn a_server_without_tls_where_tls_is_required() {
    let outcome = Case::new()
        .set("tls_required", true)
        .set("connect_timeout_seconds", 2)
        .load(input())
        .exited(3);
    assert!(
        outcome.stderr.to_lowercase().contains("tls"),
        "{}",
        outcome.stderr
    );
}

#[tokio::test]
async fn a_websocket() {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("there is a free port")
        .port();
    let server = NatsServer::builder()
        .config(&format!(
            "websocket {{ host: 127.0.0.1, port: {port}, no_tls: true }}"
        ))
        .start();
    let case = Case::on(&server).set("url", format!("ws://127.0.0.1:{port}"));
    let _ = case.load(input()).success();
    assert_eq!(case.bucket().await.keys().await, ["s.1"]);
}

#[tokio::test]
async fn replies_below_another_subject() {
    let server = NatsServer::builder()
        .config(
            "authorization { users: [{ user: ann, password: secret, \
             permissions: { subscribe: [\"_MINE.>\"] } }, { user: root, password: secret }] }",
        )
        .start();
    let case = Case::on(&server)
        .set("user", "ann")
        .set("password", "secret")
        .set("inbox_prefix", "_MINE");
    let _ = case.load(input()).success();
}

#[test]
fn credentials() {
    let (server, jwt, seed) = operator::start();
    let text = operator::credentials(&jwt, &seed);
    let directory = tempfile::tempdir().expect("the temporary directory is writable");
    let file = directory.path().join("user.creds");
    std::fs::write(&file, &text).expect("writable");
    let loads = |case: Case| {
        let outcome = case
            .load(input() + &target_tests::singer::state(json!({"n": 1})))
            .success();
        assert_eq!(outcome.states(), [json!({"n": 1})]);
    };
    loads(Case::on(&server).set("creds", path(&file)));
    loads(Case::on(&server).set("creds_content", text));
    loads(
        Case::on(&server)
            .set("jwt", jwt.clone())
            .set("nkey_seed", seed),
    );

    let stranger = KeyPair::new_user().seed().expect("it was made with one");
    let outcome = Case::on(&server)
        .set("jwt", jwt.clone())
        .set("nkey_seed", stranger.clone())
        .load(input())
        .exited(3);
    for secret in [&jwt, &stranger] {
        assert!(
            !outcome.stderr.contains(secret.as_str()),
            "{}",
            outcome.stderr
        );
    }
}

fn path(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
