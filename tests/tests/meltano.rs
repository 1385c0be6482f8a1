//! At home with Meltano: a real one, which installs the wheel and runs real taps.
//!
//! On Linux, where a process is found by its program, and PostgreSQL is a package away.

#![cfg(target_os = "linux")]

use std::time::{Duration, Instant};

use target_tests::bucket::Bucket;
use target_tests::meltano::Project;
use target_tests::nats_server::NatsServer;
use target_tests::place;
use target_tests::postgres::Postgres;

const BUCKET: &str = "warehouse";
/// Enough to be killed in the middle of.
const MANY: u64 = 60_000;

fn extractors(database: &Postgres) -> String {
    let planets = place::repository().join("tests/demo/planets.jsonl");
    let (port, planets) = (database.port, planets.display());
    format!(
        "  - name: tap-postgres
    namespace: tap_postgres
    pip_url: meltanolabs-tap-postgres==0.10.0
    executable: tap-postgres
    capabilities: [catalog, discover, state]
    settings:
    - name: filter_schemas
      kind: array
    config:
      host: 127.0.0.1
      port: {port}
      user: postgres
      password: anything
      database: postgres
      filter_schemas: [public]
    select: ['public-customers.*']
    metadata:
      public-customers:
        replication-method: INCREMENTAL
        replication-key: updated_at
  - name: tap-jsonl
    namespace: tap_jsonl
    pip_url: tap-jsonl==0.3.1
    executable: tap-jsonl
    capabilities: [catalog, discover, state]
    config:
      path: {planets}
      stream_name: planets
      primary_keys: [name]
"
    )
}

fn insert(database: &Postgres, ids: std::ops::RangeInclusive<u64>) {
    let (first, last) = (ids.start(), ids.end());
    database.execute(&format!(
        "insert into customers select n, 'customer ' || n, \
         timestamptz '2024-01-01 00:00Z' + n * interval '1 second' \
         from generate_series({first}, {last}) n"
    ));
}

#[tokio::test]
async fn it_is_installed_runs_goes_on_where_it_was_and_survives_a_kill() {
    let database = Postgres::start();
    database.execute(
        "create table customers (id int primary key, name text, updated_at timestamptz not null)",
    );
    insert(&database, 1..=500);
    let server = NatsServer::start();
    let project = Project::new(
        &extractors(&database),
        &[("url", &server.url()), ("bucket", BUCKET)],
    );

    // A file, as a whole.
    let logs = project.run("tap-jsonl");
    let bucket = Bucket::open(&server.url(), BUCKET).await;
    assert_eq!(bucket.keys().await.len(), 8, "{logs}");

    // A table, by its replication key.
    let logs = project.run("tap-postgres");
    assert!(logs.contains("written=500"), "{logs}");
    let customer = bucket
        .get("public-customers.17")
        .await
        .expect("it is there");
    assert_eq!(customer.json()["name"], "customer 17");
    let saved = project.state("tap-postgres");
    let bookmark = &saved["singer_state"]["bookmarks"]["public-customers"];
    assert_eq!(bookmark["replication_key"], "updated_at", "{saved}");

    let tasks = "tap-postgres target-nats-kv";
    project.succeed(&["job", "add", "customers", "--tasks", tasks]);
    let schedule = ["schedule", "add", "hourly-customers", "--job", "customers"];
    project.succeed(&[&schedule[..], &["--interval", "@hourly"]].concat());

    // Again: the tap sends the last row once more, and nothing is written.
    let before = bucket.writes().await;
    let logs = project.run("tap-postgres");
    assert!(logs.contains("written=0 unchanged=1"), "{logs}");
    assert_eq!(bucket.writes().await, before);

    // Killed in the middle.
    insert(&database, 501..=MANY);
    let run = project.start("tap-postgres");
    let begun = Instant::now();
    while bucket.writes().await < before + 5_000 {
        assert!(begun.elapsed() < Duration::from_secs(120), "nothing comes");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let killed = run.kill_loader();
    assert!(!killed.status.success());
    let arrived = bucket.keys().await.len();
    assert!(arrived < 8 + MANY as usize, "it was killed too late");

    // From the state that was saved: all is there, and nothing was written twice.
    let _ = project.run("tap-postgres");
    assert_eq!(bucket.keys().await.len(), 8 + MANY as usize);
    assert_eq!(bucket.writes().await, 8 + MANY);
    assert_ne!(project.state("tap-postgres"), saved);
}
