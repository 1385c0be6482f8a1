//! What networks do: connections that are cut, stall, lose acknowledgements or deliver late. A
//! proxy does it; the oracle judges what the run left.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use target_tests::bucket::Bucket;
use target_tests::case::Case;
use target_tests::nats_server::NatsServer;
use target_tests::oracle::Workload;
use target_tests::proxy::{Fate, Frame, From, Proxy};
use target_tests::server_binary::{NEWEST, OLDEST};
use target_tests::singer::{record, schema_with_bookmark, state};
use target_tests::ways::at_once;

/// What a run over a bad network is tried with: the server, `refresh_mode` and `write_path`.
const WAYS: [(&str, &str, &str); 4] = [
    (NEWEST, "newer", "fast"),
    (NEWEST, "full", "fast"),
    (NEWEST, "full", "ack"),
    (OLDEST, "newer", "auto"),
];

/// A server, the network before it, and a bucket that keeps every value.
struct Scene {
    server: NatsServer,
    proxy: Proxy,
    case: Case,
    bucket: Bucket,
}

impl Scene {
    async fn new(version: &str, mode: &str, path: &str) -> Self {
        let server = NatsServer::builder().version(version).start();
        let proxy = Proxy::to(&server.url());
        let case = Case::on(&server)
            .set("url", proxy.url())
            .set("refresh_mode", mode)
            .set("write_path", path)
            .set("request_timeout_seconds", 1)
            .set("batch_size_rows", 300)
            .set("state_interval_seconds", 0.05);
        let bucket = case.make_bucket().await;
        Self {
            server,
            proxy,
            case,
            bucket,
        }
    }

    /// Every so many writes, this becomes of one.
    fn every_write(&self, nth: usize, fate: Fate) -> Arc<AtomicUsize> {
        self.every(nth, fate, Frame::is_write)
    }

    /// Every so many messages that `counts`, this becomes of one. Returns how often it did.
    fn every(&self, nth: usize, fate: Fate, counts: fn(&Frame) -> bool) -> Arc<AtomicUsize> {
        let done = Arc::new(AtomicUsize::new(0));
        let times = Arc::clone(&done);
        let mut seen = 0;
        self.proxy.rule(move |frame| {
            seen += usize::from(counts(frame));
            if counts(frame) && seen % nth == 0 {
                times.fetch_add(1, Ordering::Relaxed);
                return fate;
            }
            Fate::Pass
        });
        done
    }

    async fn runs_through(&self, workload: Workload) {
        let outcome = self.case.load(workload.input_from(0));
        workload.is_complete(&self.bucket, outcome).await;
    }
}

#[test]
fn a_connection_that_is_cut_again_and_again() {
    at_once(WAYS, async |(version, mode, path)| {
        let scene = Scene::new(version, mode, path).await;
        let workload = Workload::of(5_000);
        let mut run = scene.case.target().spawn();
        workload.feed(&mut run, 0);
        let mut cuts = 0;
        while cuts < 6 && run.state_within(Duration::from_secs(60)).is_some() {
            scene.proxy.cut();
            cuts += 1;
        }
        assert!(cuts >= 3, "it was not tried");
        let outcome = run.wait();
        workload.is_complete(&scene.bucket, outcome).await;
    });
}

#[test]
fn a_connection_that_is_reset_in_the_middle_of_a_message() {
    at_once(WAYS, async |(version, mode, path)| {
        let scene = Scene::new(version, mode, path).await;
        let times = scene.every_write(701, Fate::Reset);
        scene.runs_through(Workload::of(3_000)).await;
        assert!(times.load(Ordering::Relaxed) >= 4, "it was not tried");
    });
}

#[test]
fn acknowledgements_that_are_lost() {
    at_once(WAYS, async |(version, mode, path)| {
        let scene = Scene::new(version, mode, path).await;
        // A fast batch has few acknowledgements.
        let nth = if path == "fast" { 3 } else { 211 };
        let times = scene.every(nth, Fate::Drop, Frame::is_ack);
        scene.runs_through(Workload::of(2_000)).await;
        assert!(times.load(Ordering::Relaxed) >= 2, "it was not tried");
    });
}

