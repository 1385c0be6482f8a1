//! METRIC lines, as the Meltano SDK logs them: each with what was counted since the line before.
//!
//! The SDK logs the time of every batch. Here there may be hundreds a second, so that only the
//! slowest one of the interval is told.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::{Counts, Summary};

/// The name of the SDK's logger for metrics.
pub(crate) const TARGET: &str = "singer_sdk.metrics";

/// The SDK's interval.
pub(super) const INTERVAL: Duration = Duration::from_secs(60);

/// The lines of a run.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// What was told before.
    told: BTreeMap<String, Counts>,
}

impl Lines {
    /// Logs what was counted since the last time, of streams where there is something.
    pub(super) fn log(&mut self, summary: &Summary) {
        for point in self.next(summary) {
            tracing::info!(target: TARGET, "METRIC: {point}");
        }
    }

    fn next(&mut self, summary: &Summary) -> Vec<Json> {
        let counts = summary.since_last_time();
        let mut points = Vec::new();
        for (stream, now) in &counts {
            let before = self.told.get(stream).copied().unwrap_or_default();
            let tags = json!({"stream": stream, "pid": std::process::id()});
            let counters = [
                ("record_count", now.read - before.read),
                ("batch_count", now.batches - before.batches),
            ];
            for (metric, value) in counters {
                if value > 0 {
                    points.push(
                        json!({"type": "counter", "metric": metric, "value": value, "tags": tags}),
                    );
                }
            }
            if now.batches > before.batches {
                let mut tags = tags;
                tags["status"] = "succeeded".into();
                points.push(json!({
                    "type": "timer",
                    "metric": "batch_processing_time",
                    "value": now.slowest.as_secs_f64(),
                    "tags": tags,
                }));
            }
        }
        self.told = counts;
        points
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::Stream;
    use crate::validate::Validator;

    #[test]
    fn each_line_has_what_was_counted_since_the_one_before() {
        let schema = json!({});
        let validator = Validator::new(&schema).expect("valid");
        let stream = Stream::new("s".into(), schema, vec![], vec![], validator);
        let (summary, mut lines) = (Summary::default(), Lines::default());
        assert_eq!(lines.next(&summary), [Json::Null; 0]);
        for records in [7, 3] {
            summary.read(&stream, records, 100);
            let tags = json!({"stream": "s", "pid": std::process::id()});
            let expected = json!({
                "type": "counter", "metric": "record_count", "value": records, "tags": tags,
            });
            assert_eq!(lines.next(&summary), [expected]);
        }
        assert_eq!(lines.next(&summary), [Json::Null; 0]);
    }
}
