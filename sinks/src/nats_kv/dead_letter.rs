//! The dead letter's stream: invalid records as messages of JetStream.
//!
//! A message is a small Singer input of its own: the SCHEMA of a stream and records of it, a line
//! each. So whatever part of the stream somebody reads, in whichever order, can be loaded.

use async_nats::jetstream::stream::{Config as StreamConfig, DiscardPolicy, RetentionPolicy};
use async_nats::{HeaderMap, Request, RequestErrorKind, header};
use serde_json::{Value as Json, json};
use singer_target::{DeadLetters, SinkError};
use xxhash_rust::xxh3::xxh3_128;

use super::api::ApiFailure;
use super::config::NatsKvConfig;
use super::connect::Connection;
use super::error::Failure;
use super::key;
use super::write::{Lifeline, answer};

/// What headers and the subject of a message may take of the server's `max_payload`.
const HEADERS: usize = 4 * 1024;

/// Messages hold records up to about this size, so that one is easy to handle.
const COMFORTABLE: usize = 256 * 1024;

/// The stream of the setting `dead_letter_stream`.
pub(super) struct DeadLetterStream {
    connection: Connection,
    name: String,
    /// Tells this run's messages from those of all others.
    run: String,
    max_message: usize,
}

/// The subjects of the stream: one for each Singer stream.
pub(super) fn subjects(name: &str) -> String {
    format!("{name}.>")
}

impl DeadLetterStream {
    /// Finds the stream, or creates it if the settings allow.
    pub(super) async fn open(
        connection: &Connection,
        config: &NatsKvConfig,
        name: &str,
    ) -> Result<Self, SinkError> {
        let found = match find(connection, name).await? {
            Some(found) => found,
            None if config.create_bucket => create(connection, config, name).await?,
            None => return Err(missing(name)),
        };
        require_usable(name, &found)?;
        if let Some(warning) = warning(name, &found) {
            tracing::warn!("{warning}");
        }
        let payload = connection.client.server_info().max_payload;
        let limit = usize::try_from(found.max_message_size).ok();
        let limit = limit.filter(|limit| *limit > 0).unwrap_or(payload);
        Ok(Self {
            connection: connection.clone(),
            name: name.to_owned(),
            run: connection.client.new_inbox(),
            max_message: payload.min(limit).saturating_sub(HEADERS),
        })
    }

    /// Publishes all of them, and waits until each is acknowledged.
    pub(super) async fn write(
        &self,
        letters: &DeadLetters,
        mut lifeline: Lifeline,
    ) -> Result<(), SinkError> {
        let mut subject = format!("{}.", self.name);
        key::push_stream(letters.stream().name(), &mut subject);
        for message in messages(letters, self.max_message) {
            let message = message.map_err(|size| self.too_large(letters, size))?;
            lifeline
                .bind(self.publish(&subject, message))
                .await
                .map_err(|failure| self.explain(failure))?;
        }
        Ok(())
    }

    async fn publish(&self, subject: &str, message: String) -> Result<(), Failure> {
        let mut headers = HeaderMap::new();
        headers.insert(header::NATS_EXPECTED_STREAM, self.name.as_str());
        // What is published again after its acknowledgement was lost is kept once. The run is in it
        // too: an older run's message may have been taken away since.
        let id = format!("{}{:032x}", self.run, xxh3_128(message.as_bytes()));
        headers.insert(header::NATS_MESSAGE_ID, id.as_str());
        let patience = self.connection.patience();
        let request = Request::new()
            .headers(headers)
            .payload(message.into())
            .timeout(Some(patience.limit()));
        let client = &self.connection.client;
        let asked = client.send_request(subject.to_owned(), request);
        let answer = patience.wait(asked).await;
        match answer.ok_or_else(|| answer::silence(patience.silence()))? {
            Ok(answer) => answer::read(&answer).map(|_| ()),
            Err(error) if error.kind() == RequestErrorKind::TimedOut => {
                Err(answer::silence(patience.silence()))
            }
            Err(error) => Err(Failure::Transient(error.to_string())),
        }
    }

    fn too_large(&self, letters: &DeadLetters, size: usize) -> SinkError {
        SinkError::permanent(format!(
            "dead letter '{}': a record of stream '{}' takes {size} bytes there, and a message at \
             most {}; use dead_letter_file",
            self.name,
            letters.stream().name(),
            self.max_message
        ))
    }