/// The writes arrive, so the bucket has everything; but nobody said so.
#[test]
fn without_acknowledgements_there_is_no_state() {
    let ways = [("newer", "fast"), ("newer", "ack"), ("full", "fast")];
    at_once(ways, async |(mode, path)| {
        let scene = Scene::new(NEWEST, mode, path).await;
        let case = scene.case.clone().set("max_retry_seconds", 3);
        let workload = Workload::of(500);
        let mut run = case.target().spawn();
        assert!(run.send(workload.schema() + &workload.records(0..100)));
        while run.state() != json!({"done": 100}) {}
        // Neither do reads: a value that is read back proves a write as well.
        scene.proxy.rule(|frame| match frame.from {
            From::Server if frame.bytes.starts_with(b"PONG") => Fate::Pass,
            From::Server => Fate::Drop,
            From::Client => Fate::Pass,
        });
        assert!(run.send(workload.records(100..500)));
        let outcome = run.finish();
        assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
        assert_eq!(outcome.states().last(), Some(&json!({"done": 100})));
        workload.holds(&scene.bucket, &outcome.states()).await;
    });
}

#[test]
fn a_network_that_swallows_everything_for_a_while() {
    at_once(WAYS, async |(version, mode, path)| {
        let scene = Scene::new(version, mode, path).await;
        let workload = Workload::of(3_000);
        let mut run = scene.case.target().spawn();
        workload.feed(&mut run, 0);
        run.state();
        scene.proxy.black_hole();
        // Nothing tells a black hole from a slow server but time: longer than a request may take.
        let deadline = Instant::now() + Duration::from_secs(5);
        while let Some(left) = deadline.checked_duration_since(Instant::now()) {
            run.state_within(left);
        }
        scene.proxy.pass();
        let outcome = run.wait();
        workload.is_complete(&scene.bucket, outcome).await;
    });
}

#[tokio::test]
async fn a_network_that_never_comes_back() {
    let scene = Scene::new(NEWEST, "newer", "auto").await;
    let case = scene.case.clone().set("max_retry_seconds", 3);
    let workload = Workload::of(1_000);
    let mut run = case.target().spawn();
    assert!(run.send(workload.schema() + &workload.records(0..100)));
    while run.state() != json!({"done": 100}) {}
    scene.proxy.black_hole();
    assert!(run.send(workload.records(100..1_000)));
    let outcome = run.finish().exited(1);
    assert_eq!(outcome.states().last(), Some(&json!({"done": 100})));
    assert!(
        outcome.stderr.contains("max_retry_seconds"),
        "{}",
        outcome.stderr
    );
    workload.holds(&scene.bucket, &outcome.states()).await;
}

/// As when something on the way has forgotten it: nobody is told, and only pings can find out.
#[tokio::test]
async fn a_connection_that_dies_silently() {
    let scene = Scene::new(NEWEST, "newer", "auto").await;
    let case = scene.case.clone().set("ping_interval_seconds", 1);
    let workload = Workload::of(2_000);
    let mut run = case
        .set("max_retry_seconds", 30)
        .target()
        .patience(Duration::from_secs(120))
        .spawn();
    workload.feed(&mut run, 0);
    run.state();
    scene.proxy.rule(|frame| match frame.connection {
        0 => Fate::Hold,
        _ => Fate::Pass,
    });
    let outcome = run.wait();
    workload.is_complete(&scene.bucket, outcome).await;
}

#[test]
fn a_slow_network() {
    at_once(WAYS, async |(version, mode, path)| {
        let scene = Scene::new(version, mode, path).await;
        scene.every(10, Fate::Delay(Duration::from_millis(5)), |_| true);
        scene.runs_through(Workload::of(2_000)).await;
    });
}

