//! The sink `nats-kv`.
mod api;
mod bucket;
mod check;
mod config;
mod connect;
mod discover;
mod key;
