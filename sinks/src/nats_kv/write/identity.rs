//! Whether the bucket is still the one that was opened.
//!
//! A bucket that is deleted and made again in the middle of a run has lost what was written, and
//! the states that were printed are no longer true. Nothing tells a writer so; what does show is
//! that nobody listens, that the connection is another, or that revisions start anew.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;

use super::super::api::ApiFailure;
use super::super::bucket::Bucket;
use super::super::connect::Connection;
use super::super::error::Failure;
use super::lifeline::Lifeline;

/// The bucket as it was when it was opened.
pub(in super::super) struct Identity {
    connection: Connection,
    bucket: String,
    stream: String,
    created: String,
    /// The connection over which it was last seen.
    seen_on: AtomicU64,
    /// The greatest revision that was acknowledged, or that was there before.
    greatest: AtomicU64,
}

impl Identity {
    pub(in super::super) fn new(connection: Connection, bucket: &Bucket) -> Self {
        let seen_on = connection.link.borrow().losses.into();
        Self {
            connection,
            bucket: bucket.name.clone(),
            stream: bucket.stream_name.clone(),
            created: bucket.created.clone(),
            seen_on,
            greatest: bucket.last_revision.into(),
        }
    }

    /// The bucket's name.
    pub(super) fn name(&self) -> &str {
        &self.bucket
    }

    /// All later writes have greater revisions than this.
    pub(super) fn mark(&self) -> u64 {
        self.greatest.load(Ordering::Relaxed)
    }

    /// Whether a write that began after `mark` was taken can have this revision.
    pub(super) fn follows(&self, mark: u64, revision: u64) -> bool {
        self.greatest.fetch_max(revision, Ordering::Relaxed);
        revision > mark
    }

    /// Looks at the bucket if the connection is another than the last time.
    pub(super) async fn verify_once(&self, lifeline: &mut Lifeline) -> Result<(), Failure> {
        let connection = lifeline.connection();
        if self.seen_on.load(Ordering::Relaxed) != connection {
            lifeline.bind(self.verify()).await?;
            self.seen_on.store(connection, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Asks the server which bucket it is.
    pub(super) async fn verify(&self) -> Result<(), Failure> {
        let bucket = &self.bucket;
        let gone = |what: &str| {
            Failure::Permanent(format!(
                "bucket '{bucket}' was {what} during the run, so what was written before is lost; \
                 run again from an earlier state"
            ))
        };
        let subject = format!("STREAM.INFO.{}", self.stream);
        match self.connection.api(&subject, &json!({})).await {
            Ok(info) if info["created"] == self.created.as_str() => Ok(()),
            Ok(_) => Err(gone("deleted and created again")),
            Err(ApiFailure::NotFound) => Err(gone("deleted")),
            Err(ApiFailure::Denied(text)) => Err(Failure::Denied(text)),
            Err(_) => Err(Failure::NoBucket),
        }
    }
}
