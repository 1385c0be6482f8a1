//! The servers that all is measured against, and the one bucket that is made anew for each run.

use std::borrow::Cow;
use std::cell::Cell;
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
    /// One, or those of a cluster, each with a replica of the bucket.
    servers: Vec<NatsServer>,
    /// Which of them leads the bucket's stream.
    leader: Cell<usize>,
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
            subject: Cow::Borrowed(&self.subject),
            payload: &self.payload,
            expected,
        }
    }
}

impl Bed {
    pub(crate) fn new(servers: Vec<NatsServer>) -> Self {
        let leader = Cell::new(0);
        Self { servers, leader }
    }

    /// Where the server listens: address and port. In a cluster, the one that leads.
    pub(crate) fn address(&self) -> String {
        self.url().trim_start_matches("nats://").to_owned()
    }

    fn url(&self) -> String {
        self.servers[self.leader.get()].url()
    }

    /// The processor time that the servers have used.
    pub(crate) fn processor_time(&self) -> Duration {
        let second = sysconf(SysconfVar::CLK_TCK).ok().flatten();
        let second = second.expect("the system has a clock");
        let ticks = self.servers.iter().flat_map(|server| {
            let stat = process_file(server, "stat");
            // After the name, which may hold anything, come the state and ten more fields.
            let (_, fields) = stat.rsplit_once(')').expect("the name is in parentheses");
            let used = fields.split_whitespace().skip(11).take(2);
            used.filter_map(|field| field.parse::<u64>().ok())
                .collect::<Vec<_>>()
        });
        Duration::from_secs_f64(ticks.sum::<u64>() as f64 / second as f64)
    }

    /// The bytes of memory that the server holds.
    pub(crate) fn memory(&self) -> u64 {
        let status = process_file(&self.servers[self.leader.get()], "status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kilobytes.expect("the kernel says so") * 1024
    }

    /// The settings of a run, with more of them.
    pub(crate) fn settings(&self, more: &Json) -> Json {
        let mut all = json!({
            "url": self.url(), "bucket": BUCKET, "bucket_replicas": self.servers.len(),
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            all[name] = value.clone();
        }
        all
    }

    /// Makes the bucket anew, empty, with the settings that the target gives a new one.
    pub(crate) fn empty(&self) {
        self.clear();
        product::run(&self.settings(&json!({})), &Input::Nothing);
        let leader = self.info()["cluster"]["leader"].as_str().map(str::to_owned);
        // The servers of a cluster are named n0, n1 and so on.
        let number = leader.and_then(|name| name.strip_prefix('n')?.parse().ok());
        self.leader.set(number.unwrap_or(0));
    }

    /// Removes all buckets.
    pub(crate) fn clear(&self) {
        let address = self.address();
        let names = raw::api(&address, "STREAM.NAMES");
        for name in names["streams"].as_array().into_iter().flatten() {
            let name = name.as_str().expect("streams have names");
            raw::api(&address, &format!("STREAM.DELETE.{name}"));
        }
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
        let last = self.info()["state"]["last_seq"].as_u64();
        last.expect("a stream has it")
    }

    /// The bytes that the bucket takes on disk.
    pub(crate) fn disk(&self) -> u64 {
        let bytes = self.info()["state"]["bytes"].as_u64();
        bytes.expect("a stream has it")
    }

    fn info(&self) -> Json {
        raw::api(&self.address(), &format!("STREAM.INFO.KV_{BUCKET}"))
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

/// What the kernel says of a server in the file `name`.
fn process_file(server: &NatsServer, name: &str) -> String {
    let path = format!("/proc/{}/{name}", server.id());
    std::fs::read_to_string(path).expect("the server runs")
}

/// Where the record `id` is stored.
pub(crate) fn subject(id: u64) -> Vec<u8> {
    format!("$KV.{BUCKET}.{STREAM}.{id}").into_bytes()
}

/// The place in the input of the record that is stored there.
pub(crate) fn index(subject: &[u8]) -> usize {
    let id = subject.rsplit(|byte| *byte == b'.').next();
    let id = id.and_then(|id| std::str::from_utf8(id).ok()?.parse::<usize>().ok());
    id.expect("keys end in the record's id") - 1
}
