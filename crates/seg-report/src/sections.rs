//! What a report holds beside its scores.

use seg_label::{BoundaryScore, CalibrationBin, ClassId, Difference, Interval, ScoreIntervals};
use serde::{Deserialize, Serialize};

/// Accuracies by the words of mapping: of the truth's pixels and of the map's, in legend order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ConfusionAccuracy {
    /// Producer's accuracy: share of a class's true pixels that were mapped as it; `None` without true pixels.
    pub producers: Vec<Option<f64>>,
    /// User's accuracy: share of the pixels mapped as a class that are of it; `None` without mapped pixels.
    pub users: Vec<Option<f64>>,
}

/// Scores by one protocol, for tables that others publish by it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProtocolScores {
    /// Pixels of the truth within so many of another class were ignored; 0 is none.
    pub eroded_px: usize,
    /// Classes left out of the means.
    pub excluded: Vec<String>,
    /// Mean `IoU`.
    pub miou: Option<f64>,
    /// Mean F1.
    pub mf1: Option<f64>,
    /// Overall accuracy.
    pub oa: Option<f64>,
    /// Cohen's kappa.
    pub kappa: Option<f64>,
    /// `IoU` weighted by support.
    pub frequency_weighted_iou: Option<f64>,
    /// Pixels counted.
    pub pixels: u64,
    /// Pixels without a truth.
    pub ignored: u64,
}

/// How well borders are found, in the whole truth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BoundaryReport {
    /// Borders agree within so many pixels.
    pub tolerance_px: usize,
    /// Mean F over the classes that have borders and are in the means.
    pub mean_f1: Option<f64>,
    /// One by one, in legend order; `None` where a class has no border.
    pub classes: Vec<Option<BoundaryScore>>,
}

/// How far scores are to be trusted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Uncertainty {
    /// How the intervals were made, in words.
    pub method: String,
    /// Share of the intervals that hold the value.
    pub level: f64,
    /// Blocks in which anything was counted.
    pub blocks: usize,
    /// About how long a side of a block is.
    pub block_side_px: usize,
    /// How often blocks were drawn.
    pub replicates: usize,
    /// The seed of the random numbers.
    pub seed: u64,
    /// Why there are no intervals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub none_because: Option<String>,
    /// The intervals.
    pub intervals: Option<ScoreIntervals>,
}

/// Areas of classes over the whole map, corrected for what the map mistakes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AreaReport {
    /// What has to hold for the correction to be right, in words.
    pub assumption: String,
    /// Pixels of the map that have a class.
    pub map_pixels: u64,
    /// Those of them that have a truth.
    pub sample_pixels: u64,
    /// Times as large as with pixels drawn one by one the variance is, since neighbors are alike; `None` without blocks.
    pub design_effect: Option<f64>,
    /// One by one, in legend order.
    pub classes: Vec<ClassAreaReport>,
}

/// The area of one class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassAreaReport {
    /// The class.
    pub id: ClassId,
    /// Its name.
    pub name: String,
    /// Share of the map that is mapped as it.
    pub mapped_share: f64,
    /// Share that it has, corrected.
    pub adjusted_share: f64,
    /// Standard error of that, had pixels been drawn one by one.
    pub standard_error: f64,
    /// Standard error with the design effect; the interval is 1.96 of it on either side.
    pub standard_error_clustered: Option<f64>,
    /// 95 % interval of the corrected share; with the design effect where it is known.
    pub interval: Interval,
    /// Square meters mapped, where pixels have a size.
    pub mapped_m2: Option<f64>,
    /// Square meters, corrected.
    pub adjusted_m2: Option<f64>,
}

/// How often a prediction is right near tile lines and elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LineReport {
    /// Pixels on either side of a line that are called near.
    pub near_px: usize,
    /// Pixels near lines that have a truth.
    pub near_pixels: u64,
    /// Share of them that is right.
    pub near_accuracy: Option<f64>,
    /// Other pixels that have a truth.
    pub elsewhere_pixels: u64,
    /// Share of them that is right.
    pub elsewhere_accuracy: Option<f64>,
}

/// Whether predictions are as right as they say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CalibrationReport {
    /// Expected calibration error.
    pub ece: Option<f64>,
    /// Pixels with a truth and a probability.
    pub pixels: u64,
    /// Bins of probability, the last for exactly 1.
    pub bins: Vec<CalibrationBin>,
}

/// One prediction of several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SceneReport {
    /// Its name.
    pub prediction: String,
    /// Its truth.
    pub truth: String,
    /// Pixels counted.
    pub pixels: u64,
    /// Mean `IoU` of the classes that come in it.
    pub miou: Option<f64>,
    /// Mean F1 of these.
    pub mf1: Option<f64>,
    /// Overall accuracy.
    pub oa: Option<f64>,
    /// `IoU` of each class, in legend order.
    pub iou: Vec<Option<f64>>,
}

/// One figure of two predictions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Contrast {
    /// Of this prediction.
    pub this: Option<f64>,
    /// Of the other.
    pub other: Option<f64>,
    /// The first less the second, and its 95 % interval.
    #[serde(flatten)]
    pub difference: Difference,
}

/// Figures of one class in two predictions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassContrast {
    /// The class.
    pub id: ClassId,
    /// Its name.
    pub name: String,
    /// `IoU`.
    pub iou: Contrast,
    /// F1.
    pub f1: Contrast,
    /// Precision.
    pub precision: Contrast,
    /// Recall.
    pub recall: Contrast,
}

/// This prediction beside another of the same scenes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparisonReport {
    /// Names of the other predictions.
    pub other: Vec<String>,
    /// Overall accuracy.
    pub oa: Contrast,
    /// Mean `IoU`.
    pub miou: Contrast,
    /// Mean F1.
    pub mf1: Contrast,
    /// Cohen's kappa.
    pub kappa: Contrast,
    /// Frequency-weighted `IoU`.
    pub frequency_weighted_iou: Contrast,
    /// One by one, in legend order.
    pub classes: Vec<ClassContrast>,
}
