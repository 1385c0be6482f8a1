//! The newest STATE of a pipeline, in a bucket of its own.
//!
//! Each STATE is written on the condition that the one before it is still there. So two runs of one
//! pipeline at the same time do not take turns in silence: the one that comes second with a STATE
//! fails. A header names the run, by which it knows its own writes again when an acknowledgement
//! was lost.

use std::sync::{Mutex, PoisonError};

use async_nats::{HeaderMap, Request, RequestErrorKind, header};
use bytes::Bytes;
use singer_target::{SinkContext, SinkError, StateStore};

use super::bucket::{self, Bucket};
use super::config::NatsKvConfig;
use super::connect::Connection;
use super::error::Failure;
use super::read::{Content, content, last_message};
use super::write::{Lifeline, answer};

/// The header that says which run has written a STATE.
const RUN: &str = "Singer-Run";

/// The header by which clients of buckets know a deletion.
const OPERATION: &str = "KV-Operation";

/// What headers and the subject of a message may take of the server's `max_payload`.
const HEADERS: usize = 4 * 1024;

/// The settings `state_bucket` and `state_key`, connected.
pub struct StateBucket {
    config: NatsKvConfig,
    connection: Connection,
    name: String,
    key: String,
    /// Tells this run's writes from those of all others.
    run: String,
    /// The bucket, once it is prepared, and the revision that the next STATE replaces.
    prepared: Mutex<Option<(Bucket, u64)>>,
}

/// What is stored under the key.
struct Stored {
    revision: u64,
    /// `None` for a deletion.
    state: Option<Bytes>,
    run: Option<String>,
}

impl StateBucket {
    /// Connects; `None` if the settings have no bucket for states. Creates nothing.
    pub(super) async fn open(
        config: NatsKvConfig,
        context: &SinkContext,
    ) -> Result<Option<Self>, SinkError> {
        let (Some(name), Some(key)) = (config.state_bucket.clone(), config.state_key.clone())
        else {
            return Ok(None);
        };
        let connection = Connection::open(&config, context).await?;
        Ok(Some(Self {
            run: connection.client.new_inbox(),
            config,
            connection,
            name,
            key,
            prepared: Mutex::default(),
        }))
    }

    fn explain(&self, failure: Failure) -> SinkError {
        let (name, key) = (&self.name, &self.key);
        let said = |why: String| format!("state_bucket '{name}': {why}");
        match failure {
            Failure::Conflict => Failure::Permanent(said(format!(
                "the state of '{key}' was changed by somebody else since this run has read or \
                 written it: do not run a pipeline twice at the same time; what this run has \
                 loaded is safe, and the next run goes on from the state that is there"
            ))),
            Failure::Rejected(_) => Failure::Permanent(said(
                "the state is larger than the bucket's max_value_size allows".to_owned(),
            )),
            Failure::NoBucket => Failure::Transient(said("it does not answer".to_owned())),
            Failure::OldRevision => Failure::Transient(said(failure.to_string())),
            Failure::Transient(why) => Failure::Transient(said(why)),
            Failure::Permanent(why) => Failure::Permanent(said(why)),
            Failure::Denied(why) => Failure::Denied(said(why)),
        }
        .into_sink_error()
    }

    async fn lifeline(&self) -> Result<Lifeline, Failure> {
        Lifeline::grasp(&self.connection.link, self.connection.request_timeout).await
    }

    /// What is there, as the leader knows it.
    async fn stored(&self, bucket: &Bucket) -> Result<Option<Stored>, Failure> {
        let jetstream = &self.connection.jetstream;
        let stream = jetstream.get_stream_no_info(&bucket.stream_name).await;
        let stream = stream.map_err(|error| Failure::Transient(error.to_string()))?;
        let subject = format!("{}{}", bucket.read_prefix, self.key);
        let mut lifeline = self.lifeline().await?;
        let message = lifeline.bind(last_message(&stream, &subject)).await?;
        Ok(message.map(|message| Stored {
            revision: message.sequence,
            run: message.headers.get(RUN).map(ToString::to_string),
            state: match content(Some(&message.headers), message.payload) {
                Content::Value(state) => Some(state),
                Content::Marker(_) => None,
            },
        }))
    }

