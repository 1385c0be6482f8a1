//! `migrate`: brings what a bucket holds into the form that the settings name: values into
//! `encoding`, and keys into `key_format` where the key properties are known.
//!
//! One pass over the bucket, page by page. Every write names the revision that was read, so nothing
//! that another writer has changed meanwhile is lost: such a key is looked at again. A key is moved
//! by two writes: first the new key is created, then the old one deleted. So it may be ended at any
//! time: what is under both keys by then is recognised by the next migration.

mod page;
mod plan;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use singer_target::migration::{Migrated, Migration};
use singer_target::{SinkContext, SinkError};

use super::bucket::Bucket;
use super::config::{NatsKvConfig, RefreshMode};
use super::error::Failure;
use super::session::Session;
use super::write::{Form, Lifeline, Limit, StoredSizes, next_page};
use page::{Counts, Mover};
use plan::Planner;

/// How often progress is logged.
const PROGRESS: Duration = Duration::from_secs(10);
/// How long to wait after a failure; each further one without progress doubles it.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
/// A longer wait is not worth it.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// Migrates the buckets that the settings name.
pub(super) async fn migrate(
    config: NatsKvConfig,
    context: SinkContext,
    migration: Migration,
) -> Result<Migrated, SinkError> {
    let encoders = context.encoders.clone();
    let session = Session::open(config, context).await?;
    let Session {
        config, connection, ..
    } = &session;
    let window = session.window().await?;
    let mut migrated = Migrated::default();
    for name in names(config, &migration)? {
        let bucket = match Bucket::find(connection, &name).await? {
            Some(bucket) => bucket,
            // The catalog may have streams that were never loaded.
            None if config.has_bucket_per_stream() => continue,
            None => {
                let missing = format!("bucket '{name}' does not exist");
                return Err(SinkError::unavailable(missing));
            }
        };
        bucket.require_usable()?;
        bucket.require_for(config)?;
        require_lifetime(&bucket, config)?;
        let full = RefreshMode::from(config.refresh_mode) == RefreshMode::Full;
        let form = Form::new(config.record_ttl_seconds, full, config.delete_mode);
        let planner = Planner::new(
            config,
            encoders.clone(),
            &migration.key_properties,
            &bucket.write_prefix,
            Limit::new(connection.client.max_payload(), bucket.max_value_size()),
            &form,
        )?;
        let mover = Mover {
            client: connection.client.clone(),
            window: &window,
            reader: session.reader(&bucket).await?,
            planner,
            form,
            subject_prefix: bucket.write_prefix.clone(),
            dry_run: migration.dry_run,
        };
        let counts = through(&session, &mover).await?;
        counts.tell(&name);
        counts.add_to(&mut migrated);
    }
    for stream in migration.key_properties.keys() {
        if !migrated.streams.contains_key(stream) {
            tracing::warn!("no key of the catalog's stream '{stream}' was found");
        }
    }
    connection.close().await;
    Ok(migrated)
}

/// The buckets to migrate. Others that fit the name may hold something else altogether.
fn names(config: &NatsKvConfig, migration: &Migration) -> Result<BTreeSet<String>, SinkError> {
    if !config.has_bucket_per_stream() {
        return Ok([config.bucket.clone()].into());
    }
    let streams = migration.key_properties.keys();
    let names: BTreeSet<_> = streams.map(|stream| config.bucket_of(stream)).collect();
    if names.is_empty() {
        return Err(SinkError::config(
            "bucket: with {stream} in it, --catalog must tell the streams whose buckets are meant",
        ));
    }
    Ok(names)
}

/// What is written again would live for ever.
fn require_lifetime(bucket: &Bucket, config: &NatsKvConfig) -> Result<(), SinkError> {
    if bucket.config.allow_message_ttl && config.record_ttl_seconds.is_none() {
        return Err(SinkError::config(format!(
            "record_ttl_seconds: records of bucket '{}' may expire; say how long those that are \
             written again shall live",
            bucket.name
        )));
    }
    Ok(())
}

/// Goes through a bucket, and once more from its beginning where the connection is lost: what was
/// on its way then was not seen.
async fn through(session: &Session, mover: &Mover<'_>) -> Result<Counts, SinkError> {
    let mut counts = Counts::default();
    let mut pause = SHORTEST_PAUSE;
    loop {
        let settled = counts.settled();
        let lifeline = session.lifeline().await;
        let outcome = match lifeline {
            Ok(lifeline) => pass(mover, lifeline, &mut counts)
                .await
                .map_err(Failure::into_sink_error),
            Err(error) => Err(error),
        };
        match outcome {
            Ok(()) => return Ok(counts),
            Err(SinkError::Transient(why)) => {
                if counts.settled() > settled {
                    pause = SHORTEST_PAUSE;
                }
                if pause > LONGEST_PAUSE {
                    return Err(SinkError::permanent(format!(
                        "{why}; given up. What was migrated stays so: run it again"
                    )));
                }
                tracing::warn!("{why}; beginning again in {:.1} s", pause.as_secs_f64());
                tokio::time::sleep(pause).await;
                pause *= 2;
                counts.begin_again();
            }
            Err(error) => return Err(error),
        }
    }
}

async fn pass(
    mover: &Mover<'_>,
    mut lifeline: Lifeline,
    counts: &mut Counts,
) -> Result<(), Failure> {
    let sizes = StoredSizes::default();
    let mut scan = lifeline.bind(mover.reader.scan(">")).await?;
    let mut told = Instant::now();
    let mut seen = 0;
    loop {
        let page = next_page(&mut scan, &sizes, &mut lifeline).await?;
        if page.is_empty() {
            return Ok(());
        }
        seen += page.len();
        mover.migrate(page, &mut lifeline, counts).await?;
        if told.elapsed() > PROGRESS {
            told = Instant::now();
            tracing::info!(keys = seen, changed = counts.settled(), "migrating");
        }
    }
}
