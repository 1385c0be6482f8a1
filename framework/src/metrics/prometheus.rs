//! Counts in the text format of Prometheus.

use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::core::Collector;
use prometheus::{CounterVec, Gauge, IntCounterVec, Opts, Registry, TextEncoder};

use super::{Counts, Summary};

/// What the names of all metrics begin with.
const NAMESPACE: &str = "singer_target";

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It goes on.
    Running,
    /// Everything was loaded.
    Succeeded,
    /// It has ended for another reason.
    Ended,
}

type Get = fn(&Counts) -> u64;

/// Counters of each stream.
const COUNTERS: [(&str, &str, Get); 4] = [
    ("records_read_total", "Records that were read", |it| it.read),
    (
        "read_bytes_total",
        "Bytes of the records that were read",
        |it| it.bytes,
    ),
    ("batches_total", "Batches that were settled", |it| {
        it.batches
    }),
    (
        "retries_total",
        "Writes of a batch that were repeated",
        |it| it.retries,
    ),
];

/// What may become of a record.
const OUTCOMES: [(&str, Get); 8] = [
    ("written", |it| it.written),
    ("unchanged", |it| it.unchanged),
    ("conflicting", |it| it.conflicting),
    ("deleted", |it| it.deleted),
    ("filtered", |it| it.filtered),
    ("skipped", |it| it.skipped),
    ("dead_lettered", |it| it.dead_lettered),
    ("failed", |it| it.rejected - it.skipped - it.dead_lettered),
];

/// The text for what was counted by now.
pub(super) fn text(summary: &Summary, progress: Progress) -> Result<String, prometheus::Error> {
    let registry = Registry::new();
    let counts = summary.counts();
    for (name, help, get) in COUNTERS {
        let counter = IntCounterVec::new(opts(name, help), &["stream"])?;
        for (stream, counts) in &counts {
            counter.with_label_values(&[stream]).inc_by(get(counts));
        }
        register(&registry, counter)?;
    }
    let records = opts(
        "records_total",
        "Records of which it is known what became of them",
    );
    let records = IntCounterVec::new(records, &["stream", "outcome"])?;
    let swept = opts(
        "swept_records_total",
        "Stored records that were deleted since their table has a new version, or was overwritten",
    );
    let swept = IntCounterVec::new(swept, &["stream"])?;
    let busy = opts(
        "batch_seconds_total",
        "Time that batches took, all together",
    );
    let busy = CounterVec::new(busy, &["stream"])?;
    for (stream, counts) in &counts {
        for (outcome, get) in OUTCOMES {
            let counter = records.with_label_values(&[stream.as_str(), outcome]);
            counter.inc_by(get(counts));
        }
        swept.with_label_values(&[stream]).inc_by(counts.swept);
        let seconds = counts.busy.as_secs_f64();
        busy.with_label_values(&[stream]).inc_by(seconds);
    }
    register(&registry, records)?;
    register(&registry, swept)?;
    register(&registry, busy)?;
    let gauges = [
        (
            "run_seconds",
            "How long the run takes, or has taken",
            summary.seconds(),
        ),
        (
            "run_succeeded",
            "Whether the run has loaded everything: 1, or 0 if it has not, or not yet",
            f64::from(u8::from(progress == Progress::Succeeded)),
        ),
        (
            "run_ended_timestamp_seconds",
            "When the run ended; 0 if it goes on",
            if progress == Progress::Running {
                0.0
            } else {
                now()
            },
        ),
    ];
    for (name, help, value) in gauges {
        let gauge = Gauge::with_opts(opts(name, help))?;
        gauge.set(value);
        register(&registry, gauge)?;
    }
    TextEncoder::new().encode_to_string(&registry.gather())
}

fn opts(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace(NAMESPACE)
}

fn register(registry: &Registry, metric: impl Collector + 'static) -> prometheus::Result<()> {
    registry.register(Box::new(metric))
}

fn now() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0.0, |now| now.as_secs_f64().round())
}
