//! The window: writes that wait for their acks.
//!
//! All batches of a sink share one window and one inbox, so that the stream of acks does not dry
//! up between two batches. Each write has a place in the window and a reply subject of its own;
//! one task hands every ack to the round of writes that it belongs to. A place has a generation:
//! an ack that arrives after its round has given up finds another generation and is dropped.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::{Client, Message, StatusCode, Subject, Subscriber};
use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt, StreamExt};
use serde::Deserialize;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::super::error::{ApiError, Failure};
use super::lifeline::Lifeline;

/// What the server said of one write: its revision, or why there is none.
pub(super) type Answer = Result<u64, Failure>;

/// See the module.
pub(in super::super) struct Window {
    shared: Arc<Shared>,
    inbox: String,
    patience: Duration,
    demultiplexer: JoinHandle<()>,
}

struct Shared {
    places: Mutex<Places>,
    /// Told when places become free.
    freed: Notify,
}

struct Places {
    all: Vec<Place>,
    free: Vec<u32>,
    /// Acks that came in, for whichever round.
    answered: u64,
}

#[derive(Default)]
struct Place {
    generation: u32,
    held: Option<(Arc<Waiting>, usize)>,
}

/// What a round waits for.
struct Waiting {
    answers: Mutex<Answers>,
    complete: Notify,
}

#[derive(Default)]
struct Answers {
    open: u32,
    given: Vec<(usize, Answer)>,
    count: u64,
}

/// A write as the server acknowledges it.
#[derive(Deserialize)]
struct PubAck {
    #[serde(default)]
    seq: u64,
    error: Option<ApiError>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics between two states, so a poisoned lock holds good data.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Window {
    /// Opens a window of `size` places. A write without any sign of an ack for `patience` counts
    /// as lost.
    pub(in super::super) async fn open(
        client: &Client,
        size: usize,
        patience: Duration,
    ) -> Result<Self, async_nats::SubscribeError> {
        let inbox = format!("{}.", client.new_inbox());
        let acks = client.subscribe(format!("{inbox}*")).await?;
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        let shared = Arc::new(Shared {
            places: Mutex::new(Places {
                all: (0..size).map(|_| Place::default()).collect(),
                free: (0..size).rev().collect(),
                answered: 0,
            }),
            freed: Notify::new(),
        });
        let demultiplexer = tokio::spawn(demultiplex(acks, Arc::clone(&shared), inbox.len()));
        Ok(Self {
            shared,
            inbox,
            patience,
            demultiplexer,
        })
    }

    /// Starts a round of writes over the connection that `lifeline` watches.
    pub(super) fn round(&self, lifeline: Lifeline) -> Round<'_> {
        let waiting = Arc::new(Waiting {
            answers: Mutex::default(),
            complete: Notify::new(),
        });
        Round {
            window: self,
            waiting,
            lifeline,
            replies: BytesMut::new(),
        }
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.demultiplexer.abort();
    }
}

/// Writes of one batch that are waited for together.
pub(super) struct Round<'w> {
    window: &'w Window,
    waiting: Arc<Waiting>,
    lifeline: Lifeline,
    /// Reply subjects share buffers, so that a write costs no allocation for its own.
    replies: BytesMut,
}

