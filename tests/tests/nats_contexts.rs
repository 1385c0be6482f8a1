//! Connections that are described elsewhere: in contexts of the `nats` command line and in its
//! environment variables.

use std::fs;
use std::path::{Path, PathBuf};

use data_encoding::BASE64;
use nkeys::KeyPair;
use serde_json::{Value, json};
use target_tests::case::Case;
use target_tests::nats_server::NatsServer;
use target_tests::operator;
use target_tests::singer::{record, schema, state};
use target_tests::target::{Outcome, Target};
use target_tests::tls::Tls;

fn input() -> String {
    [
        schema("s", json!({"id": {}}), &["id"]),
        record("s", json!({"id": 1})),
        state(json!({"n": 1})),
    ]
    .concat()
}

/// The directory of a user of the command line.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        let home = tempfile::tempdir().expect("the temporary directory is writable");
        fs::create_dir_all(home.path().join(".config/nats/context")).expect("writable");
        Self(home)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn file(&self, name: &str, text: &str) -> String {
        let file = self.path().join(name);
        fs::write(&file, text).expect("writable");
        file.to_string_lossy().into_owned()
    }

    /// A context as the command line writes it: what is not set is there and empty.
    fn context(&self, name: &str, fields: Value) -> PathBuf {
        let mut all = json!({
            "description": "of a test", "url": "", "socks_proxy": "", "token": "", "user": "",
            "password": "", "creds": "", "nkey": "", "cert": "", "key": "", "ca": "", "nsc": "",
            "jetstream_domain": "", "jetstream_api_prefix": "", "jetstream_event_prefix": "",
            "inbox_prefix": "", "user_jwt": "", "color_scheme": "", "tls_first": false,
        });
        for (field, value) in fields.as_object().expect("an object") {
            all[field] = value.clone();
        }
        let file = self
            .path()
            .join(format!(".config/nats/context/{name}.json"));
        fs::write(&file, all.to_string()).expect("writable");
        file
    }

    /// The target of this user.
    fn target(&self, settings: &Value, command: &[&str]) -> Target {
        Target::with_config_and(settings.clone(), command)
            .env("HOME", self.path())
            .env("XDG_CONFIG_HOME", "")
    }

    /// The target, with these variables, where all that says how to connect is elsewhere.
    fn load(&self, settings: &Value, variables: &[(&str, &str)]) -> Outcome {
        let target = self.target(settings, &[]);
        let target = variables
            .iter()
            .fold(target, |target, (name, value)| target.env(name, *value));
        target.run(input())
    }
}

fn loaded(outcome: Outcome) {
    assert_eq!(outcome.success().states(), [json!({"n": 1})]);
}

/// The settings of a case without the server's address.
fn settings(server: &NatsServer) -> Value {
    let mut settings = Case::on(server).set("connect_timeout_seconds", 2).settings;
    settings.as_object_mut().expect("an object").remove("url");
    settings
}

fn with(settings: &Value, more: Value) -> Value {
    let mut all = settings.clone();
    for (name, value) in more.as_object().expect("an object") {
        all[name] = value.clone();
    }
    all
}

fn server(authorization: &str) -> NatsServer {
    NatsServer::builder()
        .config(&format!("authorization {{ {authorization} }}"))
        .start()
}

#[test]
fn a_context_by_its_name_and_by_its_file() {
    let server = server("token: secret");
    let home = Home::new();
    let file = home.context("prod", json!({"url": server.url(), "token": "secret"}));
    let settings = settings(&server);
    loaded(home.load(&with(&settings, json!({"nats_context": "prod"})), &[]));
    let path = file.to_string_lossy();
    loaded(home.load(&with(&settings, json!({"nats_context": path})), &[]));
    let below_home = with(
        &settings,
        json!({"nats_context": "~/.config/nats/context/prod.json"}),
    );
    loaded(home.load(&below_home, &[]));
    loaded(home.load(&settings, &[("NATS_CONTEXT", "prod")]));
    // Elsewhere than in the home directory.
    let config = home.path().join(".config");
    let config = config.to_str().expect("UTF-8");
    let moved = [("HOME", "/nowhere"), ("XDG_CONFIG_HOME", config)];
    loaded(home.load(&with(&settings, json!({"nats_context": "prod"})), &moved));
    // What is only selected for the command line is not looked at.
    home.file(".config/nats/context.txt", "prod");
    let _ = home
        .load(&with(&settings, json!({"connect_timeout_seconds": 1})), &[])
        .exited(3);
}

