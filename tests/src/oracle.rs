//! The oracle: an input whose outcome is known, and the judgement of what a run left of it.
//!
//! Each record has a number, which is also its bookmark; its key is the number modulo the number of
//! keys, so every key is written many times, with a growing bookmark. A STATE says how many records
//! came before it. Whatever happens to the target, the server or the network:
//!
//! - standard output is lines of JSON, and STATEs come in the order of the input;
//! - for every record before the last STATE the bucket holds that record or a newer one of its key;
//! - no key ever goes back to an older record;
//! - a run that succeeds has printed the last STATE, and the bucket holds the newest records.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};

use crate::bucket::Bucket;
use crate::singer::{record, schema_with_bookmark, state};
use crate::target::{Outcome, Running};

/// The one stream of the input.
const STREAM: &str = "s";

/// An input whose outcome is known.
#[derive(Debug, Clone, Copy)]
pub struct Workload {
    /// How many keys the records have.
    pub keys: u64,
    /// How many records there are.
    pub records: u64,
    /// After how many records a STATE comes.
    pub state_every: u64,
    /// How large each record is, about, in bytes.
    pub size: usize,
}

impl Default for Workload {
    fn default() -> Self {
        Self {
            keys: 700,
            records: 10_000,
            state_every: 50,
            size: 130,
        }
    }
}

impl Workload {
    /// With as many records as this, and the same keys.
    #[must_use]
    pub fn of(records: u64) -> Self {
        Self {
            records,
            ..Self::default()
        }
    }

    /// With each key once. Where writes name no revision (`full`), a key goes back when a later run
    /// begins anew, or a late copy of a write arrives; `docs/guarantees.md` says so.
    #[must_use]
    pub fn each_key_once(self) -> Self {
        Self {
            keys: self.records,
            ..self
        }
    }

    /// The SCHEMA line.
    #[must_use]
    pub fn schema(&self) -> String {
        let properties = json!({"id": {"type": "integer"}, "b": {"type": "integer"}});
        schema_with_bookmark(STREAM, properties, &["id"], "b")
    }

    /// The records of these numbers, with the STATEs among them.
    #[must_use]
    pub fn records(&self, numbers: std::ops::Range<u64>) -> String {
        let mut lines = String::new();
        let text = "x".repeat(self.size.saturating_sub(30));
        for number in numbers {
            let id = number % self.keys;
            lines += &record(STREAM, json!({"id": id, "b": number, "text": text}));
            if (number + 1).is_multiple_of(self.state_every) {
                lines += &state(json!({"done": number + 1}));
            }
        }
        lines
    }

    /// The whole input, as a tap sends it that begins anew at record `first`.
    #[must_use]
    pub fn input_from(&self, first: u64) -> String {
        self.schema() + &self.records(first..self.records)
    }

    /// Waits until the run has printed the state behind so many records.
    ///
    /// # Panics
    /// If it does not in time.
    pub fn reaches(&self, run: &mut Running, records: u64) {
        while done(&run.state()) < records {}
    }

    /// Feeds the run in small pieces, so that it is somewhere in the middle for a while.
    pub fn feed(&self, run: &mut Running, first: u64) {
        let mut stdin = run.take_stdin();
        let input = self.input_from(first);
        std::thread::spawn(move || {
            for piece in input.as_bytes().chunks(20_000) {
                if stdin.write_all(piece).is_err() {
                    return;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        });
    }

    /// What every key must at least be at, when all records before this one are safe.
    fn model(&self, done: u64) -> BTreeMap<String, u64> {
        (0..done)
            .map(|number| (format!("{STREAM}.{}", number % self.keys), number))
            .collect()
    }

    /// The bucket is not behind the last of these STATEs, and no key went back. Returns which
    /// record each key is at.
    ///
    /// # Panics
    /// If it is not so. The message says where.
    pub async fn holds(&self, bucket: &Bucket, states: &[Value]) -> BTreeMap<String, u64> {
        let states: Vec<u64> = states.iter().map(done).collect();
        assert!(states.is_sorted(), "out of order: {states:?}");
        let last = states.last().copied().unwrap_or(0);
        let stored = newest(bucket).await;
        for (key, number) in self.model(last) {
            let found = stored.get(&key);
            assert!(
                found >= Some(&number),
                "{key}: {found:?} is stored, {number} was read before the state {last}"
            );
        }
        stored
    }

    /// The run was successful and left exactly what the input says.
    ///
    /// # Panics
    /// If it is not so. The message says where.
    pub async fn is_complete(&self, bucket: &Bucket, outcome: Outcome) {
        let outcome = outcome.success();
        let last = self.records - self.records % self.state_every;
        assert_eq!(outcome.states().last(), Some(&json!({"done": last})));
        let stored = self.holds(bucket, &outcome.states()).await;
        assert_eq!(stored, self.model(self.records));
    }
}

/// How many records came before a STATE.
///
/// # Panics
/// If it is not one of ours.
#[must_use]
pub fn done(state: &Value) -> u64 {
    state["done"].as_u64().expect("our states have numbers")
}

/// Which record each key is at. None ever went back to an older one; the same may be there twice.
async fn newest(bucket: &Bucket) -> BTreeMap<String, u64> {
    let mut newest: BTreeMap<String, u64> = BTreeMap::new();
    for entry in bucket.messages().await {
        let number = entry.json()["b"].as_u64().expect("all records have one");
        let before = newest.insert(entry.key.clone(), number);
        assert!(
            before <= Some(number),
            "{} went from {before:?} back to {number} in revision {}",
            entry.key,
            entry.revision
        );
    }
    newest
}

/// Chance that can be repeated: `SEED=…` in the environment, which is printed if a test fails.
#[must_use]
pub fn chance(name: &str) -> Rng {
    let given = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| fastrand::u64(..));
    #[allow(
        clippy::print_stderr,
        reason = "a failure must be repeatable; shown only then"
    )]
    {
        eprintln!("{name}: SEED={seed}");
    }
    Rng::with_seed(seed)
}
