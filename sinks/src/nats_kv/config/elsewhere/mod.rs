//! Where the settings of the connection come from if the user has not given them: contexts of the
//! `nats` command line, and the environment variables that it heeds.
//!
//! They are levels, the nearer one winning:
//!
//! 1. what was given to the target itself,
//! 2. the context that `nats_context` names,
//! 3. the variables `NATS_…`,
//! 4. the context that `NATS_CONTEXT` names, unless the target was told where its server is.
//!
//! Settings that mean something only together (all that authenticates; a certificate and its key)
//! come from one level, so that a token of the one never meets a user of the other. The context
//! that is selected on this machine (`nats context select`) is deliberately not looked at: a load
//! must not go to another server because somebody looked into one.

mod context;
mod reference;

use std::collections::BTreeMap;

use serde_json::Value;
use singer_target::SinkContext;
use singer_target::config::{FilledIn, Given, Problem};

use super::NatsKvConfig;
use reference::Reference;

/// The settings that are filled in, those that belong together in one group.
const GROUPS: [&[&str]; 7] = [
    &["url"],
    CREDENTIALS,
    &["tls_ca"],
    &["tls_cert", "tls_key"],
    &["tls_first"],
    &["jetstream_domain", "jetstream_api_prefix"],
    &["inbox_prefix"],
];

/// All by which the user is known to the server, besides a user in the URL.
const CREDENTIALS: &[&str] = &[
    "user",
    "password",
    "token",
    "creds",
    "creds_content",
    "nkey_seed",
    "jwt",
];

/// One place and what it says, by setting.
struct Level {
    found: BTreeMap<&'static str, Reference>,
    origin: String,
}

impl Level {
    fn has(&self, setting: &str) -> bool {
        self.found.contains_key(setting)
    }

    fn has_any(&self, group: &[&str]) -> bool {
        group.iter().any(|setting| self.has(setting))
    }
}

/// What was not given and is found elsewhere.
pub(in super::super) fn fill_in(given: &Given<'_>) -> Result<Vec<FilledIn>, Vec<Problem>> {
    let levels = levels(given).map_err(|problem| vec![problem])?;
    let with_url = levels.iter().position(|level| level.has("url"));
    let authenticates = |(index, level): (usize, &Level)| {
        let in_url = with_url == Some(index)
            && level
                .found
                .get("url")
                .is_some_and(Reference::has_credentials);
        in_url || level.has_any(CREDENTIALS)
    };
    let with_credentials = levels.iter().enumerate().position(authenticates);
    let mut filled = Vec::new();
    let mut problems = Vec::new();
    for group in GROUPS {
        let source = if group == CREDENTIALS {
            with_credentials
        } else {
            levels.iter().position(|level| level.has_any(group))
        };
        // Of the first level there is nothing to fill in: it is what was given.
        let Some(source) = source.filter(|source| *source > 0) else {
            continue;
        };
        let level = &levels[source];
        for (setting, reference) in &level.found {
            if !group.contains(setting) {
                continue;
            }
            match reference.resolve(given) {
                Ok((_, Value::String(urls)))
                    if *setting == "url" && with_credentials != Some(source) =>
                {
                    filled.push(FilledIn::new(
                        "url",
                        without_credentials(&urls),
                        origin(level, reference),
                    ));
                }
                Ok((as_setting, value)) => filled.push(FilledIn::new(
                    as_setting.unwrap_or(*setting),
                    value,
                    origin(level, reference),
                )),
                Err(reason) => problems.push(Problem::new(
                    *setting,
                    format!("{reason} ({})", origin(level, reference)),
                )),
            }
        }
    }
    if given.variable("NATS_SOCKS_PROXY").is_some() {
        tracing::warn!("NATS_SOCKS_PROXY is set, but no SOCKS proxy is used");
    }
    if problems.is_empty() {
        Ok(filled)
    } else {
        Err(problems)
    }
}

fn origin(level: &Level, reference: &Reference) -> String {
    match &reference.variable {
        Some(variable) => variable.clone(),
        None => level.origin.clone(),
    }
}

fn levels(given: &Given<'_>) -> Result<Vec<Level>, Problem> {
    let own = own(given);
    let is_told_where = own.has("url");
    let mut levels = vec![own];
    let named = given.get("nats_context");
    if let Some(name) = named.and_then(Value::as_str) {
        levels.push(context::read(name, given)?);
    }
    levels.push(variables(given));
    if let (None, false, Some((_, name))) = (named, is_told_where, given.fallback("nats_context")) {
        levels.push(context::read(name, given)?);
    }
    Ok(levels)
}

/// What was given to the target: nothing of it is changed.
fn own(given: &Given<'_>) -> Level {
    let settings = GROUPS.into_iter().flatten().copied();
    let found = settings.filter_map(|setting| {
        let value = given.get(setting)?;
        Some((setting, Reference::given(value)))
    });
    Level {
        found: found.collect(),
        origin: String::new(),
    }
}

/// What the variables of the `nats` command line say.
fn variables(given: &Given<'_>) -> Level {
    let settings = GROUPS.into_iter().flatten().copied();
    let mut found: BTreeMap<_, _> = settings
        .filter_map(|setting| {
            let (variable, text) = given.fallback(setting)?;
            let reference = match variable {
                "NATS_NKEY" => Reference::seed_file(text),
                _ => Reference::of(setting, text),
            };
            Some((setting, reference.in_variable(variable)))
        })
        .collect();
    // As the command line takes it.
    if !found.contains_key("password")
        && let Some(token) = found.remove("user")
    {
        found.insert("token", token);
    }
    if !found.contains_key("user") {
        found.remove("password");
    }
    Level {
        found,
        origin: String::new(),
    }
}

/// The URLs without users and tokens.
fn without_credentials(urls: &str) -> String {
    let without = |url: &str| {
        let (scheme, rest) = url.split_once("://").unwrap_or(("nats", url));
        let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
        format!("{scheme}://{host}")
    };
    let urls: Vec<_> = urls.split(',').map(str::trim).map(without).collect();
    urls.join(",")
}

/// Where the server's address and the credentials come from, for people; no values.
pub(in super::super) fn describe(config: &NatsKvConfig, context: &SinkContext) -> String {
    let address = match context.origin("url") {
        Some(origin) => format!("from {origin}"),
        None => "the default".to_owned(),
    };
    let credentials = CREDENTIALS
        .iter()
        .find_map(|setting| Some(format!("'{setting}' from {}", context.origin(setting)?)));
    let credentials = match credentials {
        Some(credentials) => credentials,
        None if config.url.has_credentials() => "in the address".to_owned(),
        None => "none".to_owned(),
    };
    format!("address: {address}; credentials: {credentials}")
}

#[cfg(test)]
mod tests {
    use super::without_credentials;

    #[test]
    fn a_url_without_its_credentials() {
        for (url, plain) in [
            ("nats://a:1", "nats://a:1"),
            ("ann:secret@a", "nats://a"),
            ("tls://t@a:1, wss://u:p@b/path", "tls://a:1,wss://b/path"),
        ] {
            assert_eq!(without_credentials(url), plain);
        }
    }
}
