//! The window: writes that wait for their acks.
//!
//! All batches of a sink share one window and one inbox, so that the stream of acks does not dry
//! up between two batches. Each write has a place in the window, and each place a reply subject;
//! one task hands every ack to the round of writes that it belongs to. An ack that arrives after its
//! round has given up is dropped: see [`table`].
//!
//! Rounds publish one after the other, each as a whole: the oldest finishes first, so that batches
//! end one by one and not all at once. How much may be in flight is learnt: see [`Pace`].

mod pace;
mod table;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_nats::{Client, Message, Subject, Subscriber};
use futures_util::{FutureExt, StreamExt};
use tokio::sync::{Notify, OwnedMutexGuard};
use tokio::task::JoinHandle;

use super::super::connect::Patience;
use super::super::error::Failure;
use super::super::lock;
use super::answer::{self, Answer};
use pace::Pace;
use table::{Table, Token};

/// See the module.
pub(in super::super) struct Window {
    shared: Arc<Shared>,
    patience: Patience,
    /// Held by the round that publishes.
    turn: Arc<tokio::sync::Mutex<()>>,
    demultiplexer: JoinHandle<()>,
}

struct Shared {
    table: Mutex<Table>,
    /// Told when places become free. Only the round whose turn it is waits for it.
    freed: Notify,
}

impl Window {
    /// Opens a window of at most `size` places. What is not acknowledged within `patience` counts
    /// as lost.
    pub(in super::super) async fn open(
        client: &Client,
        size: usize,
        patience: Patience,
    ) -> Result<Self, async_nats::SubscribeError> {
        let inbox = format!("{}.", client.new_inbox());
        let acks = client.subscribe(format!("{inbox}*")).await?;
        let prefix = inbox.len();
        let shared = Arc::new(Shared {
            table: Mutex::new(Table::new(inbox, Pace::new(size))),
            freed: Notify::new(),
        });
        let demultiplexer = tokio::spawn(demultiplex(acks, Arc::clone(&shared), prefix));
        Ok(Self {
            shared,
            patience,
            turn: Arc::default(),
            demultiplexer,
        })
    }

    /// How many writes may be in flight at most.
    pub(super) fn size(&self) -> usize {
        lock(&self.shared.table).size()
    }

    /// How long to wait for a sign of an ack.
    pub(super) fn patience(&self) -> Duration {
        self.patience.silence()
    }

    /// Waits until all earlier rounds have published their writes.
    pub(super) async fn turn(&self) -> Turn {
        Turn(Arc::clone(&self.turn).lock_owned().await)
    }

    /// Starts a round of writes into `bucket`.
    pub(super) fn round(&self, bucket: &str) -> Round<'_> {
        let complete = Arc::new(Notify::new());
        Round {
            index: lock(&self.shared.table).open_round(bucket, Arc::clone(&complete)),
            window: self,
            complete,
        }
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.demultiplexer.abort();
    }
}

/// The right to publish.
pub(super) struct Turn(#[expect(dead_code, reason = "held")] OwnedMutexGuard<()>);

/// Writes of one batch that are waited for together.
pub(super) struct Round<'w> {
    window: &'w Window,
    index: u32,
    complete: Arc<Notify>,
}

impl Round<'_> {
    /// A place in the window for the write `item`, as the subject for its ack. Waits until there
    /// is one.
    pub(super) async fn place(&self, item: usize) -> Result<Subject, Failure> {
        loop {
            let place = lock(&self.window.shared.table).take(self.index, item);
            if let Some(reply) = place {
                return Ok(reply);
            }
            let has_place = || lock(&self.window.shared.table).has_place();
            self.wait(&self.window.shared.freed, has_place).await?;
        }
    }

    /// Waits for all acks.
    pub(super) async fn complete(&mut self) -> Result<(), Failure> {
        let is_complete = || lock(&self.window.shared.table).is_complete(self.index);
        self.wait(&self.complete, is_complete).await
    }

    /// The acks that came in.
    pub(super) fn answers(self) -> Vec<(usize, Answer)> {
        lock(&self.window.shared.table).take_answers(self.index)
    }

    /// Waits for `signal` until `ready`.
    async fn wait(&self, signal: &Notify, ready: impl Fn() -> bool) -> Result<(), Failure> {
        let until_ready = async {
            loop {
                let signalled = signal.notified();
                tokio::pin!(signalled);
                signalled.as_mut().enable();
                if ready() {
                    return;
                }
                signalled.await;
            }
        };
        let arrived = || lock(&self.window.shared.table).arrived(self.index);
        let patience = &self.window.patience;
        let done = patience.wait_for_all(until_ready, arrived).await;
        done.ok_or_else(|| answer::silence(patience.silence()))
    }
}

/// A round that ends early gives its places back; what is still on its way is ignored later.
impl Drop for Round<'_> {
    fn drop(&mut self) {
        if lock(&self.window.shared.table).close_round(self.index) {
            self.window.shared.freed.notify_waiters();
        }
    }
}

async fn demultiplex(mut acks: Subscriber, shared: Arc<Shared>, prefix: usize) {
    while let Some(ack) = acks.next().await {
        let mut table = lock(&shared.table);
        settle(&mut table, &ack, prefix);
        // What has arrived meanwhile is taken under the same lock.
        while let Some(ack) = acks.next().now_or_never().flatten() {
            settle(&mut table, &ack, prefix);
        }
        drop(table);
        shared.freed.notify_waiters();
    }
}

fn settle(table: &mut Table, ack: &Message, prefix: usize) {
    if let Some(token) = ack.subject.get(prefix..).and_then(Token::read) {
        table.settle(token, || answer::read(ack));
    }
}
