//! Fast ingest (ADR-50): the writes of a round as one batch that a few acks cover.
//!
//! Each message has a number in its reply subject. An ack for `n` says that all messages up to `n`
//! are stored: the batches are of the kind that a gap ends (`fail`). The last message commits the
//! batch, and the answer to it decides: it says how many messages the batch has. So a batch never
//! outlives its round, none is idle for the ten seconds after which the server forgets it, and
//! what got no ack is as unknown as a lost write of the other path, unless the server has said that
//! it ended the batch before.

mod calm;
mod lane;
mod progress;

pub(in super::super) use lane::Lane;

use std::time::{Duration, Instant};

use async_nats::{Client, Subject, Subscriber};
use bytes::BytesMut;
use futures_util::{FutureExt, StreamExt};

use super::super::error::Failure;
use super::answer::{self, Answer};
use super::round::Outgoing;
use progress::Progress;

/// Operations of the protocol, as they stand in a reply subject.
const START: u8 = 0;
const APPEND: u8 = 1;
const COMMIT: u8 = 2;

/// How often a batch under way looks for an error: every so many messages.
const GLANCE: u64 = 64;

/// How long to wait for the last word on a batch that has failed.
const LAST_WORD: Duration = Duration::from_secs(1);

/// A batch on its way.
pub(super) struct FastBatch<'w> {
    client: &'w Client,
    lane: &'w Lane,
    patience: Duration,
    /// What the reply subjects begin with.
    prefix: String,
    replies: BytesMut,
    acks: Subscriber,
    /// Whose message each one is, in order.
    items: Vec<usize>,
    /// The newest message waits for the next one, since the last of all must say that it is.
    held: Option<Outgoing>,
    progress: Progress,
    began: Instant,
}

impl<'w> FastBatch<'w> {
    /// Opens a batch of which at most `most` messages are in flight.
    pub(super) async fn open(
        client: &'w Client,
        lane: &'w Lane,
        most: usize,
        patience: Duration,
    ) -> Result<Self, Failure> {
        let inbox = client.new_inbox();
        let acks = client
            .subscribe(format!("{inbox}.>"))
            .await
            .map_err(|error| Failure::Transient(format!("cannot subscribe to acks: {error}")))?;
        let flow = lane.wanted(most);
        Ok(Self {
            client,
            lane,
            patience,
            prefix: format!("{inbox}.{flow}.fail."),
            replies: BytesMut::new(),
            acks,
            items: Vec::new(),
            held: None,
            progress: Progress::new(lane.granted(), most),
            began: Instant::now(),
        })
    }

    /// Adds the write `item`.
    pub(super) async fn send(&mut self, item: usize, message: Outgoing) -> Result<(), Failure> {
        self.items.push(item);
        match self.held.replace(message) {
            Some(before) => self.publish(before, APPEND).await,
            None => Ok(()),
        }
    }

    /// Sends the last message, which commits the batch.
    pub(super) async fn finish(&mut self) -> Result<(), Failure> {
        match self.held.take() {
            Some(last) => self.publish(last, COMMIT).await,
            None => Ok(()),
        }
    }

    /// Waits for the answer to the commit.
    pub(super) async fn complete(&mut self) -> Result<(), Failure> {
        if self.items.is_empty() {
            return Ok(());
        }
        while !self.progress.has_ended() {
            self.hear().await?;
        }
        let (count, granted) = (self.items.len(), self.progress.granted());
        self.lane.note_success(count, granted, self.began.elapsed());
        Ok(())
    }

    /// Whether the batch ended at a write that was in conflict: all before it is stored, and
    /// nothing behind it.
    pub(super) fn ended_in_conflict(&self) -> bool {
        self.progress.ended_in_conflict()
    }

    /// The greatest revision that the server can have given away before the batch, once it has
    /// ended.
    pub(super) fn earliest(&self) -> Option<u64> {
        self.progress.earliest()
    }

    /// What is known by now. `before` is the greatest revision of which it is known that the server
    /// gave it away before the batch; the revisions of all messages are known if nobody else wrote
    /// between.
    pub(super) fn answers(self, before: Option<u64>) -> Vec<(usize, Answer)> {
        let Self {
            items, progress, ..
        } = self;
        progress.answers(&items, before)
    }

    async fn publish(&mut self, message: Outgoing, operation: u8) -> Result<(), Failure> {
        if self.progress.sent().is_multiple_of(GLANCE) {
            while let Some(Some(ack)) = self.acks.next().now_or_never() {
                self.progress.take(&ack);
            }
            self.check().await?;
        }
        while !self.progress.may_send() {
            self.hear().await?;
        }
        let number = self.progress.sent() + 1;
        let operation = if number == 1 && operation == APPEND {
            START
        } else {
            operation
        };
        let reply = self.reply(number, operation);
        message.send(self.client, reply).await?;
        self.progress.note_sent();
        Ok(())
    }

    /// Waits for the next word of the server.
    async fn hear(&mut self) -> Result<(), Failure> {
        match tokio::time::timeout(self.patience, self.acks.next()).await {
            Ok(Some(ack)) => self.progress.take(&ack),
            Ok(None) => return Err(Failure::Transient("the connection is closed".to_owned())),
            Err(_) => {
                self.lane.note_failure("the server fell silent");
                return Err(answer::silence(self.patience));
            }
        }
        self.check().await
    }

    /// Fails if the batch has. What the server stored of it nevertheless, it says at the end.
    async fn check(&mut self) -> Result<(), Failure> {
        let Some(failure) = self.progress.failure() else {
            return Ok(());
        };
        if self.progress.may_yet_end() {
            let last_word = async {
                while !self.progress.has_ended()
                    && let Some(ack) = self.acks.next().await
                {
                    self.progress.take(&ack);
                }
            };
            // After a conflict, the last word saves all the others from being read again.
            let patience = match failure {
                Failure::Conflict => self.patience,
                _ => LAST_WORD,
            };
            let _ = tokio::time::timeout(patience, last_word).await;
        }
        if self.progress.is_refused() {
            self.lane.close(&failure.to_string());
        } else if failure != Failure::Conflict {
            self.lane.note_failure(&failure.to_string());
        }
        Err(failure)
    }

    fn reply(&mut self, number: u64, operation: u8) -> Subject {
        const BUFFER: usize = 8192;
        const REST: usize = 32;
        let length = self.prefix.len() + REST;
        if self.replies.capacity() < length {
            self.replies.reserve(BUFFER.max(length));
        }
        let mut digits = itoa::Buffer::new();
        for part in [
            self.prefix.as_bytes(),
            digits.format(number).as_bytes(),
            &[b'.', b'0' + operation],
            b".$FI",
        ] {
            self.replies.extend_from_slice(part);
        }
        Subject::from_utf8(self.replies.split().freeze()).expect("an inbox and digits are UTF-8")
    }
}
