//! `rs-seg verify`.

use super::GdalArgs;
use crate::network::NetworkName;
use crate::value::{Sample, sample};
use clap::Args;
use std::path::PathBuf;

/// Check that a class raster is what its manifest says, by computing part of it again
///
/// Reads the manifest that `rs-seg infer` left beside the raster (OUT.tif.json), compares the checksum of every file
/// that is named there, runs the network again on some tiles with the same parameters, and compares the classes
/// pixel by pixel. Exit status 0 tells that all is equal, 1 that something differs, with the windows where it does.
///
/// On the same kind of processor with the same libtorch the classes are equal to the pixel. Elsewhere, and on a GPU,
/// a few pixels whose two best classes are as likely as each other may differ: a warning says so.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct VerifyArgs {
    /// Class raster that `rs-seg infer` wrote
    #[arg(value_name = "FILE")]
    pub classes: PathBuf,
    /// How many tiles are computed again, spread over the raster: a number, or all
    #[arg(long, value_name = "N|all", default_value = "16", value_parser = sample)]
    pub sample: Sample,
    /// Choose other tiles
    #[arg(long, value_name = "N", default_value = "0")]
    pub seed: u64,
    /// Network [default: the one that the manifest names]; another one is used with a warning
    #[arg(long, value_name = "NAME|FILE")]
    pub model: Option<NetworkName>,
    /// Raster that was segmented [default: the one that the manifest names]; another one is used with a warning
    #[arg(long, value_name = "FILE")]
    pub input: Option<String>,
    #[command(flatten)]
    pub gdal: GdalArgs,
}

const EXAMPLES: &str = "\
Examples:
  Sixteen tiles, in the folder that `rs-seg infer` was called in:
    rs-seg verify classes.tif
  Every pixel, where the orthophoto has been moved:
    rs-seg verify classes.tif --sample all --input /archive/ortho.tif
  Does the exported network see the same?
    rs-seg model export default --out net.pt
    rs-seg verify classes.tif --model net.pt";
