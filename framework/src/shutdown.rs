//! Ending early: because of a signal, or because the run has failed.
//!
//! The first signal asks the run to stop reading and to finish what is in flight; the second one
//! ends the process at once. Signals are heard on a thread of their own, so that the second one
//! also ends a run that is stuck.

use std::sync::Arc;

use tokio::sync::watch;

/// Whether the run is ending, and why.
#[derive(Debug, Clone)]
pub(crate) struct Shutdown(Arc<watch::Sender<Option<Reason>>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    Signal(Signal),
    Failure,
}

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
    /// A run that nothing ends but [`fail`](Self::fail).
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// Listens for signals from now on.
    pub(crate) fn listen() -> std::io::Result<Self> {
        let shutdown = Self::new();
        let heard = shutdown.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let mut signals = {
            let _context = runtime.enter();
            Signals::new()?
        };
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                let first = runtime.block_on(signals.next());
                tracing::warn!(
                    "asked to stop: finishing what is in flight; ask again to stop at once"
                );
                heard.request(first);
                let second = runtime.block_on(signals.next());
                std::process::exit(second.exit_code().into());
            })?;
        Ok(shutdown)
    }

    /// Asks the run to stop reading and to finish what is in flight, as a signal does.
    pub(crate) fn request(&self, signal: Signal) {
        self.0.send_replace(Some(Reason::Signal(signal)));
    }

    /// The run has failed: what is in flight is finished, but nothing is tried again.
    pub(crate) fn fail(&self) {
        self.0.send_if_modified(|reason| {
            let first = reason.is_none();
            reason.get_or_insert(Reason::Failure);
            first
        });
    }

    /// The signal that ends the run, if one does.
    pub(crate) fn signal(&self) -> Option<Signal> {
        match *self.0.borrow() {
            Some(Reason::Signal(signal)) => Some(signal),
            _ => None,
        }
    }

    /// Whether the run is ending.
    pub(crate) fn requested(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Waits until the run is ending.
    pub(crate) async fn wait(&self) {
        // The sender is ours, so it is still there.
        let _ = self.0.subscribe().wait_for(Option::is_some).await;
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
