//! States that are kept in a bucket: never ahead of the records, never behind the output, and of
//! one run at a time.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use target_tests::bucket::Bucket;
use target_tests::case::Case;
use target_tests::file_server::free_port;
use target_tests::nats_server::NatsServer;
use target_tests::oracle::{Workload, chance, done};
use target_tests::proxy::{Fate, Frame, Proxy};
use target_tests::server_binary::{NEWEST, OLDEST};
use target_tests::singer::{record, schema, state};
use target_tests::target::{Outcome, Target};

/// The bucket for the states of a case.
fn name(case: &Case) -> String {
    format!("states_{}", case.name)
}

fn keeping(case: Case) -> Case {
    let name = name(&case);
    case.set("state_bucket", name)
        .set("state_key", "shop.orders")
        .set("state_interval_seconds", 0.05)
}

async fn states(case: &Case) -> Bucket {
    Bucket::open(&case.url, &name(case)).await
}

/// A bucket for states that remembers all of them.
async fn every_state(case: &Case) -> Bucket {
    Bucket::create(&case.url, &name(case), 64).await
}

async fn kept(bucket: &Bucket) -> Option<Value> {
    let entry = bucket.get("shop.orders").await?;
    (entry.operation == "PUT").then(|| entry.json())
}

fn command(case: &Case, action: &str) -> Target {
    Target::with_config_and(case.settings.clone(), &["state", action])
}

fn input(id: u64) -> String {
    let text = schema("s", json!({"id": {"type": "integer"}}), &["id"]);
    text + &record("s", json!({"id": id})) + &state(json!({"n": id}))
}

/// From nothing to the second run of a tap.
#[tokio::test]
async fn the_state_is_there_for_the_next_run_of_the_tap() {
    for case in [Case::new(), Case::on_oldest()] {
        let case = keeping(case);
        let get = || command(&case, "get").run("").success().stdout;
        assert_eq!(get(), "{}\n");
        assert!(
            !Bucket::exists(&case.url, &name(&case)).await,
            "get made it"
        );
        // Digits and spaces of the tap, as on the output.
        let text = r#"{"bookmarks":{"orders":{"at":1.10,"id":1180591620717411303424}},"é":null}"#;
        let message = format!("{{\"type\":\"STATE\",\"value\":{text}}}\n");
        let outcome = case.load(input(1) + &message).success();
        assert_eq!(outcome.stdout.lines().last(), Some(text));
        assert_eq!(get(), format!("{text}\n"));
        let config = states(&case).await.config().await;
        assert_eq!(config.max_messages_per_subject, 10);
        // A run without any state leaves it, and so does one that fails before its own.
        let _ = case.load(schema("s", json!({"id": {}}), &["id"])).success();
        let _ = case.load("no message").exited(1);
        assert_eq!(get(), format!("{text}\n"));
        let _ = case.load(input(2)).success();
        assert_eq!(get(), "{\"n\":2}\n");
    }
}

#[tokio::test]
async fn the_state_can_be_set_and_cleared() {
    let case = keeping(Case::new());
    let run = |action: &str, input: &str| command(&case, action).run(input);
    let _ = run("clear", "").success();
    let _ = run("set", "{\"n\": 1.0}\n").success();
    assert_eq!(run("get", "").success().stdout, "{\"n\": 1.0}\n");
    for (wrong, why) in [
        ("", "line 1: the state is not one object of JSON"),
        ("{\"canary\"", "not one object of JSON"),
        ("{} {}", "not one object of JSON"),
        ("[\"canary\"]", "JSON, but not an object"),
        (
            "\n\"canary\"",
            "line 2: the state is JSON, but not an object",
        ),
        ("7", "JSON, but not an object"),
        ("null", "JSON, but not an object"),
    ] {
        let outcome = run("set", wrong).exited(1);
        assert!(outcome.stderr.contains(why), "{wrong}: {}", outcome.stderr);
        assert!(!outcome.stderr.contains("canary"), "{}", outcome.stderr);
    }
    let _ = run("clear", "").success();
    assert_eq!(run("get", "").success().stdout, "{}\n");
    assert_eq!(kept(&states(&case).await).await, None);
    // After a deletion it begins anew.
    let _ = case.load(input(3)).success();
    assert_eq!(run("get", "").success().stdout, "{\"n\":3}\n");
    states(&case).await.put("shop.orders", "canary").await;
    let outcome = run("get", "").exited(1);
    assert!(
        outcome.stderr.contains("it is not JSON"),
        "{}",
        outcome.stderr
    );
    assert!(!outcome.stderr.contains("canary"), "{}", outcome.stderr);
}

