//! `cargo throughput`: how fast the target is, beside how fast it could be.
//!
//! A server is started. Then, in turn and from the same state of the server, a raw client writes or
//! reads the bytes that the target would, and the target loads the same records. What is shown are
//! medians, their ratio, and whether the goal is reached. Machines are noisy: compare the figures
//! of one run with each other, not with those of another.
//!
//! | module       | what it does                                                  |
//! |--------------|---------------------------------------------------------------|
//! | [`workload`] | what the tap sends                                            |
//! | [`raw`]      | the raw client                                                |
//! | [`product`]  | a run of the target, and what it took                         |
//! | [`burden`]   | work that stands for what a client computes for a record      |
//! | [`bed`]      | the server and the bucket, made anew for each run             |
//! | [`trial`]    | one case: raw client and target in turn                       |
//! | [`costs`]    | processor time, memory, and the time of a run without records |
//! | [`scale`]    | `cargo throughput scale`: large, long, replicated, parallel   |
//! | [`report`]   | the tables                                                    |

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this program's purpose is to show"
)]

mod bed;
mod burden;
mod costs;
mod product;
mod raw;
mod report;
mod samples;
mod scale;
mod trial;
mod workload;

use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, Parser, Subcommand};
use target_tests::nats_server::NatsServer;
use target_tests::place;

use bed::Bed;
use burden::Burden;
use report::{Goal, Report};
use scale::ScaleArgs;
use trial::{Case, Data, Trial};
use workload::Workload;

/// Measures the target beside a raw client of the same server.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    table: TableArgs,
    /// The file for the tables; one in `target/` unless given.
    #[arg(long, global = true)]
    output: Option<PathBuf>,
    /// Puts the tables into `docs/performance.md` and the `README.md`.
    #[arg(long, global = true)]
    publish: bool,
}

#[derive(Subcommand)]
enum Command {
    Scale(ScaleArgs),
}

#[derive(Args)]
struct TableArgs {
    /// Records a run.
    #[arg(long, default_value_t = 200_000)]
    records: u64,
    /// Rounds, of which the medians are taken.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Only these cases; all unless given.
    #[arg(long, value_delimiter = ',')]
    cases: Vec<Case>,
    /// Also a run of ten million records, for its memory.
    #[arg(long)]
    ten_million: bool,
    /// Also what the raw client reaches if it computes for so many microseconds a record, as the
    /// target must, and can tell which write was refused.
    #[arg(long, value_name = "MICROSECONDS")]
    burden: Option<f64>,
    /// Leaves out what is not a case: records of 2 and 20 KB, memory, empty runs.
    #[arg(long)]
    cases_only: bool,
}

/// The sizes of the text that makes records of 2 and 20 KB.
const TEXTS: [(&str, usize); 2] = [("2 KB", 1_600), ("20 KB", 19_600)];

fn main() {
    let arguments = Arguments::parse();
    let (report, name) = match &arguments.command {
        Some(Command::Scale(args)) => {
            let mut report = Report::new(args.rounds());
            scale::measure(args, &mut report);
            (report, "scale")
        }
        None => {
            let mut report = Report::new(arguments.table.rounds);
            measure(&arguments.table, &mut report);
            (report, "throughput")
        }
    };
    print!("{}", report.text());
    let output = arguments
        .output
        .unwrap_or_else(|| place::build_directory().join(format!("{name}.md")));
    report.write(&output);
    eprintln!("written to {}", output.display());
    if arguments.publish {
        report.publish(name);
    }
}

