//! Records of streams that have a transformation.

use std::sync::Arc;

use super::Pipeline;
use crate::batch::OpenBatch;
use crate::message::RecordMessage;
use crate::run_error::RunError;
use crate::value::ValueKind;

impl Pipeline {
    /// Takes in a record as its stream's transformation writes it.
    pub(super) fn take_mapped(
        &mut self,
        number: u64,
        message: RecordMessage<'_>,
    ) -> Result<Option<OpenBatch>, RunError> {
        let flattening = match self.intake.flattening(message.stream) {
            Some(flattening) if message.record.kind() == ValueKind::Object => flattening,
            _ => return self.admit(number, message),
        };
        let flattening = Arc::clone(flattening);
        // The tape is lent to the message, and comes back when the record is taken in.
        let mut tape = std::mem::take(&mut self.intake.mapped);
        flattening.apply(message.record, &mut tape);
        let outcome = match tape.root() {
            Some(record) => self.admit(number, RecordMessage { record, ..message }),
            None => Ok(None),
        };
        self.intake.mapped = tape;
        outcome
    }
}
