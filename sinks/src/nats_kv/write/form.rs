//! What a write looks like on the wire: its headers, and how large they are.

use async_nats::{HeaderMap, header};

use super::super::compare::MARKER_TELLS;
use super::super::config::DeleteMode;
use super::chains::Write;
use super::prepare::{Limit, Prepared};
use super::round::Outgoing;

/// How clients of key/value buckets know that a key was deleted.
const OPERATION: &str = "KV-Operation";
const REMOVED: &str = "DEL";

/// See the module.
pub(in super::super) struct Form {
    /// How long a record lives, as the server wants it written.
    ttl: Option<header::HeaderValue>,
    /// Whether a write that names a revision may as well name none.
    may_drop_condition: bool,
    /// How a record removes what is stored.
    deletes: DeleteMode,
}

impl Form {
    /// Records live for `ttl_seconds`, if given. `full` says whether writes replace what is there
    /// anyway, and `deletes` how a record removes what is stored.
    pub(in super::super) fn new(ttl_seconds: Option<u64>, full: bool, deletes: DeleteMode) -> Self {
        Self {
            ttl: ttl_seconds.map(|seconds| format!("{seconds}s").as_str().into()),
            may_drop_condition: full,
            deletes,
        }
    }

    /// The write with its headers within the limits.
    pub(super) fn fit(
        &self,
        write: Write,
        prepared: &Prepared,
        limit: Limit,
    ) -> Result<Write, String> {
        let payload = prepared.payload_bytes(write.record).len();
        let check = |expected| {
            let headers = match prepared.removal(write.record) {
                Some(removal) => size(&self.marker(expected, removal.told.as_deref())),
                None => self.header_size(expected),
            };
            limit.check(payload + headers)
        };
        match check(write.expected) {
            Ok(()) => Ok(write),
            // What was put without a condition before must fit when it is repeated.
            Err(_) if self.may_drop_condition => check(None).map(|()| Write {
                expected: None,
                ..write
            }),
            Err(reason) => Err(reason),
        }
    }

    /// The message of a write.
    pub(super) fn message(&self, write: Write, prepared: &Prepared) -> Outgoing {
        Outgoing {
            subject: prepared.subject(write.record),
            headers: match prepared.removal(write.record) {
                Some(removal) => Some(self.marker(write.expected, removal.told.as_deref())),
                None => self.headers(write.expected),
            },
            payload: prepared.payload(write.record),
        }
    }

    /// The headers of the write that deletes what has this `revision`: by a mark in the record,
    /// or by a marker in its place.
    pub(in super::super) fn deletion(&self, revision: u64, is_marked: bool) -> HeaderMap {
        if is_marked {
            self.headers(Some(revision)).unwrap_or_default()
        } else {
            self.marker(Some(revision), None)
        }
    }

    /// The headers of a marker in the place of what is stored. Only a purge
    /// lets the marker expire as records do: an older value would come to light where a marker goes
    /// that has history behind it.
    fn marker(&self, expected: Option<u64>, told: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Some(revision) = expected {
            headers.insert(
                header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE,
                header::HeaderValue::from(revision),
            );
        }
        if self.deletes == DeleteMode::Purge {
            headers.insert(OPERATION, "PURGE");
            headers.insert(header::NATS_ROLLUP, "sub");
            if let Some(ttl) = &self.ttl {
                headers.insert(header::NATS_MESSAGE_TTL, ttl.clone());
            }
        } else {
            headers.insert(OPERATION, REMOVED);
        }
        if let Some(told) = told {
            headers.insert(MARKER_TELLS, told);
        }
        headers
    }

    /// The headers of a value in the place of what has the `expected` revision.
    pub(in super::super) fn headers(&self, expected: Option<u64>) -> Option<HeaderMap> {
        if expected.is_none() && self.ttl.is_none() {
            return None;
        }
        let mut headers = HeaderMap::new();
        if let Some(revision) = expected {
            headers.insert(
                header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE,
                header::HeaderValue::from(revision),
            );
        }
        if let Some(ttl) = &self.ttl {
            headers.insert(header::NATS_MESSAGE_TTL, ttl.clone());
        }
        Some(headers)
    }

    /// The bytes of a write's headers, as the server counts them.
    pub(in super::super) fn header_size(&self, expected: Option<u64>) -> usize {
        let revision = expected.map(|revision| {
            let digits = revision.checked_ilog10().unwrap_or(0) as usize + 1;
            "Nats-Expected-Last-Subject-Sequence: \r\n".len() + digits
        });
        let ttl = self
            .ttl
            .as_ref()
            .map(|ttl| "Nats-TTL: \r\n".len() + ttl.as_str().len());
        if revision.is_none() && ttl.is_none() {
            return 0;
        }
        "NATS/1.0\r\n\r\n".len() + revision.unwrap_or(0) + ttl.unwrap_or(0)
    }
}

/// The bytes of headers, as the server counts them.
fn size(headers: &HeaderMap) -> usize {
    let lines = headers.iter().flat_map(|(name, values)| {
        let name: &str = name.as_ref();
        values
            .iter()
            .map(move |value| name.len() + ": \r\n".len() + value.as_str().len())
    });
    "NATS/1.0\r\n\r\n".len() + lines.sum::<usize>()
}
