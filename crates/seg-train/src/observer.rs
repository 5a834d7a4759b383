//! What a training tells its caller.

use std::path::Path;
use std::time::Duration;

use seg_grid::Observer;
use seg_label::{ConfusionMatrix, Scores};

/// Listens to a training, and stops it where [`cancelled`](Observer::cancelled) says so.
pub trait TrainObserver: Observer {
    /// Every `train.log-every` steps.
    fn step(&self, report: &StepReport);

    /// After every validation.
    fn validated(&self, report: &ValidationReport<'_>);

    /// Once, before the first step: what was taken over from where, and the like.
    fn note(&self, text: &str);
}

/// Means since the report before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepReport {
    /// Steps done.
    pub step: u64,
    /// Steps in all.
    pub steps: u64,
    /// Samples seen for each chip on average.
    pub epoch: f64,
    /// What is minimized.
    pub loss: f64,
    /// Cross entropy of the class scores.
    pub main: f64,
    /// Cross entropy of the score map; absent without one.
    pub aux: Option<f64>,
    /// Contrast of the score map; absent where it is switched off.
    pub cpc: Option<f64>,
    /// Dice loss of the class scores; absent where it is switched off.
    pub dice: Option<f64>,
    /// Norm of the gradients over all weights, before clipping.
    pub gradient_norm: f64,
    /// The last step's learning rate of the new parts.
    pub lr: f64,
    /// Samples a second, of all processes.
    pub rate: f64,
    /// Share of the time in which the network waited for samples, 0 to 1.
    pub waiting: f64,
    /// Share of the time that went by in messages between processes and in waiting for the slowest of them, 0 to 1; absent
    /// where there is one.
    pub communication: Option<f64>,
    /// Time left at this rate.
    pub left: Duration,
}

/// How good the network is on chips that it does not learn from.
#[derive(Debug, Clone, Copy)]
pub struct ValidationReport<'a> {
    /// Steps done.
    pub step: u64,
    /// Pixels by truth and prediction.
    pub matrix: &'a ConfusionMatrix,
    /// What follows from them.
    pub scores: &'a Scores,
    /// Class names in the order of the scores.
    pub classes: &'a [String],
    /// Whether it is the best so far.
    pub best: bool,
    /// The checkpoint that holds the best.
    pub checkpoint: &'a Path,
}

/// For tests and callers that want nothing told.
impl TrainObserver for seg_grid::Silent {
    fn step(&self, _: &StepReport) {}

    fn validated(&self, _: &ValidationReport<'_>) {}

    fn note(&self, _: &str) {}
}
