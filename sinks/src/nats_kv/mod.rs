//! The sink `nats-kv`.
mod api;
mod bucket;
mod config;
mod connect;
mod key;
