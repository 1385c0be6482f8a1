//! Writing a batch: decide, publish, wait for the acks, decide again what was in conflict.

pub(super) mod answer;
mod chains;
mod fast;
mod forecast;
mod form;
mod identity;
mod lifeline;
mod lookup;
mod novelty;
mod own;
mod prepare;
mod round;
mod rules;
mod settle;
mod sizes;
mod sweep;
mod window;

pub(super) use fast::Lane;
pub(super) use forecast::{Memory, StreamForecast};
pub(super) use form::Form;
pub(super) use identity::Identity;
pub(super) use lifeline::Lifeline;
pub(super) use novelty::Novelty;
pub(super) use own::{OwnRevisions, OwnValues};
pub(super) use prepare::Limit;
pub(super) use round::{Outgoing, publish};
pub(super) use rules::StreamRules;
pub(super) use sizes::StoredSizes;
pub(super) use sweep::{Counted, Sweep, next_page};
pub(super) use window::Window;

use std::collections::HashSet;
use std::sync::Arc;

use async_nats::Client;
use singer_target::Batch;
use singer_target::{Report, SinkError};

use super::config::RefreshMode;
use super::error::Failure;
use super::read::{Ahead, Reader, Witness};
use chains::{Chains, Policy, Write};
use fast::FastBatch;
use prepare::Prepared;
use round::Round;
use settle::Settled;

/// Writes the batches of one stream to its bucket.
pub(super) struct StreamWriter {
    pub(super) rules: StreamRules,
    pub(super) client: Client,
    pub(super) window: Arc<Window>,
    /// Where the bucket takes fast ingest, and the settings allow it.
    pub(super) fast_lane: Option<Arc<Lane>>,
    pub(super) bucket: Arc<Identity>,
    pub(super) reader: Reader,
    pub(super) ahead: Ahead,
    pub(super) witness: Arc<Witness>,
    pub(super) max_value_size: Option<usize>,
    pub(super) keep_history: bool,
    /// The revision of the bucket's newest value when the run began.
    pub(super) began_at: u64,
    /// How large the stored values are.
    pub(super) sizes: StoredSizes,
    /// Whether keys are likely to be new.
    pub(super) novelty: Novelty,
    /// What was written during this run.
    pub(super) own: OwnRevisions,
}

