//! The error type that any author's error fits in.

/// Any error, from any crate.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;
