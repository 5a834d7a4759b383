use crate::tile::out_folder::Existing;
use crate::{DataSet, Shares, Split, SplitBy, Statistics, Variants};
use seg_gdal::ChipFormat;
use seg_grid::EdgePolicy;
use seg_label::{Convention, Tally};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Rasters to cut, and how.
#[derive(Debug, Clone)]
pub struct TileJob {
    /// What the user named: any names that GDAL can open, folders, and lists as `@FILE`.
    pub inputs: Vec<String>,
    /// The truth, if there is any.
    pub labels: Option<LabelInput>,
    /// How label files write classes; needed with labels.
    pub convention: Option<Convention>,
    /// The layout of the inputs; tells which files are labels, and the data set's own split.
    pub data_set: Option<DataSet>,
    /// Which of its files are taken where several show the same ground.
    pub variants: Variants,
    /// Side of a chip in pixels.
    pub size: usize,
    /// Pixels that neighboring chips share.
    pub overlap: usize,
    /// What happens at the right and bottom edges.
    pub edge: EdgePolicy,
    /// Who gets what.
    pub split: SplitRequest,
    /// What chips are written as.
    pub format: ChipFormat,
    /// GDAL creation options of image chips, as `KEY=VALUE`; GeoTIFF is compressed with DEFLATE unless they say
    /// otherwise. Labels are always compressed so, since other ways may change them.
    pub creation_options: Vec<String>,
    /// A chip whose share of pixels without data is at least this is skipped: 1 skips only empty ones.
    pub skip_nodata: f64,
    /// How many threads work.
    pub threads: usize,
    /// The folder that is made.
    pub out: PathBuf,
    /// What happens to chips that are there already.
    pub existing: Existing,
}

/// Truth as the user named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelInput {
    /// A raster, polygons, or a folder of either.
    pub name: String,
    /// The attribute of polygons that holds class ids or names.
    pub attribute: Option<String>,
}

/// How chips are split, as far as the user says.
#[derive(Debug, Clone)]
pub struct SplitRequest {
    /// The shares; `None` takes the data set's own split, or else [`Shares::default`].
    pub shares: Option<Shares>,
    /// What is kept together.
    pub by: SplitBy,
    /// Pixels between training chips and others; `None` takes the overlap, but at least an eighth of a chip.
    pub buffer: Option<usize>,
    /// Another seed deals otherwise.
    pub seed: u64,
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TileSummary {
    /// The folder.
    pub out: PathBuf,
    /// Rasters that were cut.
    pub sources: usize,
    /// Chips that cover them.
    pub candidates: usize,
    /// Chips written, by split.
    pub chips: BTreeMap<Split, usize>,
    /// Chips without (enough) data.
    pub skipped_nodata: usize,
    /// Chips too close to another split.
    pub dropped_by_buffer: usize,
    /// Pixels kept between training chips and others; `None` for a split that was given.
    pub buffer: Option<usize>,
    /// Side of the blocks that were dealt out, if any.
    pub block: Option<usize>,
    /// Pixels of each class in the chips written, by name.
    pub histogram: BTreeMap<String, u64>,
    /// What was met in each label file that held codes that mean nothing, or colors that were mended.
    pub labels: BTreeMap<String, Tally>,
    /// Over the training chips; `None` without any.
    pub statistics: Option<Statistics>,
}

impl Default for SplitRequest {
    fn default() -> Self {
        Self { shares: None, by: SplitBy::Block, buffer: None, seed: 0 }
    }
}

impl TileJob {
    /// The data set whose own split is taken, if any.
    pub(crate) fn own_split(&self) -> Option<DataSet> {
        self.data_set.filter(|set| *set != DataSet::Folder && self.split.shares.is_none())
    }

    /// Whether labels follow the legend of a public data set, whose own files count from 1, but the data set
    /// was not named.
    pub(crate) fn is_in_doubt(&self) -> bool {
        let legend = self.convention.as_ref().map(|convention| &convention.legend);
        let sets = [DataSet::Potsdam, DataSet::Vaihingen, DataSet::LoveDa];
        self.data_set.is_none()
            && sets.iter().filter_map(|set| set.convention()).any(|of_set| Some(&of_set.legend) == legend)
    }

    /// The buffer that is kept where none is asked for.
    pub(crate) fn buffer(&self) -> usize {
        self.split.buffer.unwrap_or_else(|| self.overlap.max(self.size / 8))
    }
}
