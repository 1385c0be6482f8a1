//! Settings of flattening, with the Meltano SDK's names.

use schemars::JsonSchema;
use serde::Deserialize;

/// Whether the members of nested objects become properties of the record: `{"a":{"b":1}}` becomes
/// `{"a__b":1}`. Objects that are not taken apart and all arrays become JSON text.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend(
    "if" = {
        "properties": { "flattening_enabled": { "const": true } },
        "required": ["flattening_enabled"],
    },
    "then" = { "required": ["flattening_max_depth"] },
))]
pub(crate) struct FlatteningSettings {
    /// Flatten records. Needs `flattening_max_depth`.
    pub(crate) flattening_enabled: bool,

    /// How many levels of objects are taken apart. `0` leaves records as they are.
    #[schemars(range(min = 0, max = 100))]
    pub(crate) flattening_max_depth: Option<usize>,

    /// What stands between the names in the name of a flattened property.
    pub(crate) flattening_separator: String,

    /// Names of flattened properties that have this many characters or more are shortened: the
    /// names of the outer objects to their capitals (`fooBar` to `fb`) or their first three letters.
    #[schemars(range(min = 1, max = 100_000))]
    pub(crate) flattening_max_key_length: usize,
}

impl Default for FlatteningSettings {
    fn default() -> Self {
        Self {
            flattening_enabled: false,
            flattening_max_depth: None,
            flattening_separator: "__".to_owned(),
            flattening_max_key_length: 255,
        }
    }
}
