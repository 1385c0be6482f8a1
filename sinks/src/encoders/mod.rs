//! The encodings in which a sink can store a record.

#[cfg(feature = "json")]
mod json;
#[cfg(feature = "msgpack")]
mod msgpack;

#[cfg(feature = "json")]
pub use json::{Json, JsonConfig};
#[cfg(feature = "msgpack")]
pub use msgpack::{MessagePack, MessagePackConfig};
