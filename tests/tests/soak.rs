//! The long mode: the promise under hundreds of kills and minutes of trouble. Not run by default:
//!
//! ```text
//! cargo test -p target-tests --test soak -- --ignored --nocapture --test-threads 1
//! ```
//!
//! `KILLS=50` and `SOAK_SECONDS=30` make it shorter. Each test prints its seed first; `SEED=…`
//! repeats what chance did, though not how fast the machine was.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;
use nix::sys::signal::Signal;
use target_tests::bucket::Bucket;
use target_tests::case::Case;
use target_tests::nats_server::NatsServer;
use target_tests::oracle::{Workload, chance, done};
use target_tests::proxy::{Fate, From, Proxy};
use target_tests::server_binary::{NEWEST, OLDEST};

fn number(name: &str, default: u64) -> u64 {
    let given = std::env::var(name).ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[allow(clippy::print_stderr, reason = "what the long mode is run for")]
fn tell(text: &str) {
    eprintln!("{text}");
}

/// Settings by chance.
fn vary(case: Case, chance: &mut Rng) -> Case {
    let mode = ["newer", "same", "full", "full"][chance.usize(..4)];
    let path = ["auto", "ack"][chance.usize(..2)];
    case.again()
        .set("msgpack", chance.bool())
        .set("refresh_mode", mode)
        .set("write_path", path)
        .set("batch_size_rows", chance.u64(1..2_000))
        .set("max_in_flight", chance.u64(1..1_500))
        .set("request_timeout_seconds", 2)
        .set("state_interval_seconds", 0.02)
}

#[tokio::test]
#[ignore = "minutes long"]
async fn kill_the_target() {
    let mut chance = chance("kill_the_target");
    let kills = number("KILLS", 500);
    let started = Instant::now();
    let servers = [NEWEST, OLDEST].map(|version| NatsServer::builder().version(version).start());
    let (mut killed, mut loads, mut printed) = (0, 0, 0);
    while killed < kills {
        let case = vary(Case::on(&servers[chance.usize(..2)]), &mut chance);
        let bucket = case.make_bucket().await;
        let mut workload = Workload::default();
        if case.settings["refresh_mode"] == "full" {
            // The next run writes again what is behind the last state.
            workload = workload.each_key_once();
        }
        let mut first = 0;
        // Until a run comes through before it is killed.
        while killed < kills {
            let mut run = case.target().spawn();
            workload.feed(&mut run, first);
            std::thread::sleep(Duration::from_millis(chance.u64(10..900)));
            run.signal(Signal::SIGKILL);
            let outcome = run.wait();
            let states = outcome.states();
            workload.holds(&bucket, &states).await;
            printed += states.len();
            first = states.last().map_or(first, done);
            if outcome.code.is_some() || first == workload.records {
                break;
            }
            killed += 1;
        }
        if first < workload.records {
            let outcome = case.load(workload.input_from(first));
            workload.is_complete(&bucket, outcome).await;
        }
        loads += 1;
    }
    tell(&format!(
        "kill_the_target: {killed} kills in {loads} loads of {} records, {printed} states, none \
         ahead of the data, all loads complete; {:.0} s",
        Workload::default().records,
        started.elapsed().as_secs_f64()
    ));
}

#[tokio::test]
#[ignore = "minutes long"]
async fn kill_the_server() {
    let mut chance = chance("kill_the_server");
    let kills = number("KILLS", 200);
    let started = Instant::now();
    let workload = Workload::of(20_000);
    let (mut killed, mut loads) = (0, 0);
    while killed < kills {
        let version = [NEWEST, NEWEST, OLDEST][chance.usize(..3)];
        let mut server = NatsServer::builder().version(version).start();
        let case = vary(Case::on(&server), &mut chance);
        case.make_bucket().await;
        let mut run = case.target().patience(Duration::from_secs(300)).spawn();
        workload.feed(&mut run, 0);
        let mut states = Vec::new();
        // A load takes a second or two of the server's life: a dozen kills.
        for _ in 0..12 {
            let pause = Duration::from_millis(chance.u64(20..500));
            states.extend(run.state_within(pause));
            server.kill();
            while let Some(state) = run.state_within(Duration::from_millis(50)) {
                states.push(state);
            }
            server.restart();
            killed += 1;
            if states.last().map(done) == Some(workload.records) {
                break;
            }
        }
        let outcome = run.wait();
        workload.is_complete(&case.bucket().await, outcome).await;
        loads += 1;
    }
    tell(&format!(
        "kill_the_server: {killed} kills in {loads} loads of {} records, all complete; {:.0} s",
        workload.records,
        started.elapsed().as_secs_f64()
    ));
}

/// Writes newer values to the same keys, as another program would: by compare-and-set.
async fn second_writer(bucket: Bucket, keys: u64, mut chance: Rng, stop: Arc<AtomicBool>) -> u64 {
    let mut written = 0;
    while !stop.load(Ordering::Relaxed) {
        let id = chance.u64(..keys);
        let key = format!("s.{id}");
        let Ok(entry) = bucket.store.entry(&key).await else {
            continue;
        };
        let (revision, before) = match entry {
            Some(entry) => {
                let stored = target_tests::bucket::decode(&entry.value);
                (entry.revision, stored["b"].as_u64().unwrap_or(0))
            }
            None => (0, 0),
        };
        let value = format!("{{\"id\":{id},\"b\":{}}}", before + chance.u64(1..2_000));
        let update = bucket.store.update(&key, value.into(), revision).await;
        written += u64::from(update.is_ok());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    written
}

#[tokio::test]
#[ignore = "minutes long"]
async fn second_writers_over_a_bad_network() {
    let mut chance = chance("second_writers_over_a_bad_network");
    let time = Duration::from_secs(number("SOAK_SECONDS", 600));
    let started = Instant::now();
    let workload = Workload::of(20_000);
    let faults = Arc::new(AtomicU64::new(0));
    let (mut loads, mut others) = (0, 0);
    while started.elapsed() < time {
        let version = [NEWEST, OLDEST][chance.usize(..2)];
        let server = NatsServer::builder().version(version).start();
        let proxy = Proxy::to(&server.url());
        let case = vary(Case::on(&server), &mut chance)
            .set("refresh_mode", "newer")
            .set("request_timeout_seconds", 1)
            .set("url", proxy.url());
        let bucket = case.make_bucket().await;
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..2)
            .map(|_| {
                let rng = Rng::with_seed(chance.u64(..));
                let (bucket, stop) = (bucket.clone(), Arc::clone(&stop));
                tokio::spawn(second_writer(bucket, workload.keys, rng, stop))
            })
            .collect();
        let (mut rng, count) = (Rng::with_seed(chance.u64(..)), Arc::clone(&faults));
        proxy.rule(move |frame| {
            let fate = match rng.u32(..20_000) {
                0..=3 => Fate::Reset,
                4..=9 if frame.is_ack() => Fate::Drop,
                10..=40 => Fate::Delay(Duration::from_millis(rng.u64(1..100))),
                41 if frame.from == From::Client => Fate::Delay(Duration::from_secs(3)),
                _ => return Fate::Pass,
            };
            count.fetch_add(1, Ordering::Relaxed);
            fate
        });
        let mut run = case.target().patience(Duration::from_secs(300)).spawn();
        workload.feed(&mut run, 0);
        let outcome = tokio::task::spawn_blocking(move || run.wait())
            .await
            .expect("it ends in time")
            .success();
        stop.store(true, Ordering::Relaxed);
        for writer in writers {
            others += writer.await.expect("the writer does not panic");
        }
        let states = outcome.states();
        assert_eq!(states.last().map(done), Some(workload.records));
        workload.holds(&bucket, &states).await;
        loads += 1;
    }
    tell(&format!(
        "second_writers_over_a_bad_network: {loads} loads of {} records, {} faults of the network, \
         {others} writes by two others; no key went back, all loads complete; {:.0} s",
        workload.records,
        faults.load(Ordering::Relaxed),
        started.elapsed().as_secs_f64()
    ));
}
