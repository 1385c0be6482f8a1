//! SCHEMA: learning of a stream, or of a change of one.

use std::sync::Arc;

use serde_json::{Value as JsonSchema, json};

use super::Pipeline;
use super::intake::Source;
use crate::map::{Description, Output, Transform};
use crate::message::SchemaMessage;
use crate::run_error::RunError;
use crate::sink::SinkError;
use crate::stream::Stream;
use crate::validate::Validator;

/// A stream of the input.
pub(super) struct Input {
    /// Its SCHEMA message, to notice that it was repeated.
    message: String,
    /// The stream as it came.
    pub(super) stream: Arc<Stream>,
    /// The streams that it becomes: itself, unless stream maps say otherwise.
    pub(super) routes: Arc<[Route]>,
}

/// One of the streams that a stream of the input becomes.
pub(super) struct Route {
    /// Its name.
    pub(super) stream: String,
    /// What is done with each record, if anything.
    pub(super) transform: Option<Arc<Transform>>,
    /// What the map made of the SCHEMA, to notice that two streams differ which become one.
    description: Description,
}

impl Pipeline {
    pub(super) async fn take_schema(
        &mut self,
        number: u64,
        message: SchemaMessage<'_>,
    ) -> Result<(), RunError> {
        let name = message.stream;
        let known = self.intake.inputs.get(name);
        let repeated = |input: &&Input| message.whole.json_slice() == Some(&*input.message);
        if known.as_ref().is_some_and(repeated) {
            return Ok(());
        }
        let is_known = known.is_some();
        let refused = |problem: String| {
            RunError::input(number, format!("the schema of stream '{name}': {problem}"))
        };
        let schema: JsonSchema = serde_json::from_str(&message.schema.to_json())
            .map_err(|error| refused(error.to_string()))?;
        let came = Description {
            name: name.to_owned(),
            schema,
            key_properties: message.key_properties,
            bookmark_properties: message.bookmark_properties,
        };
        let outputs = self.outputs(&came).map_err(refused)?;
        let mut sources = Vec::with_capacity(outputs.len());
        for Output { stream, .. } in &outputs {
            if self.is_shared(name, stream).map_err(refused)? {
                continue;
            }
            let formats = self.settings.validate_formats;
            let validator = Validator::compile(&stream.schema, formats).map_err(refused)?;
            sources.push(self.loaded(stream.clone(), validator));
        }
        // A changed schema is a barrier: records that follow the old one are written first.
        if is_known {
            self.settle_input(name).await?;
        }
        for stream in &sources {
            self.open(number, stream).await?;
        }
        let is_itself =
            matches!(&*outputs, [only] if only.transform.is_none() && only.stream == came);
        let stream = match sources.first().filter(|_| is_itself) {
            Some(stream) => Arc::clone(stream),
            None => as_it_came(came).map_err(refused)?,
        };
        for stream in sources {
            let name = stream.name().to_owned();
            self.intake
                .streams
                .insert(name, Source::new(stream, number));
        }
        let route = |output: Output| Route {
            stream: output.stream.name.clone(),
            transform: output.transform,
            description: output.stream,
        };
        let input = Input {
            message: message.whole.to_json(),
            stream,
            routes: outputs.into_iter().map(route).collect(),
        };
        self.intake.inputs.insert(name.to_owned(), input);
        Ok(())
    }

    fn outputs(&self, came: &Description) -> Result<Vec<Output>, String> {
        match &self.intake.mapper {
            Some(mapper) => mapper.outputs(came.clone()),
            None => Ok(vec![Output {
                stream: came.clone(),
                transform: None,
            }]),
        }
    }

    /// Whether another stream of the input becomes the same stream.
    ///
    /// # Errors
    /// It does, with another schema or another key.
    fn is_shared(&self, input: &str, mapped: &Description) -> Result<bool, String> {
        let others = self
            .intake
            .inputs
            .iter()
            .filter(|(other, _)| *other != input);
        let mut shared = false;
        for (other, known) in others {
            let mut routes = known.routes.iter();
            match routes.find(|route| route.stream == mapped.name) {
                Some(route) if route.description != *mapped => {
                    return Err(format!(
                        "stream '{other}' becomes '{}', too, but with another schema or key",
                        mapped.name
                    ));
                }
                Some(_) => shared = true,
                None => {}
            }
        }
        Ok(shared)
    }

    /// Whether more than one stream of the input becomes this one.
    pub(super) fn is_merged(&self, stream: &str) -> bool {
        let inputs = self.intake.inputs.values();
        let become_it = |input: &&Input| input.routes.iter().any(|route| route.stream == stream);
        inputs.filter(become_it).count() > 1
    }

    /// The stream that is loaded.
    fn loaded(&self, stream: Description, validator: Validator) -> Arc<Stream> {
        let Description {
            name,
            schema,
            key_properties,
            bookmark_properties,
        } = stream;
        let schema = self.intake.columns.describe(schema);
        Stream::new(name, schema, key_properties, bookmark_properties, validator)
    }

    async fn open(&self, number: u64, stream: &Arc<Stream>) -> Result<(), RunError> {
        let opened = self.delivery.open_stream(stream).await;
        opened.map_err(|error| match error {
            SinkError::Permanent(why) => {
                RunError::input(number, format!("stream '{}': {why}", stream.name()))
            }
            other => other.into(),
        })
    }
}

/// A stream that is not loaded under its own name and schema. Its records are not validated.
fn as_it_came(came: Description) -> Result<Arc<Stream>, String> {
    let Description {
        name,
        schema,
        key_properties,
        bookmark_properties,
    } = came;
    let anything = Validator::compile(&json!({}), false)?;
    Ok(Stream::new(
        name,
        schema,
        key_properties,
        bookmark_properties,
        anything,
    ))
}
