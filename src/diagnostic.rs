//! Errors for people: what failed and on what, why, and what can be done.

use crate::stderr::Stderr;
use serde_json::json;
use std::error::Error as StdError;
use std::fmt;

/// What failed, with what the user can do about it: for errors of the command line itself.
#[derive(Debug)]
pub(crate) struct Advice {
    what: String,
    hint: String,
}

/// An error, ready to be told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Diagnostic {
    /// For programs: `failed`, `interrupted` or `bug`.
    pub code: &'static str,
    /// What failed, and on what.
    pub message: String,
    /// Why.
    pub cause: Option<String>,
    /// What the user can do.
    pub hint: Option<String>,
}

impl Advice {
    pub(crate) fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl StdError for Advice {}

/// An error with all that it was caused by, on one line.
pub(crate) fn in_one_line(error: &anyhow::Error) -> String {
    let Diagnostic { message, cause, .. } = Diagnostic::new(error);
    cause.map_or(message.clone(), |cause| format!("{message}: {cause}"))
}

impl Diagnostic {
    /// From an error and all that it was caused by.
    pub(crate) fn new(error: &anyhow::Error) -> Self {
        let mut texts: Vec<String> = Vec::new();
        for text in error.chain().map(ToString::to_string) {
            // Some libraries repeat their cause in their own words.
            if !texts.iter().any(|before| before.contains(&text)) {
                texts.push(text);
            }
        }
        let mut texts = texts.into_iter();
        let message = texts.next().unwrap_or_default();
        let causes: Vec<_> = texts.collect();
        let hint = error.chain().find_map(hint);
        Self { code: "failed", message, cause: (!causes.is_empty()).then(|| causes.join(": ")), hint }
    }

    /// Writes it to standard error.
    pub(crate) fn tell(&self, stderr: &Stderr) {
        let message = match &self.cause {
            Some(cause) => format!("{}: {cause}", self.message),
            None => self.message.clone(),
        };
        let event = json!({"event": "error", "code": self.code, "message": message, "hint": self.hint});
        stderr.error(&self.text(), event);
    }

    /// At most three lines.
    fn text(&self) -> String {
        let mut lines = vec![format!("error: {}", one_line(&self.message))];
        lines.extend(self.cause.iter().map(|cause| format!("caused by: {}", one_line(cause))));
        lines.extend(self.hint.iter().map(|hint| format!("hint: {}", one_line(hint))));
        lines.join("\n")
    }
}

/// The hint of an error that has one.
fn hint(error: &(dyn StdError + 'static)) -> Option<String> {
    if let Some(advice) = error.downcast_ref::<Advice>() {
        return Some(advice.hint.clone());
    }
    if let Some(error) = error.downcast_ref::<seg_grid::IoError>() {
        return error.hint.clone();
    }
    match error.downcast_ref() {
        Some(seg_vector::Error::Read(error)) => return error.hint.clone(),
        Some(seg_vector::Error::Write(error)) => return hint(error.as_ref()),
        Some(seg_vector::Error::TooManyAreas { .. }) => {
            return Some("allow more with --max-memory, or leave --min-area and --fill-holes out".to_owned());
        }
        _ => {}
    }
    None.or_else(|| error.downcast_ref::<seg_run::Error>().and_then(seg_run::Error::hint))
        .or_else(|| error.downcast_ref::<seg_train::Error>().and_then(seg_train::Error::hint))
        .or_else(|| error.downcast_ref::<seg_data::Error>().and_then(seg_data::Error::hint))
        .or_else(|| error.downcast_ref::<seg_gdal::Error>().and_then(seg_gdal::Error::hint))
        .or_else(|| error.downcast_ref::<seg_nn::Error>().and_then(seg_nn::Error::hint))
        .or_else(|| error.downcast_ref::<seg_torch::Error>().and_then(seg_torch::Error::hint))
        .or_else(|| error.downcast_ref::<seg_label::Error>().and_then(seg_label::Error::hint))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn a_chain_is_three_lines_with_the_hint_from_its_depth() {
        let io = seg_grid::IoError {
            action: "cannot read the window".to_owned(),
            hint: Some("fetch\nit again".to_owned()),
            cause: "short file".into(),
        };
        let error = Err::<(), _>(io).context("cannot segment a.tif").unwrap_err();
        let diagnostic = Diagnostic::new(&error);
        assert_eq!(
            diagnostic.text(),
            "error: cannot segment a.tif\ncaused by: cannot read the window: short file\nhint: fetch it again"
        );
    }

    #[test]
    fn a_cause_that_was_told_is_not_told_again() {
        let error = anyhow::anyhow!("no space").context("cannot write b.tif: no space");
        assert_eq!(Diagnostic::new(&error).text(), "error: cannot write b.tif: no space");
    }

    #[test]
    fn errors_of_the_command_line_carry_their_hint() {
        let error = anyhow::Error::from(Advice::new("c.tif exists", "--overwrite replaces it"));
        assert_eq!(Diagnostic::new(&error).hint.as_deref(), Some("--overwrite replaces it"));
    }
}
