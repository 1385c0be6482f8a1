//! The sink `nats-kv`.
mod config;
mod key;
