//! Settings of stream maps, with the Meltano SDK's names.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

/// What is renamed, left out, filtered, calculated or masked on its way, by expressions in Python's
/// syntax. The page [stream-maps.md](stream-maps.md) has all that can be written there.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct MapSettings {
    /// For each stream, or pattern of stream names, what becomes of its properties: an expression,
    /// or null for a property that is left out.
    ///
    /// The members `__alias__`, `__source__`, `__filter__`, `__key_properties__` and `__else__`
    /// rename a stream, copy one, choose its records and its key, and leave out what is not named.
    /// A stream that is set to null is left out. For null there is also the text `__NULL__`.
    #[schemars(extend("examples" = [{"users": {"email": null, "email_hash": "md5(config['seed'] + email)"}}]))]
    pub(crate) stream_maps: Option<Map<String, Value>>,

    /// Values that expressions can use as `config['name']`: the secret of a hash, for instance.
    #[schemars(extend("examples" = [{"seed": "01AWZh7A6DzGm6iJZZ2T"}]))]
    pub(crate) stream_map_config: Option<Map<String, Value>>,

    /// How data are made up by `fake.first_name()` and the like: `seed`, with which the same input
    /// gives the same data, and `locale`, one or a list.
    #[schemars(extend("examples" = [{"seed": 0, "locale": ["en_US", "de_DE"]}]))]
    pub(crate) faker_config: Option<Map<String, Value>>,
}
