//! Settings of targets whose sink can tell of which version of its table a stored record is.

use schemars::JsonSchema;
use serde::Deserialize;

/// What to do with ACTIVATE_VERSION messages, by which a tap that has read a whole table says that
/// all older records are gone. Only records that were stored with a version (`_sdc_table_version`)
/// are ever deleted.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct VersionSettings {
    /// Delete what is of an older version when an ACTIVATE_VERSION message comes, and keep
    /// `_sdc_table_version` with each record that has a version. If off, such messages are ignored
    /// with a warning.
    pub(crate) process_activate_version_messages: bool,

    /// Remove records that an ACTIVATE_VERSION message deletes. If off, they are only marked with
    /// the time in `_sdc_deleted_at`.
    pub(crate) hard_delete: bool,

    /// Fail rather than delete more than this fraction of a stream's records at once, by an
    /// ACTIVATE_VERSION message or at the end of a run that overwrites: a guard against a tap that
    /// could not read all of its table. `1` sets no limit.
    #[schemars(range(min = 0, max = 1))]
    pub(crate) max_delete_fraction: f64,
}

impl Default for VersionSettings {
    fn default() -> Self {
        Self {
            process_activate_version_messages: true,
            hard_delete: false,
            max_delete_fraction: 1.0,
        }
    }
}