impl Round<'_> {
    /// A place in the window for the write `item`, as the subject for its ack. Waits until there
    /// is one.
    pub(super) async fn place(&mut self, item: usize) -> Result<Subject, Failure> {
        loop {
            let place = lock(&self.window.shared.places).take(&self.waiting, item);
            if let Some((index, generation)) = place {
                lock(&self.waiting.answers).open += 1;
                return Ok(self.reply(index, generation));
            }
            let Self {
                window,
                waiting,
                lifeline,
                ..
            } = self;
            let has_place = || !lock(&window.shared.places).free.is_empty();
            window
                .wait(&window.shared.freed, has_place, waiting, lifeline)
                .await?;
        }
    }

    /// Waits for all acks.
    pub(super) async fn complete(&mut self) -> Result<(), Failure> {
        let Self {
            window,
            waiting,
            lifeline,
            ..
        } = self;
        let is_complete = || lock(&waiting.answers).open == 0;
        window
            .wait(&waiting.complete, is_complete, waiting, lifeline)
            .await
    }

    /// The connection on which this round's acks arrive.
    pub(super) fn lifeline(&mut self) -> &mut Lifeline {
        &mut self.lifeline
    }

    /// The acks that came in.
    pub(super) fn answers(self) -> Vec<(usize, Answer)> {
        std::mem::take(&mut lock(&self.waiting.answers).given)
    }

    fn reply(&mut self, index: u32, generation: u32) -> Subject {
        const BUFFER: usize = 4096;
        const TOKEN: usize = 16;
        let length = self.window.inbox.len() + TOKEN;
        if self.replies.capacity() < length {
            self.replies.reserve(BUFFER.max(length));
        }
        self.replies.extend_from_slice(self.window.inbox.as_bytes());
        let token = u64::from(generation) << 32 | u64::from(index);
        self.replies.extend(
            (0..TOKEN)
                .rev()
                .map(|digit| b"0123456789abcdef"[(token >> (4 * digit)) as usize & 15]),
        );
        Subject::from_utf8(self.replies.split().freeze()).expect("an inbox and digits are UTF-8")
    }
}

/// A round that ends early gives its places back; what is still on its way is ignored later.
impl Drop for Round<'_> {
    fn drop(&mut self) {
        if lock(&self.waiting.answers).open > 0 {
            lock(&self.window.shared.places).release_all(&self.waiting);
            self.window.shared.freed.notify_waiters();
        }
    }
}

impl Window {
    /// Waits for `signal` until `ready`. Fails when the connection is lost, and when nothing has
    /// come in for this round for too long: as long as others are served it is given more time,
    /// since the server may just be slow, but not for ever, since single acks may be lost.
    async fn wait(
        &self,
        signal: &Notify,
        ready: impl Fn() -> bool,
        waiting: &Waiting,
        lifeline: &mut Lifeline,
    ) -> Result<(), Failure> {
        const MORE_TIME: u32 = 4;
        let progress = || {
            let all = lock(&self.shared.places).answered;
            (lock(&waiting.answers).count, all)
        };
        let mut seen = progress();
        let (mut own, mut any) = (Instant::now(), Instant::now());
        loop {
            let signalled = signal.notified();
            tokio::pin!(signalled);
            signalled.as_mut().enable();
            if ready() {
                return Ok(());
            }
            tokio::select! {
                () = signalled => {}
                lost = lifeline.lost() => return Err(lost),
                () = tokio::time::sleep(self.patience / 4) => {
                    let (now, latest) = (Instant::now(), progress());
                    if latest.0 != seen.0 { own = now; }
                    if latest.1 != seen.1 { any = now; }
                    seen = latest;
                    if now - own >= self.patience && now - any >= self.patience
                        || now - own >= self.patience * MORE_TIME
                    {
                        let seconds = self.patience.as_secs();
                        let why = format!("no acknowledgement from the server within {seconds} s");
                        return Err(Failure::Transient(why));
                    }
                }
            }
        }
    }
}

impl Places {
    fn take(&mut self, waiting: &Arc<Waiting>, item: usize) -> Option<(u32, u32)> {
        let index = self.free.pop()?;
        let place = &mut self.all[index as usize];
        place.held = Some((Arc::clone(waiting), item));
        Some((index, place.generation))
    }

    /// Whose ack it is; nobody's if the place was given back since.
    fn release(&mut self, index: u32, generation: u32) -> Option<(Arc<Waiting>, usize)> {
        let place = self.all.get_mut(index as usize)?;
        if place.generation != generation {
            return None;
        }
        let held = place.held.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(index);
        self.answered += 1;
        Some(held)
    }

