//! Reading many keys at once: direct gets by `multi_last`.

use super::wire::{Incoming, Outgoing, Wire, number};

/// Keys a request; the server takes 1024.
const KEYS: usize = 1000;
/// Requests under way at once.
const REQUESTS: usize = 2;

/// What a bucket holds under a key.
pub(crate) struct Stored<'a> {
    pub(crate) subject: &'a [u8],
    pub(crate) revision: u64,
    pub(crate) payload: &'a [u8],
}

/// Reads the last revision of each subject, and hands over what there is, in no order.
///
/// # Panics
/// If the server refuses.
pub(crate) fn last<'a>(
    wire: &mut Wire,
    inbox: &str,
    stream: &str,
    mut subjects: impl Iterator<Item = &'a [u8]>,
    mut found: impl FnMut(Stored<'_>),
) {
    wire.subscribe(inbox);
    let api = format!("$JS.API.DIRECT.GET.{stream}");
    let mut request = Vec::new();
    let mut open = 0;
    loop {
        request.clear();
        for subject in subjects.by_ref().take(KEYS) {
            let start: &[u8] = if request.is_empty() {
                br#"{"multi_last":[""#
            } else {
                b",\""
            };
            request.extend_from_slice(start);
            request.extend_from_slice(subject);
            request.push(b'"');
        }
        if request.is_empty() {
            break;
        }
        request.extend_from_slice(b"]}");
        if open == REQUESTS {
            receive(wire, &mut found);
            open -= 1;
        }
        wire.publish(&Outgoing {
            subject: api.as_bytes(),
            reply: inbox.as_bytes(),
            headers: b"",
            payload: &request,
        });
        wire.flush();
        open += 1;
    }
    for _ in 0..open {
        receive(wire, &mut found);
    }
}

/// Takes the answer to one request.
fn receive(wire: &mut Wire, found: &mut impl FnMut(Stored<'_>)) {
    loop {
        let Incoming { headers, payload } = wire.next();
        if let Some(status) = headers
            .strip_prefix(b"NATS/1.0 ")
            .and_then(|rest| rest.get(..3))
        {
            let pending = header(headers, b"Nats-Num-Pending: ").and_then(number);
            match status {
                b"204" => assert_eq!(pending, Some(0), "the server did not send all"),
                b"404" => {}
                _ => panic!("{}", String::from_utf8_lossy(headers)),
            }
            return;
        }
        found(Stored {
            subject: header(headers, b"Nats-Subject: ").expect("an answer says whose it is"),
            revision: header(headers, b"Nats-Sequence: ")
                .and_then(number)
                .expect("an answer has a revision"),
            payload,
        });
    }
}

fn header<'a>(headers: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    headers
        .split(|byte| *byte == b'\n')
        .find_map(|line| line.strip_prefix(name))
        .map(<[u8]>::trim_ascii_end)
}
