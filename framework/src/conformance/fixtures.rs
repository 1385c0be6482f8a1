//! What an author's own tests need: a sink that is opened as a run does it, and a batch to write.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use serde_json::Value as Json;

use crate::batch::{Batch, OpenBatch};
use crate::config::Settings;
use crate::plugin::{Registry, SinkContext, SinkEntry, SinkPlugin, StatePlugin};
use crate::sink::SinkError;
use crate::state::Ledger;
use crate::stream::Stream;
use crate::validate::Validator;
use crate::value::Tape;

/// Opens the sink of `P` with these settings, as a run does it: they are checked against their
/// schema and against each other, and the sink gets all encoders that are linked.
///
/// ```
/// # use singer_target::{Batch, Report, Sink, SinkContext, SinkError, SinkPlugin};
/// use serde_json::json;
/// use singer_target::conformance;
/// # #[derive(serde::Deserialize, schemars::JsonSchema)]
/// # struct Config {
/// #     /// The table.
/// #     #[allow(dead_code)]
/// #     table: String,
/// # }
/// # struct MySink;
/// # impl Sink for MySink {
/// #     async fn write(&self, batch: &Batch) -> Result<Report, SinkError> {
/// #         Ok(Report::all_written(batch))
/// #     }
/// # }
/// # impl SinkPlugin for MySink {
/// #     const NAME: &'static str = "my-sink";
/// #     const DESCRIPTION: &'static str = "An example";
/// #     type Config = Config;
/// #     type Sink = Self;
/// #     async fn open(_: Config, _: SinkContext) -> Result<Self, SinkError> {
/// #         Ok(Self)
/// #     }
/// # }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), SinkError> {
/// let sink = conformance::open::<MySink>(json!({"table": "t"})).await?;
/// let refused = conformance::open::<MySink>(json!({"tabel": "t"})).await.err();
/// assert!(matches!(refused, Some(SinkError::Config(_))));
/// # let _ = sink;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Wrong settings, and whatever the sink cannot be opened for.
pub async fn open<P: SinkPlugin>(settings: Json) -> Result<P::Sink, SinkError> {
    let (config, context) = prepared::<P>(settings)?;
    P::open(config, context).await
}

/// Opens where a plugin keeps states, as [`open`] opens its sink.
///
/// # Errors
/// Wrong settings, settings that do not ask for it, and whatever it cannot be opened for.
pub async fn open_state<P: StatePlugin>(settings: Json) -> Result<P::Store, SinkError> {
    let (config, context) = prepared::<P>(settings)?;
    let store = P::open_state(config, context).await?;
    store.ok_or_else(|| SinkError::config("the settings do not say where states are kept"))
}

fn prepared<P: SinkPlugin>(settings: Json) -> Result<(P::Config, SinkContext), SinkError> {
    let registry = Registry::linked().map_err(SinkError::config)?;
    let entry = SinkEntry::of::<P>();
    let schema = registry.settings_schema(entry);
    let schema = schema.map_err(SinkError::config)?;
    let settings = Settings::of(settings, &schema).map_err(SinkError::config)?;
    (entry.validate)(&settings).map_err(SinkError::config)?;
    let context = SinkContext {
        target_name: "target-conformance",
        target_version: env!("CARGO_PKG_VERSION"),
        encoders: registry
            .build_encoders(&settings)
            .map_err(SinkError::config)?,
        origins: settings.origins().clone().into(),
    };
    Ok((settings.section().map_err(SinkError::config)?, context))
}

/// A stream with that name, those key properties and that schema.
///
/// # Panics
/// If the schema is not a valid JSON Schema.
pub fn stream<'a>(
    name: &str,
    key_properties: impl IntoIterator<Item = &'a str>,
    schema: Json,
) -> Arc<Stream> {
    let validator = Validator::new(&schema).expect("a valid JSON Schema");
    let key_properties = key_properties.into_iter().map(str::to_owned).collect();
    Stream::new(
        name.to_owned(),
        schema,
        key_properties,
        Vec::new(),
        validator,
    )
}

/// A batch of these records, as a sink would be given it. They are not validated, and come from the
/// lines 1, 2, 3, …
///
/// ```
/// use serde_json::json;
/// use singer_target::conformance;
///
/// let orders = conformance::stream("orders", ["id"], json!({"type": "object"}));
/// let batch = conformance::batch(&orders, [json!({"id": 1}), json!({"id": 2, "paid": true})]);
/// assert_eq!(batch.len(), 2);
/// assert_eq!(batch.record(1).value().to_json(), r#"{"id":2,"paid":true}"#);
/// ```
///
/// # Panics
/// If there is no record: a batch is never empty.
pub fn batch(stream: &Arc<Stream>, records: impl IntoIterator<Item = Json>) -> Batch {
    numbered_batch(stream, (1..).zip(records))
}

/// A batch of records with their lines.
pub(super) fn numbered_batch(
    stream: &Arc<Stream>,
    records: impl IntoIterator<Item = (u64, Json)>,
) -> Batch {
    let mut open = OpenBatch::new(Arc::clone(stream), Tape::new());
    let mut ledger = Ledger::default();
    let mut tape = Tape::new();
    for (line, record) in records {
        let mut key = BuildHasherDefault::<DefaultHasher>::default().build_hasher();
        for name in stream.key_properties() {
            record.get(name).map(Json::to_string).hash(&mut key);
        }
        tape.parse(record.to_string().as_bytes())
            .expect("serde_json writes JSON");
        let record = tape.root().expect("a value was parsed");
        open.push(record, key.finish(), line, ledger.admit());
    }
    assert!(open.rows() > 0, "a batch is never empty");
    open.close().0
}