    fn release_all(&mut self, waiting: &Arc<Waiting>) {
        for (index, place) in (0..).zip(&mut self.all) {
            if place
                .held
                .as_ref()
                .is_some_and(|(holder, _)| Arc::ptr_eq(holder, waiting))
            {
                place.held = None;
                place.generation = place.generation.wrapping_add(1);
                self.free.push(index);
            }
        }
    }
}

async fn demultiplex(mut acks: Subscriber, shared: Arc<Shared>, prefix: usize) {
    while let Some(ack) = acks.next().await {
        let mut next = Some(ack);
        while let Some(ack) = next {
            shared.settle(&ack, prefix);
            next = acks.next().now_or_never().flatten();
        }
        shared.freed.notify_waiters();
    }
}

impl Shared {
    fn settle(&self, ack: &Message, prefix: usize) {
        let token = ack
            .subject
            .get(prefix..)
            .and_then(|token| u64::from_str_radix(token, 16).ok());
        let Some(token) = token else { return };
        let (index, generation) = (token as u32, (token >> 32) as u32);
        let Some((waiting, item)) = lock(&self.places).release(index, generation) else {
            return;
        };
        let mut answers = lock(&waiting.answers);
        answers.given.push((item, answer(ack)));
        answers.count += 1;
        answers.open -= 1;
        if answers.open == 0 {
            waiting.complete.notify_waiters();
        }
    }
}

fn answer(ack: &Message) -> Answer {
    if ack.status == Some(StatusCode::NO_RESPONDERS) {
        return Err(Failure::NoBucket);
    }
    parse(&ack.payload)
}

fn parse(payload: &Bytes) -> Answer {
    match serde_json::from_slice(payload) {
        Ok(PubAck {
            error: Some(error), ..
        }) => Err(error.meaning()),
        Ok(PubAck { seq, error: None }) if seq > 0 => Ok(seq),
        _ => Err(Failure::Transient(
            "the server's acknowledgement cannot be read".to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting() -> Arc<Waiting> {
        Arc::new(Waiting {
            answers: Mutex::default(),
            complete: Notify::new(),
        })
    }

    #[test]
    fn a_late_ack_belongs_to_nobody() {
        let mut places = Places {
            all: vec![Place::default()],
            free: vec![0],
            answered: 0,
        };
        let (first, second) = (waiting(), waiting());
        let (index, generation) = places.take(&first, 7).expect("a place");
        assert!(places.take(&second, 8).is_none());
        places.release_all(&second);
        assert!(places.free.is_empty());
        places.release_all(&first);
        let again = places.take(&second, 8).expect("a place");
        assert!(places.release(index, generation).is_none());
        assert!(places.release(1, 0).is_none());
        let (holder, item) = places.release(again.0, again.1).expect("the second's");
        assert!(Arc::ptr_eq(&holder, &second));
        assert_eq!(item, 8);
        assert!(places.release(again.0, again.1).is_none());
        assert_eq!((places.free.len(), places.answered), (1, 1));
    }

    #[test]
    fn acks_are_read() {
        let parse = |text: &'static str| parse(&Bytes::from_static(text.as_bytes()));
        assert_eq!(parse(r#"{"stream":"KV_b", "seq":7,"domain":"hub"}"#), Ok(7));
        assert_eq!(
            parse(r#"{"stream":"KV_b","seq":7,"duplicate":true}"#),
            Ok(7)
        );
        let conflict = r#"{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 5"},"stream":"KV_b","seq":0}"#;
        assert_eq!(parse(conflict), Err(Failure::Conflict));
        for unreadable in ["", "+OK", "{}", r#"{"seq":0}"#, r#"{"seq":-1}"#] {
            assert!(
                matches!(parse(unreadable), Err(Failure::Transient(_))),
                "{unreadable}"
            );
        }
    }
}
