//! Records whose streams do not stay as they are.

use std::sync::Arc;

use super::Pipeline;
use super::intake::{self, Admitted, Refused};
use super::schema::{Input, Route};
use crate::batch::OpenBatch;
use crate::dead_letter::Content;
use crate::map::Tapes;
use crate::message::{Origin, RecordMessage};
use crate::run_error::RunError;
use crate::stream::Stream;
use crate::value::ValueKind;

impl Pipeline {
    /// Takes in a record into each of the streams that its stream becomes.
    pub(super) async fn take_mapped(
        &mut self,
        number: u64,
        message: RecordMessage<'_>,
    ) -> Result<(), RunError> {
        let Some(Input { stream, routes, .. }) = self.intake.inputs.get(message.stream) else {
            return Err(intake::before_schema(number, message.stream));
        };
        let (stream, routes) = (Arc::clone(stream), Arc::clone(routes));
        for route in routes.iter() {
            // The tapes are lent to the message, and come back when the record is taken in.
            let mut tapes = std::mem::take(&mut self.intake.mapped);
            let outcome = self.take_route(number, message, &stream, route, &mut tapes);
            self.intake.mapped = tapes;
            if let Some(full) = outcome? {
                self.dispatch(full).await?;
            }
        }
        Ok(())
    }

    /// Takes in a record as one of the streams has it. Returns a batch that must be written now.
    fn take_route(
        &mut self,
        number: u64,
        came: RecordMessage<'_>,
        stream: &Arc<Stream>,
        route: &Route,
        tapes: &mut Tapes,
    ) -> Result<Option<OpenBatch>, RunError> {
        let mut mapped = RecordMessage {
            stream: &route.stream,
            ..came
        };
        if let Some(transform) = &route.transform
            && came.record.kind() == ValueKind::Object
        {
            match transform.apply(came.record, tapes) {
                Ok(Some(record)) => mapped.record = record,
                left_out => {
                    let Some(meant) = self.intake.note(&route.stream, number) else {
                        return Err(intake::before_schema(number, came.stream));
                    };
                    let bytes = came.record.json_slice().map_or(0, str::len);
                    if let Err(problem) = left_out {
                        self.summary.read(&meant, 1, bytes);
                        let refused = Refused {
                            stream: meant,
                            ticket: self.ledger.admit(),
                            problem: at(came.origin, problem),
                        };
                        self.refuse(number, refused, stream, content(came))?;
                    } else {
                        self.summary.filtered(&meant, bytes);
                    }
                    return Ok(None);
                }
            }
        }
        match self.try_admit(number, mapped)? {
            Admitted::Taken(full) => Ok(full),
            Admitted::Refused(refused) => {
                self.refuse(number, refused, stream, content(came))?;
                Ok(None)
            }
        }
    }
}

fn at(origin: Option<Origin<'_>>, problem: String) -> String {
    match origin {
        Some(origin) => format!("{origin}: {problem}"),
        None => problem,
    }
}

/// A record that is refused is kept as it came, so that it can be given to the target again.
fn content(came: RecordMessage<'_>) -> Content<'_> {
    Content::Record {
        record: came.record,
        time_extracted: came.time_extracted,
        version: came.version,
    }
}
