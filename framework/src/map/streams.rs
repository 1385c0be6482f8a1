//! The setting `stream_maps`: which streams become of a stream.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use serde_json::{Map, Value as Setting};

use super::Description;
use super::definition::{self, Alias, Definition, Entry};
use super::record_map::RecordMap;
use crate::config::{ConfigError, MapSettings, Problem};
use crate::expression::{FakeSettings, Faker, Names, Scope, Value};
use crate::value::Tape;

/// All entries, in the order in which they are written.
#[derive(Debug)]
pub(super) struct StreamMaps {
    entries: Vec<Entry>,
    /// Whether streams without an entry are kept.
    keeps_rest: bool,
    /// What expressions see as `config`.
    config: Arc<Tape>,
    fake: FakeSettings,
}

impl StreamMaps {
    /// `None` if there are none.
    pub(super) fn new(settings: &MapSettings) -> Result<Option<Self>, ConfigError> {
        const SETTING: &str = "stream_maps";
        let mut problems = Vec::new();
        let empty = Map::new();
        let fake = FakeSettings::parse(settings.faker_config.as_ref().unwrap_or(&empty));
        let fake = fake.unwrap_or_else(|problem| {
            problems.push(Problem::new("faker_config", problem));
            FakeSettings::default()
        });
        let config = settings.stream_map_config.as_ref().unwrap_or(&empty);
        let config = tape_of(config).unwrap_or_else(|problem| {
            problems.push(Problem::new("stream_map_config", problem));
            Tape::new()
        });
        let mut maps = Self {
            entries: Vec::new(),
            keeps_rest: true,
            config: Arc::new(config),
            fake,
        };
        for (name, value) in settings.stream_maps.as_ref().unwrap_or(&empty) {
            let mut problem = |problem: String| {
                let message = format!("stream '{name}': {problem}");
                problems.push(Problem::new(SETTING, message));
            };
            if name == "__else__" {
                maps.keeps_rest = false;
                if !definition::is_null(value) {
                    problem("can only be null".to_owned());
                }
            } else if name.starts_with("__") && name.ends_with("__") {
                problem("there is no such operation for all streams; there is __else__".to_owned());
            } else {
                maps.entries.extend(Entry::parse(name, value, &mut problem));
            }
        }
        ConfigError::unless_empty(problems)?;
        let asked = !maps.entries.is_empty() || !maps.keeps_rest;
        Ok(asked.then_some(maps))
    }

    /// What becomes of a stream. As in the SDK, the last entry about it counts, and each copy is a
    /// stream of its own.
    pub(super) fn apply(
        &self,
        stream: &Description,
    ) -> Result<Vec<(Description, Option<RecordMap>)>, String> {
        let unmapped = self.keeps_rest.then_some(None);
        let mut primary: Option<Option<&Arc<Definition>>> = unmapped;
        let mut outputs = Vec::new();
        for entry in &self.entries {
            if !entry.source.matches(&stream.name) {
                continue;
            }
            entry.matched.store(true, Ordering::Relaxed);
            match (&entry.definition, &entry.copy) {
                (Some(definition), Some(copy)) => {
                    warn_of_nothing(stream, entry, definition);
                    outputs.push(self.output(stream, copy.clone(), definition)?);
                }
                (Some(definition), None) => {
                    warn_of_nothing(stream, entry, definition);
                    primary = Some(Some(definition));
                }
                (None, _) => primary = None,
            }
        }
        match primary {
            None => {}
            Some(None) => outputs.insert(0, (stream.clone(), None)),
            Some(Some(definition)) => {
                let name = self.name(&stream.name, definition.alias.as_ref())?;
                outputs.insert(0, self.output(stream, name, definition)?);
            }
        }
        Ok(outputs)
    }

    fn output(
        &self,
        stream: &Description,
        name: String,
        definition: &Arc<Definition>,
    ) -> Result<(Description, Option<RecordMap>), String> {
        let mapped = super::schema::of(stream, name, definition)?;
        let changes = definition.filter.is_some()
            || !definition.keeps_rest
            || !definition.properties.is_empty();
        let map = changes.then(|| {
            RecordMap::new(
                Arc::clone(definition),
                &mapped,
                &stream.name,
                Arc::clone(&self.config),
                Faker::new(&self.fake),
            )
        });
        Ok((mapped, map))
    }

    /// The streams of entries about which there were none.
    pub(super) fn unmatched(&self) -> impl Iterator<Item = &str> {
        let unmatched = |entry: &&Entry| !entry.matched.load(Ordering::Relaxed);
        self.entries
            .iter()
            .filter(unmatched)
            .map(|entry| entry.source.name())
    }

    /// The name that a stream goes on with.
    fn name(&self, stream: &str, alias: Option<&Alias>) -> Result<String, String> {
        let expression = match alias {
            None => return Ok(stream.to_owned()),
            Some(Alias::Name(name)) => return Ok(name.clone()),
            Some(Alias::Expression(expression)) => expression,
        };
        let faker = Mutex::new(Faker::new(&self.fake));
        let names = Names {
            stream,
            ..Names::default()
        };
        let refused = |problem: String| format!("__alias__: {problem}");
        let value = expression.eval(&Scope::new(names, &faker));
        match value.map_err(|error| refused(error.to_string()))? {
            Value::Text(name) if !name.is_empty() => Ok(name.into_owned()),
            _ => Err(refused("must give a text that is not empty".to_owned())),
        }
    }
}

/// A slip of the pen in the name of a property that is to be left out would load it.
fn warn_of_nothing(stream: &Description, entry: &Entry, definition: &Definition) {
    let Some(Setting::Object(properties)) = stream.schema.get("properties") else {
        return;
    };
    for (name, expression) in &definition.properties {
        if expression.is_none() && !properties.contains_key(name) && !entry.source.is_pattern() {
            tracing::warn!(
                "stream_maps: stream '{}' has no property '{name}' that could be left out",
                stream.name
            );
        }
    }
}

fn tape_of(members: &Map<String, Setting>) -> Result<Tape, String> {
    let mut tape = Tape::new();
    let text = Setting::Object(members.clone()).to_string();
    let parsed = tape
        .parse(text.as_bytes())
        .map_err(|error| error.to_string());
    parsed.map(|_| tape)
}

/// The places of the properties by their names.
pub(super) fn places(definition: &Definition) -> HashMap<String, usize> {
    let names = definition.properties.iter().map(|(name, _)| name.clone());
    names.enumerate().map(|(at, name)| (name, at)).collect()
}
