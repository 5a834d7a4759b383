//! `rs-seg eval`.

use super::GdalArgs;
use crate::network::NetworkName;
use crate::value::{
    BandList, DataSetChoice, FlipChoice, ProtocolChoice, ResampleChoice, ScaleList, SplitChoice, band_list,
    scales, tile_side,
};
use clap::Args;
use std::path::PathBuf;

/// The heading under which help lists flags of a test of a network.
const NETWORK_HEADING: &str = "Testing a network on chips";

/// Compare class rasters with their truth, or test a network on chips: intersection over union, F1, precision,
/// recall of each class
///
/// Pixels without a truth (255, nodata) count nowhere; pixels without a prediction count as misses. Classes that
/// are neither in the truth nor predicted have no score and are left out of the means. Rasters of different extents
/// are compared where they overlap. The report has the means by the whole and by the eroded truth, 95 % intervals from
/// a bootstrap over blocks, borders, and, where they can be told, areas corrected for the map's errors, calibration
/// and accuracy near tile lines.
///
/// With --model, a sliding window goes over every chip of a split, at each scale and flip; where windows overlap,
/// scores are averaged; they are brought to the chip's size and become probabilities, whose mean over all passes
/// decides. Sides that the network does not take are filled up with 0 after normalization and cut off again.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES, override_usage = USAGE)]
pub(crate) struct EvalArgs {
    /// Predicted class rasters, or folders of them
    #[arg(long, value_name = "FILE|DIR", required_unless_present = "model", requires = "truth", num_args = 1..)]
    pub pred: Vec<String>,
    /// Their truth in the same order: rasters of ids or legend colors, polygons, or folders
    #[arg(long, value_name = "FILE|DIR", required_unless_present = "model", requires = "pred", num_args = 1..)]
    pub truth: Vec<String>,
    /// Folder for the report: report.html, .json, .csv and .md
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Classes: a legend file, or one of dubai, loveda, potsdam, vaihingen
    #[arg(long, value_name = "FILE|NAME", conflicts_with = "model")]
    pub legend: Option<String>,
    /// Attribute of truth polygons that holds the class's name or id
    #[arg(long, value_name = "NAME", conflicts_with = "model")]
    pub label_attribute: Option<String>,
    /// Public data set whose label files the truth are
    #[arg(long, value_name = "NAME", conflicts_with = "model")]
    pub dataset: Option<DataSetChoice>,
    /// Classes to leave out of the means, by name; their pixels still count; repeatable
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub exclude: Vec<String>,
    /// Ignore the truth within so many pixels of another class, as ISPRS' labels without borders do with 3; of
    /// chips, what lies across an edge is not seen
    #[arg(long, value_name = "PX", default_value = "0", value_parser = eroded)]
    pub eroded: usize,
    /// Borders between classes agree within so many pixels
    #[arg(long, value_name = "PX", default_value = "3", value_parser = border)]
    pub boundary_tolerance: usize,
    /// Where grids or CRS differ: nearest gives each pixel of the prediction the nearest one of the truth
    #[arg(long, value_name = "HOW", conflicts_with = "model")]
    pub resample: Option<ResampleChoice>,
    /// Other predictions of the same, in the same order: by how much the first are better, with 95 % intervals
    #[arg(long, value_name = "FILE|DIR", num_args = 1.., conflicts_with = "model")]
    pub compare: Vec<String>,
    /// Probabilities of the predictions, one band a class in the legend's order, or of the predicted class alone
    /// [default: what `rs-seg infer` wrote with them]
    #[arg(long, value_name = "FILE|DIR", num_args = 1.., conflicts_with = "model")]
    pub probabilities: Vec<String>,
    /// Images to show beside the predictions [default: what `rs-seg infer` made them of]
    #[arg(long, value_name = "FILE|DIR", num_args = 1.., conflicts_with = "model")]
    pub image: Vec<String>,
    /// Raster of where a prediction is right (0), wrong (1) or missing (2)
    #[arg(long, value_name = "FILE", conflicts_with = "model")]
    pub error_map: Option<PathBuf>,
    /// Polygons of the prediction, those that may be wrong first: by area times what the mean confidence lacks to 1;
    /// format from the ending, such as .gpkg; needs the raster of confidence that `rs-seg infer` writes
    #[arg(long, value_name = "FILE", conflicts_with = "model")]
    pub review: Option<PathBuf>,
    /// Seed of the random numbers that intervals are made with
    #[arg(long, value_name = "N", default_value = "0")]
    pub seed: u64,
    /// Network to test: `default`, which comes with rs-seg, a checkpoint, or a TorchScript file
    #[arg(long, value_name = "NAME|FILE", requires = "data", conflicts_with_all = ["pred", "truth"], help_heading = NETWORK_HEADING)]
    pub model: Option<NetworkName>,
    /// Folder of chips, as `rs-seg tile` makes them, with labels unless there are only predictions to be saved; their
    /// classes are the network's, by name
    #[arg(long, value_name = "DIR", requires = "model", help_heading = NETWORK_HEADING)]
    pub data: Option<PathBuf>,
    /// Which of the chips: test, or val for LoveDA, whose test has no labels
    #[arg(long, value_name = "NAME", default_value = "test", requires = "model", help_heading = NETWORK_HEADING)]
    pub split: SplitChoice,
    /// Scales and flips by a name: single is one pass, paper the 12 passes of multi-scale tests
    #[arg(long, value_name = "NAME", conflicts_with_all = ["scales", "tta"], requires = "model", help_heading = NETWORK_HEADING)]
    pub protocol: Option<ProtocolChoice>,
    /// Ratios to which each chip is resized, such as 0.5,1,1.5
    #[arg(long, value_name = "R,R,...", default_value = "1", value_parser = scales, requires = "model", help_heading = NETWORK_HEADING)]
    pub scales: ScaleList,
    /// How each of these is turned
    #[arg(long, value_name = "HOW", default_value = "none", requires = "model", help_heading = NETWORK_HEADING)]
    pub tta: FlipChoice,
    /// Side of the sliding window [default: the model's tile, else 512]
    #[arg(long, value_name = "PX", value_parser = tile_side, requires = "model", help_heading = NETWORK_HEADING)]
    pub window: Option<usize>,
    /// Pixels from one window to the next [default: two thirds of the window, 341 for 512]
    #[arg(long, value_name = "PX", value_parser = tile_side, requires = "model", help_heading = NETWORK_HEADING)]
    pub stride: Option<usize>,
    /// Bands of the chips, in the model's order, such as 4,3,2 [default: those that leave no doubt]
    #[arg(long, value_name = "N,N,...", value_parser = band_list, requires = "model", help_heading = NETWORK_HEADING)]
    pub bands: Option<BandList>,
    /// Folder for what the network sees: PNG files named as the chips, in the legend's colors; in ids for the
    /// classes of LoveDA, as its test takes them, which needs no labels here
    #[arg(long, value_name = "DIR", requires = "model", help_heading = NETWORK_HEADING)]
    pub save_predictions: Option<PathBuf>,
    #[command(flatten)]
    pub gdal: GdalArgs,
}

