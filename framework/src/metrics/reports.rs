//! The task that reports what a run counts, beside the pipeline.

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval_at};

use super::Summary;
use super::lines::{INTERVAL, Lines};

/// Reports until it is told that the run has ended.
#[derive(Debug)]
pub(crate) struct Reports {
    end: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Reports {
    /// Starts to report.
    pub(crate) fn start(summary: Summary) -> Self {
        let (end, ended) = oneshot::channel();
        let task = tokio::spawn(report(summary, ended));
        Self { end, task }
    }

    /// Reports for the last time.
    pub(crate) async fn finish(self) {
        // If the task is gone, it has panicked, and there is nothing more to report.
        let _ = self.end.send(());
        let _ = self.task.await;
    }
}

async fn report(summary: Summary, mut ended: oneshot::Receiver<()>) {
    let mut lines = Lines::default();
    let mut due = interval_at(Instant::now() + INTERVAL, INTERVAL);
    loop {
        tokio::select! {
            _ = &mut ended => break,
            _ = due.tick() => lines.log(&summary),
        }
    }
    lines.log(&summary);
}