fn measure(args: &TableArgs, report: &mut Report) {
    let bed = &Bed::new(vec![NatsServer::start()]);
    let usual = ["json", "msgpack"].map(|encoding| {
        progress(&format!("{encoding}: learns what the target stores"));
        Data::new(bed, encoding, Workload::of(args.records))
    });
    let burden = args.burden.map(Burden::of);
    let mut trials = Vec::new();
    for case in cases(args) {
        let encodings = match case {
            Case::Unvalidated | Case::Again => &usual[..1],
            _ => &usual[..],
        };
        trials.extend(encodings.iter().map(|data| {
            let trial = Trial::new(case, data);
            match burden {
                // With both encodings it would be measured twice.
                Some(burden) if data.encoding == "json" => trial.with_burden(burden),
                _ => trial,
            }
        }));
    }
    rounds(args.rounds, bed, &mut trials);
    report.line(&format!(
        "{} records; values of {} bytes in JSON and {} in MessagePack.",
        args.records,
        usual[0].bytes() as u64 / args.records,
        usual[1].bytes() as u64 / args.records,
    ));
    rates(report, &trials, args.burden);
    if args.cases_only {
        return;
    }
    sizes(args, bed, report);
    let costs = costs::measure(bed, &trials, args.ten_million);
    report.costs(&costs);
}

fn cases(args: &TableArgs) -> Vec<Case> {
    let all = [
        Case::Full,
        Case::Unvalidated,
        Case::Create,
        Case::Identical,
        Case::Half,
        Case::Again,
    ];
    let chosen = |case: &Case| args.cases.is_empty() || args.cases.contains(case);
    all.into_iter().filter(chosen).collect()
}

/// All cases in turn, as often as wished.
fn rounds(count: usize, bed: &Bed, trials: &mut [Trial<'_>]) {
    for round in 1..=count {
        for trial in &mut *trials {
            let start = Instant::now();
            trial.round(bed);
            progress(&format!(
                "round {round} of {count}: {}, {}: {:.1?}",
                trial.case.name(),
                trial.data.encoding,
                start.elapsed()
            ));
        }
    }
}

fn rates(report: &mut Report, trials: &[Trial<'_>], burden: Option<f64>) {
    let rows: Vec<_> = trials
        .iter()
        .filter_map(|trial| {
            let part = match trial.case {
                Case::Full => Some(0.90),
                Case::Create => Some(0.85),
                Case::Identical | Case::Half => Some(0.80),
                Case::Again => None,
                Case::Unvalidated => return None,
            };
            let goal = match (part, trial.data.encoding) {
                (None, _) => Goal::None,
                (Some(part), "json") => Goal::OfCeiling(part),
                (Some(_), _) => Goal::OfJson(0.95),
            };
            let name = format!("{}, {}", trial.data.encoding, trial.case.name());
            Some((name, trial, goal))
        })
        .collect();
    let records = |trial: &Trial<'_>| trial.data.records as f64;
    let json = |trial: &Trial<'_>| {
        let mut same = trials.iter().filter(|other| other.case == trial.case);
        let json = same.find(|other| other.data.encoding == "json")?;
        Some(json.data.records as f64 / json.target.seconds.median())
    };
    report.rates("records/s", &rows, records, json);
    report.mark_rates();
    report.processor(&rows);
    if let Some(burden) = burden {
        report.burdened(burden, &rows, records);
    }
}

/// Records that are larger than usual: as many as take a second or more, beside which starting is
/// nothing.
fn sizes(args: &TableArgs, bed: &Bed, report: &mut Report) {
    let inputs: Vec<_> = TEXTS
        .iter()
        .map(|(_, text)| {
            let workload = Workload {
                text: *text,
                ..Workload::of(args.records * 2_000 / *text as u64)
            };
            progress(&format!("records with a text of {text} bytes"));
            Data::new(bed, "json", workload)
        })
        .collect();
    let mut trials: Vec<_> = inputs
        .iter()
        .map(|data| Trial::new(Case::Full, data))
        .collect();
    rounds(args.rounds, bed, &mut trials);
    let rows: Vec<_> = TEXTS
        .iter()
        .zip(&trials)
        .map(|((size, _), trial)| {
            (
                format!("records of {size}, full"),
                trial,
                Goal::OfCeiling(0.90),
            )
        })
        .collect();
    let megabytes = |trial: &Trial<'_>| trial.data.bytes() as f64 / 1e6;
    report.rates("MB/s", &rows, megabytes, |_| None);
}

fn progress(text: &str) {
    eprintln!("{text}");
}
