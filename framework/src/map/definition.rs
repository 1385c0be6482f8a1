//! One entry of the setting `stream_maps`: what becomes of the streams of a name or a pattern.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use glob::Pattern;
use serde_json::{Map, Value as Setting};

use crate::expression::Expression;

/// A text that means null, for where null cannot be written.
const NULL: &str = "__NULL__";

const OPERATIONS: [&str; 5] = [
    "__alias__",
    "__source__",
    "__filter__",
    "__key_properties__",
    "__else__",
];

/// What an entry says, and about which streams.
#[derive(Debug)]
pub(super) struct Entry {
    /// The name or the pattern of the streams that it is about.
    pub(super) source: Source,
    /// `None`: they are left out.
    pub(super) definition: Option<Arc<Definition>>,
    /// If this makes a copy beside them, its name.
    pub(super) copy: Option<String>,
    /// Whether there was such a stream.
    pub(super) matched: AtomicBool,
}

/// The streams that an entry is about.
#[derive(Debug)]
pub(super) struct Source {
    text: String,
    pattern: Pattern,
}

/// What becomes of a stream.
#[derive(Debug)]
pub(super) struct Definition {
    pub(super) alias: Option<Alias>,
    pub(super) filter: Option<Expression>,
    /// The key, if it is not the stream's own.
    pub(super) key_properties: Option<Vec<String>>,
    /// Whether properties that are not named are kept.
    pub(super) keeps_rest: bool,
    /// The properties that are named; `None` for one that is left out.
    pub(super) properties: Vec<(String, Option<Expression>)>,
}

/// A stream's new name.
#[derive(Debug)]
pub(super) enum Alias {
    Name(String),
    Expression(Expression),
}

impl Source {
    fn parse(text: &str) -> Result<Self, String> {
        // Patterns of Python's `fnmatch`, where two stars are no more than one.
        let mut glob = text.to_owned();
        while glob.contains("**") {
            glob = glob.replace("**", "*");
        }
        let pattern = Pattern::new(&glob).map_err(|error| format!("the pattern: {}", error.msg))?;
        Ok(Self {
            text: text.to_owned(),
            pattern,
        })
    }

    /// Whether it can be about several streams.
    pub(super) fn is_pattern(&self) -> bool {
        self.text.contains(['*', '?', '['])
    }

    pub(super) fn name(&self) -> &str {
        &self.text
    }

    pub(super) fn matches(&self, stream: &str) -> bool {
        self.text == stream || self.pattern.matches(stream)
    }
}

/// Whether a value leaves something out.
pub(super) fn is_null(value: &Setting) -> bool {
    value.is_null() || value == NULL
}

impl Entry {
    /// Reads an entry. All that is wrong with it is added to `problems`.
    pub(super) fn parse(
        name: &str,
        value: &Setting,
        problems: &mut dyn FnMut(String),
    ) -> Option<Self> {
        let mut source = name;
        let mut copy = None;
        let definition = match value {
            _ if is_null(value) => None,
            Setting::Object(members) => {
                match members.get("__source__") {
                    None => {}
                    Some(Setting::String(other)) => {
                        source = other;
                        copy = Some(name.to_owned());
                    }
                    Some(_) => problems("__source__ must be the name of a stream".to_owned()),
                }
                Some(Definition::parse(members, problems))
            }
            _ => {
                problems("must be an object of properties, or null".to_owned());
                return None;
            }
        };
        match Source::parse(source) {
            Ok(source) => Some(Self {
                source,
                definition: definition.map(Arc::new),
                copy,
                matched: AtomicBool::new(false),
            }),
            Err(problem) => {
                problems(problem);
                None
            }
        }
    }
}

impl Definition {
    fn parse(members: &Map<String, Setting>, problems: &mut dyn FnMut(String)) -> Self {
        let mut definition = Self {
            alias: None,
            filter: None,
            key_properties: None,
            keeps_rest: true,
            properties: Vec::new(),
        };
        for (name, value) in members {
            if let Err(problem) = definition.add(name, value, members) {
                let name = if OPERATIONS.contains(&name.as_str()) {
                    name.clone()
                } else {
                    format!("property '{name}'")
                };
                problems(format!("{name}: {problem}"));
            }
        }
        definition
    }

    fn add(
        &mut self,
        name: &str,
        value: &Setting,
        members: &Map<String, Setting>,
    ) -> Result<(), String> {
        match name {
            // Read before.
            "__source__" => {}
            "__alias__" => {
                if members.contains_key("__source__") {
                    return Err("a copy has the name of its entry, and no other".to_owned());
                }
                let text = value.as_str().ok_or("must be a name or an expression")?;
                self.alias = Some(Alias::parse(text)?);
            }
            "__filter__" => self.filter = expression(value)?,
            "__else__" if is_null(value) => self.keeps_rest = false,
            "__else__" => return Err("can only be null".to_owned()),
            "__key_properties__" => self.key_properties = Some(key(value, members)?),
            _ if name.starts_with("__") && name.ends_with("__") => {
                return Err(format!(
                    "there is no such operation; there are {}",
                    OPERATIONS.join(", ")
                ));
            }
            _ => {
                let expression = expression(value)?;
                self.properties.push((name.to_owned(), expression));
            }
        }
        Ok(())
    }
}

fn expression(value: &Setting) -> Result<Option<Expression>, String> {
    match value {
        _ if is_null(value) => Ok(None),
        Setting::String(text) => Expression::parse(text)
            .map(Some)
            .map_err(|error| error.to_string()),
        Setting::Object(_) => Err(
            "must be an expression or null; properties of properties cannot be mapped one by one, \
             but an expression can make an object: {'name': …}"
                .to_owned(),
        ),
        _ => Err(
            "must be an expression or null; a fixed value is written within quotes: \"'text'\", \"1\""
                .to_owned(),
        ),
    }
}

fn key(value: &Setting, members: &Map<String, Setting>) -> Result<Vec<String>, String> {
    let names: Option<Vec<String>> = match value {
        _ if is_null(value) => Some(Vec::new()),
        Setting::Array(names) => names
            .iter()
            .map(|name| name.as_str().map(str::to_owned))
            .collect(),
        _ => None,
    };
    let names = names.ok_or("must be a list of properties, or null")?;
    match names
        .iter()
        .find(|name| members.get(*name).is_some_and(is_null))
    {
        Some(name) => Err(format!("the property '{name}' is left out by this map")),
        None => Ok(names),
    }
}

impl Alias {
    /// As in the SDK, what is no more than a name is one, without quotes.
    fn parse(text: &str) -> Result<Self, String> {
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        if text.is_empty() {
            return Err("the name is empty".to_owned());
        }
        if text.chars().all(plain) && !text.contains("__stream_name__") {
            return Ok(Self::Name(text.to_owned()));
        }
        Expression::parse(text).map(Self::Expression).map_err(|error| {
            format!("{error}; a name that holds more than letters, digits, '_', '-' and '.' stands within quotes of its own: \"'a b'\"")
        })
    }
}
