//! Results go to standard output, everything else to standard error.

use crate::stderr::{LineFormat, Stderr};
use anyhow::Context as _;
use serde::Serialize;
use serde_json::json;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::sync::Arc;

/// Whether notes are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Notes {
    Told,
    Kept,
}

/// Prints results and notes.
#[derive(Debug)]
pub(crate) struct Printer {
    stderr: Arc<Stderr>,
    notes: Notes,
}

impl Printer {
    /// With notes, unless the user wants it quiet.
    pub(crate) fn new(stderr: Arc<Stderr>, quiet: bool) -> Self {
        Self { stderr, notes: if quiet { Notes::Kept } else { Notes::Told } }
    }

    /// Prints a result; a line end is added.
    ///
    /// A reader that went away is an error here, which ends the program quietly.
    #[expect(clippy::unused_self, reason = "results go through the printer, so that none is printed past it")]
    pub(crate) fn data(&self, text: impl Display) -> anyhow::Result<()> {
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{text}").and_then(|()| stdout.flush()).context("cannot write to standard output")
    }

    /// Prints a result as JSON.
    pub(crate) fn json(&self, value: &impl Serialize) -> anyhow::Result<()> {
        self.data(serde_json::to_string_pretty(value)?)
    }

    /// Tells what is no result, such as where files are; not with `--quiet`.
    pub(crate) fn note(&self, text: impl Display) {
        match (self.notes, self.stderr.format()) {
            (Notes::Kept, _) => {}
            (Notes::Told, LineFormat::Text) => self.stderr.line(&text.to_string()),
            (Notes::Told, LineFormat::Events) => {
                self.stderr.event(&json!({"event": "log", "level": "info", "message": text.to_string()}));
            }
        }
    }
}