#[test]
fn users_and_nkeys_in_contexts() {
    let pair = KeyPair::new_user();
    let seed = pair.seed().expect("it was made with one");
    let server = server(&format!(
        "users: [{{ user: ann, password: secret }}, {{ nkey: {} }}]",
        pair.public_key()
    ));
    let home = Home::new();
    home.file("seed.nk", &format!("# mine\n{seed}\n"));
    let decorated =
        format!("-----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n");
    let data = format!("data:;base64,{}", BASE64.encode(decorated.as_bytes()));
    for fields in [
        json!({"user": "ann", "password": "secret"}),
        json!({"user": "ann", "password": "env://ANNS"}),
        json!({"nkey": "~/seed.nk"}),
        json!({"nkey": "$PLACE/seed.nk"}),
        json!({"nkey": "file://${PLACE}/seed.nk"}),
        json!({"nkey": data}),
    ] {
        home.context("c", with(&fields, json!({"url": server.url()})));
        let place = home.path().to_str().expect("UTF-8");
        let settings = with(&settings(&server), json!({"nats_context": "c"}));
        loaded(home.load(&settings, &[("PLACE", place), ("ANNS", "secret")]));
    }
}

#[test]
fn credentials_in_contexts_and_variables() {
    let (server, jwt, seed) = operator::start();
    let home = Home::new();
    let text = operator::credentials(&jwt, &seed);
    let file = home.file("user.creds", &text);
    let data = format!("data:;base64,{}", BASE64.encode(text.as_bytes()));
    let settings = settings(&server);
    for fields in [
        json!({"creds": "~/user.creds"}),
        json!({"creds": data}),
        json!({"creds": "env://TEXT"}),
        json!({"user_jwt": jwt, "user_seed": seed}),
    ] {
        home.context("c", with(&fields, json!({"url": server.url()})));
        let settings = with(&settings, json!({"nats_context": "c"}));
        loaded(home.load(&settings, &[("TEXT", &text)]));
    }
    let url = server.url();
    for variables in [
        &[("NATS_URL", url.as_str()), ("NATS_CREDS", &file)][..],
        &[("NATS_URL", &url), ("NATS_CREDS", "~/user.creds")],
        &[("NATS_URL", &url), ("NATS_JWT", &jwt), ("NATS_SEED", &seed)],
    ] {
        loaded(home.load(&settings, variables));
    }
}

#[test]
fn variables_of_the_command_line() {
    let pair = KeyPair::new_user();
    let seed = pair.seed().expect("it was made with one");
    let home = Home::new();
    let file = home.file("seed.nk", &seed);
    let nkey = format!("users: [{{ nkey: {} }}]", pair.public_key());
    for (authorization, variables) in [
        (
            "user: ann, password: secret",
            &[("NATS_USER", "ann"), ("NATS_PASSWORD", "secret")][..],
        ),
        ("token: secret", &[("NATS_TOKEN", "secret")]),
        ("token: secret", &[("NATS_USER", "secret")]),
        (&nkey, &[("NATS_NKEY", &file)]),
        (&nkey, &[("NATS_SEED", &seed)]),
    ] {
        let server = server(authorization);
        let url = server.url();
        let mut all = variables.to_vec();
        all.push(("NATS_URL", &url));
        loaded(home.load(&settings(&server), &all));
        // The target's own variables and its files are nearer.
        all.push(("TARGET_NATS_KV_URL", "nats://127.0.0.1:9"));
        let _ = home.load(&settings(&server), &all).exited(3);
    }
}

