//! Checks what the user gave against the schema and reports everything that is wrong with it.

use jsonschema::error::ValidationErrorKind as Kind;
use jsonschema::{JsonType, ValidationError};
use serde_json::{Map, Number, Value};

use super::problem::{ConfigError, Problem};
use super::source::Merged;
use super::{Setting, SettingsSchema, compat};

/// How alike a name must be to be taken for a slip of the keyboard (1 is equal).
const NEAR: f64 = 0.8;

/// The settings, if there is nothing wrong with any of them.
pub(super) fn check(
    given: Merged,
    schema: &SettingsSchema,
) -> Result<Map<String, Value>, ConfigError> {
    let mut problems = Vec::new();
    let mut known = Map::new();
    let mut origins = Vec::new();
    for (name, given) in given {
        if let Some(setting) = schema.get(&name) {
            known.insert(name.clone(), whole(setting, given.value));
            origins.push((name, given.origin));
        } else if let Some(message) = refusal(&name, &given.value, schema) {
            problems.push(Problem {
                setting: name,
                message,
                origin: Some(given.origin),
            });
        }
    }
    let document = schema.document();
    let validator = jsonschema::validator_for(&document)
        .map_err(|error| ConfigError::of("settings", format!("have an invalid schema: {error}")))?;
    let instance = Value::Object(known);
    let mut seen: Vec<(String, String)> = Vec::new();
    for error in validator.iter_errors(&instance) {
        let (setting, message) = explain(&error, schema, &document);
        // A wrong type is also not one of the choices: the first reason is enough.
        let place = (setting.clone(), error.instance_path().to_string());
        if seen.contains(&place) {
            continue;
        }
        seen.push(place);
        let origin = origins.iter().find(|(name, _)| *name == setting);
        problems.push(Problem {
            origin: origin.map(|(_, origin)| origin.clone()),
            setting,
            message,
        });
    }
    ConfigError::unless_empty(problems)?;
    match instance {
        Value::Object(settings) => Ok(settings),
        _ => Ok(Map::new()),
    }
}

/// `1000.0` and `1e3` are whole numbers to JSON Schema, and must be to the struct as well.
fn whole(setting: &Setting, value: Value) -> Value {
    match &value {
        Value::Number(number) if setting.types() == ["integer"] && number.as_i64().is_none() => {
            match number.as_f64() {
                #[allow(clippy::cast_possible_truncation, reason = "checked: exact up to 2^53")]
                Some(float) if float.fract() == 0.0 && float.abs() <= 9_007_199_254_740_992.0 => {
                    Value::Number(Number::from(float as i64))
                }
                _ => value,
            }
        }
        _ => value,
    }
}

/// Why a setting that no section declares is refused, if it is.
fn refusal(name: &str, value: &Value, schema: &SettingsSchema) -> Option<String> {
    if let Some(accept) = compat::lookup(name) {
        return accept.refusal(value);
    }
    let nearest = schema
        .settings()
        .map(|setting| (strsim::jaro_winkler(name, &setting.name), &setting.name))
        .filter(|(likeness, _)| *likeness >= NEAR)
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    Some(match nearest {
        Some((_, nearest)) => format!("is not a setting; did you mean {nearest}?"),
        None => "is not a setting; `about` lists them all".to_owned(),
    })
}

/// The setting that an error is about, what is wrong with it, and what is allowed.
fn explain(
    error: &ValidationError<'_>,
    schema: &SettingsSchema,
    document: &Value,
) -> (String, String) {
    let path = error.instance_path().to_string();
    let mut steps = path.split('/').skip(1);
    let Some(setting) = steps.next().and_then(|name| schema.get(name)) else {
        return explain_rule(error, schema, document);
    };
    let within: String = steps.map(|step| format!("/{step}")).collect();
    let wrong = wrong(error, setting.is_secret());
    let at = if within.is_empty() {
        within
    } else {
        format!("at {within}, ")
    };
    let message = format!("{at}{wrong}; allowed: {}", setting.allowed());
    (setting.name.clone(), message)
}

