//! Every struct's settings in one list.

use std::borrow::Cow;
use std::collections::BTreeSet;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::problem::{ConfigError, Problem};
use super::{describe, env, simplify};

/// One struct's settings: what they are called together, and their JSON Schema.
///
/// A plain value that a plugin can hold in a constant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Section {
    /// The heading they stand under: `Target`, `NATS KV sink`, `MessagePack encoder`.
    pub(crate) title: &'static str,
    /// What the struct is called among all structs.
    id: fn() -> Cow<'static, str>,
    schema: fn() -> Value,
}

impl Section {
    /// The settings that the struct's fields and their doc comments describe.
    ///
    /// Besides its properties, the struct's schema may say what must hold between them (`if` and
    /// `then`, `dependentRequired`, …), with `#[schemars(extend(…))]`.
    #[must_use]
    pub(crate) const fn of<T: JsonSchema>(title: &'static str) -> Self {
        Self {
            title,
            id: T::schema_id,
            schema: schema_of::<T>,
        }
    }
}

fn schema_of<T: JsonSchema>() -> Value {
    SchemaSettings::draft2020_12()
        .with(|settings| settings.inline_subschemas = true)
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value()
}

/// A section's heading and the text below it.
#[derive(Debug, Clone)]
pub(crate) struct SectionDocs {
    /// The heading.
    pub(crate) title: &'static str,
    /// The doc comment of the struct.
    pub(crate) description: String,
}

/// The settings of all sections, in one flat list with unique names.
#[derive(Debug, Clone)]
pub(crate) struct SettingsSchema {
    sections: Vec<SectionDocs>,
    settings: Vec<Setting>,
    /// What must hold between settings, each rule as a schema.
    rules: Vec<Value>,
}

impl SettingsSchema {
    /// Merges the sections.
    ///
    /// # Errors
    /// A name occurs twice. That is a mistake of the authors, and is refused at the start rather
    /// than letting one plugin read another's setting.
    pub(crate) fn new(sections: &[Section]) -> Result<Self, ConfigError> {
        let mut merged = Self {
            sections: Vec::new(),
            settings: Vec::new(),
            rules: Vec::new(),
        };
        let mut problems = Vec::new();
        for section in sections {
            for setting in merged.add(section) {
                match merged.get(&setting.name) {
                    Some(first) => problems.push(Problem {
                        message: format!(
                            "is declared by both {} and {}; rename one of them",
                            first.section, setting.section
                        ),
                        setting: setting.name,
                        origin: None,
                    }),
                    None => merged.settings.push(setting),
                }
            }
        }
        ConfigError::unless_empty(problems)?;
        Ok(merged)
    }

    /// Adds what must hold between settings of several sections.
    #[must_use]
    pub(crate) fn with_rule(mut self, rule: Value) -> Self {
        self.rules.push(rule);
        self
    }

    /// Keeps the section's texts and rules, and returns its settings.
    fn add(&mut self, section: &Section) -> Vec<Setting> {
        let Value::Object(mut schema) = (section.schema)() else {
            return Vec::new();
        };
        let description = simplify::text(schema.remove("description").as_ref());
        let required: BTreeSet<String> = match schema.remove("required") {
            Some(Value::Array(names)) => names
                .iter()
                .filter_map(|name| Some(name.as_str()?.to_owned()))
                .collect(),
            _ => BTreeSet::new(),
        };
        let properties = schema.remove("properties");
        for own in ["$schema", "title", "type", "additionalProperties"] {
            schema.remove(own);
        }
        if !schema.is_empty() {
            self.rules.push(Value::Object(schema));
        }
        self.sections.push(SectionDocs {
            title: section.title,
            description,
        });
        let Some(Value::Object(properties)) = properties else {
            return Vec::new();
        };
        properties
            .into_iter()
            .map(|(name, schema)| Setting {
                required: required.contains(&name),
                section: section.title,
                owner: (section.id)(),
                schema: simplify::property(schema),
                name,
            })
            .collect()
    }

