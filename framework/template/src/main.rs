//! `{{project-name}}`: keeps each record in a file.

use std::process::ExitCode;

use singer_target::Target;

// Named, so that their plugins are linked: the encoders, and the sink.
use singer_sinks as _;

use {{crate_name}} as _;

fn main() -> ExitCode {
    Target::new(
        "{{project-name}}",
        env!("CARGO_PKG_VERSION"),
        env!("CARGO_PKG_DESCRIPTION"),
    )
    .sink("{{sink}}")
    .run()
}
