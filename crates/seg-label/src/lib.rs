//! What the classes are and how well two label maps agree.
//!
//! * [`Legend`] lists the [`Class`]es: id, name, prompt, color. One legend feeds the decoding of labels,
//!   color tables, styles and reports.
//! * [`Relabel`] turns the codes of a label file (ids or colors) into class ids and counts in a [`Tally`]
//!   what it did not know; [`Convention`] knows how the public data sets write their labels.
//! * [`ConfusionMatrix`] counts, [`Scores`] are read off it.
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

mod class;
mod confusion;
mod convention;
mod erode;
mod error;
mod legend;
mod relabel;
mod scores;
mod tally;

pub use class::{Class, ClassId, IGNORE_INDEX, Rgb};
pub use confusion::ConfusionMatrix;
pub use convention::Convention;
pub use erode::erode_borders;
pub use error::Error;
pub use legend::Legend;
pub use relabel::{ColorMatch, Relabel};
pub use scores::{ClassScore, Scores};
pub use tally::{Code, Tally};