#[test]
fn settings_that_do_not_go_together() {
    let case = Case::new();
    let told = |outcome: Outcome, part: &str| {
        assert!(outcome.stderr.contains(part), "{part}: {}", outcome.stderr);
    };
    let refused = |case: Case, part: &str| told(case.load("").exited(2), part);
    refused(
        case.clone().set("state_bucket", "b"),
        "state_key: is not set but is required",
    );
    refused(
        case.clone().set("state_key", "k"),
        "state_bucket: is not set but is required",
    );
    let keeping = keeping(case.clone());
    refused(
        keeping.clone().set("state_bucket", case.name.as_str()),
        "bucket of records",
    );
    let per_stream = keeping.clone().set("bucket", "x_{stream}");
    refused(per_stream.set("state_bucket", "x_y"), "bucket of records");
    for key in ["a b", ".a", "a..b", "a."] {
        refused(
            keeping.clone().set("state_key", key),
            "state_key: may only have",
        );
    }
    told(command(&case, "get").run("").exited(2), "no state is kept");
    let missing = keeping.set("create_bucket", false);
    told(command(&missing, "get").run("").exited(3), &name(&missing));
}

/// What is printed is kept by then, and what is kept was safe by then.
#[tokio::test]
async fn a_printed_state_is_kept() {
    let case = keeping(Case::new());
    let every = every_state(&case).await;
    let workload = Workload {
        state_every: 10,
        ..Workload::of(20_000)
    };
    let mut run = case.target().spawn();
    workload.feed(&mut run, 0);
    for _ in 0..5 {
        let printed = done(&run.state());
        let kept = done(&kept(&every).await.expect("it is kept"));
        assert!(kept >= printed, "{kept} is kept, {printed} is printed");
    }
    let outcome = run.wait();
    workload.is_complete(&case.bucket().await, outcome).await;
    let all: Vec<_> = every
        .messages()
        .await
        .iter()
        .map(|it| done(&it.json()))
        .collect();
    assert!(all.is_sorted() && all.len() > 3, "{all:?}");
    assert_eq!(all.last(), Some(&20_000));
}

/// The target is killed again and again, and each time goes on from what is kept.
#[tokio::test]
async fn runs_go_on_from_what_is_kept_after_a_kill() {
    let mut chance = chance("runs_go_on_from_what_is_kept_after_a_kill");
    let workload = Workload::default();
    for version in [NEWEST, OLDEST] {
        let server = NatsServer::builder().version(version).start();
        let case = keeping(Case::on(&server)).set("batch_size_rows", 200);
        let bucket = case.make_bucket().await;
        let every = every_state(&case).await;
        let mut first = 0;
        for _ in 0..4 {
            let mut run = case.target().spawn();
            workload.feed(&mut run, first);
            std::thread::sleep(Duration::from_millis(chance.u64(100..900)));
            run.signal(Signal::SIGKILL);
            let printed = run.wait().states();
            let kept = kept(&every).await;
            let last = kept.as_ref().map_or(first, done);
            assert!(
                printed.last().map_or(first, done) <= last,
                "{printed:?}, {kept:?}"
            );
            workload.holds(&bucket, kept.as_slice()).await;
            first = last;
        }
        if first < workload.records {
            let outcome = case.load(workload.input_from(first));
            workload.is_complete(&bucket, outcome).await;
        }
        assert_eq!(
            kept(&every).await.as_ref().map(done),
            Some(workload.records)
        );
    }
}

/// A state is due while the server is away, and then while it is silent.
#[tokio::test]
async fn a_state_waits_for_the_server() {
    for version in [NEWEST, OLDEST] {
        let mut server = NatsServer::builder().version(version).start();
        let case = keeping(Case::on(&server)).set("request_timeout_seconds", 1);
        let mut run = case.target().spawn();
        assert!(run.send(input(1)));
        assert_eq!(run.state(), json!({"n": 1}));
        server.kill();
        // No record before it: only the state itself has to be kept.
        assert!(run.send(state(json!({"n": 2}))));
        assert_eq!(run.state_within(Duration::from_secs(2)), None);
        server.restart();
        assert_eq!(run.state(), json!({"n": 2}));
        assert_eq!(kept(&states(&case).await).await, Some(json!({"n": 2})));
        server.pause();
        assert!(run.send(state(json!({"n": 3}))));
        assert_eq!(run.state_within(Duration::from_secs(3)), None);
        server.resume();
        assert_eq!(run.state(), json!({"n": 3}));
        let _ = run.finish().success();
        assert_eq!(kept(&states(&case).await).await, Some(json!({"n": 3})));
    }
}

