//! The sink `nats-kv`.
mod config;
mod connect;
mod key;
