//! Checking records against the schema of their stream.
#[derive(Debug)]
pub(crate) struct Validator;
