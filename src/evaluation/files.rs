//! The files of a report.

use crate::context::Context;
use anyhow::Context as _;
use seg_data::MadeFolder;
use seg_report::{Report, csv, html, markdown};
use serde_json::{Map, Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::Outcome;

/// The files that a report is written to.
#[derive(Debug)]
pub(crate) struct Outputs {
    html: PathBuf,
    json: PathBuf,
    csv: PathBuf,
    markdown: PathBuf,
    /// If nothing comes of it, the folder is gone again.
    _made: Option<MadeFolder>,
}

impl Outputs {
    /// Makes the folder, and refuses files that are there already without `--overwrite`.
    pub(crate) fn prepare(folder: &Path, context: &Context) -> anyhow::Result<Self> {
        let made = MadeFolder::create(folder)
            .with_context(|| format!("cannot create the folder {}", folder.display()))?;
        let outputs = Self { _made: Some(made), ..Self::of_training(folder, "report") };
        outputs.files().into_iter().try_for_each(|(_, path)| context.check_output(path))?;
        Ok(outputs)
    }

    /// Files of this name in the folder of a training, which replaces its own.
    pub(crate) fn of_training(folder: &Path, stem: &str) -> Self {
        let file = |ending: &str| folder.join(format!("{stem}.{ending}"));
        Self { html: file("html"), json: file("json"), csv: file("csv"), markdown: file("md"), _made: None }
    }

    /// Writes all of them, the page last.
    pub(crate) fn write(&self, outcome: &Outcome) -> anyhow::Result<()> {
        let report: &Report = &outcome.report;
        write_file(&self.json, &report.to_json())?;
        write_file(&self.csv, &csv(report)?)?;
        write_file(&self.markdown, &markdown(report))?;
        write_file(&self.html, &html(report, &outcome.legend, &outcome.strips)?)
    }

    /// By what they are called in results.
    pub(crate) fn files(&self) -> [(&'static str, &Path); 4] {
        [("html", &self.html), ("report", &self.json), ("csv", &self.csv), ("markdown", &self.markdown)]
    }

    /// Adds them to the outputs of a command.
    pub(crate) fn tell(&self, outputs: &mut Map<String, Value>) {
        outputs.extend(self.files().map(|(what, path)| (what.to_owned(), json!(path))));
    }
}

/// Writes a whole file under its name, or none.
pub(crate) fn write_file(path: &Path, text: &str) -> anyhow::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = || format!("cannot write {}", path.display());
    // For whom the user's mask has it.
    let permissions = fs::Permissions::from_mode(0o666);
    let file = tempfile::Builder::new().permissions(permissions).tempfile_in(folder).with_context(failed)?;
    fs::write(file.path(), text).with_context(failed)?;
    file.persist(path).with_context(failed)?;
    Ok(())
}
