//! Reading ahead: what a run will ask for next, before it does.
//!
//! A load that is repeated asks for the keys of a stream in the order in which they were stored. A
//! consumer hands out the values in that order for half of what gets cost, client and server. So
//! where the keys that were asked for show such an order, the following ones are read ahead, and
//! what is not among them is asked for as ever.
//!
//! What was read before a record came may be outdated by then. A value that is overwritten costs
//! nothing but a conflict; yet to skip the record for an outdated value would lose it. Therefore
//! [`Witness`] must confirm, after the record has come, that nobody else has changed the bucket
//! since; and what this run has written itself is known by [`Touched`]. That takes a bucket with one
//! replica, where the consumer reads what the leader has, and with no history, where the values are
//! the last ones of their keys.
//!
//! Reading ahead never begins among what this run has written: a consumer that waits for the next
//! value is told of every write.

mod feed;
mod pages;
mod shelf;
mod touched;
mod trend;
mod witness;

use std::sync::{Arc, Mutex};

use tokio::task::JoinHandle;

use super::super::error::Failure;
use super::super::lock;
use super::{Found, Reader};
pub(in super::super) use feed::CONSUMER;
use feed::{Feed, Source};
use pages::UNDER_WAY;
use shelf::Shelf;
use touched::Touched;
pub(in super::super) use witness::{Position, Witness};

/// How often a run begins to read a stream ahead: where it does not last, it does not pay.
const MOST_BEGINNINGS: u32 = 8;
/// From this share of keys that were not read ahead on, in percent, it does not pay.
const TOO_MANY_MISSED: usize = 30;
/// How many times what is read at once may wait for its keys.
const WAITING: usize = 2;

/// Reads the values of one stream, ahead where it pays. See the module.
pub(in super::super) struct Ahead {
    witness: Arc<Witness>,
    /// The subjects of the stream; `None` if it cannot be read ahead.
    filter: Option<String>,
    /// The revision up to which nothing is of this run.
    began_at: u64,
    state: tokio::sync::Mutex<State>,
    touched: Mutex<Touched>,
}

struct State {
    stage: Stage,
    beginnings: u32,
}

enum Stage {
    Idle,
    Opening(JoinHandle<Result<Reading, Failure>>),
    Reading(Box<Reading>),
}

/// Values that are being read ahead over one connection.
struct Reading {
    epoch: u64,
    connection: u64,
    feed: Feed,
    shelf: Shelf,
}

/// What was read ahead of some keys.
struct Taken {
    epoch: u64,
    found: Vec<Option<Found>>,
    missed: Vec<usize>,
}

/// How keys are to be read.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Manner {
    /// Which of the connections of this run it is.
    pub(in super::super) connection: u64,
    /// How many values to read at once.
    pub(in super::super) at_once: usize,
}

impl Ahead {
    /// `filter` matches the keys of the stream; without it nothing is read ahead. `began_at` is the
    /// last revision of the bucket when the run began.
    pub(in super::super) fn new(
        witness: Arc<Witness>,
        filter: Option<String>,
        began_at: u64,
    ) -> Self {
        Self {
            witness,
            filter,
            began_at,
            state: tokio::sync::Mutex::new(State {
                stage: Stage::Idle,
                beginnings: 0,
            }),
            touched: Mutex::default(),
        }
    }

    /// The last revisions of `keys`, which must differ, in their order.
    pub(in super::super) async fn last(
        &self,
        reader: &Reader,
        keys: &[&str],
        manner: Manner,
    ) -> Result<Vec<Option<Found>>, Failure> {
        if let Some(taken) = self.take(keys, manner).await
            && let Some(found) = self.confirmed(reader, keys, taken).await?
        {
            return Ok(found);
        }
        let found = reader.last(keys).await?;
        if let Some(after) = trend::position(&found)
            && after < self.began_at
        {
            self.begin(reader, after, manner).await;
        }
        Ok(found)
    }

    /// This run has written the key.
    pub(in super::super) fn wrote(&self, key: &str) {
        lock(&self.touched).note(key);
    }

    /// Takes what was read ahead of `keys`, if that is being done.
    async fn take(&self, keys: &[&str], manner: Manner) -> Option<Taken> {
        self.filter.as_ref()?;
        let mut state = self.state.lock().await;
        state.settle_opening().await;
        let Stage::Reading(reading) = &mut state.stage else {
            return None;
        };
        let result = if reading.connection == manner.connection {
            reading.take(keys, manner.at_once, &self.touched).await
        } else {
            Err(Failure::Transient("the connection is another".to_owned()))
        };
        let why = match result {
            Ok(taken) if taken.missed.len() * 100 < keys.len() * TOO_MANY_MISSED => {
                return Some(taken);
            }
            Ok(_) => "most keys come in another order".to_owned(),
            Err(failure) => failure.to_string(),
        };
        self.end(&mut state, &why);
        None
    }

