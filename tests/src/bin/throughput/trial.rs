//! One case in one encoding: the ceilings and the target in turn, from the same state of the server.

use std::time::Duration;

use clap::ValueEnum;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde_json::{Value as Json, json};
use tempfile::TempPath;

use crate::bed::{Bed, Value, index};
use crate::burden::Burden;
use crate::product::Run;
use crate::raw;
use crate::samples::Samples;
use crate::workload::{TIMES, Workload};

/// What is loaded over what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Case {
    /// All records, unconditionally.
    Full,
    /// The same without validation; compared by what it costs only.
    Unvalidated,
    /// `newer`, into an empty bucket: every write must be the key's first.
    Create,
    /// `newer`, over the same data: all is read, nothing written.
    Identical,
    /// `newer`, half of the records newer than what is stored: all is read, half written.
    Half,
    /// `newer`, into an empty bucket, each key ten times: all is written, and nothing need be read.
    Again,
}

/// One input: as the tap sends it, and as the target stores it.
pub(crate) struct Data {
    pub(crate) encoding: &'static str,
    pub(crate) records: u64,
    first: TempPath,
    updated: TempPath,
    again: TempPath,
    values: Vec<Value>,
    /// The values that the updated input changes.
    changed: Vec<Value>,
}

impl Data {
    /// Lets the target load the workload once, to learn what it stores.
    pub(crate) fn new(bed: &Bed, encoding: &'static str, workload: Workload) -> Self {
        let first = workload.file();
        let updated = workload.updated().file();
        let records = workload.records;
        let settings = |mode: &str| json!({"encoding": encoding, "refresh_mode": mode});
        bed.empty();
        bed.load(&settings("full"), &first, records);
        let values = bed.values(records);
        bed.load(&settings("newer"), &updated, records / 2);
        let mut changed = bed.values(records);
        let mut before = values.iter();
        changed.retain(|value| before.next() != Some(value));
        Self {
            encoding,
            records,
            first,
            updated,
            again: workload.again().file(),
            values,
            changed,
        }
    }

    /// What the target stores of the first input, in its order.
    pub(crate) fn values(&self) -> &[Value] {
        &self.values
    }

    /// The bytes of the values.
    pub(crate) fn bytes(&self) -> usize {
        self.values.iter().map(|value| value.payload.len()).sum()
    }
}

/// What one client was measured to take.
pub(crate) struct Side {
    pub(crate) name: &'static str,
    pub(crate) seconds: Samples,
    /// Microseconds of its processor time a record.
    pub(crate) client: Samples,
    /// Microseconds of the server's processor time a record.
    pub(crate) server: Samples,
}

impl Side {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            seconds: Samples::default(),
            client: Samples::default(),
            server: Samples::default(),
        }
    }

    fn push(&mut self, records: u64, wall: Duration, client: Duration, server: Duration) {
        let each = |time: Duration| time.as_secs_f64() * 1e6 / records as f64;
        self.seconds.push(wall.as_secs_f64());
        self.client.push(each(client));
        self.server.push(each(server));
    }
}

/// See the module.
pub(crate) struct Trial<'a> {
    pub(crate) case: Case,
    pub(crate) data: &'a Data,
    /// The raw client, one for each way that it can go.
    pub(crate) ceilings: Vec<Side>,
    /// The same with what no target can do without, if there is to be a burden.
    pub(crate) burdened: Vec<Side>,
    burden: Burden,
    pub(crate) target: Side,
    /// The most bytes of memory that the target held.
    pub(crate) memory: u64,
}

impl<'a> Trial<'a> {
    pub(crate) fn new(case: Case, data: &'a Data) -> Self {
        Self {
            case,
            data,
            ceilings: case.sides(raw::Path::ALL),
            burdened: Vec::new(),
            burden: Burden::default(),
            target: Side::new("target"),
            memory: 0,
        }
    }

    /// Also measures the raw client with a burden, and where it must answer for each write.
    pub(crate) fn with_burden(mut self, burden: Burden) -> Self {
        self.burden = burden;
        self.burdened = self.case.sides(raw::Path::ANSWERABLE);
        self
    }

