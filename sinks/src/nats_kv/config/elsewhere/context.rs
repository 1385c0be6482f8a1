//! A context of the `nats` command line: a file of JSON that names a server and a user.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use singer_target::config::{Given, Problem};

use super::Level;
use super::reference::{self, Reference};

/// Fields that a setting takes.
const FIELDS: [(&str, &str); 13] = [
    ("url", "url"),
    ("user", "user"),
    ("password", "password"),
    ("token", "token"),
    ("creds", "creds"),
    ("user_jwt", "jwt"),
    ("user_seed", "nkey_seed"),
    ("cert", "tls_cert"),
    ("key", "tls_key"),
    ("ca", "tls_ca"),
    ("jetstream_domain", "jetstream_domain"),
    ("jetstream_api_prefix", "jetstream_api_prefix"),
    ("inbox_prefix", "inbox_prefix"),
];

/// Fields without which the connection would be another one, and which cannot be heeded.
const UNSUPPORTED: [(&str, &str); 6] = [
    (
        "nsc",
        "give the credentials file that nsc has made: 'creds'",
    ),
    ("socks_proxy", "SOCKS proxies are not supported"),
    ("windows_cert_store", "give files: 'cert', 'key' and 'ca'"),
    ("windows_cert_match", "give files: 'cert', 'key' and 'ca'"),
    (
        "windows_cert_match_by",
        "give files: 'cert', 'key' and 'ca'",
    ),
    (
        "windows_ca_certs_match",
        "give files: 'cert', 'key' and 'ca'",
    ),
];

/// Fields that are of no concern to a load.
const IGNORED: [&str; 4] = [
    "name",
    "description",
    "color_scheme",
    "jetstream_event_prefix",
];

/// Reads the context of that name, or from that file of JSON.
pub(super) fn read(name: &str, given: &Given<'_>) -> Result<Level, Problem> {
    let problem = |message: String| Problem::new("nats_context", message);
    let file = file(name, given).map_err(problem)?;
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) => return Err(problem(unreadable(name, &file, &error))),
    };
    let origin = format!("the context '{name}' ({})", file.display());
    let fields: Map<String, Value> = serde_json::from_str(&text).map_err(|error| {
        // What the parser says itself may quote a secret.
        problem(format!(
            "{origin} is not an object of JSON: see its line {}",
            error.line()
        ))
    })?;
    match level(fields, &origin) {
        Ok(found) => Ok(Level { found, origin }),
        Err((field, reason)) => Err(problem(format!("{origin}: field '{field}': {reason}"))),
    }
}

type Found = BTreeMap<&'static str, Reference>;

/// What the fields say, by setting. An error is a field and what is wrong with it.
fn level(fields: Map<String, Value>, origin: &str) -> Result<Found, (String, String)> {
    let mut found = Found::new();
    for (field, value) in fields.into_iter().filter(|(_, value)| !is_empty(value)) {
        if IGNORED.contains(&field.as_str()) {
            continue;
        }
        if let Some((_, advice)) = UNSUPPORTED.iter().find(|(known, _)| *known == field) {
            return Err((field, (*advice).to_owned()));
        }
        if field == "tls_first" {
            let on = value.as_bool();
            let on = on.ok_or_else(|| (field, "must be true or false".to_owned()))?;
            found.insert("tls_first", Reference::flag(on));
            continue;
        }
        let setting = FIELDS.iter().find(|(known, _)| *known == field);
        if setting.is_none() && field != "nkey" {
            tracing::warn!("{origin}: field '{field}' is not known, and not heeded");
            continue;
        }
        let Value::String(text) = &value else {
            return Err((field, "must be a string".to_owned()));
        };
        let earlier = match setting {
            Some((_, setting)) => found.insert(setting, Reference::of(setting, text)),
            None => found.insert("nkey_seed", Reference::seed_file(text)),
        };
        if earlier.is_some() {
            let reason =
                "is one way to authenticate, and 'nkey' and 'user_seed' are two; leave one";
            return Err((field, reason.to_owned()));
        }
    }
    Ok(found)
}

/// The command line writes a field that is not set as an empty text.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn file(name: &str, given: &Given<'_>) -> Result<PathBuf, String> {
    if is_path(name) {
        return reference::path(name, given).map(PathBuf::from);
    }
    Ok(folder(given)?.join(format!("{name}.json")))
}

/// The name of a context has neither a folder nor this end.
fn is_path(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|end| end == "json") || name.contains(['/', '\\'])
}

/// Where the contexts are.
fn folder(given: &Given<'_>) -> Result<PathBuf, String> {
    let root = match given.variable("XDG_CONFIG_HOME") {
        Some(root) => PathBuf::from(root),
        None => Path::new(&reference::home(given)?).join(".config"),
    };
    Ok(root.join("nats/context"))
}

fn unreadable(name: &str, file: &Path, error: &std::io::Error) -> String {
    if error.kind() != std::io::ErrorKind::NotFound {
        return format!(
            "the context '{name}' ({}) cannot be read: {error}",
            file.display()
        );
    }
    let folder = match file.parent() {
        Some(folder) if !is_path(name) => folder,
        _ => return format!("there is no file '{}'", file.display()),
    };
    let mut known: Vec<_> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            entry
                .ok()?
                .path()
                .file_name()?
                .to_str()?
                .strip_suffix(".json")
                .map(str::to_owned)
        })
        .collect();
    known.sort();
    let known = if known.is_empty() {
        "none".to_owned()
    } else {
        known.join(", ")
    };
    format!(
        "there is no context '{name}' in {}; there are: {known}",
        folder.display()
    )
}
