//! Types of single settings.

use std::collections::BTreeMap;
use std::fmt;

use async_nats::ServerAddr;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One or several server URLs. They may hold credentials, so `Debug` does not show them.
#[derive(Clone, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Urls {
    /// One, or several separated by commas.
    List(String),
    /// Several.
    Array(Vec<String>),
}

impl Urls {
    /// Each URL.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let lists = match self {
            Self::List(list) => std::slice::from_ref(list),
            Self::Array(lists) => lists.as_slice(),
        };
        lists
            .iter()
            .flat_map(|list| list.split(','))
            .map(str::trim)
            .filter(|url| !url.is_empty())
    }

    /// Whether one of them names a user or a token.
    #[must_use]
    pub fn has_credentials(&self) -> bool {
        self.iter()
            .filter_map(|url| url.parse::<ServerAddr>().ok())
            .any(|address| address.has_user_pass())
    }
}

impl Default for Urls {
    fn default() -> Self {
        Self::List("nats://localhost:4222".to_owned())
    }
}

impl fmt::Debug for Urls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} urls", self.iter().count())
    }
}

/// Where a bucket keeps its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum BucketStorage {
    /// On disk.
    File,
    /// In memory: gone when the server stops.
    Memory,
}

/// How keys are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum KeyFormat {
    /// Every record has a legal key of its own.
    #[default]
    Escaped,
    /// As the Python target wrote them.
    Legacy,
}

/// What the key of a record without key properties is made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum KeyFrom {
    /// Key properties only: a stream without them is an error.
    #[default]
    Properties,
    /// A hash of its content.
    Hash,
}

/// `refresh_mode` as it is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum RefreshModeName {
    /// Records that are newer than what is stored.
    #[default]
    Newer,
    /// Records that are newer or as new.
    Same,
    /// All records.
    Full,
    /// An older name of `full`.
    All,
}

/// Which records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefreshMode {
    /// Those that are newer than what is stored.
    Newer,
    /// Those that are newer or as new.
    Same,
    /// All, whatever is stored.
    Full,
}

impl From<RefreshModeName> for RefreshMode {
    fn from(name: RefreshModeName) -> Self {
        match name {
            RefreshModeName::Newer => Self::Newer,
            RefreshModeName::Same => Self::Same,
            RefreshModeName::Full | RefreshModeName::All => Self::Full,
        }
    }
}

/// The property that tells which of two records is newer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
#[non_exhaustive]
pub enum ReplicationKey {
    /// One for all streams.
    All(String),
    /// One for each stream that is named.
    PerStream(BTreeMap<String, String>),
}

/// What a record does to a stored one that is marked as deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ReviveDeleted {
    /// Nothing.
    #[default]
    Never,
    /// Replaces it if its replication key is greater.
    Newer,
}

/// What a record that says that it is gone does to the bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum DeleteMode {
    /// It is stored as any other.
    #[default]
    Soft,
    /// It leaves a marker of its deletion; the bucket's history stays.
    Delete,
    /// It leaves such a marker and nothing else.
    Purge,
}

/// What becomes of the records of earlier runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LoadMethod {
    /// A record takes the place of the one that has its key; all others stay.
    #[default]
    Upsert,
    /// At the end of a run that has loaded all of a stream, what it has not written is deleted.
    Overwrite,
}

/// How writes are acknowledged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WritePath {
    /// The quickest way that the bucket allows.
    #[default]
    Auto,
    /// Each write by itself.
    Ack,
    /// Many writes together.
    Fast,
}
