//! The sink `nats-kv`: a NATS JetStream key/value bucket.
//!
//! | module      | what it does                                                             |
//! |-------------|--------------------------------------------------------------------------|
//! | [`config`]  | the settings                                                             |
//! | `connect`   | the connection, and what becomes of it                                   |
//! | `api`       | requests to the JetStream API                                            |
//! | `bucket`    | finds or creates the bucket                                              |
//! | `key`       | the key of a record                                                      |
//! | `compare`   | whether a record is newer than what is stored                            |
//! | `read`      | what is stored under many keys                                           |
//! | `scan`      | all that is stored below a subject, page by page                         |
//! | `write`     | a batch: decide, publish, wait for the acks                              |
//! | `session`   | what a load, a preview of one and a migration have in common             |
//! | `streams`   | the streams that are open                                                |
//! | `sink`      | the sink                                                                 |
//! | `preview`   | what a load would do, and whether it has done it                         |
//! | `migrate`   | what the bucket holds, brought into another form                         |
//! | `dead_letter` | records that cannot be loaded, in a stream of their own                |
//! | `state`     | the newest STATE, in a bucket of its own                                 |
//! | `error`     | what the server's refusals mean                                          |

mod api;
mod bucket;
mod check;
mod compare;
pub mod config;
mod connect;
mod dead_letter;
mod discover;
mod error;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod internals;
mod key;
mod migrate;
mod preview;
mod read;
mod scan;
mod session;
mod sink;
mod state;
mod streams;
mod write;

use std::sync::{Mutex, MutexGuard, PoisonError};

use singer_target::catalog::{Catalog, Discovery};
use singer_target::check::Finding;
use singer_target::config::{FilledIn, Given, Problem};
use singer_target::migration::{Migrated, Migration};
use singer_target::{
    CheckPlugin, DiscoverPlugin, MigratePlugin, PreviewPlugin, SinkContext, SinkEntry, SinkError,
    SinkPlugin, StatePlugin,
};

use config::NatsKvConfig;
use preview::NatsKvPreview;
pub use sink::NatsKv;
pub use state::StateBucket;

inventory::submit! {
    SinkEntry::of::<NatsKv>()
        .with_check::<NatsKv>()
        .with_discover::<NatsKv>()
        .with_state::<NatsKv>()
        .with_preview::<NatsKv>()
        .with_migrate::<NatsKv>()
}

impl SinkPlugin for NatsKv {
    const NAME: &'static str = "nats-kv";
    const DESCRIPTION: &'static str = "NATS JetStream key/value bucket";
    type Config = NatsKvConfig;
    type Sink = Self;
    const DEAD_LETTER_SETTING: Option<&'static str> = Some("dead_letter_stream");

    fn fill_in(given: &Given<'_>) -> Result<Vec<FilledIn>, Vec<Problem>> {
        config::elsewhere::fill_in(given)
    }

    fn validate(config: &NatsKvConfig) -> Vec<Problem> {
        config.validate()
    }

    async fn open(config: NatsKvConfig, context: SinkContext) -> Result<Self, SinkError> {
        Self::connect(config, context).await
    }
}

impl CheckPlugin for NatsKv {
    async fn check(config: NatsKvConfig, context: SinkContext) -> Result<Vec<Finding>, SinkError> {
        check::check(config, context).await
    }
}

impl DiscoverPlugin for NatsKv {
    async fn discover(
        config: NatsKvConfig,
        context: SinkContext,
        discovery: Discovery,
    ) -> Result<Catalog, SinkError> {
        discover::discover(config, context, discovery).await
    }
}

impl StatePlugin for NatsKv {
    type Store = StateBucket;

    async fn open_state(
        config: NatsKvConfig,
        context: SinkContext,
    ) -> Result<Option<StateBucket>, SinkError> {
        StateBucket::open(config, &context).await
    }
}

impl PreviewPlugin for NatsKv {
    type Preview = NatsKvPreview;

    async fn preview(
        config: NatsKvConfig,
        context: SinkContext,
    ) -> Result<NatsKvPreview, SinkError> {
        NatsKvPreview::connect(config, context).await
    }
}

impl MigratePlugin for NatsKv {
    async fn migrate(
        config: NatsKvConfig,
        context: SinkContext,
        migration: Migration,
    ) -> Result<Migrated, SinkError> {
        migrate::migrate(config, context, migration).await
    }
}

/// Nothing panics between two states, so a poisoned lock holds good data.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
