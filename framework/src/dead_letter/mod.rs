//! The dead letter: where records are kept that could not be loaded.
//!
//! It holds Singer messages, so that it can be given to the target again as its input. Beside each
//! record stands why it is there. It is a file, or a place at the destination if the sink has one.

mod file;
mod letters;

use std::path::Path;
use std::sync::Arc;

pub use letters::DeadLetters;

use crate::run_error::RunError;
use crate::sink::SinkError;
use crate::state::{Ticket, Tickets};
use crate::stream::Stream;
use crate::value::Value;
use file::DeadLetterFile;

/// A record that cannot be loaded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Invalid<'a> {
    pub(crate) stream: &'a Arc<Stream>,
    pub(crate) content: Content<'a>,
    pub(crate) line: u64,
    /// What is wrong with it, without its values.
    pub(crate) reason: &'a str,
}

/// What there is of an invalid record.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Content<'a> {
    Record {
        record: Value<'a>,
        time_extracted: Option<Value<'a>>,
        /// That of its table.
        version: Option<Value<'a>>,
    },
    /// The whole line, in well-formed JSON, of a record that cannot be read.
    Line(&'a str),
}

/// An open dead letter with the records, and their tickets, that are not yet durable.
#[derive(Debug)]
pub(crate) struct DeadLetter {
    place: Place,
    waiting: Vec<DeadLetters>,
    tickets: Tickets,
}

#[derive(Debug)]
enum Place {
    File(DeadLetterFile),
    Sink,
}

impl DeadLetter {
    /// Opens `path` to append to it.
    pub(crate) fn in_file(path: &Path) -> Result<Self, RunError> {
        Ok(Self::at(Place::File(DeadLetterFile::open(path)?)))
    }

    /// A dead letter that the sink keeps.
    pub(crate) fn at_sink() -> Self {
        Self::at(Place::Sink)
    }

    fn at(place: Place) -> Self {
        Self {
            place,
            waiting: Vec::new(),
            tickets: Tickets::default(),
        }
    }

    /// Adds a record. Its ticket is settled when [`sync`](Self::sync) returns it.
    pub(crate) fn push(&mut self, invalid: &Invalid<'_>, ticket: Ticket) {
        let of_stream = |letters: &&mut DeadLetters| Arc::ptr_eq(letters.stream(), invalid.stream);
        match self.waiting.iter_mut().find(of_stream) {
            Some(letters) => letters.push(invalid),
            None => {
                let mut letters = DeadLetters::of(invalid.stream);
                letters.push(invalid);
                self.waiting.push(letters);
            }
        }
        self.tickets.push(ticket);
    }

    /// Whether there is something to [`sync`](Self::sync).
    pub(crate) fn is_dirty(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Makes all records durable and returns their tickets. `to_sink` is how the sink is given some.
    pub(crate) async fn sync(
        &mut self,
        to_sink: impl AsyncFn(&DeadLetters) -> Result<(), SinkError>,
    ) -> Result<Tickets, RunError> {
        // Given up if they cannot be kept: the run fails, and what was kept of them is not kept
        // again.
        let waiting = std::mem::take(&mut self.waiting);
        match &mut self.place {
            Place::File(file) => file.append(&waiting)?,
            Place::Sink => {
                for letters in &waiting {
                    to_sink(letters).await?;
                }
            }
        }
        Ok(std::mem::take(&mut self.tickets))
    }
}
