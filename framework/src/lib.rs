//! A framework for [Singer](https://hub.meltano.com/singer/spec) targets. You write the sink.
//!
//! A tap prints SCHEMA, RECORD and STATE messages; a target loads the records and prints back each
//! STATE once everything before it is safe. This crate does all of that but one thing: it does not
//! know where the records go. That is a [`Sink`], and how a record becomes bytes is an [`Encoder`].
//! Both are plugins that register themselves; see [`plugin`].
//!
//! ```text
//! stdin → reader → message → stream → validate → batch → your sink → report → ledger → stdout
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`target`] | the program: `Target::new(…).sink("nats-kv").run()` |
//! | [`sink`], [`encoder`], [`plugin`] | what you implement, and how it is found |
//! | [`batch`], [`stream`], [`value`], [`activation`] | what your sink is given |
//! | [`catalog`], [`check`] | what `discover` and `check` tell |
//! | `conformance` | a test kit for sinks, behind the feature of that name |
//! | [`config`], [`about`], [`cli`], [`telemetry`] | settings, their documentation, command line, logs |

pub mod about;
pub mod activation;
pub mod batch;
#[cfg(test)]
mod captured;
pub mod catalog;
pub mod check;
pub mod cli;
pub mod config;
#[cfg(feature = "conformance")]
pub mod conformance;
mod dead_letter;
mod emitter;
pub mod encoder;
pub mod error;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod message;
mod metadata;
mod pipeline;
pub mod plugin;
mod reader;
mod retry;
mod run_error;
mod shutdown;
pub mod sink;
mod state;
pub mod stream;
pub mod target;
pub mod telemetry;
mod validate;
pub mod value;

pub use batch::{Batch, Record};
pub use encoder::Encoder;
pub use error::BoxError;
/// For registering plugins: `inventory::submit!`.
pub use inventory;
pub use plugin::{EncoderEntry, EncoderPlugin, SinkContext, SinkEntry, SinkPlugin};
pub use sink::{Report, Sink, SinkError};
pub use stream::Stream;
pub use target::Target;
