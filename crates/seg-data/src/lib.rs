//! Makes training samples out of rasters and their labels.

mod class_names;
mod compare;
mod convention;
mod error;
mod formats;
mod inputs;
mod labels;
mod manifest;
mod notes;
mod pairs;
mod slots;
mod split;
mod statistics;
mod tile;
mod windows;

pub use compare::{CompareJob, Comparison, compare};
pub use convention::find_convention;
pub use error::Error;
pub use formats::DataSet;
pub use inputs::{Kind, expand};
pub use labels::LabelFile;
pub use manifest::{ChipRecord, Manifest};
pub use pairs::pair;
pub use split::{
    Assignment, ChipPlace, Leak, Place, Shares, Split, SplitBy, SplitPlan, SplitSource, assign_splits,
    check_no_leak,
};
pub use statistics::{BandStatistics, Statistics};
pub use tile::{Existing, LabelInput, SplitRequest, TileJob, TileSummary, tile};
