//! Sinks and encoders for the `singer-target` framework.
//!
//! | module       | what it is                                                          |
//! |--------------|---------------------------------------------------------------------|
//! | [`encoders`] | records as bytes: `json` and `msgpack`; they know no sink           |
//! | [`jsonl`]    | the sink `jsonl`: a file for each stream                            |
//! | [`nats_kv`]  | the sink `nats-kv`: a NATS JetStream key/value bucket               |
//!
//! Each is a feature of the name that it is chosen by, and all are on by default. Everything
//! registers itself: a binary only has to name the crate, `use singer_sinks as _;`.

pub mod encoders;
#[cfg(feature = "jsonl")]
pub mod jsonl;
#[cfg(feature = "nats-kv")]
pub mod nats_kv;