    /// The sections, in the order given.
    #[must_use]
    pub(crate) fn sections(&self) -> &[SectionDocs] {
        &self.sections
    }

    /// Every setting, section by section, in the order of the fields.
    pub(crate) fn settings(&self) -> impl Iterator<Item = &Setting> {
        self.settings.iter()
    }

    /// The settings that are fields of `T`.
    pub(crate) fn of<T: JsonSchema>(&self) -> impl Iterator<Item = &Setting> {
        let owner = T::schema_id();
        self.settings().filter(move |it| it.owner == owner)
    }

    /// The setting of this name.
    #[must_use]
    pub(crate) fn get(&self, name: &str) -> Option<&Setting> {
        self.settings.iter().find(|setting| setting.name == name)
    }

    /// The names of the settings without which nothing runs.
    pub(crate) fn required(&self) -> impl Iterator<Item = &str> {
        self.settings()
            .filter(|setting| setting.required)
            .map(|setting| setting.name.as_str())
    }

    /// All of it as one JSON Schema.
    #[must_use]
    pub(crate) fn document(&self) -> Value {
        let properties: Map<_, _> = self
            .settings()
            .map(|setting| (setting.name.clone(), setting.schema.clone()))
            .collect();
        let mut document = json!({ "type": "object", "properties": properties });
        let required: Vec<_> = self.required().collect();
        if !required.is_empty() {
            document["required"] = required.into();
        }
        if !self.rules.is_empty() {
            document["allOf"] = self.rules.clone().into();
        }
        document
    }
}

/// One setting.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    /// The name of the field.
    pub(crate) name: String,
    /// The title of the section it belongs to.
    pub(crate) section: &'static str,
    /// The struct whose field it is.
    owner: Cow<'static, str>,
    /// Whether nothing runs without it.
    pub(crate) required: bool,
    schema: Value,
}

/// One of a setting's allowed values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Choice {
    /// The value.
    pub(crate) value: String,
    /// What it means; may be empty.
    pub(crate) description: String,
}

impl Setting {
    /// Its JSON Schema: plain, without references and without null.
    #[must_use]
    pub(crate) fn schema(&self) -> &Value {
        &self.schema
    }

    /// The doc comment of the field: paragraphs, separated by blank lines.
    #[must_use]
    pub(crate) fn description(&self) -> &str {
        self.schema["description"].as_str().unwrap_or_default()
    }

    /// The value it has when it is not set.
    #[must_use]
    pub(crate) fn default(&self) -> Option<&Value> {
        self.schema.get("default")
    }

    /// Whether its value must never be shown.
    #[must_use]
    pub(crate) fn is_secret(&self) -> bool {
        ["secret", "writeOnly"]
            .iter()
            .any(|mark| self.schema[mark] == true)
    }

    /// What it may be, in words: `a whole number from 1 to 100000`.
    #[must_use]
    pub(crate) fn allowed(&self) -> String {
        describe::allowed(&self.schema)
    }

    /// The values to choose from; empty if it is not a choice.
    #[must_use]
    pub(crate) fn choices(&self) -> Vec<Choice> {
        simplify::choices(&self.schema)
    }

    /// The types of JSON it may have: usually one.
    #[must_use]
    pub(crate) fn types(&self) -> Vec<String> {
        simplify::types(&self.schema)
    }

    /// The environment variables that a sink looks into where it is not set.
    pub(crate) fn fallback_variables(&self) -> impl Iterator<Item = &str> {
        let names = self.schema["fallbackVariables"].as_array();
        names.into_iter().flatten().filter_map(Value::as_str)
    }

    /// The environment variable that sets it.
    #[must_use]
    pub(crate) fn variable(&self, target_name: &str) -> String {
        env::variable(target_name, &self.name)
    }
}
