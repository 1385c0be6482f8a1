//! The values of a stream in the order of their revisions, as a consumer hands them out.
//!
//! Unlike the answers to a get, its messages have no headers, which are most of the work of reading
//! for client and server. They come page by page, and two pages are under way, so that the server
//! has always something to do. A value was read after its page was asked for.

use std::time::Duration;

use async_nats::jetstream::consumer::pull::Config;
use async_nats::jetstream::consumer::{AckPolicy, Consumer, DeliverPolicy};
use async_nats::jetstream::stream::Stream;
use async_nats::{Client, Message, Subject, Subscriber};
use futures_util::{FutureExt, StreamExt};

use super::super::super::error::Failure;
use super::super::super::scan::consumer_name;
use super::super::{Found, content};
use super::pages::Pages;
use super::shelf::Shelf;

/// The server forgets a consumer that nobody has asked for this long.
const INACTIVE: Duration = Duration::from_secs(60);

/// Subjects with this name in them are asked for, but can be done without.
pub(in super::super::super) const CONSUMER: &str = "read-ahead-";

/// Where a feed begins and what it is of.
pub(super) struct Source {
    pub(super) client: Client,
    pub(super) stream: Stream<()>,
    /// The subject of a request for the next page is this and the consumer's name.
    pub(super) next_prefix: String,
    /// `$KV.{bucket}.`
    pub(super) subject_prefix: String,
    /// The subjects of the stream.
    pub(super) filter: String,
    pub(super) patience: Duration,
}

/// See the module.
pub(super) struct Feed {
    source: Source,
    next: String,
    inbox: Subject,
    messages: Subscriber,
    pages: Pages,
}

impl Feed {
    /// Begins behind the revision `after`.
    pub(super) async fn open(source: Source, after: u64) -> Result<Self, Failure> {
        let config = Config {
            name: Some(consumer_name(&source.client, CONSUMER)),
            deliver_policy: DeliverPolicy::ByStartSequence {
                start_sequence: after + 1,
            },
            ack_policy: AckPolicy::None,
            filter_subject: source.filter.clone(),
            inactive_threshold: INACTIVE,
            memory_storage: true,
            ..Config::default()
        };
        let consumer: Consumer<Config> = source
            .stream
            .create_consumer(config)
            .await
            .map_err(failed)?;
        let info = consumer.cached_info();
        let inbox = Subject::from(source.client.new_inbox());
        Ok(Self {
            next: format!("{}{}", source.next_prefix, info.name),
            messages: source
                .client
                .subscribe(inbox.clone())
                .await
                .map_err(failed)?,
            inbox,
            pages: Pages::new(info.num_pending),
            source,
        })
    }

    /// What is under way.
    pub(super) fn pages(&self) -> &Pages {
        &self.pages
    }

    /// Asks for the next page, of at most `size` values.
    pub(super) async fn ask(&mut self, size: usize) -> Result<(), Failure> {
        let request = serde_json::json!({
            "batch": self.pages.ask(size),
            "expires": self.source.patience.as_nanos() as u64,
        });
        self.source
            .client
            .publish_with_reply(
                self.next.clone(),
                self.inbox.clone(),
                request.to_string().into(),
            )
            .await
            .map_err(failed)
    }

    /// Puts what comes on the `shelf`, at least one value. Returns whether there was one.
    pub(super) async fn receive(&mut self, shelf: &mut Shelf) -> Result<bool, Failure> {
        if !self.pages.are_under_way() {
            return Ok(false);
        }
        let first = tokio::time::timeout(self.source.patience, self.messages.next());
        let mut message = first
            .await
            .map_err(|_| failed("the server does not send them"))?
            .ok_or_else(|| failed("the connection was closed"))?;
        loop {
            self.take(message, shelf)?;
            match self.messages.next().now_or_never().flatten() {
                Some(next) => message = next,
                None => return Ok(true),
            }
        }
    }

    fn take(&mut self, message: Message, shelf: &mut Shelf) -> Result<(), Failure> {
        let place = message.reply.as_deref().and_then(Place::read);
        let place = place.filter(|_| message.status.is_none());
        let page = place.as_ref().and_then(|it| self.pages.came(it.pending));
        let (Some(place), Some(page)) = (place, page) else {
            // The consumer is gone, or values were removed that it had counted.
            return Err(failed("the server ended the page"));
        };
        let prefix = self.source.subject_prefix.as_str();
        if message.subject.starts_with(prefix) {
            let found = Found {
                revision: place.revision,
                content: content(message.headers.as_ref(), message.payload),
            };
            shelf.put(message.subject, prefix.len(), page, found);
        }
        Ok(())
    }
}

/// What the reply subject of a consumer's message says (ADR-15).
#[derive(Debug, PartialEq, Eq)]
struct Place {
    revision: u64,
    /// How many messages the consumer has left.
    pending: u64,
}

impl Place {
    /// `$JS.ACK.{stream}.{consumer}.{delivered}.{revision}.{number}.{time}.{pending}`, or with the
    /// domain and the account's hash before the stream and perhaps more behind.
    fn read(reply: &str) -> Option<Self> {
        const OLD_FORM: usize = 7;
        let rest = reply.strip_prefix("$JS.ACK.")?;
        let dots = || memchr::memchr_iter(b'.', rest.as_bytes());
        let is_old = dots().count() + 1 == OLD_FORM;
        let mut ends = dots();
        let before = ends.nth(if is_old { 2 } else { 4 })?;
        let revision = rest[before + 1..ends.next()?].parse().ok()?;
        let before = ends.nth(1)?;
        let pending = &rest[before + 1..ends.next().unwrap_or(rest.len())];
        Some(Self {
            revision,
            pending: pending.parse().ok()?,
        })
    }
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::Transient(format!("reading ahead failed: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_reply_are_read() {
        for (reply, revision, pending) in [
            (
                "$JS.ACK.KV_b.read-ahead-x.1.4711.1.1700000000000.42",
                4711,
                42,
            ),
            (
                "$JS.ACK.hub.hash.KV_b.c.1.4711.1.1700000000000.42",
                4711,
                42,
            ),
            (
                "$JS.ACK._.hash.KV_b.c.1.4711.1.1700000000000.42.tok",
                4711,
                42,
            ),
        ] {
            let expected = Some(Place { revision, pending });
            assert_eq!(Place::read(reply), expected, "{reply}");
        }
        for reply in ["_INBOX.x", "$JS.ACK.KV_b.c.1.x.1.1.42", "$JS.ACK.KV_b"] {
            assert_eq!(Place::read(reply), None, "{reply}");
        }
    }
}
