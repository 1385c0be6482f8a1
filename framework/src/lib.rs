//! Under construction.
pub mod batch;
pub mod catalog;
pub mod check;
pub mod config;
pub mod encoder;
pub mod error;
pub mod plugin;
pub mod sink;
mod state;
pub mod stream;
mod validate;
pub mod value;
