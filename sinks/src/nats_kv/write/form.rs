//! What a write looks like on the wire: its headers, and how large they are.

use async_nats::{HeaderMap, header};

use super::chains::Write;
use super::prepare::{Limit, Prepared};
use super::round::Outgoing;

/// How clients of key/value buckets know that a key was deleted.
const REMOVED: &str = "DEL";

/// See the module.
pub(in super::super) struct Form {
    /// How long a record lives, as the server wants it written.
    ttl: Option<header::HeaderValue>,
    /// Whether a write that names a revision may as well name none.
    may_drop_condition: bool,
}

impl Form {
    /// Records live for `ttl_seconds`, if given. `full` says whether writes replace what is there
    /// anyway.
    pub(in super::super) fn new(ttl_seconds: Option<u64>, full: bool) -> Self {
        Self {
            ttl: ttl_seconds.map(|seconds| format!("{seconds}s").as_str().into()),
            may_drop_condition: full,
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
        let check = |expected| limit.check(payload + self.header_size(expected));
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
            headers: self.headers(write.expected),
            payload: prepared.payload(write.record),
        }
    }

    /// The headers of the write that deletes what has this `revision`: by a mark in the record,
    /// or by a marker in its place.
    pub(super) fn deletion(&self, revision: u64, is_marked: bool) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE,
            header::HeaderValue::from(revision),
        );
        match (is_marked, &self.ttl) {
            (false, _) => headers.insert("KV-Operation", REMOVED),
            (true, Some(ttl)) => headers.insert(header::NATS_MESSAGE_TTL, ttl.clone()),
            (true, None) => {}
        }
        headers
    }

    fn headers(&self, expected: Option<u64>) -> Option<HeaderMap> {
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
    pub(super) fn header_size(&self, expected: Option<u64>) -> usize {
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
