//! The `state` command: what a run has kept, for a tap that nobody else keeps it for.

use std::collections::BTreeMap;
use std::io::Read;
use std::process::ExitCode;

use serde::de::IgnoredAny;

use super::StateAction;
use super::output::{offered, print};
use crate::config::Settings;
use crate::plugin::{SinkContext, SinkEntry};
use crate::run_error::RunError;
use crate::sink::SinkError;

/// What a tap takes for "no state yet".
const NO_STATE: &str = "{}";

/// The `state` command.
pub(crate) async fn state(
    entry: SinkEntry,
    settings: &Settings,
    context: SinkContext,
    action: StateAction,
) -> Result<ExitCode, RunError> {
    let open = offered(entry, entry.open_state, "state")?;
    let store = open(settings, context).await?.ok_or_else(|| {
        SinkError::config("no state is kept: the settings do not say where (see `about`)")
    })?;
    match action {
        StateAction::Get => {
            let state = store.read().await?;
            print(&format!("{}\n", state.as_deref().unwrap_or(NO_STATE)))?;
        }
        StateAction::Set => {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|source| RunError::io("cannot read the state from the input", source))?;
            check(&text)?;
            store.prepare().await?;
            store.write(text.trim()).await?;
        }
        StateAction::Clear => store.clear().await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Checks that a tap can be given this as its state.
fn check(text: &str) -> Result<(), RunError> {
    // The parser's own words would quote the text.
    serde_json::from_str::<BTreeMap<String, IgnoredAny>>(text)
        .map(|_| ())
        .map_err(|error| {
            let problem = if error.is_data() {
                "the state is JSON, but not an object, and taps take nothing else"
            } else {
                "the state is not one object of JSON"
            };
            RunError::input(error.line() as u64, problem)
        })
}
