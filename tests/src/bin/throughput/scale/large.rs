//! Millions of keys in one bucket, and millions of records in one run. Each is measured once: it is
//! long enough to be its own average.

use std::borrow::Cow;

use serde_json::json;
use target_tests::nats_server::NatsServer;

use crate::bed::{Bed, subject};
use crate::product::{self, Input};
use crate::progress;
use crate::raw::{self, Put};
use crate::report::{Report, megabytes, thousands};
use crate::trial::Data;
use crate::workload::Workload;

/// The raw client writes the values of this many records again and again.
const VALUES: u64 = 100_000;

pub(super) fn measure(keys: u64, report: &mut Report) {
    let bed = Bed::new(vec![NatsServer::start()]);
    let data = Data::new(&bed, "json", Workload::of(VALUES));
    report.line(&format!(
        "\n### Large\n\n| {keys} keys, `newer` | records/s | target's memory | server's memory | bucket |\n\
         |---|---:|---:|---:|---:|"
    ));
    raw_create(&bed, &data, keys, report);
    let first = Workload::of(keys);
    bed.empty();
    run(&bed, "into an empty bucket", first, report);
    run(&bed, "identical data", first, report);
    raw_read(&bed, keys, report);
    run(&bed, "half updated", first.updated(), report);
    bed.empty();
    let what = format!("{} records in one run, empty bucket", 2 * keys);
    run(&bed, &what, Workload::of(2 * keys), report);
    assert_eq!(bed.last_revision(), 2 * keys);
}

/// The target loads what a tap beside it makes; its row.
fn run(bed: &Bed, what: &str, input: Workload, report: &mut Report) {
    let run = product::run(&bed.settings(&json!({})), &Input::Pipe(input));
    let rate = input.records as f64 / run.wall.as_secs_f64();
    row(bed, what, rate, &megabytes(run.memory), report);
}

fn row(bed: &Bed, what: &str, rate: f64, memory: &str, report: &mut Report) {
    progress(what);
    report.line(&format!(
        "| {what} | {} | {memory} | {} | {} |",
        thousands(rate),
        megabytes(bed.memory()),
        megabytes(bed.disk())
    ));
}

fn raw_create(bed: &Bed, data: &Data, keys: u64, report: &mut Report) {
    let count = usize::try_from(keys).expect("a count of keys fits");
    let values = data.values();
    for path in raw::Path::ALL {
        bed.empty();
        let puts = (0..count).map(|index| Put {
            subject: Cow::Owned(subject(index as u64 + 1)),
            payload: &values[index % values.len()].payload,
            expected: Some(0),
        });
        let time = raw::write(&bed.address(), path, puts);
        let rate = keys as f64 / time.as_secs_f64();
        let what = format!("raw client, {}: into an empty bucket", path.name());
        row(bed, &what, rate, "", report);
    }
}

fn raw_read(bed: &Bed, keys: u64, report: &mut Report) {
    let subjects: Vec<_> = (1..=keys).map(subject).collect();
    let mut found = 0;
    let time = bed.read(subjects.iter().map(Vec::as_slice), |_| found += 1);
    assert_eq!(found, keys);
    let rate = keys as f64 / time.as_secs_f64();
    row(bed, "raw client: reads all", rate, "", report);
}
