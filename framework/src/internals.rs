//! A door for the fuzz targets in `tests/fuzz` and the benches in `tests/benches`: the inner parts
//! that they need by themselves.

use std::marker::PhantomData;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::config::{ConfigError, Environment, Settings, SettingsSchema, Sources, TargetSettings};
use crate::emitter::Emitter;
use crate::expression::{self, Expression, FakeSettings, Faker, Names, Scope};
use crate::message::{self, Message};
use crate::metadata::Columns;
use crate::pipeline::{Pipeline, Plan};
use crate::plugin::{Registry, SinkEntry, SinkPlugin};
use crate::reader;
use crate::run_error::RunError;
use crate::shutdown::Shutdown;
use crate::sink::Sink;
use crate::value::Tape;

/// What a line of the input was taken for.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// A SCHEMA of this stream.
    Schema(String),
    /// A RECORD: its stream, and the record as JSON.
    Record(String, String),
    /// An ACTIVATE_VERSION: its stream and the version.
    ActivateVersion(String, i64),
    /// A BATCH: its stream and its files.
    Batch(String, Vec<String>),
    /// A STATE as JSON, or none.
    State(Option<String>),
    /// A RECORD of this stream that cannot be carried.
    Unreadable(String),
}

/// Reads one line as the pipeline does.
///
/// # Errors
/// What is wrong with it.
pub fn message(line: &[u8]) -> Result<Line, String> {
    let mut tape = Tape::new();
    Ok(match message::parse(line, &mut tape)? {
        Message::Schema(schema) => Line::Schema(schema.stream.to_owned()),
        Message::Record(record) => Line::Record(record.stream.to_owned(), record.record.to_json()),
        Message::ActivateVersion(it) => Line::ActivateVersion(it.stream.to_owned(), it.version),
        Message::Batch(it) => Line::Batch(it.stream.to_owned(), it.manifest),
        Message::State(state) => Line::State(state.map(|state| state.to_json())),
        Message::Unreadable { stream, .. } => Line::Unreadable(stream),
    })
}

/// Reads files of settings as a run does: the target's, the sink's, and those of all encoders that
/// are linked. What is known of them is collected once, as it takes longer than to read a file.
pub struct SettingsReader<P> {
    registry: Registry,
    schema: SettingsSchema,
    plugin: PhantomData<P>,
}

impl<P: SinkPlugin> SettingsReader<P> {
    /// Collects what is known of the settings.
    ///
    /// # Errors
    /// If two plugins do not go together.
    pub fn new() -> Result<Self, String> {
        let registry = Registry::linked().map_err(|error| error.to_string())?;
        let schema = registry.settings_schema(SinkEntry::of::<P>());
        Ok(Self {
            schema: schema.map_err(|error| error.to_string())?,
            registry,
            plugin: PhantomData,
        })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn read(&self, file: &Path) -> Result<P::Config, String> {
        let read = || -> Result<P::Config, ConfigError> {
            let sources = Sources::new([file.to_string_lossy()], Environment::default());
            let settings =
                Settings::load("target-fuzz", &sources, &self.schema, |_| Ok(Vec::new()))?;
            settings.section::<TargetSettings>()?;
            self.registry.build_encoders(&settings)?;
            settings.section()
        };
        read().map_err(|error| error.to_string())
    }
}

/// Loads an input that is already in memory, and prints no state.
///
/// # Errors
/// Why the run failed.
pub fn load(sink: impl Sink, input: Vec<u8>, validate: bool) -> Result<(), String> {
    let run = async {
        let settings = TargetSettings {
            validate_records: validate,
            ..TargetSettings::default()
        };
        let lines = reader::spawn(std::io::Cursor::new(input), settings.max_line_bytes)?;
        let plan = Plan {
            columns: Columns::Times,
            ..settings.into()
        };
        let emitter = Emitter::spawn(std::io::sink(), Duration::from_secs(1))?;
        let pipeline = Pipeline::new(plan, Arc::new(sink), emitter, None, Shutdown::new());
        pipeline.run(lines).await.map(|_| ())
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|error| error.to_string())?;
    runtime
        .block_on(run)
        .map_err(|error: RunError| error.to_string())
}

/// Evaluates an expression of a stream map over a record, whose members are also the setting
/// `config`. What is made up comes from the same seed each time. Gives JSON.
///
/// # Errors
/// Why it is no expression, or has no value that can be stored.
pub fn expression(text: &str, record: &Tape) -> Result<String, String> {
    let seed = serde_json::Map::from_iter([("seed".to_owned(), 1.into())]);
    let faker = Mutex::new(Faker::new(&FakeSettings::parse(&seed)?));
    let names = Names {
        record: record.root(),
        this: record.root().and_then(|record| record.get("self")),
        config: record.root(),
        stream: "stream",
        original: Some("original"),
    };
    let expression = Expression::parse(text).map_err(|error| error.to_string())?;
    let value = expression.eval(&Scope::new(names, &faker));
    let mut tape = Tape::new();
    value.map_err(|error| error.to_string())?.write(&mut tape)?;
    tape.root()
        .map(|value| value.to_json())
        .ok_or_else(|| "it wrote nothing".to_owned())
}

/// All functions, with their modules, and all methods that expressions can call.
#[must_use]
pub fn expression_names() -> (Vec<String>, Vec<&'static str>) {
    expression::callable()
}
