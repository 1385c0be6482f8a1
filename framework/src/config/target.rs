//! The framework's own settings: what every target built on it has.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How records are read, checked and batched, and when state is written: the same in every target.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct TargetSettings {
    /// Check every record against the JSON Schema of its stream before it is loaded.
    ///
    /// Switch this off only for a tap that you trust: it saves time, and wrong data is then loaded
    /// as it is.
    pub(crate) validate_records: bool,

    /// Check also what the schema says of `format`: that a text is a `date-time`, an `email` and so
    /// on. If off, formats only describe, as in the Meltano SDK.
    ///
    /// The draft is the one that the schema names in `$schema`, and otherwise 2020-12, with the
    /// keywords of draft 4 understood.
    pub(crate) validate_formats: bool,

    /// Add to every record the columns in which the Meltano SDK tells where it comes from:
    /// `_sdc_extracted_at`, `_sdc_received_at`, `_sdc_batched_at`, `_sdc_deleted_at`,
    /// `_sdc_sequence`, `_sdc_table_version` and `_sdc_sync_started_at`.
    ///
    /// Columns that the tap has sent stay as they are, with or without this setting.
    pub add_record_metadata: bool,

    /// What to do with a record that cannot be loaded: it does not match its schema, its key is
    /// missing or null, or it is too large for the destination.
    pub(crate) on_invalid_record: OnInvalidRecord,

    /// The file that invalid records are appended to, as JSON lines with the reason, when
    /// `on_invalid_record` is `dead_letter`.
    ///
    /// It holds the records as they came, so protect it as you protect the data.
    #[schemars(extend("format" = "file-path", "examples" = ["dead-letter.jsonl"]))]
    pub(crate) dead_letter_file: Option<PathBuf>,

    /// Write a batch when it holds this many records.
    #[schemars(range(min = 1, max = 100_000))]
    pub(crate) batch_size_rows: usize,

    /// Write a batch when its records take this many bytes, however few they are. This bounds
    /// the memory that a stream of large records needs.
    #[schemars(range(min = 1, max = 1_073_741_824))]
    pub(crate) batch_size_bytes: usize,

    /// Write a batch when its oldest record has waited this many seconds, also when no further
    /// record arrives. `0` writes at once, which is slow.
    #[schemars(range(min = 0, max = 86_400))]
    pub(crate) batch_wait_limit_seconds: f64,

    /// Write state at most once in this many seconds, and always at the end of the run.
    ///
    /// Only the newest state whose records are all safe is written. Meltano stores each one in its
    /// database, which is why they are not all written. `0` writes every state as soon as it is
    /// true.
    #[schemars(range(min = 0, max = 86_400))]
    pub(crate) state_interval_seconds: f64,

    /// The longest line of input that is accepted, in bytes. A longer one ends the run with its
    /// line number, and is never held in memory.
    #[schemars(range(min = 1024, max = 1_073_741_824))]
    pub(crate) max_line_bytes: usize,

    /// Give up, and fail the run, when the destination has been failing for this many seconds.
    /// Until then a failed write is tried again, each time after a longer pause.
    #[schemars(range(min = 0, max = 31_536_000))]
    pub(crate) max_retry_seconds: f64,
}

/// The rule that dead letters have one place: the file, or what a setting of the sink names.
pub(crate) fn dead_letter_rule(of_sink: Option<&str>) -> Value {
    let file = json!({"required": ["dead_letter_file"]});
    json!({
        "if": {
            "properties": {"on_invalid_record": {"const": "dead_letter"}},
            "required": ["on_invalid_record"],
        },
        "then": match of_sink {
            None => file,
            Some(setting) => json!({"oneOf": [file, {"required": [setting]}]}),
        },
    })
}

impl Default for TargetSettings {
    fn default() -> Self {
        Self {
            validate_records: true,
            validate_formats: false,
            add_record_metadata: false,
            on_invalid_record: OnInvalidRecord::Fail,
            dead_letter_file: None,
            batch_size_rows: 1000,
            batch_size_bytes: 1_000_000,
            batch_wait_limit_seconds: 1.0,
            state_interval_seconds: 1.0,
            max_line_bytes: 64 * 1024 * 1024,
            max_retry_seconds: 300.0,
        }
    }
}

/// What to do with a record that cannot be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnInvalidRecord {
    /// End the run with an error. What came before is loaded, and no state past it is written.
    Fail,
    /// Leave it out, count it and log it. The record is lost to the destination.
    Skip,
    /// Keep it in the dead letter with the reason, and go on.
    DeadLetter,
}
