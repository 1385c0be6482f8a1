//! A page of stored records on their way into another form.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use async_nats::{Client, Subject};
use bytes::Bytes;
use singer_target::migration::{Migrated, MigratedStream};
use singer_target::value::Tape;

use super::super::error::Failure;
use super::super::read::{Content, Found, Reader};
use super::super::scan::Page;
use super::super::write::{Form, Lifeline, Outgoing, Window, publish};
use super::plan::{Plan, Planner};

/// How often a key is looked at again that others write to.
const MAX_CONFLICTS: u32 = 20;
/// How many keys that were left are named in the log; there may be millions.
const NAMED: u64 = 20;

/// Brings pages into the form that the settings name.
pub(super) struct Mover<'a> {
    pub(super) client: Client,
    pub(super) window: &'a Window,
    pub(super) reader: Reader,
    pub(super) planner: Planner,
    pub(super) form: Form,
    pub(super) subject_prefix: String,
    pub(super) dry_run: bool,
}

/// A key that is to be changed.
struct Change {
    stream: String,
    key: String,
    revision: u64,
    value: Bytes,
    /// Where it goes, if not in its own place.
    to: Option<String>,
}

/// What stands under the key that another one is moved to.
enum Goal {
    Free,
    /// The record that is moved.
    Reached,
    Taken,
}

impl Mover<'_> {
    /// Migrates a page. Keys that another writer changes meanwhile are looked at again.
    pub(super) async fn migrate(
        &self,
        page: Page,
        lifeline: &mut Lifeline,
        counts: &mut Counts,
    ) -> Result<(), Failure> {
        let mut page = page;
        for attempt in 0..=MAX_CONFLICTS {
            let (rewrites, moves) = self.plan(page, counts);
            let (moves, reached) = self.free(moves, lifeline, counts).await?;
            if self.dry_run {
                rewrites
                    .iter()
                    .for_each(|it| counts.of(&it.stream).rewritten += 1);
                let all = moves.iter().chain(&reached);
                all.for_each(|it| counts.of(&it.stream).moved += 1);
                return Ok(());
            }
            let (rewritten, mut again) = self.write(rewrites, lifeline).await?;
            rewritten
                .iter()
                .for_each(|it| counts.of(&it.stream).rewritten += 1);
            let (created, taken) = self.write(moves, lifeline).await?;
            again.extend(taken);
            let leaving = created.into_iter().chain(reached).collect();
            let (left, changed) = self.delete(leaving, lifeline).await?;
            left.iter().for_each(|it| counts.of(&it.stream).moved += 1);
            again.extend(changed);
            if again.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(u64::from(attempt))).await;
            page = self.read_again(&again, lifeline).await?;
        }
        Err(Failure::Conflict)
    }

    /// What is to be changed: in its place, and by moving. All else is counted.
    fn plan(&self, page: Page, counts: &mut Counts) -> (Vec<Change>, Vec<Change>) {
        let (mut rewrites, mut moves) = (Vec::new(), Vec::new());
        let mut scratch = Tape::new();
        for (key, Found { revision, content }) in page {
            let Content::Value(stored) = content else {
                continue;
            };
            let Some((stream, plan)) = self.planner.plan(&key, &stored, &mut scratch) else {
                counts.foreign += 1;
                continue;
            };
            let (to, value) = match plan {
                Plan::Leave => {
                    counts.of(&stream).unchanged += 1;
                    continue;
                }
                Plan::Unknown(why) => {
                    counts.of(&stream).unknown += 1;
                    counts.leave(&key, why);
                    continue;
                }
                Plan::Rewrite(value) => (None, value),
                Plan::Move { to, value } => (Some(to), value),
            };
            let list = if to.is_some() {
                &mut moves
            } else {
                &mut rewrites
            };
            list.push(Change {
                stream,
                key,
                revision,
                value,
                to,
            });
        }
        (rewrites, moves)
    }

    /// The moves whose goal is free, and those that an earlier migration has begun. The others
    /// cannot be made.
    async fn free(
        &self,
        moves: Vec<Change>,
        lifeline: &mut Lifeline,
        counts: &mut Counts,
    ) -> Result<(Vec<Change>, Vec<Change>), Failure> {
        let mut goals: Vec<&str> = moves.iter().filter_map(|it| it.to.as_deref()).collect();
        goals.sort_unstable();
        goals.dedup();
        let found = lifeline.bind(self.reader.last(&goals)).await?;
        let stored: HashMap<String, Option<Found>> = goals
            .iter()
            .map(|goal| (*goal).to_owned())
            .zip(found)
            .collect();
        let (mut free, mut reached) = (Vec::new(), Vec::new());
        let mut taken = HashSet::new();
        for change in moves {
            let goal = change.to.as_deref().unwrap_or_default();
            let there = stored.get(goal).and_then(Option::as_ref);
            match self.goal(&change, there) {
                // Two keys of this page may have the same goal.
                Goal::Free if taken.insert(goal.to_owned()) => free.push(change),
                Goal::Reached => reached.push(change),
                Goal::Free | Goal::Taken => {
                    counts.of(&change.stream).conflicting += 1;
                    counts.leave(&change.key, &format!("something else is under '{goal}'"));
                }
            }
        }
        Ok((free, reached))
    }

    fn goal(&self, change: &Change, there: Option<&Found>) -> Goal {
        match there.map(|found| &found.content) {
            None => Goal::Free,
            Some(Content::Value(value)) if self.planner.is_same(value, &change.value) => {
                Goal::Reached
            }
            // What was deleted must not come back: whether the record is newer is not known.
            Some(_) => Goal::Taken,
        }
    }

    /// Writes values: those that are, and those that another writer was quicker with.
    async fn write(
        &self,
        changes: Vec<Change>,
        lifeline: &mut Lifeline,
    ) -> Result<(Vec<Change>, Vec<Change>), Failure> {
        let message = |change: &Change| {
            let (key, expected) = match &change.to {
                // Nothing must have been there.
                Some(to) => (to, 0),
                None => (&change.key, change.revision),
            };
            Outgoing {
                subject: self.subject(key),
                headers: self.form.headers(Some(expected)),
                payload: change.value.clone(),
            }
        };
        self.publish(changes, message, lifeline).await
    }

    /// Deletes the keys that were moved.
    async fn delete(
        &self,
        changes: Vec<Change>,
        lifeline: &mut Lifeline,
    ) -> Result<(Vec<Change>, Vec<Change>), Failure> {
        let message = |change: &Change| Outgoing {
            subject: self.subject(&change.key),
            headers: Some(self.form.deletion(change.revision, false)),
            payload: Bytes::new(),
        };
        self.publish(changes, message, lifeline).await
    }

    async fn publish(
        &self,
        changes: Vec<Change>,
        message: impl Fn(&Change) -> Outgoing,
        lifeline: &mut Lifeline,
    ) -> Result<(Vec<Change>, Vec<Change>), Failure> {
        let messages = changes.iter().map(message);
        let answers = publish(
            &self.client,
            self.window,
            &self.reader.stream_name,
            messages,
            lifeline,
        )
        .await?;
        let mut stored = vec![None; changes.len()];
        for (index, answer) in answers {
            stored[index] = Some(match answer {
                Ok(_) => true,
                Err(Failure::Conflict) => false,
                Err(failure) => return Err(failure),
            });
        }
        let (mut done, mut again) = (Vec::new(), Vec::new());
        for (change, stored) in changes.into_iter().zip(stored) {
            match stored {
                Some(true) => done.push(change),
                Some(false) => again.push(change),
                None => {
                    let why = "not all writes were acknowledged".to_owned();
                    return Err(Failure::Transient(why));
                }
            }
        }
        Ok((done, again))
    }

    async fn read_again(
        &self,
        changes: &[Change],
        lifeline: &mut Lifeline,
    ) -> Result<Page, Failure> {
        let keys: Vec<&str> = changes.iter().map(|change| change.key.as_str()).collect();
        let found = lifeline.bind(self.reader.last_at_leader(&keys)).await?;
        let keys = keys.into_iter().map(str::to_owned);
        Ok(keys
            .zip(found)
            .filter_map(|(key, found)| Some((key, found?)))
            .collect())
    }

    fn subject(&self, key: &str) -> Subject {
        Subject::from(format!("{}{key}", self.subject_prefix))
    }
}