#[tokio::test]
async fn a_state_that_cannot_be_kept_fails_the_run() {
    let server = NatsServer::builder().config("max_payload: 16KB").start();
    let case = keeping(Case::on(&server)).set("max_retry_seconds", 2);
    let large = |size: usize| input(1) + &input(2) + &state(json!({"n": "x".repeat(size)}));
    let outcome = case.load(large(13_000)).exited(1);
    for part in [&*name(&case), "max_payload"] {
        assert!(outcome.stderr.contains(part), "{}", outcome.stderr);
    }
    assert!(!outcome.stdout.contains("xxx"), "{}", outcome.stdout);
    // What came before it is kept and printed, or neither; the records are there.
    let last = kept(&states(&case).await).await;
    assert_eq!(outcome.states().last(), last.as_ref());
    assert_eq!(case.bucket().await.keys().await, ["s.1", "s.2"]);

    let case = keeping(case.again());
    let config = async_nats::jetstream::kv::Config {
        bucket: name(&case),
        max_value_size: 1000,
        ..Default::default()
    };
    let _ = Bucket::create_with(&case.url, config).await;
    let outcome = case.load(large(2_000)).exited(1);
    assert!(
        outcome.stderr.contains("max_value_size"),
        "{}",
        outcome.stderr
    );
    assert!(!outcome.stdout.contains("xxx"), "{}", outcome.stdout);

    // The server goes away for good.
    let mut server = server;
    let case = keeping(case.again()).set("request_timeout_seconds", 1);
    let mut run = case.target().spawn();
    assert!(run.send(input(1)));
    let _ = run.state();
    server.kill();
    assert!(run.send(state(json!({"n": 2}))));
    let outcome = run.wait().exited(1);
    assert!(
        outcome.stderr.contains("the state cannot be kept"),
        "{}",
        outcome.stderr
    );
    assert_eq!(outcome.states(), [json!({"n": 1})]);
}

/// Two runs of one pipeline at once: neither takes the other's place in silence.
#[tokio::test]
async fn of_two_runs_at_once_one_fails() {
    for case in [Case::new(), Case::on_oldest()] {
        let case = keeping(case);
        let _ = case.load(input(1)).success();
        let mut first = case.target().spawn();
        assert!(first.send(input(2)));
        assert_eq!(first.state(), json!({"n": 2}));
        let mut second = case.target().spawn();
        assert!(second.send(input(3)));
        assert_eq!(second.state(), json!({"n": 3}));
        assert!(first.send(input(4)));
        let outcome = first.wait().exited(1);
        for part in [
            "shop.orders",
            "changed by somebody else",
            "twice at the same time",
        ] {
            assert!(outcome.stderr.contains(part), "{part}: {}", outcome.stderr);
        }
        assert_eq!(outcome.states(), [json!({"n": 2})]);
        assert!(second.send(input(5)));
        let _ = second.finish().success();
        assert_eq!(kept(&states(&case).await).await, Some(json!({"n": 5})));
        // Other pipelines do not matter.
        let other = case.clone().set("state_key", "shop.customers");
        let mut run = case.target().spawn();
        assert!(run.send(input(6)));
        let _ = run.state();
        let _ = other.load(input(1)).success();
        assert!(run.send(input(7)));
        let _ = run.finish().success();
    }
}

/// Acknowledgements of the state are lost: the copy that is sent again is not taken for another
/// run's.
#[tokio::test]
async fn a_state_whose_acknowledgement_is_lost_is_known_again() {
    let server = NatsServer::start();
    let proxy = Proxy::to(&server.url());
    let case = keeping(Case::on(&server))
        .set("url", proxy.url())
        .set("request_timeout_seconds", 1);
    let every = every_state(&case).await;
    let mut run = case.target().spawn();
    assert!(run.send(input(1)));
    assert_eq!(run.state(), json!({"n": 1}));
    let mut lost = 0;
    proxy.rule(move |frame: &Frame| {
        if frame.is_ack() && lost < 2 {
            lost += 1;
            return Fate::Drop;
        }
        Fate::Pass
    });
    assert!(run.send(state(json!({"n": 2}))));
    assert_eq!(run.state(), json!({"n": 2}));
    let _ = run.finish().success();
    let all: Vec<_> = every.messages().await.iter().map(|it| it.json()).collect();
    assert_eq!(all, [json!({"n": 1}), json!({"n": 2})]);
}

/// Nobody reads the output: the records and the states go on until it is full, and nothing is lost.
#[tokio::test]
async fn an_output_that_is_not_read() {
    let case = keeping(Case::new()).set("state_interval_seconds", 0);
    let every = every_state(&case).await;
    let (reader, writer) = std::io::pipe().expect("there are pipes");
    let mut run = case.target().stdout(writer).spawn();
    let filler = "x".repeat(1000);
    let mut text = schema("s", json!({"id": {"type": "integer"}}), &["id"]);
    for id in 0..500 {
        text += &record("s", json!({"id": id}));
        text += &state(json!({"n": id, "filler": filler}));
    }
    assert!(run.send(text));
    std::thread::sleep(Duration::from_secs(1));
    let read = std::thread::spawn(move || std::io::read_to_string(reader));
    let _ = run.finish().success();
    let printed = read.join().expect("no panic").expect("it is text");
    let last: Value = printed
        .lines()
        .last()
        .map(|it| serde_json::from_str(it).expect("JSON"))
        .expect("one");
    assert_eq!(last["n"], 499);
    assert_eq!(kept(&every).await, Some(last));
}

