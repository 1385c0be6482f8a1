//! What the server's refusals mean for a record: the one table of JetStream's error codes.
//!
//! The question is always the same: is the record at fault, did another writer come first, will it
//! pass, or must the run end? A wrong answer loses data or retries for ever, so every row has its
//! test.

use std::fmt;

use serde::Deserialize;
use singer_target::SinkError;

/// An error as JetStream writes it, in the ack of a message or the answer to a request.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct ApiError {
    #[serde(default)]
    pub(super) code: u64,
    #[serde(default)]
    pub(super) err_code: u64,
    #[serde(default)]
    pub(super) description: String,
}

/// Why a record is not stored, or not known to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// Another revision is there than the one that was read.
    Conflict,
    /// The record can never be stored.
    Rejected(String),
    /// Nobody listens on the bucket's subjects: it is gone, or about to have a new leader.
    NoBucket,
    /// What the server acknowledged cannot be this write: it has the revision of an earlier one. It
    /// may be the same ack again, or another bucket by now.
    OldRevision,
    /// It may pass, and the record may even be stored.
    Transient(String),
    /// It will not pass until somebody changes something.
    Permanent(String),
    /// The server does not allow it.
    Denied(String),
}

impl ApiError {
    /// What this means for the record that was refused.
    pub(super) fn meaning(&self) -> Failure {
        let Self {
            code,
            err_code,
            description,
        } = self;
        let said = || format!("the server answered '{description}' ({err_code})");
        let transient = || Failure::Transient(said());
        let permanent = |what_to_do: &str| Failure::Permanent(format!("{}: {what_to_do}", said()));
        match err_code {
            // Wrong last sequence; since 2.12 also while another write of the key is under way.
            10071 | 10164 => Failure::Conflict,
            // The message or its headers exceed a limit.
            10054 | 10097 => Failure::Rejected(
                "larger than the bucket's max_value_size allows, headers included".to_owned(),
            ),
            // The stream does not exist.
            10059 => Failure::NoBucket,
            10077 if description.contains("maximum") => {
                permanent("the bucket is full; delete keys or raise its limits (max_bytes)")
            }
            10077 if description.contains("no space") => permanent("the server's disk is full"),
            // The store itself failed, as it does while a server stops.
            10077 => transient(),
            // Limits of the account (2, 28) or the server (23, 47).
            10002 | 10023 | 10028 | 10047 => permanent(
                "the account or the server has no room left; free some or raise its limits",
            ),
            // Sealed.
            10109 => permanent("the bucket is read-only"),
            // The stream of these subjects is another one.
            10056 | 10060 => permanent("another stream holds the bucket's subjects"),
            // No quorum, no leader, JetStream not up yet: all of them seen while servers restart.
            10004 | 10008 | 10009 | 10039 | 10041 | 10076 | 10118 => transient(),
            _ if *code >= 500 || matches!(code, 408 | 429) => transient(),
            _ => permanent("see the server's log"),
        }
    }
}

impl From<&async_nats::jetstream::Error> for ApiError {
    fn from(error: &async_nats::jetstream::Error) -> Self {
        Self {
            code: error.code() as u64,
            err_code: error.error_code().0,
            description: error.to_string(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Conflict => "other writers change the same keys all the time",
            Self::NoBucket => "the bucket does not answer; it may have no leader",
            Self::OldRevision => {
                "the server acknowledged a write with the revision of an earlier one"
            }
            Self::Rejected(why)
            | Self::Transient(why)
            | Self::Permanent(why)
            | Self::Denied(why) => why,
        })
    }
}

impl Failure {
    /// The failure as one of the whole batch, where it is not about a record.
    pub(super) fn into_sink_error(self) -> SinkError {
        let text = self.to_string();
        match self {
            Self::Conflict | Self::NoBucket | Self::OldRevision | Self::Transient(_) => {
                SinkError::transient(text)
            }
            Self::Rejected(_) | Self::Permanent(_) => SinkError::permanent(text),
            Self::Denied(_) => SinkError::unavailable(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(code: u64, err_code: u64, description: &str) -> &'static str {
        let error = ApiError {
            code,
            err_code,
            description: description.to_owned(),
        };
        match error.meaning() {
            Failure::Conflict => "conflict",
            Failure::Rejected(_) => "rejected",
            Failure::NoBucket => "no bucket",
            Failure::OldRevision => "old revision",
            Failure::Transient(_) => "transient",
            Failure::Permanent(_) => "permanent",
            Failure::Denied(_) => "denied",
        }
    }

    #[test]
    fn every_code_has_its_meaning() {
        for (code, err_code, description, expected) in [
            (400, 10071, "wrong last sequence: 5", "conflict"),
            (400, 10164, "wrong last sequence", "conflict"),
            (
                400,
                10054,
                "message size exceeds maximum allowed",
                "rejected",
            ),
            (
                400,
                10097,
                "header size exceeds maximum allowed of 64k",
                "rejected",
            ),
            (404, 10059, "stream not found", "no bucket"),
            (503, 10077, "maximum bytes exceeded", "permanent"),
            (503, 10077, "maximum messages exceeded", "permanent"),
            (
                503,
                10077,
                "maximum messages per subject exceeded",
                "permanent",
            ),
            (
                503,
                10077,
                "write x.blk: no space left on device",
                "permanent",
            ),
            (503, 10077, "store is closed", "transient"),
            (
                400,
                10002,
                "resource limits exceeded for account",
                "permanent",
            ),
            (503, 10023, "insufficient resources", "permanent"),
            (
                500,
                10028,
                "insufficient memory resources available",
                "permanent",
            ),
            (
                500,
                10047,
                "insufficient storage resources available",
                "permanent",
            ),
            (
                400,
                10109,
                "invalid operation on sealed stream",
                "permanent",
            ),
            (
                400,
                10056,
                "stream name in subject does not match request",
                "permanent",
            ),
            (400, 10060, "expected stream does not match", "permanent"),
            (503, 10004, "incomplete results", "transient"),
            (
                503,
                10008,
                "JetStream system temporarily unavailable",
                "transient",
            ),
            (
                500,
                10009,
                "JetStream cluster can not handle request",
                "transient",
            ),
            (503, 10039, "JetStream not enabled for account", "transient"),
            (500, 10041, "general RAFT error", "transient"),
            (503, 10076, "JetStream not enabled", "transient"),
            (500, 10118, "stream is offline", "transient"),
            (429, 10167, "too many requests", "transient"),
            (408, 0, "timeout", "transient"),
            (500, 12345, "something new", "transient"),
            (400, 12345, "something new", "permanent"),
        ] {
            assert_eq!(
                meaning(code, err_code, description),
                expected,
                "{err_code} {description}"
            );
        }
    }

    #[test]
    fn failures_end_or_repeat_a_run() {
        use SinkError::{Permanent, Transient, Unavailable};
        let text = String::new;
        assert!(matches!(Failure::Conflict.into_sink_error(), Transient(_)));
        assert!(matches!(Failure::NoBucket.into_sink_error(), Transient(_)));
        assert!(matches!(
            Failure::Transient(text()).into_sink_error(),
            Transient(_)
        ));
        assert!(matches!(
            Failure::Rejected(text()).into_sink_error(),
            Permanent(_)
        ));
        assert!(matches!(
            Failure::Permanent(text()).into_sink_error(),
            Permanent(_)
        ));
        assert!(matches!(
            Failure::Denied(text()).into_sink_error(),
            Unavailable(_)
        ));
    }
}
