//! The two ways to write: an acknowledgement for each message, and fast ingest.

use std::borrow::Cow;

use serde_json::Value as Json;

use super::wire::{Incoming, Outgoing, Wire, push_number};

/// A message of a bucket.
pub(crate) struct Put<'a> {
    pub(crate) subject: Cow<'a, [u8]>,
    pub(crate) payload: &'a [u8],
    /// The revision that the key must have: 0 for none yet; `None` to write in any case.
    pub(crate) expected: Option<u64>,
}

/// Unacknowledged messages on the acknowledged path.
const WINDOW: usize = 1024;
/// Acknowledgements that fast ingest may lack; the ADR's optimum.
const OUTSTANDING: u64 = 2;
/// Messages an acknowledgement of fast ingest is for, at most; the server has the same limit.
const FLOW: u64 = 500;
/// After this many seconds without an answer, the server is asked.
const SILENCE: u32 = 3;

/// Publishes with an acknowledgement for each message, under so many subjects in turn.
///
/// The window is filled up when it is half empty rather than after each acknowledgement: fewer and
/// larger writes cost both sides less.
pub(crate) fn acknowledged<'a>(
    wire: &mut Wire,
    inbox: &str,
    subjects: u64,
    puts: impl Iterator<Item = Put<'a>>,
) {
    wire.subscribe(&format!("{inbox}.*"));
    let mut reply = format!("{inbox}.").into_bytes();
    let prefix = reply.len();
    let mut headers = Vec::new();
    let mut open = 0;
    let await_down_to = |wire: &mut Wire, open: &mut usize, most: usize| {
        while *open > most || (*open > 0 && wire.has_input()) {
            stored(&wire.next());
            *open -= 1;
        }
    };
    for (put, number) in puts.zip(0..) {
        if open == WINDOW {
            await_down_to(wire, &mut open, WINDOW / 2);
        }
        reply.truncate(prefix);
        push_number(&mut reply, number % subjects);
        send(wire, &put, &reply, &mut headers);
        open += 1;
    }
    await_down_to(wire, &mut open, 0);
}

/// Publishes by fast ingest (ADR-50) in the mode that fails on a gap: an acknowledgement is for all
/// messages up to it.
pub(crate) fn fast<'a>(wire: &mut Wire, inbox: &str, puts: impl ExactSizeIterator<Item = Put<'a>>) {
    let count = puts.len() as u64;
    wire.subscribe(&format!("{inbox}.>"));
    let mut batch = Batch::new(inbox);
    let mut headers = Vec::new();
    for (sequence, put) in (1..).zip(puts) {
        let operation = match sequence {
            _ if sequence == count => Operation::StoreAndCommit,
            1 => Operation::Start,
            _ => Operation::Append,
        };
        batch.sent = sequence;
        batch.subject.clear();
        batch.subject.extend_from_slice(&put.subject);
        send(wire, &put, batch.reply(operation), &mut headers);
        while sequence < count && (batch.is_full() || wire.has_input()) {
            let end = batch.receive(wire);
            assert!(end.is_none(), "it ended at {sequence}: {end:?}");
        }
    }
    let end = loop {
        if let Some(end) = batch.receive(wire) {
            break end;
        }
    };
    assert_eq!(end["count"].as_u64(), Some(count), "{end}");
}

/// What a message of a batch tells the server to do, by the protocol's numbers.
enum Operation {
    Start = 0,
    Append = 1,
    StoreAndCommit = 2,
    Ping = 4,
}

/// A batch of fast ingest under way.
struct Batch {
    /// What all reply subjects begin with. The inbox's last token is the batch's name, by which the
    /// server knows it.
    prefix: String,
    reply: Vec<u8>,
    /// That of the last message; questions must go to a subject of the stream.
    subject: Vec<u8>,
    sent: u64,
    stored: u64,
    /// Messages an acknowledgement is for; 0 until the server has said it.
    flow: u64,
}

impl Batch {
    fn new(inbox: &str) -> Self {
        Self {
            prefix: format!("{inbox}.{FLOW}.fail."),
            reply: Vec::new(),
            subject: Vec::new(),
            sent: 0,
            stored: 0,
            flow: 0,
        }
    }

    /// The reply subject of the message that is sent now.
    fn reply(&mut self, operation: Operation) -> &[u8] {
        self.reply.clear();
        self.reply.extend_from_slice(self.prefix.as_bytes());
        push_number(&mut self.reply, self.sent);
        self.reply
            .extend_from_slice(&[b'.', b'0' + operation as u8]);
        self.reply.extend_from_slice(b".$FI");
        &self.reply
    }

    fn is_full(&self) -> bool {
        self.sent >= self.stored + OUTSTANDING * self.flow
    }

    /// Takes an answer: notes how far the batch is, or returns its end. Asks when there is none,
    /// since the server does not repeat what was lost.
    fn receive(&mut self, wire: &mut Wire) -> Option<Json> {
        let answer: Json = loop {
            if let Some(message) = wire.next_within(SILENCE) {
                break serde_json::from_slice(message.payload).expect("answers are JSON");
            }
            let subject = self.subject.clone();
            wire.publish(&Outgoing {
                subject: &subject,
                reply: self.reply(Operation::Ping),
                headers: b"",
                payload: b"",
            });
        };
        let number = |name: &str| answer[name].as_u64().expect("the protocol has it");
        if answer["type"] == "ack" {
            self.stored = self.stored.max(number("seq"));
            self.flow = number("msgs");
            return None;
        }
        Some(answer)
    }
}

fn send(wire: &mut Wire, put: &Put<'_>, reply: &[u8], headers: &mut Vec<u8>) {
    headers.clear();
    if let Some(revision) = put.expected {
        headers.extend_from_slice(b"NATS/1.0\r\nNats-Expected-Last-Subject-Sequence: ");
        push_number(headers, revision);
        headers.extend_from_slice(b"\r\n\r\n");
    }
    wire.publish(&Outgoing {
        subject: &put.subject,
        reply,
        headers,
        payload: put.payload,
    });
}

/// Makes sure that an acknowledgement is one.
fn stored(ack: &Incoming<'_>) {
    assert!(
        ack.payload.starts_with(br#"{"stream":"#),
        "the server did not store it: {}",
        text(ack)
    );
}

fn text(message: &Incoming<'_>) -> String {
    String::from_utf8_lossy(message.payload).into_owned()
}
