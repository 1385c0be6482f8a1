//! Requests to the JetStream API, and what it means when they fail.
//!
//! The bodies are plain JSON: an answer can be sent back changed without losing what this driver
//! does not know of yet, and nothing depends on how the driver reads them.

use std::time::Duration;

use async_nats::jetstream::context::RequestErrorKind;
use serde_json::Value as Json;
use singer_target::SinkError;

use super::connect::Connection;

/// Error codes of JetStream.
mod code {
    pub(super) const NOT_AVAILABLE: u64 = 10008;
    pub(super) const NOT_ENABLED_FOR_ACCOUNT: u64 = 10039;
    pub(super) const STREAM_NAME_IN_USE: u64 = 10058;
    pub(super) const STREAM_NOT_FOUND: u64 = 10059;
    pub(super) const NOT_ENABLED: u64 = 10076;
}

/// During an election nobody answers: how often and when to ask again.
const RETRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(400);

/// Why a request to the JetStream API failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ApiFailure {
    /// There is no such stream.
    NotFound,
    /// There is a stream of that name already.
    InUse,
    /// JetStream is off, for the server or for the account.
    NoJetStream,
    /// The user may not do this; what the server says.
    Denied(String),
    /// The server will not; what it says.
    Refused(String),
    /// No answer came.
    Silent,
}

impl ApiFailure {
    /// The error for the user: what could not be done, why, and what to do.
    pub(super) fn explain(&self, what: &str, connection: &Connection) -> SinkError {
        let servers = &connection.servers;
        match self {
            Self::NotFound => {
                SinkError::unavailable(format!("cannot {what}: the bucket does not exist"))
            }
            Self::InUse => SinkError::permanent(format!(
                "cannot {what}: a stream of that name exists with other settings"
            )),
            Self::NoJetStream => SinkError::unavailable(format!(
                "cannot {what}: JetStream does not answer at {servers} below '{}'; switch it on \
                 for the server and the account, and check 'jetstream_domain' and \
                 'jetstream_api_prefix'",
                connection.api_prefix
            )),
            Self::Denied(text) => SinkError::unavailable(format!(
                "cannot {what}: the server does not permit it ({text}); give the user that \
                 permission{}",
                if text.contains("Subscription") {
                    ", or set 'inbox_prefix' to subjects that it may subscribe to"
                } else {
                    ""
                }
            )),
            Self::Refused(text) => {
                SinkError::permanent(format!("cannot {what}: the server says: {text}"))
            }
            Self::Silent => SinkError::unavailable(format!(
                "cannot {what}: no answer from {servers} within {} s",
                connection.request_timeout.as_secs()
            )),
        }
    }

    fn of_error(error: &Json) -> Self {
        let text = error["description"].as_str().unwrap_or("no description");
        match error["err_code"].as_u64().unwrap_or_default() {
            code::STREAM_NOT_FOUND => Self::NotFound,
            code::STREAM_NAME_IN_USE => Self::InUse,
            code::NOT_ENABLED | code::NOT_ENABLED_FOR_ACCOUNT | code::NOT_AVAILABLE => {
                Self::NoJetStream
            }
            number => Self::Refused(format!("{text} (code {number})")),
        }
    }
}

impl Connection {
    /// Asks the JetStream API; `subject` is what follows its prefix.
    pub(super) async fn api(&self, subject: &str, body: &Json) -> Result<Json, ApiFailure> {
        let mut attempt = 0;
        loop {
            let result = self.ask(subject, body).await;
            attempt += 1;
            if result != Err(ApiFailure::NoJetStream) || attempt > RETRIES || !self.may_elect() {
                return result;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Whether silence may be that of an election. A lone server holds none.
    fn may_elect(&self) -> bool {
        let info = self.client.server_info();
        info.cluster.is_some() || self.api_prefix != "$JS.API"
    }

    async fn ask(&self, subject: &str, body: &Json) -> Result<Json, ApiFailure> {
        let denials = self.link.borrow().denials;
        let answer = tokio::select! {
            answer = self.jetstream.request(subject.to_owned(), body) => answer,
            text = self.denial(subject, denials) => return Err(ApiFailure::Denied(text)),
        };
        let answer: Json = answer.map_err(|error| match error.kind() {
            RequestErrorKind::NoResponders => ApiFailure::NoJetStream,
            RequestErrorKind::TimedOut => ApiFailure::Silent,
            _ => ApiFailure::Refused(error.to_string()),
        })?;
        match answer.get("error") {
            Some(error) => Err(ApiFailure::of_error(error)),
            None => Ok(answer),
        }
    }

    /// Waits until the server denies `subject`, or the replies to it. The server says so by an
    /// error on the connection; the request itself gets no answer.
    async fn denial(&self, subject: &str, before: u64) -> String {
        let mut link = self.link.clone();
        let denied = link
            .wait_for(|link| {
                link.denials > before
                    && link
                        .denied
                        .as_deref()
                        .is_some_and(|text| text.contains(subject) || text.contains("Subscription"))
            })
            .await
            .ok()
            .and_then(|link| link.denied.clone());
        match denied {
            Some(text) => text,
            // The connection has ended for good; the request will say so.
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn codes_have_meanings() {
        for (number, failure) in [
            (10059, ApiFailure::NotFound),
            (10058, ApiFailure::InUse),
            (10039, ApiFailure::NoJetStream),
            (
                10047,
                ApiFailure::Refused("no room (code 10047)".to_owned()),
            ),
        ] {
            let error = json!({"code": 500, "err_code": number, "description": "no room"});
            assert_eq!(ApiFailure::of_error(&error), failure);
        }
    }
}
