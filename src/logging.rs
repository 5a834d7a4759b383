//! The log: `tracing` events, GDAL's messages among them, to standard error.

use crate::cli::GlobalArgs;
use crate::stderr::Stderr;
use crate::value::{LogFormat, ProgressChoice};
use anyhow::Context as _;
use serde_json::{Map, Value, json};
use std::fmt;
use std::io;
use std::sync::Arc;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, fmt as log};

/// The variable that names levels more finely than `--verbose`, such as `gdal=debug,seg_run=trace`.
const FILTER_VARIABLE: &str = "RS_SEG_LOG";

/// Begins the log that the flags ask for.
pub(crate) fn install(stderr: &Arc<Stderr>, global: &GlobalArgs) -> anyhow::Result<()> {
    let filter = match std::env::var(FILTER_VARIABLE) {
        Ok(text) => {
            EnvFilter::try_new(text).with_context(|| format!("cannot understand {FILTER_VARIABLE}"))?
        }
        Err(_) => EnvFilter::new(level(global)),
    };
    let log = log().with_env_filter(filter).with_writer(LogWriter(Arc::clone(stderr))).with_ansi(false);
    let installed = match (global.progress, global.log_format) {
        (ProgressChoice::Json, _) => log.event_format(EventLine).try_init(),
        (_, LogFormat::Json) => log.json().try_init(),
        (_, LogFormat::Text) => log.without_time().try_init(),
    };
    installed.map_err(|error| anyhow::anyhow!("cannot begin the log: {error}"))?;
    seg_gdal::install_log_handler();
    Ok(())
}

const fn level(global: &GlobalArgs) -> &'static str {
    match (global.quiet, global.verbose) {
        (true, _) | (false, 0) => "warn",
        (false, 1) => "info",
        (false, 2) => "debug",
        (false, _) => "trace",
    }
}

/// Hands whole log lines to [`Stderr`].
#[derive(Debug, Clone)]
struct LogWriter(Arc<Stderr>);

impl io::Write for LogWriter {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.0.bytes(lines);
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Writes log events in the form of `--progress json`, so that every line there is one.
struct EventLine;

impl<S, N> FormatEvent<S, N> for EventLine
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
        let line = if *metadata.level() <= Level::WARN {
            json!({"event": "warning", "message": fields.message, "target": metadata.target()})
        } else {
            json!({
                "event": "log", "level": metadata.level().as_str().to_lowercase(), "message": fields.message,
                "target": metadata.target(), "fields": fields.others,
            })
        };
        writeln!(writer, "{line}")
    }
}

/// The message of an event and its other fields.
#[derive(Debug, Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        if field.name() == "message" {
            self.message = text;
        } else {
            self.others.insert(field.name().to_owned(), text.into());
        }
    }
}
