//! The state emitter: the only writer of standard output.
//!
//! Each STATE is one bare value on a line, flushed. A thread of its own writes, so that a reader
//! who does not read holds up neither the records nor the signals. Where states are also kept in a
//! store, each is printed once it is durable there: what is on the output is in the store.

use std::io::Write;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::time::Instant;

use crate::run_error::RunError;
use crate::state_store::Keeper;

/// How long to leave an output alone that takes nothing, also when the interval is 0: a STATE that
/// is always due would keep the pipeline from reading.
const PAUSE: Duration = Duration::from_millis(10);

/// Prints STATEs, at most one an interval.
pub(crate) struct Emitter {
    interval: Duration,
    /// Before this moment nothing is printed.
    next: Instant,
    /// The newest STATE that may be printed and was not.
    pending: Option<String>,
    keeper: Option<Keeper>,
    /// What is kept and was not printed, since the output takes nothing.
    kept: Option<String>,
    sender: Option<mpsc::SyncSender<String>>,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl Emitter {
    /// Starts the thread that writes to `output`.
    pub(crate) fn spawn(
        mut output: impl Write + Send + 'static,
        interval: Duration,
    ) -> Result<Self, RunError> {
        let (sender, receiver) = mpsc::sync_channel::<String>(1);
        let thread = std::thread::Builder::new()
            .name("state".to_owned())
            .spawn(move || {
                for mut state in receiver {
                    state.push('\n');
                    output.write_all(state.as_bytes())?;
                    output.flush()?;
                }
                Ok(())
            })
            .map_err(|source| RunError::io("cannot start the thread that prints states", source))?;
        Ok(Self {
            interval,
            next: Instant::now(),
            pending: None,
            keeper: None,
            kept: None,
            sender: Some(sender),
            thread: Some(thread),
        })
    }

    /// Keeps each STATE before it is printed.
    pub(crate) fn keeping(mut self, keeper: Option<Keeper>) -> Self {
        self.keeper = keeper;
        self
    }

    /// Takes a STATE that may be printed. It replaces an older one that still waits.
    pub(crate) fn push(&mut self, state: String) {
        self.pending = Some(state);
    }

    /// When to call [`print_due`](Self::print_due) next, if a STATE waits.
    pub(crate) fn due(&self) -> Option<Instant> {
        let waits = self.pending.is_some() || self.kept.is_some();
        (waits && !self.is_keeping()).then_some(self.next)
    }

    /// Prints the waiting STATE if its time has come, or begins to keep it.
    pub(crate) fn print_due(&mut self) -> Result<(), RunError> {
        if self.thread.as_ref().is_some_and(JoinHandle::is_finished) {
            return self.join();
        }
        let now = Instant::now();
        if self.due().is_none_or(|due| now < due) {
            return Ok(());
        }
        if let Some(state) = self.kept.take() {
            self.kept = self.print(state, now);
        } else if let Some(state) = self.pending.take() {
            match &mut self.keeper {
                Some(keeper) => keeper.start(state),
                None => self.pending = self.print(state, now),
            }
        }
        Ok(())
    }

    /// Whether a STATE is being kept: then [`keep`](Self::keep) is to be waited for.
    pub(crate) fn is_keeping(&self) -> bool {
        self.keeper.as_ref().is_some_and(Keeper::is_busy)
    }

    /// Waits until the STATE that is being kept is durable, and prints it. May be dropped and
    /// called again.
    pub(crate) async fn keep(&mut self) -> Result<(), RunError> {
        if let Some(keeper) = &mut self.keeper
            && let Some(state) = keeper.done().await?
        {
            self.kept = self.print(state, Instant::now());
        }
        Ok(())
    }

    /// Hands a STATE to the output. One that finds no room comes back: whoever reads our output is
    /// slow, and gets the newest STATE later.
    fn print(&mut self, state: String, now: Instant) -> Option<String> {
        self.next = now + self.interval;
        match self.sender.as_ref()?.try_send(state) {
            Err(mpsc::TrySendError::Full(state)) => {
                self.next = now + self.interval.max(PAUSE);
                Some(state)
            }
            // Fails otherwise only if the thread has failed, which joining tells.
            _ => None,
        }
    }

    /// Drops the waiting STATE, which must not be printed after all.
    pub(crate) fn discard(&mut self) {
        self.pending = None;
    }

    /// Keeps and prints the waiting STATE, waits until all is written and reports any failure.
    pub(crate) async fn finish(&mut self) -> Result<(), RunError> {
        let kept = self.keep_rest().await;
        if let (Some(state), Some(sender)) = (self.kept.take(), &self.sender) {
            // Fails only if the thread has failed, which joining tells.
            let _ = sender.send(state);
        }
        kept.and(self.join())
    }

    /// What waits becomes what is to be printed, if it can be kept.
    async fn keep_rest(&mut self) -> Result<(), RunError> {
        let Some(keeper) = &mut self.keeper else {
            self.kept = self.pending.take();
            return Ok(());
        };
        if let Some(state) = keeper.done().await? {
            self.kept = Some(state);
        }
        if let Some(state) = self.pending.take() {
            keeper.start(state);
            let state = keeper.done().await?;
            self.kept = state.or(self.kept.take());
        }
        Ok(())
    }

    fn join(&mut self) -> Result<(), RunError> {
        self.sender = None;
        match self.thread.take().map(JoinHandle::join) {
            None | Some(Ok(Ok(()))) => Ok(()),
            Some(Ok(Err(source))) => {
                Err(RunError::io("cannot write the state to the output", source))
            }
            Some(Err(_)) => Err(RunError::Internal(
                "the thread that prints states panicked".to_owned(),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::captured::Captured;

    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn states_are_coalesced_and_the_last_is_always_printed() {
        let output = Captured::default();
        let mut emitter =
            Emitter::spawn(output.clone(), Duration::from_secs(3600)).expect("starts");
        for state in ["1", "2", "3"] {
            emitter.push(state.to_owned());
            emitter.print_due().expect("printed");
        }
        emitter.finish().await.expect("printed");
        assert_eq!(output.text(), "1\n3\n");
    }

    /// Takes nothing until it is let go.
    struct Stuck(mpsc::Receiver<()>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _ = self.0.recv();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_output_that_takes_nothing_is_left_alone_for_a_while_even_without_an_interval() {
        let (_let_go, stuck) = mpsc::channel();
        let mut emitter = Emitter::spawn(Stuck(stuck), Duration::ZERO).expect("starts");
        for state in ["1", "2", "3"] {
            emitter.push(state.to_owned());
            emitter.print_due().expect("no error");
        }
        let due = emitter.due().expect("a state waits");
        assert!(due > Instant::now(), "the pipeline would do nothing else");
    }

    #[tokio::test]
    async fn an_output_that_was_closed_is_an_error() {
        let mut emitter = Emitter::spawn(Closed, Duration::ZERO).expect("starts");
        emitter.push("1".to_owned());
        let error = emitter.finish().await.expect_err("closed");
        assert!(
            error
                .to_string()
                .starts_with("cannot write the state to the output"),
            "{error}"
        );
    }
}
