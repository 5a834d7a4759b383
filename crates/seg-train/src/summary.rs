//! What a training made.

use std::path::{Path, PathBuf};

use serde::Serialize;

/// What a training made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrainSummary {
    /// The folder of the run.
    #[serde(serialize_with = "lossy")]
    pub folder: PathBuf,
    /// Steps done, those before a resume included.
    pub steps: u64,
    /// The checkpoint of the last step.
    #[serde(serialize_with = "lossy")]
    pub last: PathBuf,
    /// The checkpoint of the best validation, where there was one.
    #[serde(serialize_with = "lossy_option")]
    pub best: Option<PathBuf>,
    /// Its step.
    pub best_step: Option<u64>,
    /// Its mean `IoU`.
    pub miou: Option<f64>,
    /// Seconds of this process' steps.
    pub seconds: f64,
    /// Share of them in which the network waited for samples.
    pub waiting: f64,
    /// Share of them in which processes told each other something, where there were several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub communication: Option<f64>,
    /// The page of its curves, which who called made of them.
    #[serde(serialize_with = "lossy_option")]
    pub page: Option<PathBuf>,
    /// Whether it ended before its last step for want of progress.
    pub stopped_early: bool,
}

/// Writes a path that need not be Unicode as text.
fn lossy<S: serde::Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

#[expect(clippy::ref_option, reason = "serde calls it so")]
fn lossy_option<S: serde::Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    path.as_ref().map(|path| path.display().to_string()).serialize(serializer)
}
