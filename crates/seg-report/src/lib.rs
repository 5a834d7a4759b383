//! Renders scores and previews as tables, JSON and pictures.
//!
//! * [`Report`] holds what an evaluation found and serializes to the JSON that others rely on;
//!   [`table`] and [`markdown`] write it for people.
//! * [`preview_png`] draws an image beside its classes; [`stretch`] makes it of any data type.
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
mod error;
mod markdown;
mod preview;
mod report;
mod stretch;
mod table;

pub use error::Error;
pub use markdown::markdown;
pub use preview::{PANEL_SIDE, Preview, preview_png};
pub use report::{ClassReport, Evaluation, Protocol, Report};
pub use stretch::stretch;
pub use table::table;
