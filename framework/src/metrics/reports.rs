//! The tasks that report what a run counts, beside the pipeline.

use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval_at};

use super::file::MetricsFile;
use super::lines::{self, Lines};
use super::prometheus::{self, Progress};
use super::{Summary, server};
use crate::config::{ConfigError, MetricsSettings};

/// How often the file is written.
const FILE_INTERVAL: Duration = Duration::from_secs(10);

/// Reports until it is told how the run has ended.
#[derive(Debug)]
pub(crate) struct Reports {
    end: oneshot::Sender<Progress>,
    task: JoinHandle<()>,
    server: Option<JoinHandle<()>>,
}

impl Reports {
    /// Starts to report.
    ///
    /// # Errors
    /// The file cannot be written, or the port not be opened.
    pub(crate) async fn start(
        summary: Summary,
        settings: &MetricsSettings,
    ) -> Result<Self, ConfigError> {
        let file = settings.metrics_file.as_deref().map(MetricsFile::new);
        if let Some(file) = &file {
            write(file, &summary, Progress::Running).map_err(|why| {
                let problem = format!("cannot write {}: {why}", file.path().display());
                ConfigError::of("metrics_file", problem)
            })?;
        }
        let server = match settings.metrics_port {
            Some(port) => {
                let host = settings.metrics_host.as_str();
                let listener = TcpListener::bind((host, port)).await.map_err(|why| {
                    let problem = format!("cannot listen at {host}:{port}: {why}");
                    ConfigError::of("metrics_port", problem)
                })?;
                Some(tokio::spawn(server::serve(listener, summary.clone())))
            }
            None => None,
        };
        let (end, ended) = oneshot::channel();
        let task = tokio::spawn(report(summary, file, ended));
        Ok(Self { end, task, server })
    }

    /// Reports for the last time.
    pub(crate) async fn finish(self, progress: Progress) {
        // If the task is gone, it has panicked, and there is nothing more to report.
        let _ = self.end.send(progress);
        let _ = self.task.await;
        if let Some(server) = self.server {
            server.abort();
        }
    }
}

async fn report(
    summary: Summary,
    file: Option<MetricsFile>,
    mut ended: oneshot::Receiver<Progress>,
) {
    let mut lines = Lines::default();
    let every = |interval| interval_at(Instant::now() + interval, interval);
    let (mut lines_due, mut file_due) = (every(lines::INTERVAL), every(FILE_INTERVAL));
    let progress = loop {
        tokio::select! {
            progress = &mut ended => break progress.unwrap_or(Progress::Ended),
            _ = lines_due.tick() => lines.log(&summary),
            _ = file_due.tick(), if file.is_some() => update(&file, &summary, Progress::Running),
        }
    };
    lines.log(&summary);
    update(&file, &summary, progress);
}

/// A file that cannot be written any more is no reason to stop loading.
fn update(file: &Option<MetricsFile>, summary: &Summary, progress: Progress) {
    if let Some(file) = file
        && let Err(why) = write(file, summary, progress)
    {
        let path = file.path().display();
        tracing::warn!("metrics_file: cannot write {path}: {why}");
    }
}

fn write(file: &MetricsFile, summary: &Summary, progress: Progress) -> Result<(), String> {
    let text = prometheus::text(summary, progress).map_err(|error| error.to_string())?;
    file.write(&text).map_err(|error| error.to_string())
}
