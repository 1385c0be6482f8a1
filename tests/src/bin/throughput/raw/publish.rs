//! The two ways to write: an acknowledgement for each message, and fast ingest.

use super::wire::{Incoming, Outgoing, Wire, push_number};

/// A message of a bucket.
pub(crate) struct Put<'a> {
    pub(crate) subject: &'a [u8],
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

/// Publishes with an acknowledgement for each message, under one inbox.
///
/// The window is filled up when it is half empty rather than after each acknowledgement: fewer and
/// larger writes cost both sides less.
pub(crate) fn acknowledged<'a>(wire: &mut Wire, inbox: &str, puts: impl Iterator<Item = Put<'a>>) {
    wire.subscribe(inbox);
    let mut headers = Vec::new();
    let mut open = 0;
    let await_down_to = |wire: &mut Wire, open: &mut usize, most: usize| {
        while *open > most || (*open > 0 && wire.has_input()) {
            stored(&wire.next());
            *open -= 1;
        }
    };
    for put in puts {
        if open == WINDOW {
            await_down_to(wire, &mut open, WINDOW / 2);
        }
        send(wire, &put, inbox.as_bytes(), &mut headers);
        open += 1;
    }
    await_down_to(wire, &mut open, 0);
}

/// Publishes by fast ingest (ADR-50) in the mode that fails on a gap: an acknowledgement is for all
/// messages up to it.
pub(crate) fn fast<'a>(wire: &mut Wire, inbox: &str, puts: impl ExactSizeIterator<Item = Put<'a>>) {
    let count = puts.len() as u64;
    wire.subscribe(&format!("{inbox}.>"));
    let prefix = format!("{inbox}.batch.{FLOW}.fail.");
    let (mut headers, mut reply) = (Vec::new(), Vec::new());
    let (mut stored, mut flow) = (0, 0);
    for (sequence, put) in (1..).zip(puts) {
        let operation = match sequence {
            _ if sequence == count => b'2',
            1 => b'0',
            _ => b'1',
        };
        reply.clear();
        reply.extend_from_slice(prefix.as_bytes());
        push_number(&mut reply, sequence);
        reply.extend_from_slice(&[b'.', operation]);
        reply.extend_from_slice(b".$FI");
        send(wire, &put, &reply, &mut headers);
        while sequence < count && (sequence >= stored + OUTSTANDING * flow || wire.has_input()) {
            let ack = Flow::of(&wire.next());
            (stored, flow) = (ack.stored, ack.messages);
        }
    }
    let last = loop {
        let message = wire.next();
        if !message.payload.starts_with(br#"{"type":"ack""#) {
            break message;
        }
    };
    let stored = field(&last, "count");
    assert_eq!(stored, Some(count), "{}", text(&last));
}

fn send(wire: &mut Wire, put: &Put<'_>, reply: &[u8], headers: &mut Vec<u8>) {
    headers.clear();
    if let Some(revision) = put.expected {
        headers.extend_from_slice(b"NATS/1.0\r\nNats-Expected-Last-Subject-Sequence: ");
        push_number(headers, revision);
        headers.extend_from_slice(b"\r\n\r\n");
    }
    wire.publish(&Outgoing {
        subject: put.subject,
        reply,
        headers,
        payload: put.payload,
    });
}

/// What the server says of a batch that is under way.
struct Flow {
    stored: u64,
    messages: u64,
}

impl Flow {
    fn of(message: &Incoming<'_>) -> Self {
        let is_ack = message.payload.starts_with(br#"{"type":"ack""#);
        match (is_ack, field(message, "seq"), field(message, "msgs")) {
            (true, Some(stored), Some(messages)) => Self { stored, messages },
            _ => panic!("the server did not take it: {}", text(message)),
        }
    }
}

/// Makes sure that an acknowledgement is one.
fn stored(ack: &Incoming<'_>) {
    assert!(
        ack.payload.starts_with(br#"{"stream":"#),
        "the server did not store it: {}",
        text(ack)
    );
}

/// A number in a flat JSON object.
fn field(message: &Incoming<'_>, name: &str) -> Option<u64> {
    let value: serde_json::Value = serde_json::from_slice(message.payload).ok()?;
    value[name].as_u64()
}

fn text(message: &Incoming<'_>) -> String {
    String::from_utf8_lossy(message.payload).into_owned()
}
