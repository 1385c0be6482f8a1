//! Sinks and encoders for the `singer-target` framework.
//!
//! | module       | what it is                                                          |
//! |--------------|---------------------------------------------------------------------|
//! | [`encoders`] | records as bytes: `json` and `msgpack`; they know no sink           |
//! | [`nats_kv`]  | the sink `nats-kv`: a NATS JetStream key/value bucket               |
//!
//! Everything registers itself: a binary only has to name the crate, `use singer_sinks as _;`.

pub mod encoders;
pub mod nats_kv;
