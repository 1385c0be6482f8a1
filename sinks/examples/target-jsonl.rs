//! `target-jsonl`: a Singer target that writes each stream to a file.

use std::process::ExitCode;

use singer_sinks as _;
use singer_target::Target;

fn main() -> ExitCode {
    Target::new(
        "target-jsonl",
        env!("CARGO_PKG_VERSION"),
        "Writes each stream to a file",
    )
    .sink("jsonl")
    .run()
}
