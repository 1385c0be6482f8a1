//! Writing a batch: decide, publish, wait for the acks, decide again what was in conflict.

mod acks;
mod activation;
mod chains;
mod identity;
mod lifeline;
mod prepare;
mod sizes;

pub(super) use acks::Window;
pub(super) use identity::Identity;
pub(super) use lifeline::Lifeline;
pub(super) use sizes::StoredSizes;

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::{Client, HeaderMap, header};
use singer_target::Batch;
use singer_target::Encoder;
use singer_target::{Report, SinkError};

use super::compare::Comparison;
use super::config::RefreshMode;
use super::error::Failure;
use super::key::{Collisions, KeyWriter};
use super::read::Reader;
use acks::{Answer, Round};
use chains::{Chains, Policy, Write};
use prepare::{Limit, Prepared};

/// How often a key is decided again before the framework is asked to try later.
const MAX_CONFLICTS: u32 = 20;

const COLLISION: &str = "another record has the same key in the legacy format; use key_format \
                         'escaped', where every record has its own";

/// Writes the batches of one stream to its bucket.
pub(super) struct StreamWriter {
    pub(super) client: Client,
    pub(super) window: Arc<Window>,
    pub(super) bucket: Arc<Identity>,
    pub(super) reader: Reader,
    pub(super) encoder: Arc<dyn Encoder>,
    pub(super) keys: KeyWriter,
    /// In the legacy format, which cannot tell all records apart.
    pub(super) collisions: Option<Arc<Mutex<Collisions>>>,
    pub(super) comparison: Comparison,
    /// What keys are appended to for the subject to publish to.
    pub(super) subject_prefix: String,
    pub(super) max_value_size: Option<usize>,
    pub(super) mode: RefreshMode,
    pub(super) keep_history: bool,
    /// How large the stored values are.
    pub(super) sizes: StoredSizes,
    /// How long a record lives, as the server wants it written.
    pub(super) ttl: Option<header::HeaderValue>,
}

impl StreamWriter {
    /// Writes a batch, and repeats what other writers are in the way of. What may pass by itself,
    /// such as the loss of the connection, is left to the framework: it tries again.
    pub(super) async fn write(
        &self,
        batch: &Batch,
        mut lifeline: Lifeline,
    ) -> Result<Report, SinkError> {
        self.bucket
            .verify_once(&mut lifeline)
            .await
            .map_err(Failure::into_sink_error)?;
        let prepared = self.prepare(batch);
        let policy = Policy {
            keep_history: self.keep_history,
            written_before: batch.attempt() > 0,
        };
        let mut chains = Chains::new(batch, &prepared, &self.comparison, policy);
        let cause = match self
            .write_chains(&prepared, &mut chains, policy, &mut lifeline)
            .await
        {
            Ok(cause) => cause,
            Err(failure @ (Failure::Permanent(_) | Failure::Denied(_))) => {
                return Err(failure.into_sink_error());
            }
            Err(failure) => Some(failure),
        };
        chains.give_up_all();
        let mut report = chains.report(&prepared.rejected);
        if !report.unsettled.is_empty() {
            report.cause = cause.map(|failure| failure.to_string().into());
        }
        Ok(report)
    }

    fn prepare(&self, batch: &Batch) -> Prepared {
        let mut collisions = self
            .collisions
            .as_ref()
            .map(|all| all.lock().unwrap_or_else(PoisonError::into_inner));
        Prepared::new(
            batch,
            &*self.encoder,
            &self.subject_prefix,
            self.limit(),
            |record, out| {
                let start = out.len();
                self.keys.write(record.value(), out)?;
                let collides = collisions
                    .as_mut()
                    .is_some_and(|all| all.collides(&out[start..], record.key()));
                if collides {
                    return Err(COLLISION.to_owned());
                }
                Ok(())
            },
        )
    }

