//! A cluster of three servers that each hold a replica, all on this machine.

use target_tests::cluster::Cluster;

use super::ScaleArgs;
use crate::bed::Bed;
use crate::report::{Goal, Report};
use crate::rounds;
use crate::trial::{Case, Data, Trial};
use crate::workload::Workload;

pub(super) fn measure(args: &ScaleArgs, report: &mut Report) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be made");
    let cluster = runtime.block_on(Cluster::start());
    let bed = Bed::new(cluster.servers);
    let data = Data::new(&bed, "json", Workload::of(args.records));
    let cases = [Case::Full, Case::Create, Case::Identical, Case::Half];
    let mut trials: Vec<_> = cases.map(|case| Trial::new(case, &data)).into();
    rounds(args.rounds, &bed, &mut trials);
    report.line(&format!(
        "\n### A cluster\n\nThree servers on the same two cores, three replicas, {} records. Client and raw client are \
         connected to the server that leads.",
        args.records
    ));
    let rows: Vec<_> = trials
        .iter()
        .map(|trial| (trial.case.name().to_owned(), trial, Goal::None))
        .collect();
    report.rates(
        "records/s",
        &rows,
        |trial| trial.data.records as f64,
        |_| None,
    );
    report.processor(&rows);
}
