//! Settings of metrics for Prometheus.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

/// Where Prometheus finds what a run counts. Nowhere unless a setting says so; the log has it
/// always.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct MetricsSettings {
    /// The file into which metrics are written in the text format of Prometheus, every ten seconds
    /// and at the end of the run. It is replaced as a whole each time, as the textfile collector of
    /// node_exporter needs it.
    #[schemars(extend("format" = "file-path", "examples" = ["/var/lib/node_exporter/target.prom"]))]
    pub(crate) metrics_file: Option<PathBuf>,

    /// The port at which metrics can be fetched by HTTP, at the path `/metrics`, as long as the run
    /// goes on.
    #[schemars(range(min = 1, max = 65_535))]
    pub(crate) metrics_port: Option<u16>,

    /// The address at which `metrics_port` is open. Everybody who reaches it can read the names of
    /// streams and how many records they have.
    #[schemars(length(min = 1))]
    pub(crate) metrics_host: String,
}

impl Default for MetricsSettings {
    fn default() -> Self {
        Self {
            metrics_file: None,
            metrics_port: None,
            metrics_host: "127.0.0.1".to_owned(),
        }
    }
}
