//! The driver's options, from the settings.

use std::time::Duration;

use async_nats::{ConnectOptions, ServerAddr};
use percent_encoding::percent_decode_str;
use singer_target::SinkError;

use crate::nats_kv::config::NatsKvConfig;

/// How long one server may take to let us in before the next one is tried.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);

/// The servers' addresses. `validate` has seen to it that they are some.
pub(super) fn addresses(config: &NatsKvConfig) -> Result<Vec<ServerAddr>, SinkError> {
    config
        .url
        .iter()
        .map(|url| {
            url.parse()
                .map_err(|_| SinkError::config("url: not the URL of a server"))
        })
        .collect()
}

pub(super) async fn build(
    config: &NatsKvConfig,
    default_name: &str,
) -> Result<ConnectOptions, SinkError> {
    let mut options = ConnectOptions::new()
        .name(config.connection_name.as_deref().unwrap_or(default_name))
        .connection_timeout(ATTEMPT_TIMEOUT)
        .request_timeout(Some(Duration::from_secs(config.request_timeout_seconds)))
        .ping_interval(Duration::from_secs(config.ping_interval_seconds))
        .require_tls(config.tls_required);
    if let Some(prefix) = &config.inbox_prefix {
        options = options.custom_inbox_prefix(prefix);
    }
    if let Some(path) = &config.tls_ca {
        options = options.add_root_certificates(path.clone());
    }
    if let (Some(cert), Some(key)) = (&config.tls_cert, &config.tls_key) {
        options = options.add_client_certificate(cert.clone(), key.clone());
    }
    if config.tls_first == Some(true) {
        options = options.tls_first();
    }
    authenticate(options, config).await
}

async fn authenticate(
    options: ConnectOptions,
    config: &NatsKvConfig,
) -> Result<ConnectOptions, SinkError> {
    if let Some(user) = &config.user {
        let password = config
            .password
            .as_ref()
            .map_or("", |secret| secret.expose());
        return Ok(options.user_and_password(user.clone(), password.to_owned()));
    }
    if let Some(token) = &config.token {
        return Ok(options.token(token.expose().to_owned()));
    }
    if let Some(path) = &config.creds {
        return options
            .credentials_file(path)
            .await
            .map_err(|error| SinkError::config(format!("creds: '{}': {error}", path.display())));
    }
    if let Some(content) = &config.creds_content {
        return options
            .credentials(content.expose())
            .map_err(|_| SinkError::config("creds_content: not the text of a credentials file"));
    }
    match (&config.nkey_seed, &config.jwt) {
        (Some(seed), Some(jwt)) => options
            .credentials(&credentials(jwt.expose(), seed.expose()))
            .map_err(|_| SinkError::config("jwt, nkey_seed: not a user's JWT and NKey seed")),
        (Some(seed), None) => Ok(options.nkey(seed.expose().trim().to_owned())),
        _ => Ok(from_url(options, config)),
    }
}

/// The text of a credentials file.
fn credentials(jwt: &str, seed: &str) -> String {
    format!(
        "-----BEGIN NATS USER JWT-----\n{}\n------END NATS USER JWT------\n\
         -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
        jwt.trim(),
        seed.trim()
    )
}

/// `nats://user:password@host` or `nats://token@host`, which the driver itself does not heed. The
/// first one counts for all servers.
fn from_url(options: ConnectOptions, config: &NatsKvConfig) -> ConnectOptions {
    let address = config
        .url
        .iter()
        .filter_map(|url| url.parse::<ServerAddr>().ok())
        .find(ServerAddr::has_user_pass);
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let Some(address) = address else {
        return options;
    };
    match (address.username(), address.password()) {
        (Some(user), Some(password)) => options.user_and_password(decoded(user), decoded(password)),
        (Some(token), None) => options.token(decoded(token)),
        _ => options,
    }
}