/// What became of the keys of a bucket.
#[derive(Debug, Default)]
pub(super) struct Counts {
    streams: BTreeMap<String, MigratedStream>,
    /// Of the keys in the right form, those that an earlier pass has brought into it.
    earlier: BTreeMap<String, u64>,
    /// Keys that the settings do not write.
    foreign: u64,
    left: u64,
}

impl Counts {
    fn of(&mut self, stream: &str) -> &mut MigratedStream {
        self.streams.entry(stream.to_owned()).or_default()
    }

    fn leave(&mut self, key: &str, why: &str) {
        self.left += 1;
        if self.left <= NAMED {
            tracing::warn!("'{key}' is left as it is: {why}");
        }
    }

    /// How many keys were changed.
    pub(super) fn settled(&self) -> u64 {
        self.streams
            .values()
            .map(|it| it.rewritten + it.moved)
            .sum()
    }

    /// Forgets all but what was changed.
    pub(super) fn begin_again(&mut self) {
        (self.foreign, self.left) = (0, 0);
        for (name, stream) in &mut self.streams {
            let MigratedStream {
                rewritten, moved, ..
            } = *stream;
            self.earlier.insert(name.clone(), rewritten + moved);
            *stream = MigratedStream::default();
            (stream.rewritten, stream.moved) = (rewritten, moved);
        }
    }

    /// Says what is not in the table.
    pub(super) fn tell(&self, bucket: &str) {
        if self.left > NAMED {
            tracing::warn!("{} more keys are left as they are", self.left - NAMED);
        }
        if self.foreign > 0 {
            tracing::warn!(
                "bucket '{bucket}' has {} keys that these settings' key_prefix does not begin; they \
                 are left as they are",
                self.foreign
            );
        }
    }

    pub(super) fn add_to(self, migrated: &mut Migrated) {
        for (name, counts) in self.streams {
            let earlier = self.earlier.get(&name).copied().unwrap_or_default();
            let stream = migrated.stream(&name);
            stream.unchanged += counts.unchanged.saturating_sub(earlier);
            stream.rewritten += counts.rewritten;
            stream.moved += counts.moved;
            stream.conflicting += counts.conflicting;
            stream.unknown += counts.unknown;
        }
    }
}
