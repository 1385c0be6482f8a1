//! Lines as the Meltano SDK's `StructuredFormatter` writes them, which Meltano reads: it shows each
//! with its own level and stream.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::metrics;

/// How a METRIC line begins; what follows is the metric.
const METRIC: &str = "METRIC: ";

/// See the module.
pub(super) struct Singer {
    app_name: String,
}

impl Singer {
    pub(super) fn of(target_name: &str) -> Self {
        let app_name = target_name.to_owned();
        Self { app_name }
    }
}

impl<S, N> FormatEvent<S, N> for Singer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metadata = event.metadata();
        let message = fields.text();
        let mut line = json!({
            "level": level(*metadata.level()),
            "pid": std::process::id(),
            "logger_name": metadata.target().replace("::", "."),
            "ts": now(),
            "thread_name": std::thread::current().name().unwrap_or_default(),
            "app_name": self.app_name,
            "stream_name": fields.extra.remove("stream"),
            "extra": fields.extra,
        });
        let metric = fields.message.strip_prefix(METRIC);
        let metric = metric.filter(|_| metadata.target() == metrics::TARGET);
        match metric.and_then(|metric| serde_json::from_str::<Value>(metric).ok()) {
            Some(metric) => {
                line["message"] = METRIC.trim_end_matches([':', ' ']).into();
                line["metric_info"] = metric;
            }
            None => line["message"] = message.into(),
        }
        writeln!(writer, "{line}")
    }
}

/// Python's name for a level.
fn level(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warning",
        Level::INFO => "info",
        Level::DEBUG | Level::TRACE => "debug",
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0.0, |now| now.as_secs_f64())
}

/// The message of an event, and its other fields.
#[derive(Default)]
struct Fields {
    message: String,
    extra: Map<String, Value>,
}

impl Fields {
    /// The message with all that it is about: of the other fields Meltano shows none.
    fn text(&self) -> String {
        let mut text = self.message.clone();
        for (name, value) in &self.extra {
            text.push_str(&format!(" {name}={value}"));
        }
        text
    }

    fn take(&mut self, field: &Field, value: Value) {
        self.extra.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        } else {
            self.take(field, format!("{value:?}").into());
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            self.take(field, value.into());
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.take(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.take(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.take(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.take(field, value.into());
    }
}