    /// The first failure of a record that may pass, if there was one.
    async fn write_chains(
        &self,
        prepared: &Prepared,
        chains: &mut Chains<'_>,
        policy: Policy,
        lifeline: &mut Lifeline,
    ) -> Result<Option<Failure>, Failure> {
        if self.mode == RefreshMode::Full && !policy.written_before {
            let all = (0..chains.len()).collect();
            return self.write_open(prepared, chains, all, lifeline).await;
        }
        let mut cause = None;
        let mut start = 0;
        while start < chains.len() {
            let end = chains.len().min(start + self.sizes.keys_at_once());
            let keys: Vec<_> = (start..end).map(|chain| chains.key(chain)).collect();
            let found = lifeline.bind(self.reader.last(&keys)).await?;
            self.sizes.note(found.iter().map(Option::as_ref));
            for (chain, found) in (start..end).zip(found) {
                chains.found(chain, found);
            }
            let open = (start..end).collect();
            let failure = self.write_open(prepared, chains, open, lifeline).await?;
            cause = cause.or(failure);
            chains.forget(start..end);
            start = end;
        }
        Ok(cause)
    }

    /// Writes the chains that are open, in rounds: each ends when all its acks have come.
    async fn write_open(
        &self,
        prepared: &Prepared,
        chains: &mut Chains<'_>,
        mut open: Vec<usize>,
        lifeline: &mut Lifeline,
    ) -> Result<Option<Failure>, Failure> {
        let mut cause = None;
        while !open.is_empty() {
            let mut round = self.window.round(lifeline.clone());
            let mark = self.bucket.mark();
            let published = self.publish_all(prepared, chains, &open, &mut round).await;
            let settled = self.settle(chains, round.answers(), mark);
            if settled.suspicious {
                lifeline.bind(self.bucket.verify()).await?;
            }
            if let Some(failure) = settled.fatal {
                return Err(failure);
            }
            published?;
            cause = cause.or(settled.cause);
            open = settled.open;
            open.extend(
                self.read_again(chains, settled.conflicts, &mut cause, lifeline)
                    .await?,
            );
        }
        Ok(cause)
    }

    async fn publish_all(
        &self,
        prepared: &Prepared,
        chains: &mut Chains<'_>,
        open: &[usize],
        round: &mut Round<'_>,
    ) -> Result<(), Failure> {
        for chain in open {
            while let Some(write) = chains.choose(*chain) {
                match self.fit(write, prepared) {
                    Err(reason) => chains.reject(*chain, reason),
                    Ok(write) => {
                        self.publish(write, *chain, prepared, round).await?;
                        break;
                    }
                }
            }
        }
        round.complete().await
    }

    async fn publish(
        &self,
        write: Write,
        chain: usize,
        prepared: &Prepared,
        round: &mut Round<'_>,
    ) -> Result<(), Failure> {
        let reply = round.place(chain).await?;
        let (subject, payload) = (
            prepared.subject(write.record),
            prepared.payload(write.record),
        );
        let headers = self.headers(write);
        let sent = async {
            match headers {
                None => {
                    self.client
                        .publish_with_reply(subject, reply, payload)
                        .await
                }
                Some(headers) => {
                    self.client
                        .publish_with_reply_and_headers(subject, reply, headers, payload)
                        .await
                }
            }
            .map_err(|error| Failure::Transient(format!("cannot send to the server: {error}")))
        };
        round.lifeline().bind(sent).await
    }

    /// What the server must know of a write besides its payload.
    fn headers(&self, write: Write) -> Option<HeaderMap> {
        if write.expected.is_none() && self.ttl.is_none() {
            return None;
        }
        let mut headers = HeaderMap::new();
        if let Some(revision) = write.expected {
            headers.insert(
                header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE,
                header::HeaderValue::from(revision),
            );
        }
        if let Some(ttl) = &self.ttl {
            headers.insert(header::NATS_MESSAGE_TTL, ttl.clone());
        }
        Some(headers)
    }

