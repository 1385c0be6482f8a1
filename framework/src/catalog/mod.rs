//! The catalog: what a destination holds, in the form in which taps describe their sources.

mod infer;

pub use infer::Inference;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as JsonSchema;

/// The streams that a destination holds. Serializes as a Singer catalog.
///
/// ```
/// # use singer_target::catalog::{Catalog, CatalogStream};
/// # use serde_json::json;
/// let catalog = Catalog {
///     streams: vec![CatalogStream {
///         tap_stream_id: "orders".to_owned(),
///         stream: "orders".to_owned(),
///         key_properties: vec!["id".to_owned()],
///         schema: json!({"type": "object"}),
///         row_count: 42,
///         encodings: [("json".to_owned(), 42)].into(),
///     }],
/// };
/// assert_eq!(serde_json::to_value(&catalog).unwrap()["streams"][0]["stream"], "orders");
/// ```
#[derive(Debug, Clone, Default, Serialize)]
pub struct Catalog {
    /// One entry a stream, sorted by name.
    pub streams: Vec<CatalogStream>,
}

/// A stream that a destination holds.
#[derive(Debug, Clone, Serialize)]
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
