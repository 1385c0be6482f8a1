//! Settings that are each valid but do not go together. The schema has seen to types and ranges.

use std::path::Path;

use async_nats::ServerAddr;
use singer_target::config::Problem;

use super::{LoadMethod, NatsKvConfig, RefreshMode, STREAM_PLACEHOLDER, is_bucket_character};
use crate::nats_kv::key;

/// A stream's name is a file name on the server; it refuses longer ones.
const MAX_STREAM_BYTES: usize = 255;
const MAX_BUCKET_BYTES: usize = MAX_STREAM_BYTES - "KV_".len();

impl NatsKvConfig {
    /// All that is wrong with the settings. Looks at files, but opens no connection.
    #[must_use]
    pub fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        self.check_urls(&mut problems);
        self.check_authentication(&mut problems);
        self.check_tls(&mut problems);
        self.check_subjects(&mut problems);
        self.check_bucket(&mut problems);
        self.check_dead_letter(&mut problems);
        self.check_state(&mut problems);
        self.check_keys(&mut problems);
        self.check_writing(&mut problems);
        problems
    }

    /// Says nothing of the URLs themselves, which may hold credentials.
    fn check_urls(&self, problems: &mut Vec<Problem>) {
        let mut websockets = 0;
        let mut count = 0;
        for url in self.url.iter() {
            count += 1;
            match url.parse::<ServerAddr>() {
                Ok(address) => websockets += usize::from(address.is_websocket()),
                Err(_) => problems.push(Problem::new(
                    "url",
                    format!(
                        "number {count} is not a server's URL; expected nats://HOST:PORT, tls://, \
                         ws:// or wss://"
                    ),
                )),
            }
        }
        if count == 0 {
            problems.push(Problem::new("url", "names no server"));
        }
        if websockets != 0 && websockets != count {
            problems.push(Problem::new(
                "url",
                "mixes WebSocket with other servers; use one kind",
            ));
        }
    }

    fn check_authentication(&self, problems: &mut Vec<Problem>) {
        if self.password.is_some() && self.user.is_none() {
            problems.push(Problem::new("password", "needs 'user' too"));
        }
        if self.jwt.is_some() && self.nkey_seed.is_none() {
            problems.push(Problem::new("jwt", "needs 'nkey_seed' too, to sign for it"));
        }
        let given: Vec<_> = [
            ("user", self.user.is_some()),
            ("token", self.token.is_some()),
            ("creds", self.creds.is_some()),
            ("creds_content", self.creds_content.is_some()),
            ("nkey_seed", self.nkey_seed.is_some()),
            ("url", self.url.has_credentials()),
        ]
        .into_iter()
        .filter_map(|(name, given)| given.then_some(name))
        .collect();
        if let [first, others @ ..] = given.as_slice()
            && !others.is_empty()
        {
            problems.push(Problem::new(
                *first,
                format!(
                    "is one way to authenticate and '{}' another; give only one",
                    others.join("', '")
                ),
            ));
        }
        check_file("creds", self.creds.as_deref(), problems);
    }

    fn check_tls(&self, problems: &mut Vec<Problem>) {
        if self.tls_cert.is_some() != self.tls_key.is_some() {
            let (given, missing) = if self.tls_cert.is_some() {
                ("tls_cert", "tls_key")
            } else {
                ("tls_key", "tls_cert")
            };
            problems.push(Problem::new(given, format!("needs '{missing}' too")));
        }
        check_file("tls_ca", self.tls_ca.as_deref(), problems);
        check_file("tls_cert", self.tls_cert.as_deref(), problems);
        check_file("tls_key", self.tls_key.as_deref(), problems);
    }

    fn check_subjects(&self, problems: &mut Vec<Problem>) {
        if self.jetstream_domain.is_some() && self.jetstream_api_prefix.is_some() {
            problems.push(Problem::new(
                "jetstream_domain",
                "stands for an API prefix, so 'jetstream_api_prefix' must not be given too",
            ));
        }
        for (name, value) in [
            ("inbox_prefix", &self.inbox_prefix),
            ("jetstream_domain", &self.jetstream_domain),
            ("jetstream_api_prefix", &self.jetstream_api_prefix),
        ] {
            if value.as_deref().is_some_and(|value| !is_subject(value)) {
                problems.push(Problem::new(
                    name,
                    "is not a subject: no spaces, no '*' and '>', no dot at an end",
                ));
            }
        }
    }

    fn check_bucket(&self, problems: &mut Vec<Problem>) {
        let literal = self.bucket.replace(STREAM_PLACEHOLDER, "");
        if !literal.chars().all(is_bucket_character) {
            problems.push(Problem::new(
                "bucket",
                "may only have letters, digits, '_' and '-', and {stream} for the stream's name",
            ));
        }
        if self.bucket.is_empty() || literal.len() > MAX_BUCKET_BYTES {
            problems.push(Problem::new(
                "bucket",
                format!("must have 1 to {MAX_BUCKET_BYTES} characters"),
            ));
        }
        if let Some(history) = self.bucket_history
            && !(1..=64).contains(&history)
        {
            problems.push(Problem::new("bucket_history", "must be from 1 to 64"));
        }
    }

    fn check_dead_letter(&self, problems: &mut Vec<Problem>) {
        let is_name = |name: &String| {
            (1..=MAX_STREAM_BYTES).contains(&name.len()) && name.chars().all(is_bucket_character)
        };
        if self
            .dead_letter_stream
            .as_ref()
            .is_some_and(|name| !is_name(name))
        {
            problems.push(Problem::new(
                "dead_letter_stream",
                format!(
                    "must have 1 to {MAX_STREAM_BYTES} characters: letters, digits, '_' and '-'"
                ),
            ));
        }
    }

    fn check_state(&self, problems: &mut Vec<Problem>) {
        if let Some(bucket) = &self.state_bucket {
            if bucket.len() > MAX_BUCKET_BYTES || !bucket.chars().all(is_bucket_character) {
                problems.push(Problem::new(
                    "state_bucket",
                    "may only have letters, digits, '_' and '-'",
                ));
            }
            if self.may_be_a_bucket_of_records(bucket) {
                problems.push(Problem::new(
                    "state_bucket",
                    "is a bucket of records too; keep states in one of their own",
                ));
            }
        }
        if let Some(key) = &self.state_key
            && (!key::is_legal(key) || key.split('.').any(str::is_empty))
        {
            problems.push(Problem::new(
                "state_key",
                "may only have letters, digits, '_', '-', '/', '=' and '.', no dot at an end and no \
                 two in a row",
            ));
        }
    }

    fn may_be_a_bucket_of_records(&self, name: &str) -> bool {
        match self.bucket.split_once(STREAM_PLACEHOLDER) {
            None => self.bucket == name,
            Some((before, after)) => {
                let rest = name.strip_prefix(before);
                rest.is_some_and(|rest| rest.ends_with(after))
            }
        }
    }

    fn check_keys(&self, problems: &mut Vec<Problem>) {
        let prefix = &self.key_prefix;
        if !key::is_legal(prefix) {
            problems.push(Problem::new(
                "key_prefix",
                "may only have letters, digits, '_', '-', '/', '=' and '.'",
            ));
        }
        if prefix.starts_with('.') || prefix.contains("..") {
            problems.push(Problem::new(
                "key_prefix",
                "must not begin with a dot or have two in a row",
            ));
        }
    }

    fn check_writing(&self, problems: &mut Vec<Problem>) {
        let contradicts = match (self.msgpack, self.encoding.as_deref()) {
            (Some(msgpack), Some(encoding)) => msgpack != (encoding == "msgpack"),
            _ => false,
        };
        if contradicts {
            problems.push(Problem::new(
                "msgpack",
                "contradicts 'encoding'; give only 'encoding'",
            ));
        }
        if self.load_method == LoadMethod::Overwrite
            && RefreshMode::from(self.refresh_mode) != RefreshMode::Full
        {
            problems.push(Problem::new(
                "load_method",
                "'overwrite' deletes what a run has not written, so it has to write every record: \
                 set refresh_mode to 'full'",
            ));
        }
    }
}

fn check_file(setting: &str, path: Option<&Path>, problems: &mut Vec<Problem>) {
    if let Some(path) = path
        && !path.is_file()
    {
        problems.push(Problem::new(
            setting,
            format!("there is no file '{}'", path.display()),
        ));
    }
}

fn is_subject(text: &str) -> bool {
    text.split('.').all(|token| {
        !token.is_empty()
            && token
                .chars()
                .all(|c| !c.is_whitespace() && !c.is_control() && !matches!(c, '*' | '>'))
    })
}
