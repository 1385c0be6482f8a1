//! A value as a context or a variable has it: itself, or a place where it is.
//!
//! The rules are those of the `nats` command line: paths know `~` and environment variables, and
//! secrets may be given as `env://NAME`, `file://PATH` or `data:;base64,…`. Nothing is read before
//! it is known to be needed.

use std::fs;

use data_encoding::BASE64;
use serde_json::Value;
use singer_target::config::Given;

use super::super::Urls;

/// A value, or where it is.
pub(super) struct Reference {
    kind: Kind,
    /// The environment variable that it is from, if it is from one.
    pub(super) variable: Option<String>,
}

enum Kind {
    /// The value itself.
    Plain(Value),
    /// The path of a file.
    Path(String),
    /// The path of a credentials file, or where its text is.
    Credentials(String),
    /// The path of a file with an NKey seed, or where its text is.
    SeedFile(String),
    /// A secret, or where it is.
    Secret(String),
}

impl Reference {
    /// A value that was given to the target.
    pub(super) fn given(value: &Value) -> Self {
        Kind::Plain(value.clone()).into()
    }

    /// What `text` is as the value of `setting`.
    pub(super) fn of(setting: &str, text: &str) -> Self {
        let text = text.to_owned();
        match setting {
            "creds" => Kind::Credentials(text),
            "tls_ca" | "tls_cert" | "tls_key" => Kind::Path(text),
            "password" | "token" | "jwt" | "nkey_seed" => Kind::Secret(text),
            _ => Kind::Plain(text.into()),
        }
        .into()
    }

    /// A switch.
    pub(super) fn flag(on: bool) -> Self {
        Kind::Plain(on.into()).into()
    }

    /// A file that has an NKey seed in it.
    pub(super) fn seed_file(text: &str) -> Self {
        Kind::SeedFile(text.to_owned()).into()
    }

    /// The same, from this environment variable.
    pub(super) fn in_variable(mut self, variable: &str) -> Self {
        self.variable = Some(variable.to_owned());
        self
    }

    /// Whether it is a URL, or some, with a user or a token in it.
    pub(super) fn has_credentials(&self) -> bool {
        let Kind::Plain(value) = &self.kind else {
            return false;
        };
        serde_json::from_value::<Urls>(value.clone()).is_ok_and(|urls| urls.has_credentials())
    }

    /// The value, and the setting that takes it where that is another one.
    ///
    /// # Errors
    /// Why it cannot be had, without secrets.
    pub(super) fn resolve(
        &self,
        given: &Given<'_>,
    ) -> Result<(Option<&'static str>, Value), String> {
        Ok(match &self.kind {
            Kind::Plain(value) => (None, value.clone()),
            Kind::Path(text) => match Scheme::of(text) {
                Scheme::None | Scheme::File => (None, path(text, given)?.into()),
                _ => return Err("must be the path of a file".to_owned()),
            },
            Kind::Credentials(text) => match Scheme::of(text) {
                Scheme::None | Scheme::File => (None, path(text, given)?.into()),
                _ => (Some("creds_content"), content(text, given)?.into()),
            },
            Kind::SeedFile(text) => {
                let content = match Scheme::of(text) {
                    Scheme::None => read(&path(text, given)?)?,
                    _ => content(text, given)?,
                };
                let seed = seed(&content).ok_or("has no user's NKey seed in it")?;
                (None, seed.into())
            }
            Kind::Secret(text) => match Scheme::of(text) {
                Scheme::None => (None, text.as_str().into()),
                _ => (None, content(text, given)?.trim_end().into()),
            },
        })
    }
}

impl From<Kind> for Reference {
    fn from(kind: Kind) -> Self {
        Self {
            kind,
            variable: None,
        }
    }
}

/// Where a text says that its value is.
enum Scheme {
    /// It says nothing of that.
    None,
    File,
    Environment,
    Data,
    /// A vault or a tool that this program does not ask.
    Foreign(&'static str),
}

impl Scheme {
    fn of(text: &str) -> Self {
        let begins = |scheme: &str| {
            text.get(..scheme.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        };
        match () {
            () if begins("file://") => Self::File,
            () if begins("env://") => Self::Environment,
            () if begins("data:") => Self::Data,
            () if begins("op://") => Self::Foreign("op:// (1Password)"),
            () if begins("nsc://") => Self::Foreign("nsc://"),
            () => Self::None,
        }
    }
}

/// The text that a reference with a scheme stands for.
fn content(text: &str, given: &Given<'_>) -> Result<String, String> {
    let rest = |scheme: &str| text.get(scheme.len()..).unwrap_or_default();
    match Scheme::of(text) {
        Scheme::None | Scheme::File => read(&path(text, given)?),
        Scheme::Environment => {
            let name = rest("env://");
            let value = given.variable(name).map(str::to_owned);
            value.ok_or_else(|| format!("names the variable {name}, which is not set"))
        }
        Scheme::Data => {
            let encoded = rest("data:")
                .split_once(',')
                .filter(|(kind, _)| kind.ends_with(";base64"))
                .and_then(|(_, encoded)| BASE64.decode(encoded.as_bytes()).ok())
                .and_then(|bytes| String::from_utf8(bytes).ok());
            encoded.ok_or_else(|| "begins with data: and is not base64 after that".to_owned())
        }
        Scheme::Foreign(scheme) => Err(format!(
            "is a reference to {scheme}, which this target does not look up; use a file, env:// or \
             a setting"
        )),
    }
}

fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("cannot read the file '{path}': {error}"))
}

/// A path with `~`, `$NAME` and `${NAME}` in it made plain.
pub(super) fn path(text: &str, given: &Given<'_>) -> Result<String, String> {
    let text = match Scheme::of(text) {
        Scheme::File => &text["file://".len()..],
        _ => text,
    };
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        plain.push_str(before);
        let (name, end) = match after.strip_prefix('{').and_then(|it| it.split_once('}')) {
            Some((name, end)) => (name, end),
            None => {
                let length = after
                    .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                    .unwrap_or(after.len());
                after.split_at(length)
            }
        };
        let value = given.variable(name);
        plain.push_str(value.ok_or_else(|| {
            format!("the path '{text}' names the variable {name}, which is not set")
        })?);
        rest = end;
    }
    plain.push_str(rest);
    match plain.strip_prefix('~') {
        Some(below) => Ok(format!("{}{below}", home(given)?)),
        None => Ok(plain),
    }
}

/// The user's directory.
pub(super) fn home(given: &Given<'_>) -> Result<String, String> {
    let home = given
        .variable("HOME")
        .or_else(|| given.variable("USERPROFILE"));
    let home = home.map(str::to_owned);
    home.ok_or_else(|| "the variable HOME, which says where '~' is, is not set".to_owned())
}

/// The seed in a file: alone, or with lines around it that say what it is.
fn seed(content: &str) -> Option<&str> {
    content
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("SU"))
}
