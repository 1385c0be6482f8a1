//! `cargo throughput scale`: long inputs, large buckets, a cluster, several targets at once.

mod cluster;
mod large;
mod parallel;

use clap::{Args, ValueEnum};

use crate::report::Report;

/// Measures what is larger than the usual case. Takes some twenty minutes and 5 GB of disk.
#[derive(Args)]
pub(crate) struct ScaleArgs {
    /// Records of the usual runs: in the cluster, and in parallel.
    #[arg(long, default_value_t = 200_000)]
    records: u64,
    /// Rounds of the usual runs.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Keys of the large bucket; twice as many records are the long run.
    #[arg(long, default_value_t = 5_000_000)]
    keys: u64,
    /// Only these parts; all unless given.
    #[arg(long, value_delimiter = ',')]
    parts: Vec<Part>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Three servers, three replicas.
    Cluster,
    /// Several targets on one bucket, and a bucket for each of several streams.
    Parallel,
    /// Millions of keys, and a run of millions of records.
    Large,
}

impl ScaleArgs {
    pub(crate) fn rounds(&self) -> usize {
        self.rounds
    }
}

/// Measures, and writes the tables.
pub(crate) fn measure(args: &ScaleArgs, report: &mut Report) {
    let wants = |part| args.parts.is_empty() || args.parts.contains(&part);
    if wants(Part::Cluster) {
        cluster::measure(args, report);
    }
    if wants(Part::Parallel) {
        parallel::measure(args, report);
    }
    if wants(Part::Large) {
        large::measure(args.keys, report);
    }
}
