//! At home with Meltano: `docs/meltano.md` is followed from its first command to its last, with a real
//! Meltano, which builds and installs the wheel and runs real taps.
//!
//! On Linux, where a process is found by its program, and PostgreSQL is a package away.

#![cfg(target_os = "linux")]

use std::time::{Duration, Instant};

use serde_json::Value;
use target_tests::bucket::Bucket;
use target_tests::meltano::Project;
use target_tests::nats_server::NatsServer;
use target_tests::page;
use target_tests::postgres::Postgres;

/// The bucket of the page.
const BUCKET: &str = "warehouse";
/// How many rows the page speaks of.
const ROWS: u64 = 500;
/// How many rows its second table has.
const ORDERS: u64 = 2;
/// How many a file has.
const PLANETS: u64 = 8;
/// Enough to be killed in the middle of.
const MANY: u64 = 60_000;

fn insert(database: &Postgres, ids: std::ops::RangeInclusive<u64>) {
    let (first, last) = (ids.start(), ids.end());
    database.execute(&format!(
        "insert into customers select n, 'customer ' || n, \
         timestamp '2024-01-01 00:00' + n * interval '1 second' \
         from generate_series({first}, {last}) n"
    ));
}

#[tokio::test]
async fn the_page_leads_from_nothing_to_a_schedule_and_its_project_survives_a_kill() {
    let database = Postgres::start("reader", "shop");
    let server = NatsServer::start();
    let mut project = Project::new(&server, &database);
    project.follow("With Meltano");
    project.follow("Install the loader");
    assert!(!Bucket::exists(&server.url(), BUCKET).await, "check writes");

    // A table, by its replication key; and once more, when nothing is written.
    let loads = project.follow("Load");
    let bucket = Bucket::open(&server.url(), BUCKET).await;
    let customer = bucket.get("public-customers.17").await;
    let customer = customer.expect("it is there").json();
    assert_eq!(customer["name"], "customer 17");
    let page = page::blocks(&page::read("docs/meltano.md"));
    let shown = page.iter().find(|block| block.kind == "json");
    let shown = shown.expect("the page shows it").text.trim_end();
    let stored = customer.to_string();
    assert!(page::matches(&stored, shown), "{shown}\n{stored}");
    let again = &loads.last().expect("the page loads twice").stderr;
    assert!(again.contains("written=0 unchanged=1"), "{again}");
    assert_eq!(bucket.writes().await, ROWS);

    project.follow("Another table");
    assert_eq!(bucket.writes().await, ROWS + ORDERS);

    // By the clock, as cron does it.
    project.follow("Schedule");
    let log = project.home().join("shop.log");
    let by_clock = std::fs::read_to_string(log).expect("the crontab names it");
    let told = r#"stream="public-customers" read=1 written=0 unchanged=1"#;
    assert!(by_clock.contains(told), "{by_clock}");
    assert_eq!(bucket.writes().await, ROWS + ORDERS);

    let asked = project.follow("State");
    let saved = project.state();
    let shown = asked
        .iter()
        .map(|ran| serde_json::from_str::<Value>(&ran.stdout));
    assert!(shown.flatten().any(|shown| shown == saved), "{asked:?}");
    let bookmark = &saved["singer_state"]["bookmarks"]["public-customers"];
    assert_eq!(bookmark["replication_key"], "updated_at", "{saved}");
    // Of the two full refreshes, the one that is to repair writes all once more.
    assert_eq!(bucket.writes().await, 2 * (ROWS + ORDERS));
    assert!(project.is_done(), "not all of the page was followed");

    // A file, as a whole.
    let logs = project.run("tap-jsonl");
    let keys = bucket.keys().await.len() as u64;
    assert_eq!(keys, ROWS + ORDERS + PLANETS, "{logs}");

    // Killed in the middle.
    let before = bucket.writes().await;
    insert(&database, ROWS + 1..=MANY);
    let run = project.start("tap-postgres");
    let begun = Instant::now();
    while bucket.writes().await < before + 5_000 {
        assert!(begun.elapsed() < Duration::from_secs(120), "nothing comes");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let killed = run.kill_loader();
    assert!(!killed.status.success());
    let arrived = bucket.keys().await.len() as u64;
    assert!(arrived < PLANETS + ORDERS + MANY, "it was killed too late");

    // From the state that was saved: all is there, and nothing was written twice.
    let _ = project.run("tap-postgres");
    let keys = bucket.keys().await.len() as u64;
    assert_eq!(keys, PLANETS + ORDERS + MANY);
    assert_eq!(bucket.writes().await, before + MANY - ROWS);
    assert_ne!(project.state(), saved);
}