    /// Publishes on a condition, if there is one. Returns the new revision.
    async fn publish(
        &self,
        bucket: &Bucket,
        mut headers: HeaderMap,
        replaces: Option<u64>,
        payload: Bytes,
    ) -> Result<u64, Failure> {
        headers.insert(RUN, self.run.as_str());
        headers.insert(header::NATS_EXPECTED_STREAM, bucket.stream_name.as_str());
        if let Some(revision) = replaces {
            let revision = revision.to_string();
            headers.insert(
                header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE,
                revision.as_str(),
            );
        }
        let patience = self.connection.request_timeout;
        let request = Request::new()
            .headers(headers)
            .payload(payload)
            .timeout(Some(patience));
        let subject = format!("{}{}", bucket.write_prefix, self.key);
        let answered = async {
            match self.connection.client.send_request(subject, request).await {
                Ok(message) => answer::read(&message)?.ok_or_else(|| answer::silence(patience)),
                Err(error) if error.kind() == RequestErrorKind::TimedOut => {
                    Err(answer::silence(patience))
                }
                Err(error) if error.kind() == RequestErrorKind::NoResponders => {
                    Err(Failure::NoBucket)
                }
                Err(error) => Err(Failure::Transient(error.to_string())),
            }
        };
        self.lifeline().await?.bind(answered).await
    }

    /// Replaces what this run has read or written last.
    async fn replace(&self, bucket: &Bucket, last: u64, state: &str) -> Result<u64, Failure> {
        let payload = Bytes::copy_from_slice(state.as_bytes());
        let written = self.publish(bucket, HeaderMap::new(), Some(last), payload);
        match written.await {
            Err(Failure::Conflict) => {}
            outcome => return outcome,
        }
        // Perhaps by our own first copy, of which no acknowledgement came.
        match self.stored(bucket).await? {
            Some(stored)
                if stored.run.as_deref() == Some(self.run.as_str())
                    && stored.state.as_deref() == Some(state.as_bytes()) =>
            {
                Ok(stored.revision)
            }
            _ => Err(Failure::Conflict),
        }
    }

    fn prepared(&self) -> Option<(Bucket, u64)> {
        let prepared = self.prepared.lock();
        prepared.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_prepared(&self, bucket: Bucket, revision: u64) {
        let prepared = self.prepared.lock();
        *prepared.unwrap_or_else(PoisonError::into_inner) = Some((bucket, revision));
    }

    fn max_bytes(&self) -> usize {
        let payload = self.connection.client.server_info().max_payload;
        payload.saturating_sub(HEADERS)
    }
}

impl StateStore for StateBucket {
    async fn read(&self) -> Result<Option<String>, SinkError> {
        let Some(bucket) = Bucket::find(&self.connection, &self.name).await? else {
            // A first run will create it, or say what is wrong with that.
            return if self.config.create_bucket {
                Ok(None)
            } else {
                Err(bucket::missing(&self.name))
            };
        };
        let stored = self.stored(&bucket).await;
        let stored = stored.map_err(|failure| self.explain(failure))?;
        let Some(state) = stored.and_then(|stored| stored.state) else {
            return Ok(None);
        };
        match String::from_utf8(state.to_vec()) {
            Ok(text) if serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok() => {
                Ok(Some(text))
            }
            _ => Err(SinkError::permanent(format!(
                "state_bucket '{}': what is stored under '{}' is no state: it is not JSON",
                self.name, self.key
            ))),
        }
    }

    async fn prepare(&self) -> Result<(), SinkError> {
        let bucket = Bucket::for_states(&self.connection, &self.config, &self.name).await?;
        if let Some(warning) = warning(&bucket) {
            tracing::warn!("{warning}");
        }
        let stored = self.stored(&bucket).await;
        let stored = stored.map_err(|failure| self.explain(failure))?;
        self.set_prepared(bucket, stored.map_or(0, |stored| stored.revision));
        Ok(())
    }

    async fn write(&self, state: &str) -> Result<(), SinkError> {
        let Some((bucket, last)) = self.prepared() else {
            return Err(SinkError::permanent(
                "a state was kept before that was prepared",
            ));
        };
        if state.len() > self.max_bytes() {
            return Err(SinkError::permanent(format!(
                "state_bucket '{}': the state has {} bytes, and a message of this server at most \
                 {} (max_payload)",
                self.name,
                state.len(),
                self.max_bytes()
            )));
        }
        let written = self.replace(&bucket, last, state).await;
        let revision = written.map_err(|failure| self.explain(failure))?;
        self.set_prepared(bucket, revision);
        Ok(())
    }

    async fn clear(&self) -> Result<(), SinkError> {
        let Some(bucket) = Bucket::find(&self.connection, &self.name).await? else {
            return Ok(());
        };
        let mut headers = HeaderMap::new();
        headers.insert(OPERATION, "DEL");
        let deleted = self.publish(&bucket, headers, None, Bytes::new()).await;
        deleted.map(|_| ()).map_err(|failure| self.explain(failure))
    }
}

/// What the user should know of a bucket that is to keep states.
pub(super) fn warning(bucket: &Bucket) -> Option<String> {
    let age = bucket.config.max_age;
    (!age.is_zero()).then(|| {
        format!(
            "state_bucket '{}': it forgets a state after {} s (max_age); then the next run begins \
             anew",
            bucket.name,
            age.as_secs()
        )
    })
}
