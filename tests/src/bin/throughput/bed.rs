//! The server that all is measured against, and the one bucket that is made anew for each run.

use std::path::Path;
use std::time::Duration;

use nix::unistd::{SysconfVar, sysconf};
use serde_json::{Value as Json, json};
use target_tests::nats_server::NatsServer;

use crate::product::{self, Input, Run};
use crate::raw::{self, Put, Stored};
use crate::workload::STREAM;

const BUCKET: &str = "bench";

/// See the module.
pub(crate) struct Bed {
    server: NatsServer,
}

/// A value as the target stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) subject: Vec<u8>,
    pub(crate) payload: Vec<u8>,
}

impl Value {
    /// To be written if the key has this revision, or in any case.
    pub(crate) fn put(&self, expected: Option<u64>) -> Put<'_> {
        Put {
            subject: &self.subject,
            payload: &self.payload,
            expected,
        }
    }
}

impl Bed {
    pub(crate) fn new(server: NatsServer) -> Self {
        Self { server }
    }

    /// Where the server listens: address and port.
    pub(crate) fn address(&self) -> String {
        self.server.url().trim_start_matches("nats://").to_owned()
    }

    /// The processor time that the server has used.
    pub(crate) fn processor_time(&self) -> Duration {
        let path = format!("/proc/{}/stat", self.server.id());
        let stat = std::fs::read_to_string(path).expect("the server runs");
        // After the name, which may hold anything, come the state and ten more fields.
        let (_, fields) = stat.rsplit_once(')').expect("the name is in parentheses");
        let ticks = fields.split_whitespace().skip(11).take(2);
        let ticks: u64 = ticks.filter_map(|field| field.parse::<u64>().ok()).sum();
        let second = sysconf(SysconfVar::CLK_TCK).ok().flatten();
        let second = second.expect("the system has a clock");
        Duration::from_secs_f64(ticks as f64 / second as f64)
    }

    /// The settings of a run, with more of them.
    pub(crate) fn settings(&self, more: &Json) -> Json {
        let mut all = json!({"url": self.server.url(), "bucket": BUCKET});
        for (name, value) in more.as_object().into_iter().flatten() {
            all[name] = value.clone();
        }
        all
    }

    /// Makes the bucket anew, empty, with the settings that the target gives a new one.
    pub(crate) fn empty(&self) {
        let address = self.address();
        let names = raw::api(&address, "STREAM.NAMES");
        for name in names["streams"].as_array().into_iter().flatten() {
            let name = name.as_str().expect("streams have names");
            raw::api(&address, &format!("STREAM.DELETE.{name}"));
        }
        product::run(&self.settings(&json!({})), &Input::Nothing);
    }

    /// Makes the bucket anew and writes these values to it.
    pub(crate) fn filled(&self, values: &[Value]) {
        self.empty();
        let puts = values.iter().map(|value| value.put(None));
        raw::write(&self.address(), raw::Path::Fast, puts);
    }

    /// Runs the target. It must write this many values.
    pub(crate) fn load(&self, settings: &Json, input: &Path, writes: u64) -> Run {
        let before = self.last_revision();
        let run = product::run(&self.settings(settings), &Input::File(input));
        assert_eq!(self.last_revision() - before, writes, "{settings}");
        run
    }

    /// The number of the newest message.
    pub(crate) fn last_revision(&self) -> u64 {
        let info = raw::api(&self.address(), &format!("STREAM.INFO.KV_{BUCKET}"));
        info["state"]["last_seq"].as_u64().expect("a stream has it")
    }

    /// Reads the bucket's values of these subjects; the time it takes.
    pub(crate) fn read<'a>(
        &self,
        subjects: impl Iterator<Item = &'a [u8]>,
        found: impl FnMut(Stored<'_>),
    ) -> Duration {
        raw::read(&self.address(), &format!("KV_{BUCKET}"), subjects, found)
    }

    /// What the target has written, in the order of the input.
    pub(crate) fn values(&self, records: u64) -> Vec<Value> {
        let subjects: Vec<_> = (1..=records).map(subject).collect();
        let mut values = vec![None; subjects.len()];
        self.read(subjects.iter().map(Vec::as_slice), |stored| {
            values[index(stored.subject)] = Some(Value {
                subject: stored.subject.to_vec(),
                payload: stored.payload.to_vec(),
            });
        });
        values
            .into_iter()
            .map(|value| value.expect("the target has written every record"))
            .collect()
    }
}

/// Where the record `id` is stored.
fn subject(id: u64) -> Vec<u8> {
    format!("$KV.{BUCKET}.{STREAM}.{id}").into_bytes()
}

/// The place in the input of the record that is stored there.
pub(crate) fn index(subject: &[u8]) -> usize {
    let id = subject.rsplit(|byte| *byte == b'.').next();
    let id = id.and_then(|id| std::str::from_utf8(id).ok()?.parse::<usize>().ok());
    id.expect("keys end in the record's id") - 1
}
