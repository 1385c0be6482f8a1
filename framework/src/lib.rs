//! Under construction.
pub mod about;
pub mod cli;
pub mod config;
pub mod telemetry;
