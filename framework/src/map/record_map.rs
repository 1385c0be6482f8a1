//! What a map makes of each record.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::Description;
use super::definition::Definition;
use super::streams;
use crate::expression::{Expression, Faker, Names, Scope, Value as Computed};
use crate::value::{Tape, Value};

/// The map of the records of one stream.
#[derive(Debug)]
pub(super) struct RecordMap {
    definition: Arc<Definition>,
    places: HashMap<String, usize>,
    key_properties: Vec<String>,
    stream: String,
    original: String,
    config: Arc<Tape>,
    faker: Mutex<Faker>,
}

impl RecordMap {
    pub(super) fn new(
        definition: Arc<Definition>,
        stream: &Description,
        original: &str,
        config: Arc<Tape>,
        faker: Faker,
    ) -> Self {
        Self {
            places: streams::places(&definition),
            definition,
            key_properties: stream.key_properties.clone(),
            stream: stream.name.clone(),
            original: original.to_owned(),
            config,
            faker: Mutex::new(faker),
        }
    }

    /// Replaces the contents of `into` with the mapped `record`, and says whether it is wanted.
    ///
    /// As in the SDK, properties keep the place that they have, and new ones follow.
    pub(super) fn apply(&self, record: Value<'_>, into: &mut Tape) -> Result<bool, String> {
        if let Some(filter) = &self.definition.filter {
            let wanted = self.eval(filter, "__filter__", record, None)?;
            if !wanted.is_true()? {
                return Ok(false);
            }
        }
        let mut computed = Vec::with_capacity(self.definition.properties.len());
        for (name, expression) in &self.definition.properties {
            computed.push(match expression {
                None => None,
                Some(expression) => {
                    let place = || format!("property '{name}'");
                    Some(self.eval(expression, place, record, record.get(name))?)
                }
            });
        }
        self.write(record, &computed, into)?;
        Ok(true)
    }

    fn eval<'r>(
        &'r self,
        expression: &Expression,
        place: impl Place,
        record: Value<'r>,
        this: Option<Value<'r>>,
    ) -> Result<Computed<'r>, String> {
        let names = Names {
            record: Some(record),
            this,
            config: self.config.root(),
            stream: &self.stream,
            original: Some(&self.original),
        };
        expression
            .eval(&Scope::new(names, &self.faker))
            .map_err(|error| self.refused(&place.name(), &error.to_string()))
    }

    fn refused(&self, place: &str, problem: &str) -> String {
        format!("stream map of '{}', {place}: {problem}", self.stream)
    }

    fn write(
        &self,
        record: Value<'_>,
        computed: &[Option<Computed<'_>>],
        into: &mut Tape,
    ) -> Result<(), String> {
        into.clear();
        let mut written = vec![false; computed.len()];
        let mut first = true;
        let open = into.open_object();
        let mut member = |name: &str, value: Member<'_, '_>, into: &mut Tape| {
            into.separate(&mut first);
            into.push_str(name);
            into.colon();
            match value {
                Member::Came(value) => {
                    into.append(value);
                    Ok(())
                }
                Member::Computed(value) => value
                    .write(into)
                    .map_err(|problem| self.refused(&format!("property '{name}'"), &problem)),
            }
        };
        let kept = |name: &str| {
            self.definition.keeps_rest || self.key_properties.iter().any(|key| key == name)
        };
        for (name, value) in record.members() {
            match self.places.get(name) {
                None if kept(name) => member(name, Member::Came(value), into)?,
                None => {}
                Some(_) if !kept(name) => {}
                Some(&at) => {
                    written[at] = true;
                    if let Some(value) = &computed[at] {
                        member(name, Member::Computed(value), into)?;
                    }
                }
            }
        }
        let properties = self.definition.properties.iter();
        for ((name, _), (value, written)) in properties.zip(computed.iter().zip(written)) {
            if let (Some(value), false) = (value, written) {
                member(name, Member::Computed(value), into)?;
            }
        }
        into.close_object(open);
        Ok(())
    }
}

/// What a member of the mapped record is.
enum Member<'c, 'r> {
    Came(Value<'r>),
    Computed(&'c Computed<'r>),
}

/// What an expression is for; made only when something is wrong.
trait Place {
    fn name(&self) -> String;
}

impl Place for &str {
    fn name(&self) -> String {
        (*self).to_owned()
    }
}

impl<F: Fn() -> String> Place for F {
    fn name(&self) -> String {
        self()
    }
}
