//! What the server says of a stored revision, in the headers of its answer.

use async_nats::{HeaderMap, Message};
use bytes::Bytes;

use super::super::compare::MARKER_TELLS;
use super::super::error::Failure;

/// What is stored under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Found {
    /// The sequence that a compare-and-set must expect.
    pub(in super::super) revision: u64,
    pub(in super::super) content: Content,
}

/// The content of a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Content {
    Value(Bytes),
    /// The key was deleted, purged or has expired; with what the marker tells of the record that did
    /// it, if that was one of ours.
    Marker(Option<String>),
}

/// The headers that matter. Looking once through the half dozen that there are is quicker than
/// looking each one up.
#[derive(Debug, Default)]
pub(super) struct About<'m> {
    pub(super) subject: Option<&'m str>,
    revision: Option<u64>,
    is_marker: bool,
    told: Option<&'m str>,
}

impl<'m> About<'m> {
    pub(super) fn of(message: &'m Message) -> Self {
        message
            .headers
            .as_ref()
            .map(Self::of_headers)
            .unwrap_or_default()
    }

    fn of_headers(headers: &'m HeaderMap) -> Self {
        let mut about = Self::default();
        for (name, values) in headers.iter() {
            let Some(value) = values.first().map(|value| value.as_str()) else {
                continue;
            };
            let name: &str = name.as_ref();
            match name {
                "Nats-Subject" => about.subject = Some(value),
                "Nats-Sequence" => about.revision = value.parse().ok(),
                "KV-Operation" => about.is_marker |= matches!(value, "DEL" | "PURGE"),
                "Nats-Marker-Reason" => about.is_marker = true,
                MARKER_TELLS => about.told = Some(value),
                _ => {}
            }
        }
        about
    }

    /// The revision that `message`, to which this belongs, holds.
    pub(super) fn found(&self, message: &Message) -> Result<Found, Failure> {
        let revision = self.revision.ok_or_else(|| {
            Failure::Transient("the server's answer to a read has no revision".to_owned())
        })?;
        Ok(Found {
            revision,
            content: self.content(message.payload.clone()),
        })
    }

    fn content(&self, payload: Bytes) -> Content {
        if self.is_marker {
            Content::Marker(self.told.map(str::to_owned))
        } else {
            Content::Value(payload)
        }
    }
}

/// The content of a message with these headers.
pub(in super::super) fn content(headers: Option<&HeaderMap>, payload: Bytes) -> Content {
    headers
        .map(About::of_headers)
        .unwrap_or_default()
        .content(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_told_from_values() {
        let with = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value);
            content(Some(&headers), Bytes::from_static(b"x"))
        };
        assert_eq!(with("KV-Operation", "DEL"), Content::Marker(None));
        assert_eq!(with("KV-Operation", "PURGE"), Content::Marker(None));
        assert_eq!(with("Nats-Marker-Reason", "MaxAge"), Content::Marker(None));
        let value = Content::Value(Bytes::from_static(b"x"));
        assert_eq!(with("KV-Operation", "PUT"), value);
        assert_eq!(with("Nats-Sequence", "1"), value);
        assert_eq!(content(None, Bytes::from_static(b"x")), value);
        // What only looks like a marker of ours.
        assert_eq!(with(MARKER_TELLS, "{}"), value);
        let mut ours = HeaderMap::new();
        ours.insert("KV-Operation", "DEL");
        ours.insert(MARKER_TELLS, r#"{"at":5}"#);
        assert_eq!(
            content(Some(&ours), Bytes::new()),
            Content::Marker(Some(r#"{"at":5}"#.to_owned()))
        );
    }
}
