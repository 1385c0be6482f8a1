//! A stream: what a SCHEMA message says of the records that follow it.

use std::sync::Arc;

use serde_json::Value as JsonSchema;

use crate::validate::Validator;

/// A stream of records of one kind, as its last SCHEMA message described it.
///
/// ```
/// # use singer_target::Stream;
/// /// The statement that makes the stream's table.
/// fn create_table(stream: &Stream) -> String {
///     let columns = stream.schema()["properties"].as_object().into_iter().flatten();
///     let columns: Vec<_> = columns.map(|(name, _)| format!("{name} JSON")).collect();
///     let key = stream.key_properties().join(", ");
///     format!("CREATE TABLE {} ({}, PRIMARY KEY ({key}))", stream.name(), columns.join(", "))
/// }
/// ```
#[derive(Debug)]
pub struct Stream {
    name: String,
    schema: JsonSchema,
    key_properties: Vec<String>,
    bookmark_properties: Vec<String>,
    validator: Validator,
}

impl Stream {
    pub(crate) fn new(
        name: String,
        schema: JsonSchema,
        key_properties: Vec<String>,
        bookmark_properties: Vec<String>,
        validator: Validator,
    ) -> Arc<Self> {
        Arc::new(Self {
            name,
            schema,
            key_properties,
            bookmark_properties,
            validator,
        })
    }

    /// The stream's name, as the tap sent it: any text but the empty one. It may hold `/`, quotes,
    /// tabs and line breaks, so that it has to be escaped before it is part of a path or of SQL.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The JSON Schema of its records.
    #[must_use]
    pub fn schema(&self) -> &JsonSchema {
        &self.schema
    }

    /// The properties that together identify a record. May be empty.
    #[must_use]
    pub fn key_properties(&self) -> &[String] {
        &self.key_properties
    }

    /// The properties by which the tap follows changes. May be empty.
    #[must_use]
    pub fn bookmark_properties(&self) -> &[String] {
        &self.bookmark_properties
    }

    /// The check that its records must pass, if records are validated.
    pub(crate) fn validator(&self) -> &Validator {
        &self.validator
    }
}
