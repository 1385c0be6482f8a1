//! A round: writes of one batch that are published together and waited for together.
//!
//! There are two ways, with the same promise: an ack for each write, or fast ingest, where a few
//! acks cover many. There, one conflict ends the whole batch, so writes that name a revision go that
//! way only where conflicts are rare.

use async_nats::{Client, HeaderMap, Subject};
use bytes::Bytes;

use super::super::error::Failure;
use super::answer::Answer;
use super::{Lifeline, fast, window};

/// See the module.
pub(super) enum Round<'w> {
    Acks(window::Round<'w>),
    Fast(Box<fast::FastBatch<'w>>),
}

/// A message on its way to the server.
pub(in super::super) struct Outgoing {
    pub(in super::super) subject: Subject,
    pub(in super::super) headers: Option<HeaderMap>,
    pub(in super::super) payload: Bytes,
}

/// Publishes messages into `bucket` and waits for the ack of each. Returns
/// what is known of each, by its place among them.
pub(in super::super) async fn publish(
    client: &Client,
    window: &window::Window,
    bucket: &str,
    messages: impl Iterator<Item = Outgoing>,
    lifeline: &mut Lifeline,
) -> Result<Vec<(usize, Answer)>, Failure> {
    let mut round = Round::Acks(window.round(bucket));
    let all = async {
        let turn = window.turn().await;
        for (index, message) in messages.enumerate() {
            round.send(client, index, message).await?;
        }
        round.finish().await?;
        drop(turn);
        round.complete().await
    };
    lifeline.bind(all).await?;
    Ok(round.answers(None))
}

impl Round<'_> {
    /// Sends the write `item`, as soon as there is room in the window.
    pub(super) async fn send(
        &mut self,
        client: &Client,
        item: usize,
        message: Outgoing,
    ) -> Result<(), Failure> {
        match self {
            Self::Acks(round) => {
                let reply = round.place(item).await?;
                message.send(client, reply).await
            }
            Self::Fast(batch) => batch.send(item, message).await,
        }
    }

    /// Sends what is held back. The next round may publish after that.
    pub(super) async fn finish(&mut self) -> Result<(), Failure> {
        match self {
            Self::Acks(_) => Ok(()),
            Self::Fast(batch) => batch.finish().await,
        }
    }

    /// Waits for all acks.
    pub(super) async fn complete(&mut self) -> Result<(), Failure> {
        match self {
            Self::Acks(round) => round.complete().await,
            Self::Fast(batch) => batch.complete().await,
        }
    }

    /// Whether a conflict ended the round: writes behind it are not stored, and may be sent again.
    pub(super) fn ended_in_conflict(&self) -> bool {
        match self {
            Self::Acks(_) => false,
            Self::Fast(batch) => batch.ended_in_conflict(),
        }
    }

    /// The greatest revision that the server can have given away before the round, where the last
    /// answer tells it.
    pub(super) fn earliest(&self) -> Option<u64> {
        match self {
            Self::Acks(_) => None,
            Self::Fast(batch) => batch.earliest(),
        }
    }

    /// What is known of each write by now. Writes that are not among them may be stored or not,
    /// unless [a conflict ended the round](Self::ended_in_conflict). `before` is the greatest
    /// revision of which it is known that the server gave it away before; without it, revisions of
    /// fast ingest are not found out.
    pub(super) fn answers(self, before: Option<u64>) -> Vec<(usize, Answer)> {
        match self {
            Self::Acks(round) => round.answers(),
            Self::Fast(batch) => batch.answers(before),
        }
    }
}

impl Outgoing {
    pub(super) async fn send(self, client: &Client, reply: Subject) -> Result<(), Failure> {
        let Self {
            subject,
            headers,
            payload,
        } = self;
        match headers {
            None => client.publish_with_reply(subject, reply, payload).await,
            Some(headers) => {
                client
                    .publish_with_reply_and_headers(subject, reply, headers, payload)
                    .await
            }
        }
        .map_err(|error| Failure::Transient(format!("cannot send to the server: {error}")))
    }
}
