//! How long to wait for an answer of the server.
//!
//! A request waits behind the writes that were sent before it, and on a slow line that may take
//! long. So the server counts as silent only when nothing at all arrives from it: acknowledgements
//! of those writes do, too. But not for ever, since a single answer may be lost.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::{Client, Statistics};

/// How many times longer to wait as long as anything arrives.
const MORE_TIME: u32 = 4;
/// In how many parts the silence is measured.
const STEPS: u32 = 4;

/// See the module.
#[derive(Debug, Clone)]
pub(in super::super) struct Patience {
    silence: Duration,
    statistics: Arc<Statistics>,
}

impl Patience {
    /// Waits as long as `client` hears anything and `silence` longer, but not beyond the
    /// [limit](Self::limit).
    pub(in super::super) fn new(client: &Client, silence: Duration) -> Self {
        Self {
            silence,
            statistics: client.statistics(),
        }
    }

    /// How long the server may be silent.
    pub(in super::super) fn silence(&self) -> Duration {
        self.silence
    }

    /// Longer than this it never waits.
    pub(in super::super) fn limit(&self) -> Duration {
        self.silence * MORE_TIME
    }

    /// Waits for an answer; `None` if the server is silent.
    pub(in super::super) async fn wait<T>(&self, answer: impl Future<Output = T>) -> Option<T> {
        self.wait_for_all(answer, || 0).await
    }

    /// Waits until all of several answers are there; `arrived` tells how many are.
    pub(in super::super) async fn wait_for_all<T>(
        &self,
        all: impl Future<Output = T>,
        arrived: impl Fn() -> u64,
    ) -> Option<T> {
        tokio::pin!(all);
        let seen = || {
            let heard = self.statistics.in_messages.load(Ordering::Relaxed);
            (arrived(), heard)
        };
        let mut before = seen();
        // For how many steps no answer has come, and for how many nothing at all.
        let (mut idle, mut quiet) = (0, 0);
        while quiet < STEPS && idle < STEPS * MORE_TIME {
            let step = tokio::time::timeout(self.silence / STEPS, &mut all);
            if let Ok(all) = step.await {
                return Some(all);
            }
            let now = seen();
            idle = if now.0 == before.0 { idle + 1 } else { 0 };
            quiet = if now == before { quiet + 1 } else { 0 };
            before = now;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::{Instant, sleep};

    use super::*;

    const SILENCE: Duration = Duration::from_secs(4);

    /// How long it waits for an answer that never comes while something else arrives for this long.
    async fn waits(arriving: Duration) -> Duration {
        let statistics = Arc::new(Statistics::default());
        let patience = Patience {
            silence: SILENCE,
            statistics: Arc::clone(&statistics),
        };
        let start = Instant::now();
        let others = async {
            while start.elapsed() < arriving {
                sleep(Duration::from_millis(500)).await;
                statistics.in_messages.fetch_add(1, Ordering::Relaxed);
            }
            pending::<()>().await
        };
        assert_eq!(patience.wait(others).await, None);
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn others_give_an_answer_more_time_but_not_for_ever() {
        assert_eq!(waits(Duration::ZERO).await, SILENCE);
        let longer = waits(SILENCE * 2).await;
        assert!(longer >= SILENCE * 3 && longer < SILENCE * 4, "{longer:?}");
        assert_eq!(waits(SILENCE * 100).await, SILENCE * MORE_TIME);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_ends_the_wait() {
        let patience = Patience {
            silence: SILENCE,
            statistics: Arc::default(),
        };
        assert_eq!(patience.wait(async { 1 }).await, Some(1));
        let start = Instant::now();
        let late = sleep(SILENCE - Duration::from_millis(1));
        assert_eq!(patience.wait(late).await, Some(()));
        assert!(start.elapsed() < SILENCE);
    }
}
