//! Where the newest STATE is kept, for taps that are run without an orchestrator.
//!
//! A STATE is kept before it is printed, by the same path and under the same rule: all records
//! before it are safe by then. While one is being kept, the records go on.

use std::future::Future;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::task::JoinHandle;

use crate::retry::Retry;
use crate::run_error::RunError;
use crate::sink::SinkError;

/// Keeps the newest STATE of a pipeline. A plugin offers one as a
/// [`StatePlugin`](crate::StatePlugin).
///
/// ```
/// use std::fs;
/// use std::io::{ErrorKind, Write};
/// use std::path::PathBuf;
///
/// use singer_target::{SinkError, StateStore};
///
/// /// A file that has the newest STATE.
/// struct StateFile(PathBuf);
///
/// impl StateStore for StateFile {
///     async fn read(&self) -> Result<Option<String>, SinkError> {
///         match fs::read_to_string(&self.0) {
///             Ok(state) => Ok(Some(state)),
///             Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
///             Err(error) => Err(SinkError::unavailable(error)),
///         }
///     }
///
///     async fn write(&self, state: &str) -> Result<(), SinkError> {
///         let write = || {
///             // A crash must leave the old STATE or the new one.
///             let part = self.0.with_extension("part");
///             let mut file = fs::File::create(&part)?;
///             file.write_all(state.as_bytes())?;
///             file.sync_all()?;
///             fs::rename(part, &self.0)
///         };
///         write().map_err(|error: std::io::Error| SinkError::permanent(error))
///     }
///
///     async fn clear(&self) -> Result<(), SinkError> {
///         match fs::remove_file(&self.0) {
///             Err(error) if error.kind() != ErrorKind::NotFound => Err(SinkError::unavailable(error)),
///             _ => Ok(()),
///         }
///     }
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), SinkError> {
/// # let folder = std::env::temp_dir().join(format!("state-store-{}", std::process::id()));
/// # fs::create_dir_all(&folder).expect("writable");
/// # let store = StateFile(folder.join("state.json"));
/// # store.prepare().await?;
/// # assert_eq!(store.read().await?, None);
/// # store.write("{\"n\":1}").await?;
/// # assert_eq!(store.read().await?.as_deref(), Some("{\"n\":1}"));
/// # store.clear().await?;
/// # assert_eq!(store.read().await?, None);
/// # fs::remove_dir_all(folder).expect("it is ours");
/// # Ok(())
/// # }
/// ```
pub trait StateStore: Send + Sync + 'static {
    /// The STATE that was kept last, as JSON text; `None` if there is none. Changes nothing.
    ///
    /// # Errors
    /// If it cannot be read.
    fn read(&self) -> impl Future<Output = Result<Option<String>, SinkError>> + Send;

    /// Called once before anything else is done that writes: the place to create what is missing,
    /// and to remember what is there, so that another writer is noticed. Does nothing unless it is
    /// implemented.
    ///
    /// # Errors
    /// If nothing could be kept.
    fn prepare(&self) -> impl Future<Output = Result<(), SinkError>> + Send {
        async { Ok(()) }
    }

    /// Keeps a STATE, the text of a JSON value, in place of the one before. Never called twice at
    /// the same time; a later STATE comes after an earlier one.
    ///
    /// # Errors
    /// `Ok` says that it is durable: it is printed then. After [`SinkError::Transient`] it is
    /// called again with the same STATE, which may be kept already. Any other error ends the run;
    /// that another run has kept a STATE meanwhile should be one.
    fn write(&self, state: &str) -> impl Future<Output = Result<(), SinkError>> + Send;

    /// Removes what is kept, so that the next run begins anew.
    ///
    /// # Errors
    /// If it cannot be removed.
    fn clear(&self) -> impl Future<Output = Result<(), SinkError>> + Send;
}

/// The engine's side of a [`StateStore`]: the same, with its futures boxed.
pub(crate) trait ErasedStateStore: Send + Sync {
    fn read(&self) -> BoxFuture<'_, Result<Option<String>, SinkError>>;
    fn prepare(&self) -> BoxFuture<'_, Result<(), SinkError>>;
    fn write<'a>(&'a self, state: &'a str) -> BoxFuture<'a, Result<(), SinkError>>;
    fn clear(&self) -> BoxFuture<'_, Result<(), SinkError>>;
}

impl<S: StateStore> ErasedStateStore for S {
    fn read(&self) -> BoxFuture<'_, Result<Option<String>, SinkError>> {
        Box::pin(StateStore::read(self))
    }

    fn prepare(&self) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(StateStore::prepare(self))
    }

    fn write<'a>(&'a self, state: &'a str) -> BoxFuture<'a, Result<(), SinkError>> {
        Box::pin(StateStore::write(self, state))
    }

    fn clear(&self) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(StateStore::clear(self))
    }
}

/// Keeps one STATE after the other, beside the pipeline.
pub(crate) struct Keeper {
    store: Arc<dyn ErasedStateStore>,
    retry: Retry,
    task: Option<JoinHandle<Result<String, SinkError>>>,
}

impl Keeper {
    pub(crate) fn new(store: Arc<dyn ErasedStateStore>, retry: Retry) -> Self {
        Self {
            store,
            retry,
            task: None,
        }
    }

    /// Whether a STATE is on its way.
    pub(crate) fn is_busy(&self) -> bool {
        self.task.is_some()
    }

    /// Begins to keep a STATE, when no other one is on its way.
    pub(crate) fn start(&mut self, state: String) {
        let store = Arc::clone(&self.store);
        let retry = self.retry.clone();
        self.task = Some(tokio::spawn(async move {
            let mut pauses = retry.pauses();
            loop {
                match store.write(&state).await {
                    Ok(()) => return Ok(state),
                    Err(error @ SinkError::Transient(_)) => {
                        let what = "the state cannot be kept";
                        pauses.wait(&retry.shutdown, what, error).await?;
                    }
                    Err(error) => return Err(error),
                }
            }
        }));
    }

    /// Waits until the STATE that is on its way is durable. It may be dropped and called again.
    pub(crate) async fn done(&mut self) -> Result<Option<String>, RunError> {
        let Some(task) = &mut self.task else {
            return Ok(None);
        };
        let ended = task.await;
        self.task = None;
        match ended {
            Ok(kept) => Ok(Some(kept?)),
            Err(error) => Err(RunError::Internal(format!(
                "the task that keeps states ended: {error}"
            ))),
        }
    }
}
