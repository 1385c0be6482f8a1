//! The one promise under fire: whenever the target or the server is killed, no printed state is
//! ahead of the data, and running again from the last state makes the bucket right.
//!
//! The moments are chosen by chance; `SEED=… cargo test -p target-tests --test kills` repeats them.

use std::time::Duration;

use nix::sys::signal::Signal;
use target_tests::case::Case;
use target_tests::nats_server::NatsServer;
use target_tests::oracle::{Workload, chance, done};
use target_tests::server_binary::{NEWEST, OLDEST};
use target_tests::ways::at_once;

/// The ways to write: the server, `refresh_mode` and `write_path`.
const WAYS: [(&str, &str, &str); 5] = [
    (NEWEST, "newer", "fast"),
    (NEWEST, "full", "fast"),
    (NEWEST, "full", "ack"),
    (NEWEST, "same", "ack"),
    (OLDEST, "newer", "auto"),
];

fn case(server: &NatsServer, (_, mode, path): (&str, &str, &str), msgpack: bool) -> Case {
    Case::on(server)
        .set("msgpack", msgpack)
        .set("refresh_mode", mode)
        .set("write_path", path)
        .set("state_interval_seconds", 0.05)
}

#[test]
fn kill_the_target() {
    let mut chance = chance("kill_the_target");
    let ways = WAYS.map(|way| (way, chance.fork()));
    at_once(ways, async |(way, mut chance)| {
        let server = NatsServer::builder().version(way.0).start();
        let workload = match way.1 {
            // The next run writes again what is behind the last state.
            "full" => Workload::default().each_key_once(),
            _ => Workload::default(),
        };
        for msgpack in [true, false] {
            let case = case(&server, way, msgpack).set("batch_size_rows", chance.u64(1..2000));
            let bucket = case.make_bucket().await;
            let mut first = 0;
            // Killed again and again on its way, each time later than the last.
            for _ in 0..2 {
                let mut run = case.target().spawn();
                workload.feed(&mut run, first);
                std::thread::sleep(Duration::from_millis(chance.u64(50..1200)));
                run.signal(Signal::SIGKILL);
                let states = run.wait().states();
                workload.holds(&bucket, &states).await;
                first = states.last().map_or(first, done);
            }
            let outcome = case.load(workload.input_from(first));
            if first < workload.records {
                workload.is_complete(&bucket, outcome).await;
            }
        }
    });
}

#[test]
fn kill_the_server() {
    let mut chance = chance("kill_the_server");
    let workload = Workload::default();
    let ways = WAYS.map(|way| (way, chance.fork()));
    at_once(ways, async |(way, mut chance)| {
        let mut server = NatsServer::builder().version(way.0).start();
        let case = case(&server, way, chance.bool());
        case.make_bucket().await;
        let mut run = case.target().spawn();
        workload.feed(&mut run, 0);
        std::thread::sleep(Duration::from_millis(chance.u64(300..1000)));
        server.kill();
        // Read without a target that goes on writing: whatever was printed by now must be there.
        let mut states = Vec::new();
        while let Some(state) = run.state_within(Duration::from_millis(200)) {
            states.push(state);
        }
        std::thread::sleep(Duration::from_millis(chance.u64(0..1500)));
        server.restart();
        workload.holds(&case.bucket().await, &states).await;
        let outcome = run.wait();
        workload.is_complete(&case.bucket().await, outcome).await;
    });
}