#[test]
fn tls_in_contexts_and_variables() {
    let tls = Tls::new();
    let server = tls.server("verify: true\nhandshake_first: \"300ms\"");
    let home = Home::new();
    let [ca, cert, key] = ["ca.pem", "client.pem", "client.key"].map(|name| tls.file(name));
    let url = server.url();
    let fields = json!({"url": url, "ca": ca, "cert": cert, "key": key, "tls_first": true});
    home.context("c", fields);
    let settings = settings(&server);
    let named = with(&settings, json!({"nats_context": "c"}));
    loaded(home.load(&named, &[]));
    // Switched off again, TLS comes after the greeting. The pair of files stays a pair.
    loaded(home.load(
        &with(&named, json!({"tls_first": false})),
        &[("NATS_KEY", "/none")],
    ));
    let variables = [
        ("NATS_URL", url.as_str()),
        ("NATS_CA", &ca),
        ("NATS_CERT", &cert),
        ("NATS_KEY", &key),
    ];
    loaded(home.load(&settings, &variables));
}

/// Of two places that name a user, one counts as a whole.
#[test]
fn credentials_are_never_mixed() {
    let server = server("users: [{ user: ann, password: secret }]");
    let home = Home::new();
    let own = json!({"user": "ann", "password": "secret"});
    let none = json!({});
    let url = server.url();
    let with_user = url.replace("nats://", "nats://ann:secret@");
    let with_wrong = url.replace("nats://", "nats://ann:wrong@");
    home.context("wrong", json!({"url": url, "token": "wrong"}));
    home.context(
        "right",
        json!({"url": url, "user": "ann", "password": "secret"}),
    );
    home.context("in_url", json!({"url": with_wrong}));
    home.context("bare", json!({"url": url}));
    let named = |name: &str| json!({"nats_context": name});
    for (fields, variables) in [
        // Settings before a context before variables.
        (with(&own, named("wrong")), &[][..]),
        (with(&own, named("wrong")), &[("NATS_TOKEN", "wrong")]),
        (named("right"), &[("NATS_TOKEN", "wrong")]),
        (
            own.clone(),
            &[("NATS_URL", &url), ("NATS_CREDS", "/no/such")],
        ),
        (
            json!({"url": url}),
            &[("NATS_USER", "ann"), ("NATS_PASSWORD", "secret")],
        ),
        // Those in a URL are credentials of the place where the URL is.
        (json!({"url": with_user}), &[("NATS_TOKEN", "wrong")]),
        (none.clone(), &[("NATS_URL", &with_user)]),
        (own.clone(), &[("NATS_URL", &with_wrong)]),
        (with(&own, named("in_url")), &[]),
        // A context without them takes those of the variables.
        (
            named("bare"),
            &[("NATS_USER", "ann"), ("NATS_PASSWORD", "secret")],
        ),
        // A context that a variable names goes with its server.
        (
            none.clone(),
            &[("NATS_CONTEXT", "right"), ("NATS_URL", &url)],
        ),
        (
            with(&own, json!({"url": url})),
            &[("NATS_CONTEXT", "no-such")],
        ),
        (named("right"), &[("NATS_CONTEXT", "no-such")]),
    ] {
        let outcome = home.load(&with(&settings(&server), fields.clone()), variables);
        assert_eq!(
            outcome.code,
            Some(0),
            "{fields} {variables:?}: {}",
            outcome.stderr
        );
    }
    // A part of them is not completed from another place.
    let half = with(&settings(&server), json!({"url": url, "user": "ann"}));
    let _ = home.load(&half, &[("NATS_PASSWORD", "secret")]).exited(3);
    // Two ways in one place are refused, and it is told which place that is.
    let variables = [("NATS_TOKEN", "t"), ("NATS_CREDS", "/no/such")];
    let outcome = home.load(&settings(&server), &variables).exited(2);
    for part in ["token: is one way", "'creds'", "(set by NATS_TOKEN)"] {
        assert!(outcome.stderr.contains(part), "{part}: {}", outcome.stderr);
    }
}

