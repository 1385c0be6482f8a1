//! STUB until the real module is merged; the same names and signatures.
#![allow(missing_docs)]
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
#[derive(Clone, Copy)]
pub struct Section {
    pub title: &'static str,
    #[allow(dead_code)]
    schema: fn() -> schemars::Schema,
}
impl Section {
    pub const fn of<T: JsonSchema>(title: &'static str) -> Self {
        Self {
            title,
            schema: || schemars::schema_for!(T),
        }
    }
}
pub struct Settings(pub serde_json::Map<String, serde_json::Value>);
impl Settings {
    pub fn section<T: DeserializeOwned + JsonSchema>(&self) -> Result<T, ConfigError> {
        serde_json::from_value(serde_json::Value::Object(self.0.clone())).map_err(|e| ConfigError {
            problems: vec![Problem::new("config", e.to_string())],
        })
    }
}
#[derive(Debug, thiserror::Error)]
#[error("{problems:?}")]
pub struct ConfigError {
    pub problems: Vec<Problem>,
}
impl ConfigError {
    pub fn unless_empty(problems: Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Self { problems })
        }
    }
}
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub setting: String,
    pub problem: String,
}
impl Problem {
    pub fn new(setting: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            setting: setting.into(),
            problem: problem.into(),
        }
    }
}
#[derive(Clone, Default, serde::Deserialize, JsonSchema)]
pub struct Secret(String);
impl Secret {
    pub fn expose(&self) -> &str {
        &self.0
    }
}
impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}
