//! The contract of a [`StateStore`].

use super::rule::{Rule, Violation};
use crate::sink::SinkError;
use crate::state_store::StateStore;

/// What a store must give back as it was given: no number changes, no member moves.
const STATES: [&str; 3] = [
    r#"{"z":1.10,"a":1180591620717411303424,"n":null,"t":"é","l":[0.1,{}]}"#,
    r#"{"z":2}"#,
    "[]",
];

/// Checks the contract of a [`StateStore`]: [`Rule::KeptState`]. `open` opens the same place each
/// time, which is empty at first.
///
/// ```
/// use std::sync::{Arc, Mutex, PoisonError};
///
/// use singer_target::conformance::{Violation, check_state_store};
/// use singer_target::{SinkError, StateStore};
///
/// /// Keeps the STATE in memory.
/// #[derive(Clone, Default)]
/// struct InMemory(Arc<Mutex<Option<String>>>);
///
/// impl InMemory {
///     fn set(&self, state: Option<&str>) {
///         *self.0.lock().unwrap_or_else(PoisonError::into_inner) = state.map(str::to_owned);
///     }
/// }
///
/// impl StateStore for InMemory {
///     async fn read(&self) -> Result<Option<String>, SinkError> {
///         Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
///     }
///
///     async fn write(&self, state: &str) -> Result<(), SinkError> {
///         self.set(Some(state));
///         Ok(())
///     }
///
///     async fn clear(&self) -> Result<(), SinkError> {
///         self.set(None);
///         Ok(())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// // #[tokio::test]
/// async fn main() -> Result<(), Violation> {
///     let place = InMemory::default();
///     check_state_store(async || Ok(place.clone())).await
/// }
/// ```
///
/// # Errors
/// How the rule is broken.
pub async fn check_state_store<S: StateStore>(
    open: impl AsyncFn() -> Result<S, SinkError>,
) -> Result<(), Violation> {
    let broken = |what: String| Violation::new(Rule::KeptState, what);
    let failed = |what: &str| {
        let what = what.to_owned();
        move |error: SinkError| broken(format!("{what} failed: {error}"))
    };
    let is_kept = async |expected: Option<&str>, when: &str| {
        let store = open().await.map_err(failed("opening"))?;
        let found = store.read().await.map_err(failed("reading"))?;
        if found.as_deref() == expected {
            return Ok(());
        }
        Err(broken(format!(
            "{when}, {found:?} is read instead of {expected:?}"
        )))
    };
    is_kept(None, "before anything was kept").await?;
    // Two runs, one after the other.
    for _ in 0..2 {
        let store = open().await.map_err(failed("opening"))?;
        store.prepare().await.map_err(failed("preparing"))?;
        for state in STATES {
            // The second time as after an acknowledgement that was lost.
            for _ in 0..2 {
                store.write(state).await.map_err(failed("writing"))?;
                is_kept(Some(state), "after it was kept").await?;
            }
        }
    }
    let store = open().await.map_err(failed("opening"))?;
    for _ in 0..2 {
        store.clear().await.map_err(failed("clearing"))?;
        is_kept(None, "after it was cleared").await?;
    }
    let store = open().await.map_err(failed("opening"))?;
    store.prepare().await.map_err(failed("preparing"))?;
    store.write(STATES[0]).await.map_err(failed("writing"))?;
    is_kept(Some(STATES[0]), "after a new beginning").await
}
