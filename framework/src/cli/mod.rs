//! The command line: what it accepts, and what its commands print.

mod args;
mod output;
mod reports;
mod table;

pub(crate) use args::{Args, Command, DiscoverFormat, ReportFormat, completions, manual};
pub(crate) use output::{check, discover, offered, print, print_error};
pub(crate) use reports::{migrate, migration, print_differences, print_forecasts};
