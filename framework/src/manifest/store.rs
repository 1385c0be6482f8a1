//! Where the file of a BATCH message is: on this machine, or in a store that `object_store` knows.
//!
//! Credentials and end points of a cloud are taken from the environment, by the names that its own
//! tools use: `AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, `GOOGLE_SERVICE_ACCOUNT`,
//! `AZURE_STORAGE_ACCOUNT_NAME` and so on.

use std::io::{Error, ErrorKind};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use url::Url;

use crate::error::BoxError;

/// The address of a file.
#[derive(Debug)]
pub(super) struct Address {
    url: Url,
    name: String,
}

impl Address {
    pub(super) fn parse(address: &str) -> Result<Self, BoxError> {
        let url = Url::parse(address).map_err(
            |_| "its address must be a URL: file://, s3://, gs://, az://, https:// or http://",
        )?;
        if url.query().is_some() {
            // The stores' clients sign requests themselves, and take no other parameters.
            return Err("its address has a query, which cannot be sent".into());
        }
        let mut shown = url.clone();
        // It fails for addresses that have no user.
        let _ = shown.set_password(None);
        let _ = shown.set_username("");
        Ok(Self {
            url,
            name: shown.into(),
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The path of a file of this machine.
    pub(super) fn local(&self) -> Result<Option<PathBuf>, BoxError> {
        if self.url.scheme() != "file" {
            return Ok(None);
        }
        let path = self.url.to_file_path();
        path.map(Some)
            .map_err(|()| "its address must be file:// and an absolute path".into())
    }

    /// The store and the place in it.
    pub(super) fn store(&self) -> Result<(Arc<dyn ObjectStore>, Path), BoxError> {
        #[cfg(feature = "cloud")]
        {
            // Ours is the only TLS in the program; the first to say so wins.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let known = cfg!(feature = "cloud") || self.url.scheme() == "file";
        if !known {
            return Err("this target was built without the feature 'cloud'".into());
        }
        let mut options = cloud_settings();
        if self.url.scheme() == "http" {
            options.push(("allow_http".to_owned(), "true".to_owned()));
        }
        let (store, path) = object_store::parse_url_opts(&self.url, options)?;
        Ok((store.into(), path))
    }

    /// The bytes of the file.
    pub(super) async fn get(
        &self,
    ) -> Result<impl Stream<Item = std::io::Result<Bytes>> + Send + 'static, BoxError> {
        let (store, path) = self.store()?;
        let found = store.get(&path).await?;
        let size = found.meta.size;
        let mut left = size;
        let pieces = found
            .into_stream()
            .map(Some)
            .chain(stream::once(async { None }));
        Ok(pieces.map(move |piece| match piece {
            Some(piece) => {
                let piece = piece.map_err(Error::other)?;
                left = left.saturating_sub(piece.len() as u64);
                Ok(piece)
            }
            // A store that sends less than it has said must not look like a shorter file.
            None if left > 0 => Err(Error::new(
                ErrorKind::UnexpectedEof,
                format!("{left} of its {size} bytes did not come"),
            )),
            None => Ok(Bytes::new()),
        }))
    }
}

/// What the environment says of clouds, by the names of their own tools: the clients would also
/// take a `TIMEOUT` or a `TOKEN` that is meant for something else.
fn cloud_settings() -> Vec<(String, String)> {
    const PREFIXES: [&str; 3] = ["AWS_", "GOOGLE_", "AZURE_"];
    // Where Azure tells its own machines to ask for tokens; it has no prefix.
    const IDENTITY: &str = "IDENTITY_ENDPOINT";
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name == IDENTITY || PREFIXES.iter().any(|own| name.starts_with(own)))
        .collect()
}
