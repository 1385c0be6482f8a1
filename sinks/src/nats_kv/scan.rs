//! All that is stored below a subject, page by page.
//!
//! A pull consumer hands out the last revision of each key, so that memory and the load of the
//! server are those of a page, however large the bucket is. What is written meanwhile is not waited
//! for.

use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream::consumer::pull::{Config, FetchBuilder};
use async_nats::jetstream::consumer::{AckPolicy, Consumer, DeliverPolicy};
use async_nats::jetstream::stream::Stream;
use futures_util::StreamExt;

use super::connect::Patience;
use super::error::Failure;
use super::read::{Found, content};

/// The server forgets a consumer that nobody has asked for this long.
const INACTIVE: Duration = Duration::from_secs(60);

/// A pass over the keys below a subject.
pub(super) struct Scan {
    consumer: Consumer<Config>,
    subject_prefix: String,
    patience: Patience,
    /// Keys that were there at the beginning and were not seen yet, or fewer.
    remaining: u64,
}

/// What a pass is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    Values,
    /// The values are empty: the server does not send them.
    Keys,
}

/// Some keys with what is stored under them.
pub(super) type Page = Vec<(String, Found)>;

impl Scan {
    /// Begins a pass over the keys that `filter` matches; `subject_prefix` is what subjects have
    /// before the key.
    pub(super) async fn open(
        stream: &Stream<()>,
        client: &Client,
        filter: String,
        subject_prefix: String,
        patience: Patience,
        of: Of,
    ) -> Result<Self, Failure> {
        let config = Config {
            name: Some(consumer_name(client, "scan-")),
            deliver_policy: DeliverPolicy::LastPerSubject,
            ack_policy: AckPolicy::None,
            filter_subject: filter,
            inactive_threshold: INACTIVE,
            memory_storage: true,
            headers_only: of == Of::Keys,
            ..Config::default()
        };
        let created = patience.wait(stream.create_consumer(config)).await;
        let consumer = created.ok_or_else(silence)?.map_err(failed)?;
        Ok(Self {
            remaining: consumer.cached_info().num_pending,
            consumer,
            subject_prefix,
            patience,
        })
    }

    /// The next keys, at most `size`; none at the end.
    pub(super) async fn next_page(&mut self, size: usize) -> Result<Page, Failure> {
        let size = size.min(usize::try_from(self.remaining).unwrap_or(usize::MAX));
        let mut page = Page::with_capacity(size);
        if size == 0 {
            return Ok(page);
        }
        let fetch: FetchBuilder<'_> = self.consumer.fetch().max_messages(size);
        let mut messages = fetch.messages().await.map_err(failed)?;
        while let Some(message) = self
            .patience
            .wait(messages.next())
            .await
            .ok_or_else(silence)?
        {
            let message = message.map_err(failed)?;
            let revision = message.info().map_err(failed)?.stream_sequence;
            self.remaining -= 1;
            if let Some(key) = message.subject.strip_prefix(&self.subject_prefix) {
                let content = content(message.headers.as_ref(), message.payload.clone());
                page.push((key.to_owned(), Found { revision, content }));
            }
        }
        if page.is_empty() {
            let info = self.patience.wait(self.consumer.get_info()).await;
            if info.ok_or_else(silence)?.map_err(failed)?.num_pending > 0 {
                return Err(silence());
            }
            self.remaining = 0;
        }
        Ok(page)
    }
}

/// A name that no other consumer has. One without a name is asked for by another subject, which
/// permissions and imports would have to hold as well.
pub(super) fn consumer_name(client: &Client, prefix: &str) -> String {
    let inbox = client.new_inbox();
    format!("{prefix}{}", inbox.rsplit('.').next().unwrap_or(&inbox))
}

fn silence() -> Failure {
    failed("the server does not send them")
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::Transient(format!("listing the keys of a stream failed: {error}"))
}
