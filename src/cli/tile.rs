//! `rs-seg tile`.

use super::GdalArgs;
use crate::value::{
    DataSetChoice, EdgeChoice, ImageVariantChoice, KeyValue, LabelVariantChoice, TileFormat, key_value,
    split_by, split_shares, tile_side,
};
use clap::Args;
use seg_data::{Shares, SplitBy};
use std::path::PathBuf;

/// Cut rasters, and with labels their truth, into georeferenced chips
///
/// Writes chips, `manifest.jsonl` (one line a chip: image, label, window, split, pixels of each class) and
/// `legend.toml` to one folder. Splits keep neighboring chips together, so that what is tested was not seen in
/// training. Labels must lie on the image's grid: nothing is resampled silently.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct TileArgs {
    /// Rasters to cut, or the folder of a data set: any names that GDAL can open
    #[arg(value_name = "INPUT", required_unless_present = "list")]
    pub inputs: Vec<String>,
    /// File with more inputs, one a line (`@FILE` as an input does the same)
    #[arg(long, value_name = "FILE")]
    pub list: Option<PathBuf>,
    /// Folder to write
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Side of a chip in pixels
    #[arg(long, value_name = "PX", default_value = "512", value_parser = tile_side)]
    pub size: usize,
    /// How far chips overlap in pixels [default: 64, or what is usual for the data set]
    #[arg(long, value_name = "PX")]
    pub overlap: Option<usize>,
    /// What becomes of chips at the right and bottom edge
    #[arg(long, value_name = "HOW", default_value = "shift")]
    pub edge: EdgeChoice,
    /// Truth: a raster of ids or legend colors, polygons, or a folder of files named as the inputs
    #[arg(long, value_name = "FILE|DIR")]
    pub labels: Option<String>,
    /// Attribute of label polygons that holds the class's name or id
    #[arg(long, value_name = "NAME", requires = "labels")]
    pub label_attribute: Option<String>,
    /// Classes: a legend file, or one of dubai, loveda, potsdam, vaihingen
    #[arg(long, value_name = "FILE|NAME")]
    pub legend: Option<String>,
    /// How the input folder is laid out: the archives as they are distributed, unpacked below it in any depth
    #[arg(long, value_name = "NAME")]
    pub dataset: Option<DataSetChoice>,
    /// Which images of a data set, where several show the same ground [default: rgb; Vaihingen: irrg]
    #[arg(long, value_name = "NAME", requires = "dataset")]
    pub image_variant: Option<ImageVariantChoice>,
    /// Which labels of a data set, where there are several: full, or no-boundary, whose class borders are
    /// ignored, as papers train and test on them [default: full]
    #[arg(long, value_name = "NAME", requires = "dataset")]
    pub label_variant: Option<LabelVariantChoice>,
    /// Shares of train, val and test, such as train=.7,val=.15,test=.15 [default: these,
    /// or the data set's own split]
    #[arg(long, value_name = "SHARES", value_parser = split_shares)]
    pub split: Option<Shares>,
    /// What stays together in one split: block, file, or a pattern of file names; groups named train, val and
    /// test decide themselves, as in `(?<test>scene5)|(?<train>scene)`
    #[arg(long, value_name = "block|file|REGEX", default_value = "block", value_parser = split_by)]
    pub split_by: SplitBy,
    /// Leave out train chips within so many pixels of a val or test chip [default: the overlap, but at least an
    /// eighth of the size]
    #[arg(long, value_name = "PX")]
    pub buffer: Option<usize>,
    /// Deal the chips out otherwise
    #[arg(long, value_name = "N", default_value = "0")]
    pub split_seed: u64,
    /// Format of chips
    #[arg(long, value_name = "FORMAT", default_value = "gtiff")]
    pub format: TileFormat,
    /// GDAL creation option for image chips, such as COMPRESS=NONE; repeatable [default: COMPRESS=DEFLATE]
    #[arg(long = "co", value_name = "KEY=VALUE", value_parser = key_value)]
    pub creation_options: Vec<KeyValue>,
    /// Leave out chips whose share of nodata is at least this, 0 to 1
    #[arg(long, value_name = "SHARE", default_value = "1.0", value_parser = share)]
    pub skip_nodata: f64,
    #[command(flatten)]
    pub gdal: GdalArgs,
}

const EXAMPLES: &str = "\
Examples:
  Chips with their truth, split by area, with a gap between training and test:
    rs-seg tile ortho.tif --labels truth.tif --legend potsdam --split train=.7,val=.15,test=.15 \\
      --buffer 128 --out chips
  Truth from polygons:
    rs-seg tile ortho.tif --labels parcels.gpkg --label-attribute kind --legend dubai --out chips
  A public data set as it is distributed, with the labels that papers use:
    rs-seg tile Potsdam/ --dataset potsdam --label-variant no-boundary --out chips
  LoveDA in whole images, which papers test on:
    rs-seg tile LoveDA/ --dataset loveda --size 1024 --out chips";

/// Reads a share from 0 to 1.
fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "a share is a number from 0 to 1".to_owned())
}
