//! Invalid records as Singer messages.

use std::sync::Arc;

use serde_json::json;

use super::{Content, Invalid};
use crate::stream::Stream;

/// Records of one stream that could not be loaded, as Singer messages: see
/// [`Sink::write_dead_letters`](crate::Sink::write_dead_letters).
///
/// ```
/// # use singer_target::DeadLetters;
/// /// What can be loaded again when the cause is gone.
/// fn singer(letters: &DeadLetters) -> String {
///     let lines = letters.records().iter().map(String::as_str);
///     let lines: Vec<&str> = std::iter::once(letters.schema()).chain(lines).collect();
///     lines.join("\n") + "\n"
/// }
/// ```
#[derive(Debug, Clone)]
pub struct DeadLetters {
    stream: Arc<Stream>,
    schema: String,
    records: Vec<String>,
}

impl DeadLetters {
    pub(super) fn of(stream: &Arc<Stream>) -> Self {
        let schema = json!({
            "type": "SCHEMA",
            "stream": stream.name(),
            "schema": stream.schema(),
            "key_properties": stream.key_properties(),
            "bookmark_properties": stream.bookmark_properties(),
        });
        Self {
            stream: Arc::clone(stream),
            schema: schema.to_string(),
            records: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, invalid: &Invalid<'_>) {
        let error = json!({"line": invalid.line, "reason": invalid.reason});
        self.records.push(match invalid.content {
            Content::Record {
                record,
                time_extracted,
                version,
            } => {
                let name = json!(self.stream.name());
                let mut message =
                    format!(r#"{{"type":"RECORD","stream":{name},"error":{error},"record":"#);
                record.write_json(&mut message);
                for (name, value) in [("time_extracted", time_extracted), ("version", version)] {
                    if let Some(value) = value {
                        message.push_str(&format!(r#","{name}":"#));
                        value.write_json(&mut message);
                    }
                }
                message + "}"
            }
            Content::Line(line) => {
                let members = line.trim().trim_start_matches('{');
                format!("{{\"error\":{error},{members}")
            }
        });
    }

    /// The stream that they belong to.
    #[must_use]
    pub fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// The stream's SCHEMA message, one line of JSON. It must come before the records.
    #[must_use]
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// The RECORD messages in the order in which they were found invalid, each one line of JSON:
    /// the record as it came, and beside it `error` with the `line` of the input and the `reason`.
    #[must_use]
    pub fn records(&self) -> &[String] {
        &self.records
    }
}