    /// What was read ahead together with what was not, if nobody else has changed the bucket.
    async fn confirmed(
        &self,
        reader: &Reader,
        keys: &[&str],
        taken: Taken,
    ) -> Result<Option<Vec<Option<Found>>>, Failure> {
        let Taken {
            epoch,
            mut found,
            missed,
        } = taken;
        let position = reader.position().await?;
        if !self.witness.confirms(epoch, &position).await {
            let mut state = self.state.lock().await;
            if matches!(&state.stage, Stage::Reading(reading) if reading.epoch == epoch) {
                self.end(&mut state, "somebody else has changed the bucket");
            }
            return Ok(None);
        }
        if !missed.is_empty() {
            let keys: Vec<_> = missed.iter().map(|at| keys[*at]).collect();
            let values = reader.last_since(&keys, position.last_revision).await?;
            for (at, value) in missed.into_iter().zip(values) {
                found[at] = value;
            }
        }
        Ok(Some(found))
    }

    /// Begins to read ahead what follows the revision `after`, beside the run.
    async fn begin(&self, reader: &Reader, after: u64, manner: Manner) {
        let Some(filter) = &self.filter else { return };
        let mut state = self.state.lock().await;
        if !matches!(state.stage, Stage::Idle) || state.beginnings >= MOST_BEGINNINGS {
            return;
        }
        let epoch = self.witness.watch();
        state.beginnings += 1;
        lock(&self.touched).begin();
        let witness = Arc::clone(&self.witness);
        let reader = reader.clone();
        let filter = format!("{}{filter}", reader.subject_prefix);
        state.stage = Stage::Opening(tokio::spawn(async move {
            let opened = Reading::open(&witness, epoch, reader, filter, after, manner).await;
            opened.inspect_err(|_| witness.leave(epoch))
        }));
    }

    fn end(&self, state: &mut State, why: &str) {
        if let Stage::Reading(reading) = std::mem::replace(&mut state.stage, Stage::Idle) {
            tracing::debug!("reading ahead no more: {why}");
            self.witness.leave(reading.epoch);
            lock(&self.touched).end();
        }
    }
}

impl State {
    async fn settle_opening(&mut self) {
        let Stage::Opening(task) = &mut self.stage else {
            return;
        };
        if !task.is_finished() {
            return;
        }
        self.stage = match task.await {
            Ok(Ok(reading)) => Stage::Reading(Box::new(reading)),
            Ok(Err(failure)) => {
                tracing::debug!("not reading ahead: {failure}");
                self.beginnings = MOST_BEGINNINGS;
                Stage::Idle
            }
            Err(_) => Stage::Idle,
        };
    }
}

impl Reading {
    async fn open(
        witness: &Witness,
        epoch: u64,
        reader: Reader,
        filter: String,
        after: u64,
        manner: Manner,
    ) -> Result<Self, Failure> {
        witness.begin(epoch, reader.position().await?);
        let source = Source {
            next_prefix: format!(
                "{}.CONSUMER.MSG.NEXT.{}.",
                reader.api_prefix, reader.stream_name
            ),
            client: reader.client,
            stream: reader.stream,
            subject_prefix: reader.subject_prefix,
            filter,
            patience: reader.patience.silence(),
        };
        let feed = Feed::open(source, after).await?;
        tracing::debug!("reading ahead from revision {after}");
        Ok(Self {
            epoch,
            connection: manner.connection,
            feed,
            shelf: Shelf::default(),
        })
    }

    async fn take(
        &mut self,
        keys: &[&str],
        at_once: usize,
        touched: &Mutex<Touched>,
    ) -> Result<Taken, Failure> {
        let mut values = Vec::with_capacity(keys.len());
        for key in keys {
            values.push(self.value(key, at_once, touched).await?);
        }
        self.shelf.tidy(at_once * WAITING);
        let oldest = self.shelf.oldest_page();
        let oldest = oldest.unwrap_or(self.feed.pages().oldest());
        let taken = self.current(keys, values, &mut lock(touched), oldest);
        // It comes while these are used.
        self.ask(at_once, touched).await?;
        Ok(taken)
    }

    /// Those of the values that this run has not written over since they were asked for. Nobody
    /// will ask for values of pages before the `oldest`.
    fn current(
        &self,
        keys: &[&str],
        values: Vec<Option<(u64, Found)>>,
        touched: &mut Touched,
        oldest: u64,
    ) -> Taken {
        let mut taken = Taken {
            epoch: self.epoch,
            found: Vec::with_capacity(keys.len()),
            missed: Vec::new(),
        };
        for (at, (key, value)) in keys.iter().zip(values).enumerate() {
            let value = value.filter(|(page, _)| !touched.outdates(*page, key));
            if value.is_none() {
                taken.missed.push(at);
            }
            taken.found.push(value.map(|(_, found)| found));
        }
        touched.forget_before(oldest);
        taken
    }

    async fn value(
        &mut self,
        key: &str,
        at_once: usize,
        touched: &Mutex<Touched>,
    ) -> Result<Option<(u64, Found)>, Failure> {
        loop {
            if let Some(value) = self.shelf.take(key) {
                return Ok(Some(value));
            }
            if self.shelf.ahead() >= at_once * WAITING {
                return Ok(None);
            }
            self.ask(at_once, touched).await?;
            if !self.feed.receive(&mut self.shelf).await? {
                return Ok(None);
            }
        }
    }

    async fn ask(&mut self, at_once: usize, touched: &Mutex<Touched>) -> Result<(), Failure> {
        // All that is under way is as much as one read.
        let page = (at_once / UNDER_WAY).max(1);
        while self.feed.pages().may_ask() {
            lock(touched).next_page();
            self.feed.ask(page).await?;
        }
        Ok(())
    }
}
