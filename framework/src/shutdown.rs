//! Signals. The first one asks the run to stop reading and to finish what is in flight; the second
//! one ends the process at once.

use tokio::sync::watch;

/// Whether the run was asked to stop, and how.
#[derive(Debug, Clone)]
pub(crate) struct Shutdown(watch::Receiver<Option<Signal>>);

/// A signal that ends a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Interrupt,
    Terminate,
}

impl Signal {
    /// The exit code of a process that this signal ends: 128 and its number.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

impl Shutdown {
    /// Listens for signals from now on.
    pub(crate) fn listen() -> std::io::Result<Self> {
        let mut signals = Signals::new()?;
        let (sender, receiver) = watch::channel(None);
        tokio::spawn(async move {
            let first = signals.next().await;
            tracing::warn!("asked to stop: finishing what is in flight; once more to stop at once");
            sender.send_replace(Some(first));
            let second = signals.next().await;
            std::process::exit(second.exit_code().into());
        });
        Ok(Self(receiver))
    }

    /// For tests: a run that no signal ends.
    #[cfg(test)]
    pub(crate) fn never() -> Self {
        let (sender, receiver) = watch::channel(None);
        std::mem::forget(sender);
        Self(receiver)
    }

    /// The signal that came first, if one came.
    pub(crate) fn signal(&self) -> Option<Signal> {
        *self.0.borrow()
    }

    /// Whether a signal came.
    pub(crate) fn requested(&self) -> bool {
        self.signal().is_some()
    }

    /// Waits for a signal.
    pub(crate) async fn wait(&self) {
        // The sender lives until the process ends.
        let _ = self.0.clone().wait_for(Option::is_some).await;
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    #[expect(clippy::unnecessary_wraps, reason = "the same as on Unix")]
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> Signal {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Signal::Interrupt
    }
}
