//! What the classes are and how well two label maps agree.
//!
//! * [`Legend`] lists the [`Class`]es: id, name, prompt, color. One legend feeds the decoding of labels,
//!   color tables, styles and reports.
//! * [`Relabel`] turns the codes of a label file (ids or colors) into class ids and counts in a [`Tally`]
//!   what it did not know; [`Convention`] knows how the public data sets write their labels.
//! * [`ConfusionMatrix`] counts, [`Scores`] are read off it; [`BoundaryTally`] counts borders between classes,
//!   [`Calibration`] how often a network is as right as it says.
//! * [`CellCounts`] keep what was counted where, a [`BlockPlan`] makes blocks of them, and [`score_intervals`] and
//!   [`paired_difference`] say by them how far the scores are to be trusted; [`AreaEstimate`] corrects mapped areas.
//!
//! **Ignored** is a pixel whose truth is not to be counted: it has the value [`IGNORE_INDEX`].
//!
//! ```
//! use ndarray::array;
//! use seg_label::{ConfusionMatrix, Legend, Scores};
//!
//! let legend = Legend::builtin("dubai").expect("known");
//! let mut matrix = ConfusionMatrix::new(&legend);
//! matrix.add_arrays(&array![[0, 0], [1, 255]].view(), &array![[0, 1], [1, 3]].view())?;
//! let scores = Scores::new(&matrix);
//! assert_eq!(scores.classes[0].iou, Some(0.5));
//! assert_eq!(scores.classes[4].iou, None, "no water anywhere: not counted in the mean");
//! assert_eq!(matrix.ignored(), 1);
//! # Ok::<(), seg_label::Error>(())
//! ```

mod agreement;
mod area;
mod assessment;
mod bitmap;
mod blocks;
mod bootstrap;
mod boundary;
mod byte_table;
mod calibration;
mod class;
mod confusion;
mod convention;
mod counts;
mod erode;
mod error;
mod legend;
mod relabel;
mod score_intervals;
mod scores;
mod tally;

pub use agreement::{Agreement, LineAgreement};
pub use area::{AreaEstimate, ClassArea};
pub use assessment::{Assessment, AssessmentPlan, CountedPart, MapPair, ScenePlace, count_cells};
pub use blocks::{BlockPlan, CellCounts, CellGrid, TooFewBlocks};
pub use bootstrap::{Interval, Resampling};
pub use boundary::{BoundaryCount, BoundaryScore, BoundaryTally};
pub use calibration::{Calibration, CalibrationBin};
pub use class::{Class, ClassId, IGNORE_INDEX, Rgb};
pub use confusion::ConfusionMatrix;
pub use convention::Convention;
pub use counts::ClassCounts;
pub use erode::erode_borders;
pub use error::Error;
pub use legend::Legend;
pub use relabel::{ColorMatch, Relabel};
pub use score_intervals::{ClassIntervals, Difference, ScoreIntervals, paired_difference, score_intervals};
pub use scores::{ClassScore, Scores};
pub use tally::{Code, Tally};
