//! The connection to NATS: opened once, kept for the whole run, watched for its end.
//!
//! The driver reconnects by itself and never resends. So whoever writes must know of every loss:
//! [`Link`] counts them.

mod failure;
mod link;
mod options;
mod patience;

pub(super) use link::Link;
pub(super) use patience::Patience;

use std::time::Duration;

use async_nats::jetstream::{self, context::ContextBuilder};
use async_nats::{Client, ServerAddr};
use singer_target::SinkContext;
use singer_target::SinkError;
use tokio::sync::watch;
use tokio::time::Instant;

use super::config::{NatsKvConfig, elsewhere};
use failure::Failure;

/// Acknowledgements and replies that may wait to be read. A subscription that overflows drops
/// messages silently, so it must exceed all that can be in flight.
const SUBSCRIPTION_CAPACITY: usize = 128 * 1024;

/// An open connection, and the JetStream API behind it.
#[derive(Clone)]
pub(super) struct Connection {
    pub(super) client: Client,
    pub(super) jetstream: jetstream::Context,
    /// What all requests to the JetStream API begin with: `$JS.API`.
    pub(super) api_prefix: String,
    /// Changes when the connection is lost, found again, or refused.
    pub(super) link: watch::Receiver<Link>,
    pub(super) request_timeout: Duration,
    /// For messages: the servers' addresses without credentials.
    pub(super) servers: String,
}

impl Connection {
    /// Connects, trying again until `connect_timeout_seconds` have passed.
    pub(super) async fn open(
        config: &NatsKvConfig,
        context: &SinkContext,
    ) -> Result<Self, SinkError> {
        let name = format!("{} {}", context.target_name, context.target_version);
        let opened = Self::open_as(config, &name).await;
        // Who has not given them may not know that there are any.
        opened.map_err(|error| match error {
            SinkError::Unavailable(why) => {
                let from = elsewhere::describe(config, context);
                SinkError::unavailable(format!("{why} ({from})"))
            }
            error => error,
        })
    }

    /// Connects under `name`, unless the settings have another.
    async fn open_as(config: &NatsKvConfig, name: &str) -> Result<Self, SinkError> {
        let addresses = options::addresses(config)?;
        let servers = describe(&addresses);
        let (sender, link) = watch::channel(Link::default());
        let options = options::build(config, name)
            .await?
            .subscription_capacity(SUBSCRIPTION_CAPACITY)
            // Keys are escaped or checked, and so are all names in settings.
            .skip_subject_validation(true)
            .event_callback(move |event| {
                link::observe(&sender, &event);
                async {}
            });
        let patience = Duration::from_secs(config.connect_timeout_seconds);
        let client = connect(&options, &addresses, patience)
            .await
            .map_err(|failure| SinkError::unavailable(failure.explain(&servers, patience)))?;
        let request_timeout = Duration::from_secs(config.request_timeout_seconds);
        let api_prefix = api_prefix(config);
        Ok(Self {
            jetstream: jetstream(&client, &api_prefix, request_timeout),
            client,
            api_prefix,
            link,
            request_timeout,
            servers,
        })
    }

    /// How long to wait for an answer that comes behind those to other requests.
    pub(super) fn patience(&self) -> Patience {
        Patience::new(&self.client, self.request_timeout)
    }

    /// The JetStream API for who waits with [`Patience`].
    pub(super) fn patient_jetstream(&self) -> jetstream::Context {
        jetstream(&self.client, &self.api_prefix, self.patience().limit())
    }

    /// What the user should know of the server.
    pub(super) fn warnings(&self) -> Vec<String> {
        let info = self.client.server_info();
        let mut warnings = Vec::new();
        if is_older(&info.version, [2, 10, 23]) {
            warnings.push(format!(
                "server {} can lose a stream when it is killed; 2.10.23 and later do not",
                info.version
            ));
        }
        warnings
    }

    /// Sends what is buffered and ends the connection.
    pub(super) async fn close(&self) {
        if let Err(error) = self.client.drain().await {
            tracing::debug!(%error, "the connection was closed already");
        }
    }
}

fn jetstream(client: &Client, api_prefix: &str, timeout: Duration) -> jetstream::Context {
    ContextBuilder::new()
        .api_prefix(api_prefix)
        .timeout(timeout)
        .build(client.clone())
}

fn api_prefix(config: &NatsKvConfig) -> String {
    match (&config.jetstream_domain, &config.jetstream_api_prefix) {
        (Some(domain), _) => format!("$JS.{domain}.API"),
        (None, Some(prefix)) => prefix.clone(),
        (None, None) => "$JS.API".to_owned(),
    }
}

async fn connect(
    options: &async_nats::ConnectOptions,
    addresses: &[ServerAddr],
    patience: Duration,
) -> Result<Client, Failure> {
    let deadline = Instant::now() + patience;
    let mut pause = Duration::from_millis(100);
    let mut refusals = 0;
    let mut last = Failure::Silent;
    loop {
        let attempt = options.clone().connect(addresses);
        match tokio::time::timeout_at(deadline, attempt).await {
            Ok(Ok(client)) => return Ok(client),
            Ok(Err(error)) => last = Failure::of(&error),
            Err(_) => return Err(last),
        }
        refusals += u32::from(last.is_final());
        if refusals == 2 || Instant::now() + pause >= deadline {
            return Err(last);
        }
        tracing::debug!(cause = %last, "not connected yet");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}

/// The addresses without credentials.
fn describe(addresses: &[ServerAddr]) -> String {
    let described: Vec<_> = addresses
        .iter()
        .map(|address| {
            format!(
                "{}://{}:{}",
                address.scheme(),
                address.host(),
                address.port()
            )
        })
        .collect();
    described.join(", ")
}

/// Whether a server's version is less. One that is not three numbers is new.
pub(super) fn is_older(version: &str, than: [u64; 3]) -> bool {
    let release = version.split(['-', '+']).next().unwrap_or_default();
    let numbers: Result<Vec<u64>, _> = release.split('.').map(str::parse).collect();
    numbers.is_ok_and(|numbers| numbers.as_slice() < than.as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_not_shown() {
        let config: NatsKvConfig = serde_json::from_value(serde_json::json!({
            "url": "nats://user:secret@a:1, tls://token@b, [::1]:5"
        }))
        .expect("settings");
        let addresses = options::addresses(&config).expect("addresses");
        assert_eq!(
            describe(&addresses),
            "nats://a:1, tls://b:4222, nats://::1:5"
        );
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert!(is_older("2.9.25", [2, 10, 23]));
        assert!(is_older("2.10.22-RC.1", [2, 10, 23]));
        assert!(!is_older("2.10.23", [2, 10, 23]));
        assert!(!is_older("2.15.1", [2, 10, 23]));
        assert!(!is_older("dev", [2, 10, 23]));
    }
}
