//! The main job: a raster and a network in, a class raster on the same grid out.

pub(crate) mod conflicts;
pub(crate) mod each;
mod fit;
mod flags;
mod gsd;
mod identified;
mod input;
pub(crate) mod inputs;
pub(crate) mod manifest;
pub(crate) mod merge;
mod opened;
mod outputs;
pub(crate) mod part;
mod passes;
mod prepared;
mod preview;
mod record;
pub(crate) mod report;
mod run;
mod sampled;
pub(crate) mod seams;
mod tile_tally;
mod tiling;
pub(crate) mod verify;
mod view;

pub(crate) use gsd::PixelSize;
pub(crate) use identified::{MOST_CACHE, identify};
pub(crate) use input::{AreaRequest, crs_of};
pub(crate) use outputs::{TraceLimits, Wanted};
pub(crate) use passes::PassChoice;
pub(crate) use prepared::{Prepared, prepare};
pub(crate) use run::{segment, segment_part};
pub(crate) use tiling::OverlapChoice;

use crate::network::NetworkName;
use crate::value::{PrecisionChoice, Shard};
use seg_gdal::{Crs, OutputFormat};
use seg_grid::{Blend, SeamReport};
use seg_label::Legend;
use seg_run::{Batch, Fresh, Outcome, Scaling, Trial, WorkFolder};
use std::path::PathBuf;
use tch::Device;

/// All that decides how a raster is segmented.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    /// Any names that GDAL can open; several are one mosaic.
    pub inputs: Vec<String>,
    pub model: NetworkName,
    pub outputs: Wanted,
    pub format: OutputFormat,
    pub creation_options: Vec<String>,
    pub legend: Option<Legend>,
    pub bands: Option<Vec<seg_gdal::BandIndex>>,
    /// The part that is wanted; all if not given.
    pub area: Option<AreaRequest>,
    pub scaling: Scaling,
    pub pixel_size: PixelSize,
    /// The CRS of the outputs, if not the input's.
    pub t_srs: Option<Crs>,
    pub tile: Option<usize>,
    pub overlap: OverlapChoice,
    pub blend: Blend,
    pub margin: Option<usize>,
    pub passes: PassChoice,
    pub precision: PrecisionChoice,
    pub seams: SeamCheck,
    pub batch: Batch,
    pub threads: usize,
    pub device: Device,
    pub max_memory: Option<u64>,
    /// How the network is tried for the plan.
    pub trial: Trial,
    pub fresh: Fresh,
    pub on_cancel: OnCancel,
    /// The part that is computed here; all of it if not given.
    pub shard: Option<Shard>,
}

impl Job {
    /// Where finished strips wait.
    pub(crate) fn work_folder(&self) -> PathBuf {
        match self.shard {
            Some(shard) => part::folder(&self.outputs.classes, shard),
            None => WorkFolder::path_for(&self.outputs.classes),
        }
    }
}

/// Whether the result is looked at for seams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SeamCheck {
    None,
    Count,
}

/// What becomes of finished strips when the user interrupts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnCancel {
    /// They stay for `--resume`.
    Keep,
    /// Nothing is left.
    Discard,
}

/// What was made.
pub(crate) struct Done {
    pub outcome: Outcome,
    /// Pixels by class, in the legend's order, and those without data at the end.
    pub pixels: Vec<u64>,
    /// What the look for seams found.
    pub seams: Option<SeamReport>,
}
