//! A framework for [Singer](https://hub.meltano.com/singer/spec) targets. You write the sink.
//!
//! A tap prints SCHEMA, RECORD and STATE messages; a target loads the records and prints back each
//! STATE once everything before it is safe. This crate does all of that but one thing: it does not
//! know where the records go. That is a [`Sink`], and how a record becomes bytes is an [`Encoder`].
//!
//! ```text
//! stdin → reader → message → stream → validate → batch → your sink → report → ledger → stdout
//! ```
//!
//! | what you implement | |
//! |---|---|
//! | [`Sink`], [`SinkPlugin`] | where batches go, and how the sink is configured and opened |
//! | [`CheckPlugin`], [`DiscoverPlugin`] | the commands `check` and `discover`, if it offers them |
//! | [`Preview`], [`PreviewPlugin`] | `load --dry-run` and `verify`, if it offers them |
//! | [`MigratePlugin`] | the command `migrate`, if it offers it |
//! | [`Encoder`], [`EncoderPlugin`] | a format that every sink can use by its name |
//!
//! | what you are given | |
//! |---|---|
//! | [`Batch`], [`Record`], [`Stream`] | what a sink writes |
//! | [`DeadLetters`] | records that could not be loaded, for a sink that can keep them |
//! | [`activation`] | which stored records a new version of a table deletes |
//! | [`value`] | JSON, exact to the last digit |
//! | [`SinkContext`], [`Encoders`] | what a sink is opened with |
//! | `conformance` | a test kit for sinks, behind the feature of that name |
//!
//! # Plugins
//!
//! A sink or an encoder is registered by `inventory::submit!` in its own crate; nothing else names
//! it. The trap of that: a crate which is a dependency but is never mentioned is not linked, and
//! its plugins are silently absent. So a binary says `use my_sinks as _;`, and a [`Target`] whose
//! sink is not linked ends with an error that says so. To use any item of the crate links it, too:
//! `Target::new(…).sink(MySink::NAME)`.
//!
//! # Starting
//!
//! ```toml
//! [dependencies]
//! schemars = "1"
//! serde = { version = "1", features = ["derive"] }
//! singer-target = { version = "0.1", default-features = false }
//!
//! [dev-dependencies]
//! serde_json = "1"
//! singer-target = { version = "0.1", default-features = false, features = ["conformance"] }
//! tokio = { version = "1", features = ["macros", "rt"] }
//! ```
//!
//! The default features serve BATCH messages: `cloud` (files at `s3://`, `gs://`, `az://` and
//! `https://`) and `parquet`. They bring many crates, and a target works without them.

mod about;
pub mod activation;
mod batch;
#[cfg(test)]
mod captured;
pub mod catalog;
pub mod check;
mod cli;
pub mod config;
#[cfg(feature = "conformance")]
pub mod conformance;
mod dead_letter;
mod emitter;
mod encoder;
mod error;
mod expression;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod internals;
mod load;
mod manifest;
mod map;
mod message;
mod metadata;
mod metrics;
pub mod migration;
mod pipeline;
mod plugin;
mod preview;
mod reader;
mod retry;
mod run_error;
mod shutdown;
mod sink;
mod state;
mod state_store;
mod stream;
mod stream_end;
mod table;
mod target;
mod telemetry;
mod terminal;
mod validate;
pub mod value;

pub use batch::{Batch, Record};
pub use dead_letter::DeadLetters;
pub use encoder::Encoder;
pub use error::BoxError;
/// For registering plugins: `inventory::submit!`.
pub use inventory;
pub use plugin::{
    CheckPlugin, DiscoverPlugin, EncoderEntry, EncoderPlugin, Encoders, MigratePlugin,
    PreviewPlugin, SinkContext, SinkEntry, SinkPlugin, StatePlugin,
};
pub use preview::{Foreseen, Held, Preview, Swept};
pub use sink::{Ending, Rejection, Report, Sink, SinkError};
pub use state_store::StateStore;
pub use stream::Stream;
pub use stream_end::StreamEnd;
pub use target::Target;
