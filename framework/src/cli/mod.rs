//! The command line: what it accepts, and what its commands print.

mod args;
mod output;
mod reports;
mod state;

pub(crate) use args::{
    Args, Command, DiscoverFormat, ReportFormat, StateAction, completions, manual,
};
pub(crate) use output::{check, discover, offered, print, print_error};
pub(crate) use reports::{migrate, migration, print_differences, print_forecasts};
pub(crate) use state::state;
