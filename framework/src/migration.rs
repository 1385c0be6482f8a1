//! Migrations: what a destination holds, brought into the form that the settings name.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// What to migrate, and how. The settings say into which form.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Migration {
    /// Only tell what would be done.
    pub dry_run: bool,
    /// The key properties of streams, by name, from the catalog that the user gave.
    pub key_properties: BTreeMap<String, Vec<String>>,
}

/// What a migration has done, or would do.
///
/// ```
/// use std::collections::BTreeMap;
///
/// use singer_target::migration::{Migrated, Migration};
///
/// /// Files whose content is to be in capitals.
/// fn migrate(files: &mut BTreeMap<String, String>, migration: &Migration) -> Migrated {
///     let mut migrated = Migrated::default();
///     for (name, content) in files {
///         let stream = migrated.stream(name.split('-').next().unwrap_or_default());
///         let wanted = content.to_uppercase();
///         if wanted == *content {
///             stream.unchanged += 1;
///             continue;
///         }
///         stream.rewritten += 1;
///         if !migration.dry_run {
///             *content = wanted;
///         }
///     }
///     migrated
/// }
/// # let mut files = [("a-1".to_owned(), "X".to_owned()), ("a-2".to_owned(), "y".to_owned())].into();
/// # let migrated = migrate(&mut files, &Migration::default());
/// # assert_eq!(migrated.streams["a"].unchanged, 1);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Migrated {
    /// By the name of the stream.
    pub streams: BTreeMap<String, MigratedStream>,
}

/// What a migration has done with a stream: numbers of keys. [`Migrated`] has an example.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MigratedStream {
    /// Keys that were in the right form.
    pub unchanged: u64,
    /// Keys whose value was written in another form.
    pub rewritten: u64,
    /// Keys that were moved to another one.
    pub moved: u64,
    /// Keys that were left, since something else is stored under the key that they should move to.
    pub conflicting: u64,
    /// Keys that were left, since it cannot be told what they should become.
    pub unknown: u64,
}

impl Migrated {
    /// The numbers of a stream, to count.
    pub fn stream(&mut self, name: &str) -> &mut MigratedStream {
        self.streams.entry(name.to_owned()).or_default()
    }

    /// Whether keys were left that are not as they should be.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        let left = |stream: &MigratedStream| stream.conflicting + stream.unknown > 0;
        self.streams.values().any(left)
    }
}

/// Reads the key properties of streams from a Singer catalog: of a tap, or of `discover`.
pub(crate) fn key_properties(
    catalog: &[u8],
) -> Result<BTreeMap<String, Vec<String>>, serde_json::Error> {
    let catalog: TapCatalog = serde_json::from_slice(catalog)?;
    let named = catalog.streams.into_iter().filter_map(|stream| {
        let properties = stream.key_properties();
        let name = stream.stream.or(stream.tap_stream_id)?;
        (!properties.is_empty()).then_some((name, properties))
    });
    Ok(named.collect())
}

#[derive(Deserialize)]
struct TapCatalog {
    streams: Vec<TapStream>,
}

/// An entry of a catalog. Newer taps write the key properties into the metadata.
#[derive(Deserialize)]
struct TapStream {
    stream: Option<String>,
    tap_stream_id: Option<String>,
    #[serde(default)]
    key_properties: Option<Vec<String>>,
    #[serde(default)]
    metadata: Vec<Json>,
}

impl TapStream {
    fn key_properties(&self) -> Vec<String> {
        let own = self.key_properties.clone().unwrap_or_default();
        if !own.is_empty() {
            return own;
        }
        let of_stream = |entry: &&Json| entry["breadcrumb"].as_array().is_some_and(Vec::is_empty);
        let told = self.metadata.iter().find(of_stream).and_then(|entry| {
            let metadata = &entry["metadata"];
            let names = ["table-key-properties", "view-key-properties"];
            let mut lists = names.iter().filter_map(|name| metadata[*name].as_array());
            lists.find(|list| !list.is_empty())
        });
        let names = told.into_iter().flatten();
        names
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_properties_stand_in_the_entry_or_in_its_metadata() {
        let catalog = serde_json::json!({"streams": [
            {"tap_stream_id": "a", "stream": "a", "key_properties": ["id"]},
            {"tap_stream_id": "public-b", "key_properties": [], "metadata": [
                {"breadcrumb": ["properties", "x"], "metadata": {"table-key-properties": ["x"]}},
                {"breadcrumb": [], "metadata": {"table-key-properties": ["y", "z"]}},
            ]},
            {"tap_stream_id": "c", "stream": "c", "key_properties": null},
        ]});
        let known = key_properties(catalog.to_string().as_bytes()).expect("a catalog");
        let expected = [
            ("a".to_owned(), vec!["id".to_owned()]),
            ("public-b".to_owned(), vec!["y".to_owned(), "z".to_owned()]),
        ];
        assert_eq!(known, expected.into());
        assert!(key_properties(b"[]").is_err());
    }
}
