//! One pass over the keys of a bucket, without their values.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use singer_target::SinkError;

use crate::nats_kv::bucket::Bucket;
use crate::nats_kv::connect::{Connection, Patience};
use crate::nats_kv::error::Failure;
use crate::nats_kv::key::{self, KeyRules};
use crate::nats_kv::read::{Content, Found};
use crate::nats_kv::scan::{Of, Scan};
use crate::nats_kv::write::Lifeline;

/// Keys that are asked for at once.
const PAGE: usize = 5_000;

/// How long the server may be silent in the middle of the pass.
const PATIENCE: Duration = Duration::from_secs(30);

/// The latest keys of a stream with their sequence numbers, the oldest first.
pub(super) type Latest = VecDeque<(u64, String)>;

/// The keys of a stream.
#[derive(Debug, Default)]
pub(super) struct StreamKeys {
    pub(super) count: u64,
    pub(super) latest: Latest,
}

/// The keys of a bucket.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub(super) streams: BTreeMap<String, StreamKeys>,
    /// Keys that these rules do not write.
    pub(super) foreign: u64,
    /// How many of a stream's latest keys are kept.
    sample: usize,
}

impl Survey {
    pub(super) async fn of(
        connection: &Connection,
        bucket: &Bucket,
        rules: &KeyRules,
        sample: usize,
    ) -> Result<Self, SinkError> {
        let failed = |error: &dyn std::fmt::Display| {
            SinkError::unavailable(format!(
                "cannot list the keys of bucket '{}': {error}",
                bucket.name
            ))
        };
        let mut survey = Self {
            sample,
            ..Self::default()
        };
        if bucket.messages == 0 {
            return Ok(survey);
        }
        let mut lifeline = Lifeline::grasp(&connection.link, connection.request_timeout)
            .await
            .map_err(|error| failed(&error))?;
        let pass = survey.pass(connection, bucket, rules);
        lifeline.bind(pass).await.map_err(|error| failed(&error))?;
        Ok(survey)
    }

    async fn pass(
        &mut self,
        connection: &Connection,
        bucket: &Bucket,
        rules: &KeyRules,
    ) -> Result<(), Failure> {
        let stream = connection
            .jetstream
            .get_stream_no_info(&bucket.stream_name)
            .await
            .map_err(|error| Failure::Transient(error.to_string()))?;
        let mut scan = Scan::open(
            &stream,
            &connection.client,
            format!("{}>", bucket.read_prefix),
            bucket.read_prefix.clone(),
            Patience::new(&connection.client, PATIENCE),
            Of::Keys,
        )
        .await?;
        loop {
            let page = scan.next_page(PAGE).await?;
            if page.is_empty() {
                return Ok(());
            }
            for (key, Found { revision, content }) in page {
                if matches!(content, Content::Value(_)) {
                    self.add(rules, &key, revision);
                }
            }
        }
    }

    fn add(&mut self, rules: &KeyRules, key: &str, sequence: u64) {
        let Some(split) = key::split(rules, key) else {
            self.foreign += 1;
            return;
        };
        let keys = self.streams.entry(split.stream).or_default();
        keys.count += 1;
        keys.latest.push_back((sequence, key.to_owned()));
        if keys.latest.len() > self.sample {
            keys.latest.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_counted_and_the_latest_kept() {
        let rules = KeyRules::new(&Default::default(), "$KV.b.");
        let mut survey = Survey {
            sample: 1_000,
            ..Survey::default()
        };
        for sequence in 1..=1_500 {
            survey.add(&rules, &format!("a=20b.{sequence}"), sequence);
        }
        survey.add(&rules, "other.1", 1_501);
        survey.add(&rules, "foreign", 1_502);
        let keys = &survey.streams["a b"];
        assert_eq!((keys.count, keys.latest.len()), (1_500, 1_000));
        assert_eq!(keys.latest[0], (501, "a=20b.501".to_owned()));
        assert_eq!(survey.streams["other"].count, 1);
        assert_eq!(survey.foreign, 1);
    }
}
