//! A bucket with three replicas, and what happens to the servers that hold them.

use std::time::Duration;

use async_nats::jetstream::kv;
use serde_json::json;
use target_tests::bucket::Bucket;
use target_tests::case::Case;
use target_tests::cluster::Cluster;
use target_tests::oracle::Workload;
use target_tests::singer::{record, state};
use target_tests::target::Running;

/// A cluster with a bucket that keeps every value, and a run in the middle of its work.
struct Scene {
    cluster: Cluster,
    case: Case,
    workload: Workload,
}

impl Scene {
    async fn new() -> Self {
        let cluster = Cluster::start().await;
        let case = Case::on(&cluster.servers[0])
            .set("url", cluster.urls())
            .set("request_timeout_seconds", 2)
            .set("ping_interval_seconds", 1)
            .set("state_interval_seconds", 0.05);
        case.make_bucket_with(kv::Config {
            history: 64,
            num_replicas: 3,
            ..kv::Config::default()
        })
        .await;
        Self {
            cluster,
            case,
            workload: Workload::of(6_000),
        }
    }

    /// Starts a run and waits until it has loaded something.
    fn start(&self) -> Running {
        let mut run = self
            .case
            .target()
            .patience(Duration::from_secs(180))
            .spawn();
        self.workload.feed(&mut run, 0);
        run.state();
        run
    }

    /// The run ends well, and every replica has what it promised.
    async fn ends_well(&self, run: Running) {
        let outcome = run.wait();
        self.cluster.is_in_sync(&self.case.name).await;
        let bucket = Bucket::open(&self.case.url, &self.case.name).await;
        self.workload.is_complete(&bucket, outcome).await;
    }
}

#[tokio::test]
async fn the_leader_is_killed() {
    let mut scene = Scene::new().await;
    let leader = scene.cluster.leader(&scene.case.name).await;
    let run = scene.start();
    scene.cluster.servers[leader].kill();
    // The two others elect a leader and go on.
    let outcome = run.wait().success();
    scene.cluster.servers[leader].restart();
    scene.cluster.is_in_sync(&scene.case.name).await;
    let bucket = Bucket::open(&scene.case.url, &scene.case.name).await;
    scene.workload.is_complete(&bucket, outcome).await;
}

#[tokio::test]
async fn the_leader_steps_down_again_and_again() {
    let scene = Scene::new().await;
    let mut run = scene.start();
    for _ in 0..5 {
        scene.cluster.step_down(&scene.case.name).await;
        // Some progress in between, unless it is through by now.
        run.state_within(Duration::from_secs(10));
    }
    scene.ends_well(run).await;
}

#[tokio::test]
async fn a_rolling_restart() {
    let mut scene = Scene::new().await;
    let run = scene.start();
    for number in 0..3 {
        scene.cluster.servers[number].stop();
        scene.cluster.servers[number].restart();
        scene.cluster.is_in_sync(&scene.case.name).await;
    }
    scene.ends_well(run).await;
}

#[tokio::test]
async fn a_follower_stalls() {
    let scene = Scene::new().await;
    let follower = scene.cluster.follower(&scene.case.name).await;
    let run = scene.start();
    scene.cluster.servers[follower].pause();
    // The target may be connected to it, or not; two of three are enough.
    let outcome = run.wait().success();
    scene.cluster.servers[follower].resume();
    scene.cluster.is_in_sync(&scene.case.name).await;
    let bucket = Bucket::open(&scene.case.url, &scene.case.name).await;
    scene.workload.is_complete(&bucket, outcome).await;
}

#[tokio::test]
async fn the_leader_stalls() {
    let scene = Scene::new().await;
    let leader = scene.cluster.leader(&scene.case.name).await;
    let run = scene.start();
    scene.cluster.servers[leader].pause();
    let outcome = run.wait().success();
    scene.cluster.servers[leader].resume();
    scene.cluster.is_in_sync(&scene.case.name).await;
    let bucket = Bucket::open(&scene.case.url, &scene.case.name).await;
    scene.workload.is_complete(&bucket, outcome).await;
}

/// Reads are answered by whichever server is asked, and it may not know yet what another writer
/// has just stored. The older record must lose all the same, and the newer one win.
#[tokio::test]
async fn values_that_followers_do_not_know_yet() {
    const KEYS: u64 = 100;
    let scene = Scene::new().await;
    let follower = scene.cluster.follower(&scene.case.name).await;
    let leader = scene.cluster.leader(&scene.case.name).await;
    let bucket = Bucket::open(&scene.cluster.servers[leader].url(), &scene.case.name).await;
    let case = scene
        .case
        .clone()
        .set("url", scene.cluster.servers[follower].url())
        .set("batch_wait_limit_seconds", 0);
    let lines = |b: u64| {
        let records = (0..KEYS).map(|id| record("s", json!({"id": id, "b": b})));
        records.collect::<String>() + &state(json!({"done": 0, "b": b}))
    };
    let mut run = case.target().spawn();
    assert!(run.send(scene.workload.schema()));
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
    scene.workload.holds(&bucket, &outcome.states()).await;
}
