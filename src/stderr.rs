//! The one way to standard error, shared by log, progress and messages, so that none cuts into another.

use crate::value::{LogFormat, ProgressChoice};
use indicatif::ProgressBar;
use serde_json::Value;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// What a line on standard error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineFormat {
    /// Text for people.
    Text,
    /// A JSON object with an `event`, for other programs.
    Events,
}

/// Standard error.
#[derive(Debug)]
pub(crate) struct Stderr {
    format: LineFormat,
    /// The bar that is drawn at the moment; lines go above it.
    bar: Mutex<Option<ProgressBar>>,
    closed: AtomicBool,
    /// The number of a process that tells only errors, of several.
    only_errors: OnceLock<usize>,
}

impl Stderr {
    /// With lines as log and progress ask for.
    pub(crate) fn new(progress: ProgressChoice, log: LogFormat) -> Self {
        let format = match (progress, log) {
            (ProgressChoice::Json, _) | (_, LogFormat::Json) => LineFormat::Events,
            _ => LineFormat::Text,
        };
        Self { format, bar: Mutex::new(None), closed: AtomicBool::new(false), only_errors: OnceLock::new() }
    }

    /// What lines are.
    pub(crate) const fn format(&self) -> LineFormat {
        self.format
    }

    /// From now on only errors are written, with the number of this process among several: the first one tells the rest.
    pub(crate) fn only_errors(&self, rank: usize) {
        // Told once: a process does not change its number.
        let _ = self.only_errors.set(rank);
    }

    /// Writes an error, in the format that lines have.
    pub(crate) fn error(&self, text: &str, mut event: Value) {
        let rank = self.only_errors.get();
        let line = match (self.format, rank) {
            (LineFormat::Text, None) => text.to_owned(),
            (LineFormat::Text, Some(rank)) => {
                text.lines().map(|line| format!("rank {rank}: {line}")).collect::<Vec<_>>().join("\n")
            }
            (LineFormat::Events, _) => {
                if let (Value::Object(event), Some(rank)) = (&mut event, rank) {
                    event.insert("rank".to_owned(), (*rank).into());
                }
                event.to_string()
            }
        };
        self.write(format!("{line}\n").as_bytes());
    }

    /// Whether a write failed: nobody reads any more.
    pub(crate) fn closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Lines go above this bar from now on, or nowhere special.
    pub(crate) fn set_bar(&self, bar: Option<ProgressBar>) {
        *self.bar.lock().unwrap_or_else(PoisonError::into_inner) = bar;
    }

    /// Writes a line of text.
    pub(crate) fn line(&self, text: &str) {
        self.bytes(format!("{text}\n").as_bytes());
    }

    /// Writes an event as one line.
    pub(crate) fn event(&self, event: &Value) {
        self.line(&event.to_string());
    }

    /// Writes whole lines at once.
    pub(crate) fn bytes(&self, lines: &[u8]) {
        if self.only_errors.get().is_none() {
            self.write(lines);
        }
    }

    fn write(&self, lines: &[u8]) {
        let bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        let write = || io::stderr().lock().write_all(lines);
        let written = bar.as_ref().map_or_else(write, |bar| bar.suspend(write));
        if written.is_err() {
            self.closed.store(true, Ordering::Relaxed);
        }
    }
}