/// A batch takes longer than a request may, but something always arrives: nobody loses patience.
#[test]
fn answers_that_trickle_in_are_waited_for() {
    at_once(["ack", "fast"], async |path| {
        let scene = Scene::new(NEWEST, "full", path).await;
        scene.every(4, Fate::Delay(Duration::from_millis(20)), |_| true);
        let case = scene.case.clone().set("request_timeout_seconds", 2);
        let workload = Workload::of(1_000);
        let input = workload.input_from(0);
        let outcome = case.set("batch_size_rows", 500).load(input);
        assert!(
            !outcome.stderr.contains("trying again"),
            "{path}: {}",
            outcome.stderr
        );
        workload.is_complete(&scene.bucket, outcome).await;
    });
}

/// A read waits behind the writes that are under way. As long as these are acknowledged, the server
/// is not silent.
#[test]
fn reads_behind_writes_are_waited_for() {
    at_once([NEWEST, OLDEST], async |version| {
        let scene = Scene::new(version, "newer", "auto").await;
        // Few long pauses rather than many short ones: a busy machine makes each a little longer.
        scene.every(40, Fate::Delay(Duration::from_millis(200)), |_| true);
        let workload = Workload::of(1_400);
        // A read waits some three seconds here, and would be given up after four times this.
        let case = scene.case.clone().set("request_timeout_seconds", 2);
        let target = case.target().patience(Duration::from_secs(180));
        let outcome = target.run(workload.input_from(0));
        assert!(
            !outcome.stderr.contains("trying again"),
            "{version}: {}",
            outcome.stderr
        );
        workload.is_complete(&scene.bucket, outcome).await;
    });
}

/// A write of key 1 stays on its way while the target gives up the connection, writes the record
/// again and then a newer one. Then it arrives.
async fn late_write(mode: &str, path: &str) -> Vec<Value> {
    let scene = Scene::new(NEWEST, mode, path).await;
    let line = |b: u64| record("s", json!({"id": 1, "b": b})) + &state(json!({"done": b}));
    let schema = schema_with_bookmark(
        "s",
        json!({"id": {}, "b": {"type": "integer"}}),
        &["id"],
        "b",
    );
    let mut run = scene.case.target().spawn();
    assert!(run.send(schema));
    let held = Arc::new(Mutex::new(None));
    let connection = Arc::clone(&held);
    // The first write, and all that the same connection carries after it.
    scene.proxy.rule(move |frame| {
        let mut held = connection.lock().expect("nothing panics here");
        if frame.is_write_of("s.1") && held.is_none() {
            *held = Some(frame.connection);
        }
        if *held == Some(frame.connection) && frame.from == From::Client {
            return Fate::Hold;
        }
        Fate::Pass
    });
    assert!(run.send(line(1)));
    let deadline = Instant::now() + Duration::from_secs(30);
    while held.lock().expect("nothing panics there").is_none() {
        assert!(Instant::now() < deadline, "it writes nothing");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    scene.proxy.hang_up();
    assert_eq!(run.state(), json!({"done": 1}));
    assert!(run.send(line(2)));
    assert_eq!(run.state(), json!({"done": 2}));
    let before = scene.bucket.writes().await;
    scene.proxy.pass();
    let outcome = run.finish().success();
    assert_eq!(outcome.states().last(), Some(&json!({"done": 2})));
    // The late write is the only one that can still come; that it does not must be given time.
    let deadline = Instant::now() + Duration::from_secs(2);
    while scene.bucket.writes().await == before && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!scene.server.log().contains("panic"));
    let messages = scene.bucket.messages().await;
    messages
        .iter()
        .map(|entry| entry.json()["b"].clone())
        .collect()
}

#[test]
fn a_write_that_arrives_after_its_retry_is_refused() {
    let ways = [("newer", "ack"), ("newer", "fast"), ("same", "fast")];
    at_once(ways, async |(mode, path)| {
        assert_eq!(late_write(mode, path).await, [1, 2], "{mode}, {path}");
    });
}

/// Where the promise ends, as `docs/guarantees.md` says: nothing in an unconditional write tells
/// the server that it is late.
#[test]
fn in_full_a_write_that_arrives_after_its_retry_and_a_newer_one_stands() {
    at_once(["ack", "fast"], async |path| {
        assert_eq!(late_write("full", path).await, [1, 2, 1], "{path}");
    });
}
