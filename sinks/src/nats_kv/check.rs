//! `check`: would a run work? Looks at everything that a run needs, and changes nothing.

use std::time::Duration;

use async_nats::jetstream::stream::{Compression, StorageType};
use async_nats::{HeaderMap, Message, RequestErrorKind, header};
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value as Json, json};
use singer_target::SinkContext;
use singer_target::SinkError;
use singer_target::check::Finding;

use super::bucket::{self, Bucket};
use super::config::{NatsKvConfig, elsewhere};
use super::connect::Connection;
use super::dead_letter;
use super::state;

/// A key that no format writes, since it has no dot; legal, so that permissions count.
const PROBE_KEY: &str = "target-nats-kv-check";

/// Clocks further apart than this make `_sdc_received_at` misleading.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(5);

/// Checks what the settings lead to.
pub(super) async fn check(
    config: NatsKvConfig,
    context: SinkContext,
) -> Result<Vec<Finding>, SinkError> {
    let connection = Connection::open(&config, &context).await?;
    let mut findings = vec![Finding::good(elsewhere::describe(&config, &context))];
    findings.extend(look(&connection, &config).await);
    connection.close().await;
    Ok(findings)
}

async fn look(connection: &Connection, config: &NatsKvConfig) -> Vec<Finding> {
    let info = connection.client.server_info();
    let mut findings = vec![
        Finding::good(format!(
            "connected to {}: server '{}', version {}",
            connection.servers, info.server_name, info.version
        )),
        Finding::good(format!(
            "a record may take {} bytes (the server's max_payload), its key and headers included",
            info.max_payload
        )),
    ];
    let warnings = config.warnings().into_iter().chain(connection.warnings());
    findings.extend(warnings.map(Finding::warning));
    if let Err(error) = look_at_buckets(connection, config, &mut findings).await {
        findings.push(Finding::bad(error.to_string()));
    }
    if let Some(name) = &config.dead_letter_stream
        && let Err(error) = look_at_dead_letter(connection, config, name, &mut findings).await
    {
        findings.push(Finding::bad(error.to_string()));
    }
    if let Some(name) = &config.state_bucket
        && let Err(error) = look_at_state(connection, config, name, &mut findings).await
    {
        findings.push(Finding::bad(error.to_string()));
    }
    findings
}

async fn look_at_state(
    connection: &Connection,
    config: &NatsKvConfig,
    name: &str,
    findings: &mut Vec<Finding>,
) -> Result<(), SinkError> {
    let Some(bucket) = Bucket::find(connection, name).await? else {
        findings.push(if config.create_bucket {
            Finding::warning(format!(
                "state_bucket '{name}' does not exist; a run will create it, if the user may"
            ))
        } else {
            Finding::bad(bucket::missing(name).to_string())
        });
        return Ok(());
    };
    bucket.require_usable()?;
    findings.extend(state::warning(&bucket).map(Finding::warning));
    let key = config.state_key.as_deref().unwrap_or(PROBE_KEY);
    let request = format!(
        "{}.STREAM.MSG.GET.{}",
        connection.api_prefix, bucket.stream_name
    );
    let body = json!({"last_by_subj": format!("{}{key}", bucket.read_prefix)});
    let read = ask(
        connection,
        &request,
        HeaderMap::new(),
        body.to_string().into(),
    )
    .await;
    findings.push(verdict(
        read.map(|_| ()),
        format!("state_bucket '{name}' can be read"),
        format!("state_bucket '{name}' cannot be read"),
    ));
    findings.push(verdict(
        write(connection, &format!("{}{key}", bucket.write_prefix)).await,
        format!("state_bucket '{name}' can be written"),
        format!("state_bucket '{name}' cannot be written"),
    ));
    Ok(())
}

