//! Several targets on one bucket, and one target with a bucket for each stream.

use std::thread;
use std::time::Instant;

use serde_json::json;
use target_tests::nats_server::NatsServer;

use super::ScaleArgs;
use crate::bed::Bed;
use crate::product::{self, Input};
use crate::progress;
use crate::raw;
use crate::report::{Report, thousands};
use crate::samples::Samples;
use crate::trial::Data;
use crate::workload::Workload;

const CLIENTS: [u64; 3] = [1, 2, 4];
const STREAMS: u64 = 4;

pub(super) fn measure(args: &ScaleArgs, report: &mut Report) {
    let bed = Bed::new(vec![NatsServer::start()]);
    targets(args, &bed, report);
    buckets(args, &bed, report);
}

fn targets(args: &ScaleArgs, bed: &Bed, report: &mut Report) {
    let data = Data::new(bed, "json", Workload::of(args.records));
    report.line(&format!(
        "\n### Several targets on one bucket\n\n{} records in `full`, shared out between the clients.\n\n\
         | clients | raw, ack | raw, fast | targets, records/s | ratio to the best |\n|---|---:|---:|---:|---:|",
        args.records
    ));
    for clients in CLIENTS {
        let share = args.records / clients;
        let workloads = (0..clients).map(|number| Workload {
            after: number * share,
            ..Workload::of(share)
        });
        let inputs: Vec<_> = workloads.map(|workload| workload.file()).collect();
        let mut raw = raw::Path::ALL.map(|_| Samples::default());
        let mut targets = Samples::default();
        for _ in 0..args.rounds {
            for (path, samples) in raw::Path::ALL.into_iter().zip(&mut raw) {
                bed.empty();
                let address = bed.address();
                samples.push(at_once(data.values().chunks(share as usize), |values| {
                    raw::write(&address, path, values.iter().map(|value| value.put(None)));
                }));
                assert_eq!(bed.last_revision(), args.records);
            }
            bed.empty();
            let settings = bed.settings(&json!({"refresh_mode": "full"}));
            targets.push(at_once(inputs.iter(), |input| {
                product::run(&settings, &Input::File(input));
            }));
            assert_eq!(bed.last_revision(), args.records);
        }
        let rate = |samples: &Samples| args.records as f64 / samples.median();
        let [ack, fast] = raw.each_ref().map(rate);
        let target = rate(&targets);
        report.line(&format!(
            "| {clients} | {} | {} | {} | {:.2} |",
            thousands(ack),
            thousands(fast),
            thousands(target),
            target / ack.max(fast)
        ));
        progress(&format!("{clients} clients at once"));
    }
}

/// Does all of the work at the same time, each on a thread; the seconds until all is done.
fn at_once<T: Send>(work: impl Iterator<Item = T>, run: impl Fn(T) + Sync) -> f64 {
    let start = Instant::now();
    thread::scope(|scope| {
        for item in work {
            let run = &run;
            scope.spawn(move || run(item));
        }
    });
    start.elapsed().as_secs_f64()
}

fn buckets(args: &ScaleArgs, bed: &Bed, report: &mut Report) {
    let input = Workload {
        streams: STREAMS,
        ..Workload::of(args.records)
    };
    let input = input.file();
    report.line(&format!(
        "\n### A bucket for each stream\n\n{} records of {STREAMS} streams in turn, one target.\n\n\
         | `bucket` | `full`, records/s | `newer`, empty | `newer`, identical |\n|---|---:|---:|---:|",
        args.records
    ));
    for bucket in ["bench", "{stream}"] {
        let mut samples = [(); 3].map(|()| Samples::default());
        for _ in 0..args.rounds {
            let runs = [("full", true), ("newer", true), ("newer", false)];
            for ((mode, is_first), samples) in runs.into_iter().zip(&mut samples) {
                if is_first {
                    bed.clear();
                }
                let settings = bed.settings(&json!({"bucket": bucket, "refresh_mode": mode}));
                let run = product::run(&settings, &Input::File(&input));
                samples.push(run.wall.as_secs_f64());
            }
        }
        let rates = samples
            .each_ref()
            .map(|samples| thousands(args.records as f64 / samples.median()));
        report.line(&format!("| `{bucket}` | {} |", rates.join(" | ")));
        progress(&format!("bucket {bucket}"));
    }
}
