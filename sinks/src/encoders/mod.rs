//! The encodings in which a sink can store a record.

mod json;
mod msgpack;

pub use json::{Json, JsonConfig};
pub use msgpack::{MessagePack, MessagePackConfig};
