//! A server that trusts an operator, who signs for accounts, which sign for users.

use nkeys::KeyPair;
use serde_json::{Value, json};

use crate::nats_server::NatsServer;

/// A token of the decentralized authentication: claims, signed by the one above.
fn jwt(issuer: &KeyPair, subject: &KeyPair, nats: Value) -> String {
    let encode = |value: Value| data_encoding::BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let header = encode(json!({"typ": "JWT", "alg": "ed25519-nkey"}));
    let claims = encode(json!({
        "jti": subject.public_key(),
        "iat": 1_700_000_000,
        "iss": issuer.public_key(),
        "name": "test",
        "sub": subject.public_key(),
        "nats": nats,
    }));
    let signed = format!("{header}.{claims}");
    let signature = issuer.sign(signed.as_bytes()).expect("the pair has a seed");
    format!(
        "{signed}.{}",
        data_encoding::BASE64URL_NOPAD.encode(&signature)
    )
}

/// A server with an operator, and a user of its account: the token and the seed.
///
/// # Panics
/// If a pair of keys cannot sign.
#[must_use]
pub fn start() -> (NatsServer, String, String) {
    let operator = KeyPair::new_operator();
    // JetStream needs a system account, and others use JetStream.
    let [account, system] = [KeyPair::new_account(), KeyPair::new_account()];
    let user = KeyPair::new_user();
    let limits = json!({
        "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true,
        "conn": -1, "leaf": -1, "mem_storage": -1, "disk_storage": -1, "streams": -1,
        "consumer": -1,
    });
    let of_account = |account: &KeyPair, limits: Value| {
        let claims = json!({"type": "account", "version": 2, "limits": limits});
        format!(
            "{}: {}\n",
            account.public_key(),
            jwt(&operator, account, claims)
        )
    };
    let user_jwt = jwt(
        &account,
        &user,
        json!({"type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1}),
    );
    let server = NatsServer::builder()
        .config(&format!(
            "operator: {}\nsystem_account: {}\nresolver: MEMORY\nresolver_preload: {{\n{}{}}}",
            jwt(
                &operator,
                &operator,
                json!({"type": "operator", "version": 2})
            ),
            system.public_key(),
            of_account(&account, limits),
            of_account(
                &system,
                json!({"subs": -1, "conn": -1, "data": -1, "payload": -1})
            ),
        ))
        .start();
    (server, user_jwt, user.seed().expect("it was made with one"))
}

/// The text of the credentials file of a user.
#[must_use]
pub fn credentials(jwt: &str, seed: &str) -> String {
    format!(
        "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    )
}
