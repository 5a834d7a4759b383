//! Several trainings that differ by their seed alone.

use seg_train::TrainSummary;
use serde::Serialize;

/// Mean and sample standard deviation of a score over seeds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub mean: f64,
    /// `None` for a single seed.
    pub deviation: Option<f64>,
}

/// The spread of the best mean `IoU`; `None` where a training was not validated.
pub(crate) fn spread(runs: &[TrainSummary]) -> Option<Spread> {
    let values = runs.iter().map(|run| run.miou).collect::<Option<Vec<_>>>()?;
    let count = values.len() as f64;
    if values.is_empty() {
        return None;
    }
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some(Spread { mean, deviation: (values.len() > 1).then(|| (squares / (count - 1.0)).sqrt()) })
}
