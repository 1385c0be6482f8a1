//! What happens to records before they are validated: stream maps, then flattening.
//!
//! A [`Mapper`] is made from the settings. Each SCHEMA is given to it once, and it says into which
//! streams the records of that stream go, with which schema, and how each record is written anew to
//! a tape of its own. Where the settings ask for nothing there is no mapper, and nothing is paid.

mod definition;
mod flatten;
mod record_map;
mod schema;
mod streams;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::Value as JsonSchema;

use crate::config::{ConfigError, FlatteningSettings, MapSettings};
use crate::value::{Tape, Value};
use flatten::Flattening;
use record_map::RecordMap;
use streams::StreamMaps;

/// What the settings make of all streams.
#[derive(Debug)]
pub(crate) struct Mapper {
    maps: Option<StreamMaps>,
    flattening: FlatteningSettings,
}

/// A stream as a SCHEMA describes it: as it came, or as it goes on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Description {
    pub(crate) name: String,
    pub(crate) schema: JsonSchema,
    pub(crate) key_properties: Vec<String>,
    pub(crate) bookmark_properties: Vec<String>,
}

/// One of the streams that a stream becomes.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) stream: Description,
    /// What is done with its records, if anything.
    pub(crate) transform: Option<Arc<Transform>>,
}

/// What is done with the records of a stream.
#[derive(Debug)]
pub(crate) struct Transform {
    map: Option<RecordMap>,
    flattening: Option<Flattening>,
}

/// The tapes that records are written to.
#[derive(Debug, Default)]
pub(crate) struct Tapes {
    mapped: Tape,
    flat: Tape,
}

impl Mapper {
    /// `None` if the settings ask for nothing.
    ///
    /// # Errors
    /// All that is wrong with the maps.
    pub(crate) fn new(
        maps: &MapSettings,
        flattening: FlatteningSettings,
    ) -> Result<Option<Self>, ConfigError> {
        let maps = StreamMaps::new(maps)?;
        let asked = maps.is_some() || flattening.is_on();
        Ok(asked.then_some(Self { maps, flattening }))
    }

    /// Warns of entries about streams that did not come: of a slip of the pen in a name, perhaps.
    pub(crate) fn warn_of_unmatched(&self) {
        for name in self.maps.iter().flat_map(StreamMaps::unmatched) {
            tracing::warn!("stream_maps: there was no stream '{name}'");
        }
    }

    /// What becomes of a stream: none, one or several streams, with names that differ.
    ///
    /// # Errors
    /// The schema and the settings do not go together.
    pub(crate) fn outputs(&self, stream: Description) -> Result<Vec<Output>, String> {
        let Some(maps) = &self.maps else {
            return Ok(vec![self.flattened(stream, None)?]);
        };
        let mut outputs: Vec<Output> = Vec::new();
        for (stream, map) in maps.apply(&stream)? {
            if outputs.iter().any(|other| other.stream.name == stream.name) {
                return Err(format!("two maps make a stream '{}' of it", stream.name));
            }
            outputs.push(self.flattened(stream, map)?);
        }
        Ok(outputs)
    }

    fn flattened(&self, mut stream: Description, map: Option<RecordMap>) -> Result<Output, String> {
        let mut flattening = None;
        if let Some((flatten, flat)) = Flattening::new(&self.flattening, &stream.schema)? {
            (flattening, stream.schema) = (Some(flatten), flat);
        }
        let transform = (map.is_some() || flattening.is_some())
            .then(|| Arc::new(Transform { map, flattening }));
        Ok(Output { stream, transform })
    }
}

impl Transform {
    /// The record as it goes on, or `None` if the stream's filter leaves it out.
    ///
    /// # Errors
    /// An expression that has no value for this record; without the record's values.
    pub(crate) fn apply<'t>(
        &self,
        record: Value<'t>,
        tapes: &'t mut Tapes,
    ) -> Result<Option<Value<'t>>, String> {
        let Tapes { mapped, flat } = tapes;
        let record = match &self.map {
            None => record,
            Some(map) => {
                if !map.apply(record, mapped)? {
                    return Ok(None);
                }
                mapped.root().unwrap_or(record)
            }
        };
        Ok(match &self.flattening {
            None => Some(record),
            Some(flattening) => {
                flattening.apply(record, flat);
                flat.root()
            }
        })
    }
}
