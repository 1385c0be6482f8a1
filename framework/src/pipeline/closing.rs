//! The end of a run for each stream, when nothing is in flight any more.

use std::sync::Arc;

use super::Pipeline;
use crate::run_error::RunError;
use crate::stream::Stream;
use crate::stream_end::StreamEnd;

impl Pipeline {
    /// Lets the sink close every stream. `complete` says whether the whole input was read and is
    /// settled. The first error is returned, after all were tried.
    pub(super) async fn close_streams(&mut self, complete: bool) -> Result<(), RunError> {
        let mut outcome = Ok(());
        for (stream, is_followed) in self.intake.ends() {
            let gap = self.gap(&stream, complete, is_followed);
            let conflicting = self.summary.conflicting(&stream);
            let end = StreamEnd::new(gap, self.versions.max_delete_fraction, conflicting);
            match self.delivery.close_stream(&stream, &end).await {
                Ok(removed) => self.summary.swept(&stream, removed),
                Err(error) => {
                    let failed: RunError = error.into();
                    if outcome.is_err() {
                        tracing::error!("while ending the run: {failed}");
                    } else {
                        outcome = Err(failed);
                    }
                }
            }
        }
        outcome
    }

    fn gap(&self, stream: &Arc<Stream>, complete: bool, is_followed: bool) -> Option<&'static str> {
        if !complete {
            Some("the run ended early")
        } else if self.summary.lost(stream) {
            Some("records of it could not be loaded")
        } else if !is_followed {
            Some("no STATE follows its last record, so that the tap may have ended before its time")
        } else {
            None
        }
    }
}
