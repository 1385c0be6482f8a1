//! The catalog: what a destination holds, in the form in which taps describe their sources.

mod infer;

pub use infer::Inference;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value as JsonSchema, json};

/// The streams that a destination holds. Serializes as a Singer catalog.
///
/// ```
/// # use singer_target::catalog::{Catalog, CatalogStream};
/// # use serde_json::json;
/// let mut orders = CatalogStream::new("orders", json!({"type": "object"}));
/// orders.key_properties = vec!["id".to_owned()];
/// orders.row_count = 42;
/// let catalog: Catalog = [orders].into_iter().collect();
/// assert_eq!(serde_json::to_value(&catalog)?["streams"][0]["stream"], "orders");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct Catalog {
    /// One entry a stream, sorted by name.
    pub streams: Vec<CatalogStream>,
}

/// A stream that a destination holds. [`Catalog`] has an example.
#[derive(Debug, Clone, Serialize)]
#[serde(into = "Entry")]
#[non_exhaustive]
pub struct CatalogStream {
    /// The same as `stream`; Singer's catalogs have both.
    pub tap_stream_id: String,
    /// The stream's name.
    pub stream: String,
    /// The properties that identify a record, where they can be known; else empty.
    pub key_properties: Vec<String>,
    /// A JSON Schema that the records seen agree with.
    pub schema: JsonSchema,
    /// How many keys there are.
    pub row_count: u64,
    /// How many of the values read are in each encoding.
    pub encodings: BTreeMap<String, u64>,
}

/// What `discover` is asked for.
///
/// ```
/// # use singer_target::catalog::Discovery;
/// fn newest<'r>(rows: &'r [String], discovery: &Discovery) -> &'r [String] {
///     &rows[rows.len().saturating_sub(discovery.sample)..]
/// }
/// # let rows = ["a".to_owned()];
/// # assert_eq!(newest(&rows, &Discovery::default()), rows);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Discovery {
    /// How many records of each stream to look at for its schema, at most.
    pub sample: usize,
}

impl Default for Discovery {
    fn default() -> Self {
        Self { sample: 1_000 }
    }
}

impl CatalogStream {
    /// A stream of that name whose records agree with `schema`. All else is not known yet.
    pub fn new(name: impl Into<String>, schema: JsonSchema) -> Self {
        let name = name.into();
        Self {
            tap_stream_id: name.clone(),
            stream: name,
            key_properties: Vec::new(),
            schema,
            row_count: 0,
            encodings: BTreeMap::new(),
        }
    }
}

/// A stream as it stands in a catalog: with the same in the metadata, where newer programs look.
#[derive(Serialize)]
struct Entry {
    tap_stream_id: String,
    stream: String,
    key_properties: Vec<String>,
    schema: JsonSchema,
    metadata: [JsonSchema; 1],
    row_count: u64,
    encodings: BTreeMap<String, u64>,
}

impl From<CatalogStream> for Entry {
    fn from(stream: CatalogStream) -> Self {
        let mut metadata = json!({"inclusion": "available", "row-count": stream.row_count});
        if !stream.key_properties.is_empty() {
            metadata["table-key-properties"] = json!(stream.key_properties);
        }
        Self {
            tap_stream_id: stream.tap_stream_id,
            stream: stream.stream,
            key_properties: stream.key_properties,
            schema: stream.schema,
            metadata: [json!({"breadcrumb": [], "metadata": metadata})],
            row_count: stream.row_count,
            encodings: stream.encodings,
        }
    }
}

/// Sorts the streams by name.
impl FromIterator<CatalogStream> for Catalog {
    fn from_iter<I: IntoIterator<Item = CatalogStream>>(streams: I) -> Self {
        let mut streams: Vec<_> = streams.into_iter().collect();
        streams.sort_by(|a, b| a.stream.cmp(&b.stream));
        Self { streams }
    }
}
