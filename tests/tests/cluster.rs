//! Buckets with three replicas, and what happens to the servers that hold them.

use std::time::Duration;

use async_nats::jetstream::kv;
use serde_json::json;
use target_tests::bucket::Bucket;
use target_tests::case::Case;
use target_tests::cluster::Cluster;
use target_tests::oracle::Workload;
use target_tests::singer::{record, state};
use target_tests::target::Running;

/// The ways to write that each fault is tried with, all at once: `refresh_mode` and `write_path`.
const WAYS: [(&str, &str); 3] = [("newer", "fast"), ("full", "fast"), ("full", "ack")];

/// A cluster, and for each way to write a bucket that keeps every value.
struct Scene {
    cluster: Cluster,
    loads: Vec<Load>,
}

/// A run in the middle of its work.
struct Load {
    case: Case,
    workload: Workload,
    run: Option<Running>,
}

impl Scene {
    /// With runs that have loaded something.
    async fn new() -> Self {
        let workload = Workload::of(4_000);
        Self::with(|_| workload).await
    }

    /// As [`new`](Self::new), with a workload for each mode. All buckets have the same leader.
    async fn with(workload: impl Fn(&str) -> Workload) -> Self {
        let cluster = Cluster::start().await;
        let mut loads: Vec<Load> = Vec::new();
        for (mode, path) in WAYS {
            let case = case(&cluster)
                .set("refresh_mode", mode)
                .set("write_path", path);
            make_bucket(&case).await;
            if let Some(first) = loads.first() {
                let leader = cluster.leader(&first.case.name).await;
                cluster.lead(&case.name, leader).await;
            }
            loads.push(Load {
                case,
                workload: workload(mode),
                run: None,
            });
        }
        for load in &mut loads {
            let target = load.case.target().patience(Duration::from_secs(180));
            let run = load.run.insert(target.spawn());
            load.workload.feed(run, 0);
        }
        for load in &mut loads {
            load.run.as_mut().expect("it was just started").state();
        }
        Self { cluster, loads }
    }

    async fn leader(&self) -> usize {
        self.cluster.leader(&self.loads[0].case.name).await
    }

    async fn is_in_sync(&self) {
        for load in &self.loads {
            self.cluster.is_in_sync(&load.case.name).await;
        }
    }

    /// All runs end well while a server is down; `back` brings it back. Then every replica has
    /// what they promised.
    async fn ends_well(mut self, back: impl FnOnce(&mut Cluster)) {
        let outcomes: Vec<_> = self
            .loads
            .iter_mut()
            .map(|load| load.run.take().expect("it was started").wait().success())
            .collect();
        back(&mut self.cluster);
        self.is_in_sync().await;
        for (load, outcome) in self.loads.iter().zip(outcomes) {
            let bucket = Bucket::open(&load.case.url, &load.case.name).await;
            load.workload.is_complete(&bucket, outcome).await;
        }
    }
}

fn case(cluster: &Cluster) -> Case {
    Case::on(&cluster.servers[0])
        .set("url", cluster.urls())
        .set("request_timeout_seconds", 2)
        .set("ping_interval_seconds", 1)
        .set("state_interval_seconds", 0.05)
}

async fn make_bucket(case: &Case) -> Bucket {
    case.make_bucket_with(kv::Config {
        history: 64,
        num_replicas: 3,
        ..kv::Config::default()
    })
    .await
}

/// A server that stalls and goes on delivers what it held.
fn safe_from_late_copies(mode: &str) -> Workload {
    match mode {
        "full" => Workload::of(4_000).each_key_once(),
        _ => Workload::of(4_000),
    }
}

#[tokio::test]
async fn the_leader_is_killed() {
    let mut scene = Scene::new().await;
    let leader = scene.leader().await;
    scene.cluster.servers[leader].kill();
    // The two others elect a leader and go on.
    scene
        .ends_well(|cluster| cluster.servers[leader].restart())
        .await;
}

#[tokio::test]
async fn the_leader_steps_down_again_and_again() {
    let mut scene = Scene::new().await;
    for _ in 0..5 {
        for load in &mut scene.loads {
            scene.cluster.step_down(&load.case.name).await;
            // Some progress in between, unless it is through by now.
            let run = load.run.as_mut().expect("it was started");
            run.state_within(Duration::from_secs(10));
        }
    }
    scene.ends_well(|_| ()).await;
}

#[tokio::test]
async fn a_rolling_restart() {
    let mut scene = Scene::new().await;
    for number in 0..3 {
        scene.cluster.servers[number].stop();
        scene.cluster.servers[number].restart();
        scene.is_in_sync().await;
    }
    scene.ends_well(|_| ()).await;
}

#[tokio::test]
async fn a_follower_stalls() {
    let scene = Scene::with(safe_from_late_copies).await;
    let follower = scene.cluster.follower(&scene.loads[0].case.name).await;
    scene.cluster.servers[follower].pause();
    // The targets may be connected to it, or not; two of three are enough.
    scene
        .ends_well(|cluster| cluster.servers[follower].resume())
        .await;
}

#[tokio::test]
async fn the_leader_stalls() {
    let scene = Scene::with(safe_from_late_copies).await;
    let leader = scene.leader().await;
    scene.cluster.servers[leader].pause();
    scene
        .ends_well(|cluster| cluster.servers[leader].resume())
        .await;
}

/// Reads are answered by whichever server is asked, and it may not know yet what another writer
/// has just stored. The older record must lose all the same, and the newer one win.
#[tokio::test]
async fn values_that_followers_do_not_know_yet() {
    const KEYS: u64 = 100;
    let cluster = Cluster::start().await;
    let case = case(&cluster);
    make_bucket(&case).await;
    let follower = cluster.follower(&case.name).await;
    let leader = cluster.leader(&case.name).await;
    let bucket = Bucket::open(&cluster.servers[leader].url(), &case.name).await;
    let case = case
        .set("url", cluster.servers[follower].url())
        .set("batch_wait_limit_seconds", 0);
    let workload = Workload::default();
    let lines = |b: u64| {
        let records = (0..KEYS).map(|id| record("s", json!({"id": id, "b": b})));
        records.collect::<String>() + &state(json!({"done": 0, "b": b}))
    };
    let mut run = case.target().spawn();
    assert!(run.send(workload.schema()));
    for round in 0..20 {
        let other = 4 * round + 2;
        let puts = (0..KEYS).map(|id| {
            let (bucket, value) = (bucket.clone(), json!({"id": id, "b": other}).to_string());
            async move { bucket.put(&format!("s.{id}"), value).await }
        });
        futures_util::future::join_all(puts).await;
        // At once, while the followers learn of it.
        for b in [other - 1, other + 1] {
            assert!(run.send(lines(b)));
            while run.state()["b"] != b {}
        }
        for (key, value) in bucket.contents().await {
            assert_eq!(value["b"], other + 1, "{key} in round {round}");
        }
    }
    let outcome = run.finish().success();
    // No key ever went back.
    workload.holds(&bucket, &outcome.states()).await;
}
