//! What a run counts, and how it is told while the run goes on and at its end: in the log, in a file
//! and by HTTP.
//!
//! The pipeline counts by batch, not by record, so that counting costs nothing on a record's way.

mod file;
mod lines;
mod prometheus;
mod reports;
mod server;
mod summary;

pub(crate) use lines::TARGET;
pub(crate) use prometheus::Progress;
pub(crate) use reports::Reports;
pub(crate) use summary::{Counts, Summary};
