//! What a run counts, and how it is told while the run goes on and at its end.
//!
//! The pipeline counts by batch, not by record, so that counting costs nothing on a record's way.

mod lines;
mod reports;
mod summary;

pub(crate) use lines::TARGET;
pub(crate) use reports::Reports;
pub(crate) use summary::{Counts, Summary};
