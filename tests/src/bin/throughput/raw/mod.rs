//! The ceiling: what the server can do for a client that does nothing else.
//!
//! It writes bytes that were encoded before under keys that were made before, and reads values that
//! it does not look at. What it costs itself is small beside the server's work: some 0.3 µs a
//! message.

mod publish;
mod read;
mod wire;

use std::time::{Duration, Instant};

pub(crate) use publish::Put;
pub(crate) use read::Stored;
use serde_json::Value as Json;
use wire::{Outgoing, Wire};

/// How to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    /// An acknowledgement for each message, all under one subject: enough to count them.
    Ack,
    /// The same with a subject for each, as for a client that must know which write was refused.
    OwnAck,
    /// Fast ingest, ADR-50.
    Fast,
}

impl Path {
    /// What the server can take.
    pub(crate) const ALL: [Self; 2] = [Self::Ack, Self::Fast];
    /// What a client can do that must answer for each write.
    pub(crate) const ANSWERABLE: [Self; 2] = [Self::OwnAck, Self::Fast];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ack => "ack",
            Self::OwnAck => "own ack",
            Self::Fast => "fast",
        }
    }
}

/// Publishes; the time from connecting to the last acknowledgement.
pub(crate) fn write<'a>(
    address: &str,
    path: Path,
    puts: impl ExactSizeIterator<Item = Put<'a>>,
) -> Duration {
    let start = Instant::now();
    let mut wire = Wire::connect(address);
    match path {
        Path::Ack => publish::acknowledged(&mut wire, &inbox(), 1, puts),
        Path::OwnAck => publish::acknowledged(&mut wire, &inbox(), u64::MAX, puts),
        Path::Fast => publish::fast(&mut wire, &inbox(), puts),
    }
    start.elapsed()
}

/// Reads what the stream holds under the subjects; the time from connecting to the last answer.
pub(crate) fn read<'a>(
    address: &str,
    stream: &str,
    subjects: impl Iterator<Item = &'a [u8]>,
    found: impl FnMut(Stored<'_>),
) -> Duration {
    let start = Instant::now();
    let mut wire = Wire::connect(address);
    read::last(&mut wire, &inbox(), stream, subjects, found);
    start.elapsed()
}

/// Asks the JetStream API.
///
/// # Panics
/// If it answers with an error.
pub(crate) fn api(address: &str, request: &str) -> Json {
    let mut wire = Wire::connect(address);
    let inbox = inbox();
    wire.subscribe(&inbox);
    wire.publish(&Outgoing {
        subject: format!("$JS.API.{request}").as_bytes(),
        reply: inbox.as_bytes(),
        headers: b"",
        payload: b"",
    });
    let answer: Json =
        serde_json::from_slice(wire.next().payload).expect("the JetStream API speaks JSON");
    assert!(answer["error"].is_null(), "{request}: {}", answer["error"]);
    answer
}

/// A subject for answers that nobody else has.
fn inbox() -> String {
    format!("_INBOX.{:016x}", fastrand::u64(..))
}