async fn look_at_buckets(
    connection: &Connection,
    config: &NatsKvConfig,
    findings: &mut Vec<Finding>,
) -> Result<(), SinkError> {
    let names = bucket::names(connection, config).await?;
    if config.has_bucket_per_stream() {
        findings.push(Finding::good(format!(
            "each stream has its own bucket; {} of them exist",
            names.len()
        )));
    }
    for name in names {
        match Bucket::find(connection, &name).await? {
            Some(bucket) => look_at(connection, config, &bucket, findings).await,
            None if config.create_bucket => findings.push(Finding::warning(format!(
                "bucket '{name}' does not exist; a run will create it, if the user may"
            ))),
            None => findings.push(Finding::bad(bucket::missing(&name).to_string())),
        }
    }
    Ok(())
}

async fn look_at_dead_letter(
    connection: &Connection,
    config: &NatsKvConfig,
    name: &str,
    findings: &mut Vec<Finding>,
) -> Result<(), SinkError> {
    match dead_letter::find(connection, name).await? {
        Some(found) => {
            dead_letter::require_usable(name, &found)?;
            findings.extend(dead_letter::warning(name, &found).map(Finding::warning));
            findings.push(verdict(
                write(connection, &format!("{name}.{PROBE_KEY}")).await,
                format!("dead letter '{name}' can be written"),
                format!("dead letter '{name}' cannot be written"),
            ));
        }
        None if config.create_bucket => findings.push(Finding::warning(format!(
            "dead letter '{name}' does not exist; a run will create it, if the user may"
        ))),
        None => return Err(dead_letter::missing(name)),
    }
    Ok(())
}

async fn look_at(
    connection: &Connection,
    config: &NatsKvConfig,
    bucket: &Bucket,
    findings: &mut Vec<Finding>,
) {
    let name = &bucket.name;
    findings.push(Finding::good(format!(
        "JetStream API level {}: {}",
        bucket.api_level,
        if bucket.allows_multi_get() {
            "many stored values are read by one request"
        } else {
            "stored values are read one by one"
        }
    )));
    findings.push(Finding::good(describe(bucket)));
    for required in [bucket.require_usable(), bucket.require_for(config)] {
        findings.extend(required.err().map(|error| Finding::bad(error.to_string())));
    }
    let warnings = bucket
        .differences(config)
        .into_iter()
        .chain(bucket.warnings());
    findings.extend(warnings.map(|text| Finding::warning(format!("bucket '{name}': {text}"))));
    findings.extend(clock(bucket));
    findings.push(verdict(
        read(connection, bucket).await,
        format!("bucket '{name}' can be read"),
        format!("bucket '{name}' cannot be read"),
    ));
    findings.push(verdict(
        write(connection, &format!("{}{PROBE_KEY}", bucket.write_prefix)).await,
        format!("bucket '{name}' can be written: the server refused a test write as it should"),
        format!("bucket '{name}' cannot be written"),
    ));
}

fn verdict(result: Result<(), String>, good: String, bad: String) -> Finding {
    match result {
        Ok(()) => Finding::good(good),
        Err(reason) => Finding::bad(format!("{bad}: {reason}")),
    }
}

fn describe(bucket: &Bucket) -> String {
    let config = &bucket.config;
    let limit = |value: Option<i64>, unit: &str| {
        value
            .filter(|value| *value > 0)
            .map_or_else(|| "no limit".to_owned(), |value| format!("{value}{unit}"))
    };
    format!(
        "bucket '{}': {} keys (deleted ones included), history {}, storage {}, replicas {}, \
         max_bytes {}, max_value_size {}, max_age {}, compression {}, direct reads {}, batched \
         publishing {}",
        bucket.name,
        bucket.subjects,
        limit(bucket.history(), ""),
        match config.storage {
            StorageType::File => "file",
            StorageType::Memory => "memory",
        },
        config.num_replicas,
        limit(Some(config.max_bytes), ""),
        limit(bucket.max_value_size().map(|size| size as i64), ""),
        limit(i64::try_from(config.max_age.as_secs()).ok(), " s"),
        on_off(matches!(config.compression, Some(Compression::S2))),
        on_off(bucket.allows_direct_get()),
        on_off(bucket.allows_batched_publishing()),
    )
}

fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

/// Compares the clocks. The answer's way is neglected.
fn clock(bucket: &Bucket) -> Option<Finding> {
    let server: Timestamp = bucket.server_time.as_ref()?.parse().ok()?;
    let apart = Timestamp::now().duration_since(server).unsigned_abs();
    Some(if apart > CLOCK_TOLERANCE {
        Finding::warning(format!(
            "this machine's clock and the server's are {} s apart; _sdc_received_at is from here",
            apart.as_secs()
        ))
    } else {
        Finding::good("this machine's clock agrees with the server's")
    })
}

/// Asks for a key that cannot be there, in all ways in which a run asks.
async fn read(connection: &Connection, bucket: &Bucket) -> Result<(), String> {
    let subject = format!("{}{PROBE_KEY}", bucket.read_prefix);
    let stream = &bucket.stream_name;
    let api = &connection.api_prefix;
    let mut requests = vec![(
        format!("{api}.STREAM.MSG.GET.{stream}"),
        json!({"last_by_subj": subject}),
    )];
    if bucket.allows_direct_get() {
        requests.push((format!("{api}.DIRECT.GET.{stream}.{subject}"), Json::Null));
    }
    if bucket.allows_multi_get() {
        requests.push((
            format!("{api}.DIRECT.GET.{stream}"),
            json!({"multi_last": [subject]}),
        ));
    }
    for (request, body) in requests {
        let body = match body {
            Json::Null => Bytes::new(),
            body => body.to_string().into(),
        };
        // Any answer will do: what counts is that there is one.
        ask(connection, &request, HeaderMap::new(), body).await?;
    }
    Ok(())
}

/// Publishes what the server must refuse: a message for another stream, after a revision that
/// does not exist. The refusal comes from the stream, so it proves the way there and back.
async fn write(connection: &Connection, subject: &str) -> Result<(), String> {
    let mut headers = HeaderMap::new();
    headers.insert(header::NATS_EXPECTED_STREAM, "target-nats-kv-no-stream");
    headers.insert(
        header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE,
        u64::MAX.to_string().as_str(),
    );
    let answer = ask(connection, subject, headers, Bytes::new()).await?;
    let answer: Json = serde_json::from_slice(&answer.payload)
        .map_err(|_| "what answers is not JetStream".to_owned())?;
    const OTHER_STREAM: u64 = 10060;
    const WRONG_LAST_SEQUENCE: u64 = 10071;
    match answer["error"]["err_code"].as_u64() {
        Some(OTHER_STREAM | WRONG_LAST_SEQUENCE) => Ok(()),
        Some(_) => Err(format!(
            "the server says: {}",
            answer["error"]["description"].as_str().unwrap_or("nothing")
        )),
        None => Err(format!(
            "the server stored a message that it should have refused; delete '{subject}'"
        )),
    }
}

/// One request, ended early if the server says that it is not permitted.
async fn ask(
    connection: &Connection,
    subject: &str,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Message, String> {
    let mut link = connection.link.clone();
    let before = link.borrow().denials;
    let request = async_nats::Request::new()
        .headers(headers)
        .payload(body)
        .timeout(Some(connection.request_timeout));
    tokio::select! {
        answer = connection.client.send_request(subject.to_owned(), request) => {
            answer.map_err(|error| match error.kind() {
                RequestErrorKind::NoResponders => {
                    "no stream answers; check 'jetstream_domain' and 'jetstream_api_prefix'".to_owned()
                }
                RequestErrorKind::TimedOut => "no answer in time".to_owned(),
                _ => error.to_string(),
            })
        }
        Ok(link) = link.wait_for(|link| link.denials > before) => Err(format!(
            "{}; give the user that permission",
            link.denied.as_deref().unwrap_or("not permitted")
        )),
    }
}