#[test]
fn what_is_wrong_with_a_context_is_told() {
    let home = Home::new();
    home.context("prod", json!({}));
    home.context("test", json!({}));
    let file = home.context("c", json!({}));
    let settings = json!({"nats_context": "c"});
    let told = |fields: Value, parts: &[&str]| {
        home.context("c", fields);
        let outcome = home.load(&settings, &[]).exited(2);
        for part in parts {
            assert!(outcome.stderr.contains(part), "{part}: {}", outcome.stderr);
        }
        assert!(!outcome.stderr.contains("canary"), "{}", outcome.stderr);
    };
    let path = file.to_string_lossy();
    told(
        json!({"creds": "nsc://op/account/canary"}),
        &["creds", "nsc://", &path],
    );
    told(
        json!({"password": "op://canary", "user": "a"}),
        &["password", "op://", "'c'"],
    );
    told(json!({"nsc": "op/account/canary"}), &["field 'nsc'", &path]);
    told(
        json!({"socks_proxy": "canary"}),
        &["field 'socks_proxy'", &path],
    );
    told(
        json!({"windows_cert_store": "canary"}),
        &["'windows_cert_store'", &path],
    );
    told(
        json!({"creds": "~/no.creds"}),
        &["there is no file", "no.creds", "set by the context 'c'"],
    );
    told(
        json!({"creds": "$NOWHERE/no.creds"}),
        &["variable NOWHERE", &path],
    );
    told(json!({"nkey": "~/no.nk"}), &["nkey_seed", "no.nk", &path]);
    told(
        json!({"token": "env://NOTHING"}),
        &["token", "NOTHING", &path],
    );
    told(
        json!({"token": ["canary"]}),
        &["field 'token'", "must be a string", &path],
    );
    told(
        json!({"tls_first": "canary"}),
        &["field 'tls_first'", &path],
    );
    told(
        json!({"url": "ftp://canary"}),
        &["url", "set by the context 'c'"],
    );
    fs::write(&file, "{\n\"password\": canary}").expect("writable");
    let outcome = home.load(&settings, &[]).exited(2);
    assert!(
        outcome.stderr.contains("see its line 2"),
        "{}",
        outcome.stderr
    );
    assert!(!outcome.stderr.contains("canary"), "{}", outcome.stderr);
    for (name, parts) in [
        (
            "prd",
            &["there is no context 'prd'", "there are: c, prod, test"][..],
        ),
        ("/no/such.json", &["there is no file '/no/such.json'"]),
    ] {
        let outcome = home.load(&json!({"nats_context": name}), &[]).exited(2);
        for part in parts {
            assert!(outcome.stderr.contains(part), "{part}: {}", outcome.stderr);
        }
    }
    // What a later version of the command line may add.
    let server = NatsServer::start();
    home.context("c", json!({"url": server.url(), "novelty": "canary"}));
    let outcome = home.load(&settings, &[]).success();
    assert!(
        outcome.stderr.contains("field 'novelty' is not known"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn check_tells_where_the_connection_comes_from() {
    let server = server("user: ann, password: canary");
    let home = Home::new();
    let file = home.context(
        "c",
        json!({"url": server.url(), "user": "ann", "password": "canary"}),
    );
    let settings = with(&settings(&server), json!({"nats_context": "c"}));
    let outcome = home.target(&settings, &["check"]).run("").success();
    let context = format!("the context 'c' ({})", file.display());
    let told = format!("address: from {context}; credentials: 'user' from {context}");
    assert!(outcome.stdout.contains(&told), "{}", outcome.stdout);
    let url = server.url().replace("nats://", "nats://ann:canary@");
    let settings = with(&settings, json!({"nats_context": null}));
    let outcome = home
        .target(&settings, &["check"])
        .env("NATS_URL", &url)
        .run("")
        .success();
    let told = "address: from NATS_URL; credentials: in the address";
    assert!(outcome.stdout.contains(told), "{}", outcome.stdout);
    assert!(!outcome.stdout.contains("canary"), "{}", outcome.stdout);
    // Who is not let in may not know of them.
    let wrong = url.replace("canary", "wrong");
    let outcome = home.load(&settings, &[("NATS_URL", &wrong)]).exited(3);
    assert!(outcome.stderr.contains(told), "{}", outcome.stderr);
}
