//! All that an expression can call, looked up by name when it is parsed.

use super::functions::{FUNCTIONS, Native};
use super::value::{Outcome, Value};
use super::{containers, datetime, fake, json, text};

/// Whether a name with a dot behind it is that of a module.
pub(super) fn is_module(name: &str) -> bool {
    matches!(name, "datetime" | "json" | "fake")
}

/// All functions that are offered, by their whole names.
fn all_functions() -> impl Iterator<Item = (String, Native)> {
    let own = FUNCTIONS
        .iter()
        .map(|(name, native)| ((*name).to_owned(), *native));
    let of = |module: &'static str, functions: &'static [(&'static str, Native)]| {
        functions
            .iter()
            .map(move |(name, native)| (format!("{module}.{name}"), *native))
    };
    own.chain(of("datetime", datetime::FUNCTIONS))
        .chain(of("json", json::FUNCTIONS))
        .chain(of("fake", fake::FUNCTIONS))
}

/// The function of that name, with its module.
pub(super) fn function(path: &str) -> Outcome<Native> {
    all_functions()
        .find(|(name, _)| name == path)
        .map(|(_, native)| native)
        .ok_or_else(|| {
            let module = path
                .split('.')
                .next()
                .filter(|module| path.len() > module.len());
            let names = all_functions()
                .map(|(name, _)| name)
                .filter(|name| match module {
                    Some(module) => name.starts_with(&format!("{module}.")),
                    None => !name.contains('.'),
                });
            unknown("function", path, names.collect())
        })
}

/// What a module holds that is no function.
pub(super) fn constant(path: &str) -> Outcome<Native> {
    let module = path.split('.').next().unwrap_or_default();
    let found = datetime::CONSTANTS
        .iter()
        .find(|(name, _)| path.strip_prefix("datetime.") == Some(name));
    match found {
        Some((_, native)) => Ok(*native),
        None if function(path).is_ok() => Err(format!("{path} must be called: {path}()")),
        None => {
            let told = unknown("name", path, Vec::new());
            Err(format!(
                "{told}; of a property '{module}' of the record write _['{module}']"
            ))
        }
    }
}

/// A function that is passed on by its name.
pub(super) fn value<'a>(name: &str) -> Option<Value<'a>> {
    FUNCTIONS
        .iter()
        .find(|(other, _)| *other == name)
        .map(|(name, native)| Value::Function(name, *native))
}

/// All functions, with their modules, and all methods.
#[cfg(feature = "internals")]
pub(crate) fn callable() -> (Vec<String>, Vec<&'static str>) {
    (all_functions().map(|(name, _)| name).collect(), methods())
}

/// All methods that are offered, of whatever kind of value.
pub(super) fn methods() -> Vec<&'static str> {
    let mut names: Vec<&str> = text::METHODS.iter().map(|(name, _)| *name).collect();
    names.extend(containers::DICT_METHODS.iter().map(|(name, _)| name));
    names.extend(containers::LIST_METHODS.iter().map(|(name, _)| name));
    names.extend(datetime::METHODS.iter().map(|(name, _)| name));
    names.sort_unstable();
    names.dedup();
    names
}

pub(super) fn method_exists(name: &str) -> Outcome<()> {
    let names = methods();
    if names.contains(&name) {
        return Ok(());
    }
    let names = names.into_iter().map(str::to_owned).collect();
    Err(unknown("method", name, names))
}

/// That something is not offered, and what is.
fn unknown(what: &str, name: &str, mut offered: Vec<String>) -> String {
    let slips = |other: &&String| {
        let most = 1 + usize::from(name.len() > 7);
        strsim::damerau_levenshtein(name, other) <= most
    };
    let near = offered.iter().find(slips);
    if let Some(near) = near {
        return format!("there is no {what} {name}; did you mean {near}?");
    }
    if offered.is_empty() {
        return format!("there is no {what} {name}");
    }
    offered.sort_unstable();
    format!(
        "there is no {what} {name}; there are {}",
        offered.join(", ")
    )
}