/// An error about the settings together: one is missing, or there is one too many.
fn explain_rule(
    error: &ValidationError<'_>,
    schema: &SettingsSchema,
    document: &Value,
) -> (String, String) {
    let rule = error.schema_path().to_string();
    let (first, others) = match error.kind() {
        Kind::Required { property } => (property.as_str(), Vec::new()),
        Kind::OneOfNotValid { .. } | Kind::OneOfMultipleValid { .. } => {
            let mut names = alternatives(&rule, document).into_iter();
            (names.next(), names.collect())
        }
        _ => (None, Vec::new()),
    };
    let Some(setting) = first.and_then(|name| schema.get(name)) else {
        return ("settings".to_owned(), error.masked().to_string());
    };
    let name = &setting.name;
    let because = reason(&rule, name, error.instance(), document);
    let others = others.join(" or ");
    let message = if matches!(error.kind(), Kind::OneOfMultipleValid { .. }) {
        format!("is set, and so is {others}; only one of them can be used{because}")
    } else {
        let instead = match &*others {
            "" => String::new(),
            others => format!(", or {others}"),
        };
        let allowed = setting.allowed();
        format!("is not set but is required{because}{instead}; allowed: {allowed}")
    };
    (name.clone(), message)
}

/// The settings of which a rule wants exactly one.
fn alternatives<'a>(rule: &str, document: &'a Value) -> Vec<&'a str> {
    let alternatives = document.pointer(rule).and_then(Value::as_array);
    alternatives
        .into_iter()
        .flatten()
        .filter_map(|schema| schema["required"][0].as_str())
        .collect()
}

/// Which other setting asks for the missing one, if a rule between settings does.
fn reason(rule: &str, missing: &str, given: &Value, document: &Value) -> String {
    let at = |path: &str| document.pointer(path).and_then(Value::as_object);
    let causes: Vec<String> = if let Some((section, _)) = rule.split_once("/then/") {
        at(&format!("{section}/if/properties"))
            .into_iter()
            .flatten()
            .filter_map(|(name, schema)| Some(format!("{name} is {}", schema["const"].as_str()?)))
            .collect()
    } else if rule.ends_with("/dependentRequired") {
        let asks = |names: &Value| {
            names
                .as_array()
                .is_some_and(|names| names.contains(&missing.into()))
        };
        at(rule)
            .into_iter()
            .flatten()
            .filter(|(name, names)| given.get(name).is_some() && asks(names))
            .map(|(name, _)| format!("{name} is set"))
            .collect()
    } else {
        Vec::new()
    };
    if causes.is_empty() {
        return String::new();
    }
    format!(" when {}", causes.join(" and "))
}

/// What is wrong with a value; the value itself only if it is no secret.
fn wrong(error: &ValidationError<'_>, secret: bool) -> String {
    let value = error.instance();
    let shown = if secret { None } else { shown(value) };
    let subject = shown.unwrap_or_else(|| "the value".to_owned());
    match error.kind() {
        Kind::Type { .. } => match type_name(value) {
            // Then the fraction is what is wrong with it.
            "a number" if value.is_f64() => format!("{subject} is a number with a fraction"),
            name => format!("{subject} is {name}"),
        },
        Kind::Enum { .. } => format!("{subject} is none of the choices"),
        Kind::Minimum { .. } | Kind::ExclusiveMinimum { .. } => format!("{subject} is too small"),
        Kind::Maximum { .. } | Kind::ExclusiveMaximum { .. } => format!("{subject} is too large"),
        Kind::MinLength { .. } | Kind::MinItems { .. } => format!("{subject} is too short"),
        Kind::MaxLength { .. } | Kind::MaxItems { .. } => format!("{subject} is too long"),
        _ => format!("{subject} is not allowed"),
    }
}

/// The value as it may stand in a message: short, and no URL that could hold a password.
fn shown(value: &Value) -> Option<String> {
    match value {
        Value::Array(_) | Value::Object(_) => None,
        Value::String(text) if text.len() > 60 || text.contains('@') => None,
        simple => Some(simple.to_string()),
    }
}

fn type_name(value: &Value) -> &'static str {
    match JsonType::from(value) {
        JsonType::Array => "a list",
        JsonType::Boolean => "a boolean",
        JsonType::Integer | JsonType::Number => "a number",
        JsonType::Null => "null",
        JsonType::Object => "an object",
        JsonType::String => "a string",
    }
}
