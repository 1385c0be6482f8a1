//! `target-nats-kv`: a Singer target that loads streams into a NATS key/value bucket.
//!
//! Everything is in the framework and in the plugins; this says which of them make the command.

use std::process::ExitCode;

// Names the crate, so that its plugins are linked and can register themselves.
use singer_sinks as _;
use singer_target::Target;

fn main() -> ExitCode {
    Target::new(
        "target-nats-kv",
        env!("CARGO_PKG_VERSION"),
        env!("CARGO_PKG_DESCRIPTION"),
    )
    .sink("nats-kv")
    .with_extraction_times()
    .run()
}