impl AsRef<StreamRules> for StreamWriter {
    fn as_ref(&self) -> &StreamRules {
        &self.rules
    }
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
        let prepared = self.rules.prepare(batch, self.limit());
        let policy = Policy {
            keep_history: self.keep_history,
            written_before: batch.attempt() > 0,
        };
        let mut chains = Chains::new(batch, &prepared, &self.rules.comparison, policy);
        let mut outcome = self
            .write_chains(&prepared, &mut chains, &mut lifeline)
            .await;
        if outcome == Err(Failure::NoBucket) {
            // It is gone for good, or about to have a new leader.
            outcome = lifeline.bind(self.bucket.verify()).await.and(outcome);
        }
        let cause = match outcome {
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

    /// The first failure of a record that may pass, if there was one.
    async fn write_chains(
        &self,
        prepared: &Prepared,
        chains: &mut Chains<'_>,
        lifeline: &mut Lifeline,
    ) -> Result<Option<Failure>, Failure> {
        if self.rules.mode == RefreshMode::Full && !chains.may_be_stored() {
            let all = (0..chains.len()).collect();
            return self.write_open(prepared, chains, all, lifeline).await;
        }
        let mut cause = None;
        let mut start = 0;
        while start < chains.len() {
            let is_new = !chains.may_be_stored() && self.novelty.is_expected();
            let end = if is_new {
                chains.len()
            } else {
                chains.len().min(start + self.sizes.keys_at_once())
            };
            let part = start..end;
            let open: Vec<_> = part.clone().collect();
            let others = self.recall(chains, &open);
            if is_new {
                others.iter().for_each(|chain| chains.found(*chain, None));
            } else {
                self.read(chains, &others, lifeline).await?;
            }
            let failure = self.write_open(prepared, chains, open, lifeline).await?;
            cause = cause.or(failure);
            if is_new {
                let conflicts = chains.conflicts(&others);
                self.novelty.note_written(others.len(), conflicts);
            }
            chains.forget(part);
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
        let mut due = Vec::new();
        loop {
            self.take_due(prepared, chains, &open, &mut due);
            let mut doubtful = open;
            doubtful.retain(|chain| chains.is_in_doubt(*chain));
            if due.is_empty() && doubtful.is_empty() {
                return Ok(cause);
            }
            let settled = if due.is_empty() {
                Settled::default()
            } else {
                self.write_due(prepared, chains, &mut due, lifeline).await?
            };
            cause = cause.or(settled.cause);
            doubtful.extend(settled.unknown);
            self.look_up(chains, &doubtful, lifeline).await?;
            open = settled.open;
            open.append(&mut doubtful);
            open.extend(
                self.read_again(chains, settled.conflicts, &mut cause, lifeline)
                    .await?,
            );
        }
    }

    /// Adds the next write of each chain that is open and has one.
    fn take_due(
        &self,
        prepared: &Prepared,
        chains: &mut Chains<'_>,
        open: &[usize],
        due: &mut Vec<Due>,
    ) {
        due.reserve(open.len());
        for chain in open {
            while let Some(write) = chains.choose(*chain) {
                match self.rules.form.fit(write, prepared, self.limit()) {
                    Err(reason) => chains.reject(*chain, reason),
                    Ok(write) => {
                        due.push((*chain, write));
                        break;
                    }
                }
            }
        }
    }

    /// Writes what is due in one round. What is kept back by a conflict before it stays due.
    async fn write_due(
        &self,
        prepared: &Prepared,
        chains: &mut Chains<'_>,
        due: &mut Vec<Due>,
        lifeline: &mut Lifeline,
    ) -> Result<Settled, Failure> {
        let mark = self.bucket.mark();
        let writes = self.witness.round();
        let round = self.round(prepared, chains, due.len());
        let mut round = lifeline.bind(round).await?;
        let all = self.publish_all(prepared, due, &mut round);
        let mut published = lifeline.bind(all).await;
        let is_cut = published == Err(Failure::Conflict) && round.ended_in_conflict();
        if is_cut {
            published = Ok(());
        }
        // All of the batch has greater revisions than what was acknowledged before it began.
        let is_other = round.earliest().is_some_and(|before| before < mark);
        let lost_batch = published.is_err() && matches!(round, Round::Fast(_));
        // Whatever was acknowledged by now, and has a lesser revision than the batch, was sent
        // before it over this connection, and the server keeps that order.
        let is_asked = published.is_ok() && self.has_conditions(chains);
        let answers = round.answers(is_asked.then(|| self.bucket.mark()));
        let sent = due.len();
        if is_cut {
            let answered: HashSet<usize> = answers.iter().map(|(chain, _)| *chain).collect();
            due.retain(|(chain, _)| !answered.contains(chain));
        } else {
            due.clear();
        }
        let settled = self.settle(chains, answers, mark);
        drop(writes);
        self.note_conditions(chains, sent, &settled);
        if settled.suspicious || is_other || lost_batch {
            lifeline.bind(self.bucket.verify()).await?;
        }
        match settled.fatal {
            Some(failure) => Err(failure),
            None => published.map(|()| settled),
        }
    }

    /// Whether writes name the revision that they replace.
    fn has_conditions(&self, chains: &Chains<'_>) -> bool {
        self.rules.mode != RefreshMode::Full || chains.may_be_stored()
    }

    /// Learns from a round of so many writes whether conflicts are rare.
    fn note_conditions(&self, chains: &Chains<'_>, writes: usize, settled: &Settled) {
        if let Some(lane) = &self.fast_lane
            && lane.takes(writes)
            && self.has_conditions(chains)
        {
            lane.note_conditions(!settled.conflicts.is_empty());
        }
    }

    /// A round of so many writes.
    async fn round(
        &self,
        prepared: &Prepared,
        chains: &Chains<'_>,
        writes: usize,
    ) -> Result<Round<'_>, Failure> {
        let lane = self.fast_lane.as_deref().filter(|lane| {
            lane.takes(writes)
                // What was under way may be stored after it was looked for.
                && !chains.may_be_stored()
                // A purge takes the history away, which a batch of the server's might not allow.
                && !prepared.has_removals()
                && (!self.has_conditions(chains) || lane.takes_conditions())
        });
        let Some(lane) = lane else {
            return Ok(Round::Acks(self.window.round(&self.reader.stream_name)));
        };
        // All batches in flight together keep within the window.
        let share = (self.window.size() / super::sink::CONCURRENCY).max(1);
        let patience = self.window.patience();
        FastBatch::open(&self.client, lane, share, patience)
            .await
            .map(|batch| Round::Fast(Box::new(batch)))
    }

    async fn publish_all(
        &self,
        prepared: &Prepared,
        due: &[Due],
        round: &mut Round<'_>,
    ) -> Result<(), Failure> {
        let turn = self.window.turn().await;
        for (chain, write) in due {
            let message = self.rules.form.message(*write, prepared);
            round.send(&self.client, *chain, message).await?;
        }
        round.finish().await?;
        drop(turn);
        round.complete().await
    }

    fn limit(&self) -> Limit {
        Limit::new(self.client.max_payload(), self.max_value_size)
    }
}

/// A write that is to be made, and whose chain it belongs to.
type Due = (usize, Write);
