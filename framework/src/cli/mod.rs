//! The command line: what it accepts, and what its commands print.

mod args;
mod output;

pub(crate) use args::{Args, Command, DiscoverFormat, completions, manual};
pub(crate) use output::{check, discover, print, print_error};
