//! Renders scores and previews as tables, JSON and pictures.
//!
//! * [`Report`] holds what an evaluation found and serializes to the JSON that others rely on; [`Findings`] are what it
//!   is made of beside the scores. [`table`], [`markdown`], [`csv()`] and [`html`] write it for people, with the same
//!   numbers; [`confusion_png`] draws the confusion matrix.
//! * [`training_html`] is the page of a training.
//! * [`preview_png`] draws an image beside its classes; [`stretch`] makes it of any data type.
//! * [`sample_png`] draws a sample of a training beside its truth and its prediction.
//!
//! Nothing here reads or writes a file.
//!
//! ```
//! use seg_label::{ConfusionMatrix, Legend};
//! use seg_report::{Evaluation, Report, table};
//!
//! let legend = Legend::builtin("dubai").expect("known");
//! let mut matrix = ConfusionMatrix::new(&legend);
//! matrix.add(0, 0);
//! let report = Report::new(&legend, &matrix, &Evaluation::default());
//! assert!(table(&report).contains("absent: not counted in the mean"));
//! ```

mod canvas;
mod confusion_picture;
mod csv_table;
mod error;
mod findings;
mod html;
mod markdown;
mod paint;
mod preview;
mod report;
mod sample_picture;
mod sections;
mod stretch;
mod summary;
mod table;

pub use confusion_picture::confusion_png;
pub use csv_table::csv;
pub use error::Error;
pub use findings::{Findings, LineFindings, OtherFindings, SceneFindings};
pub use html::{Standing, Strip, TrainingCurves, TrainingPage, ValidationPoint, html, training_html};
pub use markdown::markdown;
pub use preview::{PANEL_SIDE, Preview, preview_png};
pub use report::{ClassReport, Evaluation, NetworkTest, Protocol, Report};
pub use sample_picture::sample_png;
pub use sections::{
    AreaReport, BoundaryReport, CalibrationReport, ClassAreaReport, ClassContrast, ComparisonReport,
    ConfusionAccuracy, Contrast, LineReport, ProtocolScores, SceneReport, Uncertainty,
};
pub use stretch::stretch;
pub use table::table;
