//! Cuts rasters and their labels into chips.

mod cut;
mod gather;
mod job;
mod names;
mod out_folder;
mod run;
mod scan;
mod source;
mod summary;
mod survey;

pub(crate) use cut::plain_band;
pub use job::{LabelInput, SplitRequest, TileJob, TileSummary};
pub use out_folder::Existing;
pub use run::tile;
