//! The sink `nats-kv`.
mod api;
mod bucket;
mod check;
mod config;
mod connect;
mod discover;
mod key;

pub use config::{
    BucketStorage, KeyFormat, KeyFrom, NatsKvConfig, RefreshMode, RefreshModeName, ReplicationKey,
    ReviveDeleted, Urls,
};