const USAGE: &str = "\
rs-seg eval [OPTIONS] --pred <FILE|DIR>... --truth <FILE|DIR>...
       rs-seg eval [OPTIONS] --model <NAME|FILE> --data <DIR>";

const EXAMPLES: &str = "\
Examples:
  One raster, the table on the terminal:
    rs-seg eval --pred classes.tif --truth truth.tif --legend potsdam
  Means without clutter, as papers on Potsdam report them, as files:
    rs-seg eval --pred out/ --truth truth/ --legend potsdam --exclude clutter --out report
  Whether one map is better than another, and where the first is wrong:
    rs-seg eval --pred new.tif --compare old.tif --truth truth.tif --out report --error-map wrong.tif
  A network by the multi-scale protocol of papers, on the labels that they use:
    rs-seg tile Potsdam/ --dataset potsdam --label-variant no-boundary --out chips
    rs-seg eval --model run/best.safetensors --data chips --protocol paper --out report
  LoveDA's test, whose labels only its server has: predictions to send there, without scores:
    rs-seg tile LoveDA/ --dataset loveda --size 1024 --out chips
    rs-seg eval --model run/best.safetensors --data chips --split test --save-predictions seen";

/// Reads a distance that no border is thicker than.
fn eroded(text: &str) -> Result<usize, String> {
    let pixels = text.parse().ok().filter(|pixels| *pixels <= 100);
    pixels.ok_or_else(|| "borders are eroded by 0 to 100 pixels".to_owned())
}

/// Reads how far borders may be apart.
fn border(text: &str) -> Result<usize, String> {
    let pixels = text.parse().ok().filter(|pixels| *pixels <= 100);
    pixels.ok_or_else(|| "borders agree within 0 to 100 pixels".to_owned())
}