#[tokio::test]
async fn what_is_read_before_a_signal_is_kept() {
    let case = keeping(Case::new())
        .set("batch_wait_limit_seconds", 3600)
        .set("state_interval_seconds", 3600);
    let mut run = case.target().spawn();
    assert!(run.send(input(1)));
    std::thread::sleep(Duration::from_secs(1));
    run.signal(Signal::SIGTERM);
    let outcome = run.wait().exited(143);
    assert_eq!(outcome.states(), [json!({"n": 1})]);
    assert_eq!(kept(&states(&case).await).await, Some(json!({"n": 1})));
}

#[tokio::test]
async fn states_in_the_domain_of_a_leaf_node() {
    let port = free_port();
    let hub = NatsServer::builder()
        .domain("hub")
        .config(&format!(
            "server_name: hub\nleafnodes {{ listen: \"127.0.0.1:{port}\" }}"
        ))
        .start();
    let leaf = NatsServer::builder()
        .domain("leaf")
        .config(&format!(
            "server_name: leaf\nleafnodes {{ remotes: [{{ url: \"nats://127.0.0.1:{port}\" }}] }}"
        ))
        .start();
    let case = keeping(Case::on(&hub)).set("jetstream_domain", "leaf");
    for id in 1..3 {
        let _ = case.load(input(id)).success();
        let text = command(&case, "get").run("").success().stdout;
        assert_eq!(text, format!("{{\"n\":{id}}}\n"));
    }
    let inside = Bucket::open(&leaf.url(), &name(&case)).await;
    assert_eq!(kept(&inside).await, Some(json!({"n": 2})));
}

/// What `docs/operations.md` says that it needs, and no more; `check` names what is missing.
#[tokio::test]
async fn permissions_for_one_pipeline() {
    const SUBJECTS: [&str; 4] = [
        "$JS.API.INFO",
        "$JS.API.STREAM.INFO.KV_states",
        "$JS.API.STREAM.MSG.GET.KV_states",
        "$KV.states.shop.orders",
    ];
    let records = [
        "$JS.API.STREAM.*.KV_b",
        "$JS.API.STREAM.MSG.GET.KV_b",
        "$JS.API.DIRECT.GET.KV_b.>",
        "$JS.API.DIRECT.GET.KV_b",
        "$KV.b.>",
    ];
    for missing in std::iter::once(None).chain(SUBJECTS.into_iter().map(Some)) {
        let publish: Vec<_> = SUBJECTS
            .into_iter()
            .filter(|it| Some(*it) != missing)
            .chain(records)
            .collect();
        let server = NatsServer::builder()
            .config(&format!(
                "authorization {{ users: [{{ user: root, password: secret }}, \
                 {{ user: ann, password: secret, permissions: {{ \
                 publish: [\"{}\"], subscribe: [\"_INBOX.>\"] }} }}] }}",
                publish.join("\", \"")
            ))
            .start();
        let root = server.url().replace("nats://", "nats://root:secret@");
        let _ = Bucket::create(&root, "states", 5).await;
        let case = Case::on(&server)
            .set("bucket", "b")
            .set("user", "ann")
            .set("password", "secret")
            .set("state_bucket", "states")
            .set("state_key", "shop.orders")
            .set("request_timeout_seconds", 1)
            .set("max_retry_seconds", 2);
        let outcome = case.load(input(1));
        let checked = Target::with_config_and(case.settings.clone(), &["check"]).run("");
        match missing {
            // Without it slower ways are used.
            None | Some("$JS.API.INFO") => {
                assert_eq!(outcome.success().states(), [json!({"n": 1})]);
                let told = checked.success().stdout;
                assert!(
                    told.contains("state_bucket 'states' can be written"),
                    "{told}"
                );
            }
            Some(subject) => {
                let outcome = outcome.exited(3);
                assert_eq!(outcome.stdout, "", "{subject}");
                assert!(
                    outcome.stderr.contains("ermission"),
                    "{subject}: {}",
                    outcome.stderr
                );
                let told = checked.exited(3);
                let told = told.stdout + &told.stderr;
                let shown = subject.replace("shop.orders", ">");
                assert!(told.contains(&shown), "{subject}: {told}");
            }
        }
    }
}
