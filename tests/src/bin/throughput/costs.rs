//! What a run costs besides time: processor, memory, and what it takes to do nothing.

use serde_json::json;

use crate::bed::Bed;
use crate::product::{self, Input};
use crate::report::Cost;
use crate::samples::Samples;
use crate::trial::{Case, Trial};
use crate::workload::Workload;

const EMPTY_RUNS: usize = 51;
const MEMORY_LIMIT_MB: f64 = 64.0;

/// Takes what the trials have shown, and measures what they cannot.
pub(crate) fn measure(bed: &Bed, trials: &[Trial<'_>], ten_million: bool) -> Vec<Cost> {
    let mut costs = processor(trials);
    let most = trials.iter().max_by_key(|trial| trial.memory);
    costs.extend(most.map(|trial| memory(trial.data.records, trial.memory)));
    let lengths = [1_000_000, 10_000_000];
    for records in &lengths[..if ten_million { 2 } else { 1 }] {
        bed.empty();
        let run = product::run(
            &bed.settings(&json!({})),
            &Input::Pipe(Workload::of(*records)),
        );
        assert_eq!(bed.last_revision(), *records);
        costs.push(memory(*records, run.memory));
    }
    costs.push(empty(bed));
    costs
}

fn processor(trials: &[Trial<'_>]) -> Vec<Cost> {
    let limits = [
        (Case::Full, "full", 2.0),
        (Case::Unvalidated, "full, validation off", 1.5),
        (Case::Identical, "newer, identical data", 3.5),
    ];
    let measured = limits.into_iter().filter_map(|(case, name, limit)| {
        let trial = trials
            .iter()
            .find(|trial| trial.case == case && trial.data.encoding == "json")?;
        Some(Cost {
            what: format!("processor time a record: {name}"),
            figure: trial.target.client.median(),
            limit,
            unit: "µs",
        })
    });
    measured.collect()
}

fn memory(records: u64, bytes: u64) -> Cost {
    Cost {
        what: format!("memory (RSS), {records} records"),
        figure: bytes as f64 / (1024.0 * 1024.0),
        limit: MEMORY_LIMIT_MB,
        unit: "MB",
    }
}

/// A run without input beside a bucket that exists.
fn empty(bed: &Bed) -> Cost {
    bed.empty();
    let settings = bed.settings(&json!({}));
    let times: Samples = (0..EMPTY_RUNS)
        .map(|_| product::run(&settings, &Input::Nothing).wall.as_secs_f64() * 1e3)
        .collect();
    Cost {
        what: format!("empty input, the whole run, median of {EMPTY_RUNS}"),
        figure: times.median(),
        limit: 15.0,
        unit: "ms",
    }
}
