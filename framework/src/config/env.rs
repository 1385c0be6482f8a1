//! Environment variables: `<TARGET_NAME>_<SETTING>`, in the environment or in `.env`.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Number, Value};

use super::problem::ConfigError;
use super::{SettingsSchema, compat, simplify};

/// The environment variables a run sees, as a value: whoever reads them can be tested without
/// changing the process.
#[derive(Clone, Default)]
pub(crate) struct Environment(BTreeMap<String, String>);

/// Only the names: the values may be secrets.
impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Environment {
    /// The process's environment, and below it `.env` in the working directory if there is one.
    ///
    /// In `.env`, `$NAME` stands for another variable unless the value is in single quotes.
    ///
    /// # Errors
    /// The `.env` file cannot be read.
    pub(crate) fn of_process() -> Result<Self, ConfigError> {
        let mut variables = dot_env(Path::new(".env"))?;
        // A variable that is not Unicode cannot be one of ours.
        variables.extend(std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        }));
        Ok(Self(variables))
    }

    /// The variable's value. An empty one counts as not set.
    #[must_use]
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let owned = variables.into_iter().map(|(n, v)| (n.into(), v.into()));
        Self(owned.collect())
    }
}

/// The variables of a `.env` file; none if it does not exist. Its lines may hold secrets, so the
/// parser's message, which quotes them, is not passed on.
fn dot_env(file: &Path) -> Result<BTreeMap<String, String>, ConfigError> {
    let unreadable = |error: dotenvy::Error| {
        let reason = match error {
            dotenvy::Error::Io(error) => format!("cannot be read: {error}"),
            _ => "has a line that is not NAME=value".to_owned(),
        };
        ConfigError::of(file.display().to_string(), reason)
    };
    match dotenvy::from_path_iter(file) {
        Ok(lines) => lines.collect::<Result<_, _>>().map_err(unreadable),
        Err(error) if error.not_found() => Ok(BTreeMap::new()),
        Err(error) => Err(unreadable(error)),
    }
}

/// The environment variable of a target's setting: `TARGET_NATS_KV_BATCH_SIZE_ROWS`.
pub(crate) fn variable(target_name: &str, setting: &str) -> String {
    format!("{target_name}_{setting}")
        .to_uppercase()
        .replace('-', "_")
}

/// The settings that the environment holds: name, value, variable.
pub(super) fn settings(
    target_name: &str,
    environment: &Environment,
    schema: &SettingsSchema,
) -> Vec<(String, Value, String)> {
    let ours = schema
        .settings()
        .map(|setting| (setting.name.as_str(), Some(setting.schema())));
    let foreign = compat::SDK_SETTINGS
        .iter()
        .filter(|(name, _)| schema.get(name).is_none())
        .map(|(name, _)| (*name, None));
    ours.chain(foreign)
        .filter_map(|(name, schema)| {
            let variable = variable(target_name, name);
            let text = environment.get(&variable)?;
            let value = match schema {
                Some(schema) => parse(schema, text),
                None => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
            };
            Some((name.to_owned(), value, variable))
        })
        .collect()
}

/// Reads the text as the schema's type. What cannot be read so stays a string: validation then
/// says what was expected.
fn parse(schema: &Value, text: &str) -> Value {
    let types = simplify::types(schema);
    let may_be = |name: &str| types.iter().any(|known| known == name);
    let trimmed = text.trim();
    if may_be("boolean")
        && let Some(on) = boolean(trimmed)
    {
        return Value::Bool(on);
    }
    if (may_be("integer") || may_be("number"))
        && let Ok(number) = serde_json::from_str::<Number>(trimmed)
    {
        return Value::Number(number);
    }
    for (name, opening) in [("array", '['), ("object", '{')] {
        if may_be(name)
            && trimmed.starts_with(opening)
            && let Ok(value) = serde_json::from_str(trimmed)
        {
            return value;
        }
    }
    if may_be("array") && !may_be("string") && !trimmed.starts_with('[') {
        let items = &schema["items"];
        return trimmed
            .split(',')
            .map(|item| parse(items, item.trim()))
            .collect();
    }
    text.into()
}

/// The words the Meltano SDK takes for true, and their opposites.
fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{dot_env, parse, variable};

    #[test]
    fn names_follow_the_sdk() {
        assert_eq!(
            variable("target-nats-kv", "batch_size_rows"),
            "TARGET_NATS_KV_BATCH_SIZE_ROWS"
        );
    }

    #[test]
    fn text_is_read_by_the_settings_type() {
        let cases: [(Value, &str, Value); 12] = [
            (json!({"type": "integer"}), "12", json!(12)),
            (json!({"type": "number"}), " 0.5", json!(0.5)),
            (json!({"type": "integer"}), "many", json!("many")),
            (json!({"type": "boolean"}), "Yes", json!(true)),
            (json!({"type": "boolean"}), "0", json!(false)),
            (json!({"type": "string"}), "1", json!("1")),
            (json!({"type": "string"}), "[a", json!("[a")),
            (
                json!({"type": "array", "items": {"type": "integer"}}),
                "1, 2",
                json!([1, 2]),
            ),
            (json!({"type": "array"}), r#"["a,b"]"#, json!(["a,b"])),
            (json!({"type": ["string", "array"]}), "a,b", json!("a,b")),
            (
                json!({"anyOf": [{"type": "string"}, {"type": "array"}]}),
                r#"["a"]"#,
                json!(["a"]),
            ),
            (json!({"type": "object"}), r#"{"a":1}"#, json!({"a": 1})),
        ];
        for (schema, text, expected) in cases {
            assert_eq!(parse(&schema, text), expected, "{schema} {text}");
        }
    }

    #[test]
    fn a_dot_env_file_is_read_and_never_quoted() {
        let folder = std::env::temp_dir().join(format!("singer-target-env-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join(".env");
        assert!(dot_env(&file).expect("no file").is_empty());
        std::fs::write(&file, "# ours\nexport A=1\nB=\"two words\"\n").expect("written");
        let variables = dot_env(&file).expect("a good file");
        assert_eq!((&*variables["A"], &*variables["B"]), ("1", "two words"));
        std::fs::write(&file, "PASSWORD='hunter2\n").expect("written");
        let error = dot_env(&file).expect_err("a bad line").to_string();
        assert!(
            error.ends_with(".env: has a line that is not NAME=value"),
            "{error}"
        );
        std::fs::remove_dir_all(&folder).expect("removed");
    }
}
