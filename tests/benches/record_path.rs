//! What a record costs on its way from the line to the sink, without a server: `cargo bench`.
//!
//! The figures are for all lines of the input together; divide by [`RECORDS`]. The whole way
//! includes the thread that hands out the lines.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use singer_sinks::encoders::{Json, MessagePack, MessagePackConfig};
use singer_target::internals::load;
use singer_target::value::Tape;
use singer_target::{Batch, Encoder, EncoderPlugin, Report, Sink, SinkError};

#[path = "../src/bin/throughput/workload.rs"]
#[expect(dead_code, reason = "the other half of it serves `cargo throughput`")]
mod workload;

use workload::Workload;

const RECORDS: u64 = 10_000;

fn main() {
    divan::main();
}

/// How the same records may be written by a tap.
#[derive(Debug, Clone, Copy)]
enum Style {
    /// As the Meltano SDK writes them.
    Compact,
    /// As `json.dumps` does: with spaces, and with escapes for what is not ASCII.
    Spaced,
}

const STYLES: [Style; 2] = [Style::Compact, Style::Spaced];

fn input(style: Style) -> Vec<u8> {
    let mut lines = Vec::new();
    Workload::of(RECORDS)
        .write(&mut lines)
        .expect("memory can be written");
    match style {
        Style::Compact => lines,
        // No text of the workload has these characters but as JSON's own.
        Style::Spaced => String::from_utf8(lines)
            .expect("UTF-8")
            .replace("\":", "\": ")
            .replace(",\"", ", \"")
            .replace('ü', "\\u00fc")
            .replace('ó', "\\u00f3")
            .into_bytes(),
    }
}

fn records<'a, 'b>(bencher: Bencher<'a, 'b>) -> Bencher<'a, 'b> {
    bencher.counter(ItemsCount::new(RECORDS))
}

/// Line to tape.
#[divan::bench(args = STYLES)]
fn parse(bencher: Bencher<'_, '_>, style: Style) {
    let input = input(style);
    let mut tape = Tape::new();
    records(bencher).bench_local(|| {
        for line in input.split(|byte| *byte == b'\n') {
            let _ = black_box(tape.parse(line));
        }
    });
}

/// Tape to bytes.
#[divan::bench(args = ["json", "msgpack"])]
fn encode(bencher: Bencher<'_, '_>, encoding: &str) {
    let encoder: &dyn Encoder = match encoding {
        "json" => &Json,
        _ => &MessagePack::build(MessagePackConfig::default()),
    };
    let tapes: Vec<Tape> = input(Style::Compact)
        .split(|byte| *byte == b'\n')
        .filter_map(|line| {
            let mut tape = Tape::new();
            tape.parse(line).ok().map(|()| tape)
        })
        .collect();
    let mut out = Vec::new();
    records(bencher).bench_local(|| {
        for record in tapes.iter().filter_map(|tape| tape.root()?.get("record")) {
            out.clear();
            let _ = black_box(encoder.encode(record, &mut out));
        }
    });
}

/// Forgets what it is given.
struct Nowhere;

impl Sink for Nowhere {
    async fn write(&self, batch: &Batch) -> Result<Report, SinkError> {
        Ok(Report::all_written(batch))
    }
}

/// The whole way, with and without validation.
#[divan::bench(args = [true, false])]
fn whole_way(bencher: Bencher<'_, '_>, validate: bool) {
    let input = input(Style::Compact);
    records(bencher)
        .with_inputs(|| input.clone())
        .bench_values(|input| load(Nowhere, input, validate).expect("good input"));
}
