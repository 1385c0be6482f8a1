//! What is known of the connection, from the driver's events.

use async_nats::{ClientError, Event, ServerError};
use tokio::sync::watch;

use super::super::read::CONSUMER;

/// The state of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Link {
    /// Whether it is up.
    pub(in super::super) connected: bool,
    /// How many times it was lost. All that waited for an answer at that time waits in vain.
    pub(in super::super) losses: u64,
    /// Why the server will not let us in again: authentication failed twice since the last success.
    pub(in super::super) refused: Option<String>,
    /// How many times the server did not permit a subject.
    pub(in super::super) denials: u64,
    /// The last of them: what was denied, without keys.
    pub(in super::super) denied: Option<String>,
    refusals: u32,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            connected: true,
            losses: 0,
            refused: None,
            denials: 0,
            denied: None,
            refusals: 0,
        }
    }
}

/// Takes an event of the driver into account.
pub(super) fn observe(link: &watch::Sender<Link>, event: &Event) {
    match event {
        Event::Connected => {
            tracing::debug!("connected");
            link.send_modify(|link| {
                link.connected = true;
                link.refusals = 0;
            });
        }
        Event::Disconnected => {
            tracing::warn!("connection lost; connecting again");
            link.send_modify(|link| {
                link.connected = false;
                link.losses += 1;
            });
        }
        Event::ServerError(ServerError::AuthorizationViolation) => {
            refuse(link, "authorization violation");
        }
        Event::ServerError(ServerError::Other(text)) => observe_text(link, text),
        Event::ClientError(ClientError::Other(text)) => observe_text(link, text),
        Event::LameDuckMode => tracing::info!("the server is about to stop"),
        Event::SlowConsumer(_) | Event::ServerError(ServerError::SlowConsumer(_)) => {
            tracing::warn!("replies arrive faster than they are read; some were dropped");
        }
        _ => {}
    }
}

fn observe_text(link: &watch::Sender<Link>, text: &str) {
    let lower = text.to_ascii_lowercase();
    if lower.contains("permissions violation") && text.contains(CONSUMER) {
        tracing::debug!("the server says: {}", without_key(text));
    } else if lower.contains("permissions violation") {
        let denied = without_key(text);
        tracing::warn!("the server says: {denied}");
        link.send_modify(|link| {
            link.denials += 1;
            link.denied = Some(denied);
        });
    } else if !lower.contains("timeout")
        && ["authorization", "authentication", "revoked"]
            .iter()
            .any(|word| lower.contains(word))
    {
        refuse(link, text);
    } else {
        tracing::debug!("the server says: {text}");
    }
}

fn refuse(link: &watch::Sender<Link>, text: &str) {
    tracing::warn!("the server says: {text}");
    link.send_modify(|link| {
        link.refusals += 1;
        if link.refusals >= 2 {
            link.refused = Some(text.to_owned());
        }
    });
}

/// The text of a violation names a subject, and with it a key: that is a value of a record.
fn without_key(text: &str) -> String {
    let Some((before, rest)) = text.split_once('"') else {
        return text.to_owned();
    };
    let Some((subject, after)) = rest.rsplit_once('"') else {
        return text.to_owned();
    };
    let mut tokens: Vec<_> = subject.split('.').collect();
    if let Some(at) = tokens.iter().position(|token| *token == "$KV")
        && tokens.len() > at + 2
    {
        tokens.truncate(at + 2);
        tokens.push(">");
    }
    format!("{before}\"{}\"{after}", tokens.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_counted() {
        let (sender, link) = watch::channel(Link::default());
        for event in [Event::Disconnected, Event::Connected, Event::Disconnected] {
            observe(&sender, &event);
        }
        assert_eq!(link.borrow().losses, 2);
        assert!(!link.borrow().connected);
    }

    #[test]
    fn two_refusals_without_a_success_are_final() {
        let (sender, link) = watch::channel(Link::default());
        let refusal = Event::ClientError(ClientError::Other(
            "authorization violation: nats: authorization violation".to_owned(),
        ));
        for event in [&refusal, &Event::Connected, &refusal] {
            observe(&sender, event);
        }
        assert_eq!(link.borrow().refused, None);
        observe(&sender, &refusal);
        assert!(link.borrow().refused.is_some());
    }

    #[test]
    fn violations_name_no_key() {
        let (sender, link) = watch::channel(Link::default());
        for (subject, shown) in [
            ("$KV.b.users.ann@x", "$KV.b.>"),
            ("$JS.hub.API.$KV.b.users.1", "$JS.hub.API.$KV.b.>"),
            (
                "$JS.API.DIRECT.GET.KV_b.$KV.b.users.1",
                "$JS.API.DIRECT.GET.KV_b.$KV.b.>",
            ),
            ("$JS.API.STREAM.CREATE.KV_b", "$JS.API.STREAM.CREATE.KV_b"),
        ] {
            let text = format!("Permissions Violation for Publish to \"{subject}\"");
            observe(&sender, &Event::ServerError(ServerError::Other(text)));
            let expected = format!("Permissions Violation for Publish to \"{shown}\"");
            assert_eq!(link.borrow().denied.as_deref(), Some(expected.as_str()));
        }
        assert_eq!(link.borrow().denials, 4);
    }
}