    /// Measures each ceiling and the target once.
    pub(crate) fn round(&mut self, bed: &Bed) {
        let (case, data) = (self.case, self.data);
        let without = self.ceilings.iter_mut().zip(raw::Path::ALL);
        let with = self.burdened.iter_mut().zip(raw::Path::ANSWERABLE);
        let sides = without.map(|side| (side, Burden::default()));
        for ((side, path), burden) in sides.chain(with.map(|side| (side, self.burden))) {
            case.prepare(bed, data);
            let (own, server) = (own_processor_time(), bed.processor_time());
            let wall = case.ceiling(bed, data, path, burden);
            let (own, server) = (own_processor_time() - own, bed.processor_time() - server);
            side.push(data.records, wall, own, server);
            assert_eq!(bed.last_revision(), case.revisions(data), "{case:?}");
        }
        case.prepare(bed, data);
        let server = bed.processor_time();
        let run = case.target(bed, data);
        let server = bed.processor_time() - server;
        self.target.push(data.records, run.wall, run.cpu, server);
        self.memory = self.memory.max(run.memory);
    }

    /// The best ceiling.
    pub(crate) fn ceiling(&self) -> Option<&Side> {
        best(&self.ceilings)
    }
}

/// The quickest of the ways that one client can go.
pub(crate) fn best(sides: &[Side]) -> Option<&Side> {
    sides.iter().min_by(|one, other| {
        let (one, other) = (one.seconds.median(), other.seconds.median());
        one.total_cmp(&other)
    })
}

/// The processor time of this thread, which is what the raw client runs on.
fn own_processor_time() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_THREAD).expect("the system counts it");
    [usage.user_time(), usage.system_time()]
        .into_iter()
        .map(|time| Duration::from_micros(time.num_microseconds().cast_unsigned()))
        .sum()
}

impl Case {
    /// What the tables call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Unvalidated => "full, validation off",
            Self::Create => "newer, into an empty bucket",
            Self::Identical => "newer, identical data",
            Self::Half => "newer, half updated",
            Self::Again => "newer, each key ten times",
        }
    }

    /// What is measured of the raw client where it writes by one of `paths`.
    fn sides(self, paths: [raw::Path; 2]) -> Vec<Side> {
        match self {
            Self::Full | Self::Create | Self::Half | Self::Again => {
                paths.map(raw::Path::name).map(Side::new).into()
            }
            Self::Identical => vec![Side::new("multi_last")],
            Self::Unvalidated => Vec::new(),
        }
    }

    fn prepare(self, bed: &Bed, data: &Data) {
        match self {
            Self::Full | Self::Unvalidated | Self::Create | Self::Again => bed.empty(),
            Self::Identical | Self::Half => bed.filled(&data.values),
        }
    }

    fn ceiling(self, bed: &Bed, data: &Data, path: raw::Path, burden: Burden) -> Duration {
        let address = bed.address();
        let values = data.values.iter().inspect(|_| burden.bear());
        match self {
            Self::Full | Self::Unvalidated => {
                raw::write(&address, path, values.map(|value| value.put(None)))
            }
            Self::Create => raw::write(&address, path, values.map(|value| value.put(Some(0)))),
            Self::Again => {
                // In an empty bucket, the first message has the revision 1.
                let keys = data.values.len() / TIMES;
                let puts = (0..data.values.len()).map(|number| {
                    burden.bear();
                    let before = (number + 1).saturating_sub(keys);
                    data.values[number % keys].put(Some(before as u64))
                });
                raw::write(&address, path, puts)
            }
            Self::Identical => read_all(bed, data, burden).0,
            Self::Half => {
                let (time, revisions) = read_all(bed, data, burden);
                let changed = data.changed.iter();
                let puts = changed.map(|value| value.put(Some(revisions[index(&value.subject)])));
                time + raw::write(&address, path, puts)
            }
        }
    }

    fn target(self, bed: &Bed, data: &Data) -> Run {
        let (mode, input, writes) = match self {
            Self::Full | Self::Unvalidated => ("full", &data.first, data.records),
            Self::Create => ("newer", &data.first, data.records),
            Self::Again => ("newer", &data.again, data.records),
            Self::Identical => ("newer", &data.first, 0),
            Self::Half => ("newer", &data.updated, data.records / 2),
        };
        let settings: Json = json!({
            "encoding": data.encoding,
            "refresh_mode": mode,
            "validate_records": self != Self::Unvalidated,
        });
        bed.load(&settings, input, writes)
    }

    /// The bucket's last revision after a run.
    fn revisions(self, data: &Data) -> u64 {
        match self {
            Self::Half => data.records + data.records / 2,
            _ => data.records,
        }
    }
}

/// Reads every value; the time that it takes, and the revisions.
fn read_all(bed: &Bed, data: &Data, burden: Burden) -> (Duration, Vec<u64>) {
    let mut revisions = vec![0; data.values.len()];
    let subjects = data.values.iter().map(|value| value.subject.as_slice());
    let time = bed.read(subjects, |stored| {
        burden.bear();
        revisions[index(stored.subject)] = stored.revision;
    });
    assert!(!revisions.contains(&0), "a value was not found");
    (time, revisions)
}