    /// The bytes of a write's headers, as the server counts them.
    fn header_size(&self, expected: Option<u64>) -> usize {
        let revision = expected.map(|revision| {
            let digits = revision.checked_ilog10().unwrap_or(0) as usize + 1;
            "Nats-Expected-Last-Subject-Sequence: \r\n".len() + digits
        });
        let ttl = self
            .ttl
            .as_ref()
            .map(|ttl| "Nats-TTL: \r\n".len() + ttl.as_str().len());
        if revision.is_none() && ttl.is_none() {
            return 0;
        }
        "NATS/1.0\r\n\r\n".len() + revision.unwrap_or(0) + ttl.unwrap_or(0)
    }

    /// The write with its headers within the limits.
    fn fit(&self, write: Write, prepared: &Prepared) -> Result<Write, String> {
        let payload = prepared.payload_bytes(write.record).len();
        let check = |expected| self.limit().check(payload + self.header_size(expected));
        match check(write.expected) {
            Ok(()) => Ok(write),
            // What was put without a condition before must fit when it is repeated.
            Err(_) if self.mode == RefreshMode::Full => check(None).map(|()| Write {
                expected: None,
                ..write
            }),
            Err(reason) => Err(reason),
        }
    }

    fn limit(&self) -> Limit {
        Limit::new(self.client.max_payload(), self.max_value_size)
    }

    fn settle(&self, chains: &mut Chains<'_>, answers: Vec<(usize, Answer)>, mark: u64) -> Settled {
        let mut settled = Settled::default();
        for (chain, answer) in answers {
            match answer {
                Ok(revision) => {
                    settled.suspicious |= !self.bucket.follows(mark, revision);
                    if chains.store(chain, revision) {
                        settled.open.push(chain);
                    }
                }
                Err(Failure::Conflict) => settled.conflicts.push(chain),
                Err(Failure::Rejected(reason)) => {
                    chains.reject(chain, reason);
                    settled.open.push(chain);
                }
                Err(Failure::Permanent(why)) => {
                    let why = format!("bucket '{}': {why}", self.bucket.name());
                    settled.fatal.get_or_insert(Failure::Permanent(why));
                }
                Err(failure) => {
                    settled.suspicious |= failure == Failure::NoBucket;
                    settled.cause.get_or_insert(failure);
                    chains.give_up(chain);
                }
            }
        }
        settled
    }

    /// Reads what came first, at the leader: a direct get might not know of it yet. Returns the
    /// chains to decide again.
    async fn read_again(
        &self,
        chains: &mut Chains<'_>,
        mut conflicts: Vec<usize>,
        cause: &mut Option<Failure>,
        lifeline: &mut Lifeline,
    ) -> Result<Vec<usize>, Failure> {
        let mut times = 0;
        conflicts.retain(|chain| {
            let conflicts = chains.conflict(*chain);
            times = times.max(conflicts);
            if conflicts > MAX_CONFLICTS {
                cause.get_or_insert(Failure::Conflict);
                chains.give_up(*chain);
            }
            conflicts <= MAX_CONFLICTS
        });
        if conflicts.is_empty() {
            return Ok(conflicts);
        }
        if times > 1 {
            tokio::time::sleep(jitter(times)).await;
        }
        let keys: Vec<_> = conflicts.iter().map(|chain| chains.key(*chain)).collect();
        let found = lifeline.bind(self.reader.last_at_leader(&keys)).await?;
        for (chain, found) in conflicts.iter().zip(found) {
            chains.found(*chain, found);
        }
        Ok(conflicts)
    }
}

/// What the acks of a round amount to.
#[derive(Default)]
struct Settled {
    /// Chains that have more to write.
    open: Vec<usize>,
    conflicts: Vec<usize>,
    /// Why some chains were given up.
    cause: Option<Failure>,
    fatal: Option<Failure>,
    /// Whether this may be another bucket by now, or none.
    suspicious: bool,
}

/// A pause that two writers in each other's way do not share.
fn jitter(times: u32) -> Duration {
    let random = RandomState::new().hash_one(times);
    Duration::from_micros(random % (u64::from(times) * 1_000))
}
