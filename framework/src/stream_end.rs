//! How a run ended for a stream, and what a sink may conclude from it.
//!
//! A sink that replaces a table takes what a run has not written for gone. That is only so if the
//! tap has sent all of the table, and a tap that dies looks like one that is done: its output ends.
//! So three things must come together, and a limit still holds.

use crate::activation::check_share;
use crate::sink::SinkError;

/// How a run ended for one stream, for [`Sink::close_stream`](crate::Sink::close_stream).
///
/// ```
/// use singer_target::{SinkError, StreamEnd};
///
/// /// Removes the rows of earlier runs from a table that each run loads as a whole.
/// fn remove_old(rows: &mut Vec<u64>, run: u64, end: &StreamEnd) -> Result<u64, SinkError> {
///     if end.gap().is_some() {
///         // What is missing may be in the rows that the tap has not sent.
///         return Ok(0);
///     }
///     let stored = rows.len() as u64;
///     let old = rows.iter().filter(|row| **row < run).count() as u64;
///     end.check_share(old, stored)?;
///     rows.retain(|row| *row >= run);
///     Ok(old)
/// }
/// ```
#[derive(Debug, Clone)]
pub struct StreamEnd {
    gap: Option<&'static str>,
    max_fraction: f64,
    conflicting: u64,
}

impl StreamEnd {
    /// `gap` says why the stream was not loaded as a whole, if so.
    pub(crate) fn new(gap: Option<&'static str>, max_fraction: f64, conflicting: u64) -> Self {
        Self {
            gap,
            max_fraction,
            conflicting,
        }
    }

    /// How many records of the run lost a tie, as the sink has reported them
    /// ([`Report::conflicting`](crate::Report::conflicting)): it knows which of its settings would
    /// have them written.
    #[must_use]
    pub fn conflicting(&self) -> u64 {
        self.conflicting
    }

    /// Why what the run has not written may still be in the stream's table; `None` if all of the
    /// table was loaded: the input ended in order, no record of the stream was left out, and a
    /// STATE follows the last one, which shows that the tap had come to its end.
    #[must_use]
    pub fn gap(&self) -> Option<&str> {
        self.gap
    }

    /// Whether the sink must [count](Self::check_share) before it removes anything.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        self.max_fraction < 1.0
    }

    /// Checks that `removed` of the `stored` records of the stream are no more than the user allows
    /// to be deleted at once (setting `max_delete_fraction`).
    ///
    /// # Errors
    /// If they are more. Nothing must be removed then.
    pub fn check_share(&self, removed: u64, stored: u64) -> Result<(), SinkError> {
        check_share("the end of the run", removed, stored, self.max_fraction)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_removed_than_the_user_allows() {
        let end = StreamEnd::new(None, 0.5, 0);
        assert!(end.is_limited() && end.check_share(1, 2).is_ok());
        let error = end.check_share(2, 3).expect_err("too many").to_string();
        assert!(
            error.starts_with("the end of the run would delete 2 of 3 records"),
            "{error}"
        );
        assert!(!StreamEnd::new(None, 1.0, 0).is_limited());
    }
}
