//! What the server said of a write.

use std::time::Duration;

use async_nats::{Message, StatusCode};
use serde::Deserialize;

use super::super::error::{ApiError, Failure};

/// The revision under which a write is stored, where the server says it; or why it is not stored.
pub(in super::super) type Answer = Result<Option<u64>, Failure>;

/// A write as the server acknowledges it.
#[derive(Deserialize)]
struct PubAck {
    #[serde(default)]
    seq: u64,
    error: Option<ApiError>,
}

/// The answer to one write.
pub(in super::super) fn read(message: &Message) -> Answer {
    if message.status == Some(StatusCode::NO_RESPONDERS) {
        return Err(Failure::NoBucket);
    }
    parse(&message.payload)
}

/// The failure of a write that nothing was heard of.
pub(in super::super) fn silence(patience: Duration) -> Failure {
    let seconds = patience.as_secs();
    Failure::Transient(format!(
        "no acknowledgement from the server within {seconds} s"
    ))
}

fn parse(payload: &[u8]) -> Answer {
    if let Some(revision) = plain(payload) {
        return Ok(Some(revision));
    }
    match serde_json::from_slice(payload) {
        Ok(PubAck {
            error: Some(error), ..
        }) => Err(error.meaning()),
        Ok(PubAck { seq, error: None }) if seq > 0 => Ok(Some(seq)),
        _ => Err(Failure::Transient(
            "the server's acknowledgement cannot be read".to_owned(),
        )),
    }
}

/// The revision of `{"stream":…,"seq":7}`, which is what nearly all answers look like.
fn plain(payload: &[u8]) -> Option<u64> {
    let rest = payload
        .strip_prefix(b"{\"stream\":\"")?
        .strip_suffix(b"}")?;
    let digits = rest.iter().rev().take_while(|byte| byte.is_ascii_digit());
    let at = rest.len() - digits.count();
    let (before, number) = rest.split_at(at);
    if !before.ends_with(b"\"seq\":") {
        return None;
    }
    let number = std::str::from_utf8(number).ok()?.parse().ok()?;
    (number > 0).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acks_are_read() {
        for (text, revision) in [
            (r#"{"stream":"KV_b","seq":7}"#, 7),
            (
                r#"{"stream":"KV_b", "domain":"hub","seq":18446744073709551615}"#,
                u64::MAX,
            ),
            (r#"{"stream":"KV_b", "seq":7,"domain":"hub"}"#, 7),
            (r#"{"stream":"KV_b","seq":7,"duplicate":true}"#, 7),
        ] {
            assert_eq!(parse(text.as_bytes()), Ok(Some(revision)), "{text}");
        }
        let conflict = r#"{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 5"},"stream":"KV_b","seq":0}"#;
        assert_eq!(parse(conflict.as_bytes()), Err(Failure::Conflict));
        for unreadable in [
            "",
            "+OK",
            "{}",
            r#"{"seq":0}"#,
            r#"{"seq":-1}"#,
            r#"{"stream":"KV_b","seq":0}"#,
            r#"{"stream":"KV_b","seq":}"#,
            r#"{"stream":"KV_b","seq":18446744073709551616}"#,
            r#"{"stream":"KV_b","sequence":7}"#,
        ] {
            let read = parse(unreadable.as_bytes());
            assert!(matches!(read, Err(Failure::Transient(_))), "{unreadable}");
        }
    }
}