    fn explain(&self, failure: Failure) -> SinkError {
        let name = &self.name;
        let said = |why: String| format!("dead letter '{name}': {why}");
        match failure {
            Failure::NoBucket => Failure::Transient(said("its stream does not answer".to_owned())),
            Failure::Rejected(_) => Failure::Permanent(said(
                "its stream refuses messages of that size; raise its limit".to_owned(),
            )),
            Failure::Permanent(why) => Failure::Permanent(said(why)),
            Failure::Transient(why) => Failure::Transient(said(why)),
            other => other,
        }
        .into_sink_error()
    }
}

/// As few messages as it takes. An error is the size of a record that fits into none.
fn messages(letters: &DeadLetters, max: usize) -> impl Iterator<Item = Result<String, usize>> {
    let mut records = letters.records().iter().peekable();
    std::iter::from_fn(move || {
        let first = records.next()?;
        let mut message = format!("{}\n{first}\n", letters.schema());
        if message.len() > max {
            return Some(Err(message.len()));
        }
        let size = max.min(COMFORTABLE);
        while let Some(record) = records.next_if(|it| message.len() + it.len() < size) {
            message.push_str(record);
            message.push('\n');
        }
        Some(Ok(message))
    })
}

/// The stream as it is. Changes nothing.
pub(super) async fn find(
    connection: &Connection,
    name: &str,
) -> Result<Option<StreamConfig>, SinkError> {
    let subject = format!("STREAM.INFO.{name}");
    match connection.api(&subject, &json!({})).await {
        Ok(info) => parse(name, &info).map(Some),
        Err(ApiFailure::NotFound) => Ok(None),
        Err(failure) => Err(failure.explain(&format!("look at dead letter '{name}'"), connection)),
    }
}

async fn create(
    connection: &Connection,
    config: &NatsKvConfig,
    name: &str,
) -> Result<StreamConfig, SinkError> {
    let wanted = json!({
        "name": name,
        "description": "Records that target-nats-kv could not load, as Singer messages",
        "subjects": [subjects(name)],
        "storage": "file",
        "num_replicas": config.bucket_replicas.unwrap_or(1),
    });
    let subject = format!("STREAM.CREATE.{name}");
    match connection.api(&subject, &wanted).await {
        Ok(info) => {
            tracing::info!("created dead letter '{name}'");
            parse(name, &info)
        }
        // Another target was quicker.
        Err(ApiFailure::InUse) => find(connection, name).await?.ok_or_else(|| missing(name)),
        Err(failure) => Err(failure.explain(&format!("create dead letter '{name}'"), connection)),
    }
}

fn parse(name: &str, info: &Json) -> Result<StreamConfig, SinkError> {
    serde_json::from_value(info["config"].clone()).map_err(|error| {
        SinkError::permanent(format!(
            "cannot understand the settings of dead letter '{name}' that the server sent: {error}"
        ))
    })
}

/// A stream that would not keep what it acknowledges, or would not take it.
pub(super) fn require_usable(name: &str, config: &StreamConfig) -> Result<(), SinkError> {
    let subjects = subjects(name);
    let reason = if config.sealed {
        "is sealed: it takes no more messages".to_owned()
    } else if config.no_ack {
        "does not acknowledge messages (no_ack)".to_owned()
    } else if config.retention == RetentionPolicy::Interest {
        "keeps no message that nobody waits for (its retention is by interest)".to_owned()
    } else if !config
        .subjects
        .iter()
        .any(|it| *it == subjects || it == ">")
    {
        format!("does not have the subjects '{subjects}'")
    } else {
        return Ok(());
    };
    Err(SinkError::unavailable(format!(
        "dead_letter_stream: the stream '{name}' {reason}; use another one"
    )))
}

/// What the user should know of its settings.
pub(super) fn warning(name: &str, config: &StreamConfig) -> Option<String> {
    let bounded = config.max_messages > 0 || config.max_bytes > 0;
    let forgets = !config.max_age.is_zero()
        || config.max_messages_per_subject > 0
        || bounded && config.discard == DiscardPolicy::Old;
    forgets.then(|| {
        format!("dead letter '{name}': its limits let it drop old messages, loaded again or not")
    })
}

/// The error for a stream that is not there and may not be created.
pub(super) fn missing(name: &str) -> SinkError {
    SinkError::unavailable(format!(
        "dead_letter_stream: the stream '{name}' does not exist, and create_bucket is false: create \
         it, with the subjects '{}'",
        subjects(name)
    ))
}
