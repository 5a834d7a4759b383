//! `rs-seg merge`.

use super::GdalArgs;
use super::global::ADVANCED_HEADING;
use crate::value::{ByteSize, KeyValue, RasterFormat, byte_size, key_value};
use clap::Args;
use std::path::PathBuf;

/// Put parts together that `rs-seg infer --shard` has computed
///
/// The outputs are those that one run over everything makes, to the byte: rasters, polygons and manifest. All parts must
/// be there and be whole, and have been computed with the same input, network and flags, on processors of one kind. Neither
/// input nor network are needed, and no more memory than for one row of blocks.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct MergeArgs {
    /// Folders of parts, or the folder that holds them, OUT.rs-seg-parts
    #[arg(id = "parts", value_name = "PART", required = true)]
    pub parts: Vec<PathBuf>,
    /// Class raster to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Format of the rasters that are written
    #[arg(long = "of", value_name = "FORMAT", default_value = "GTiff")]
    pub format: RasterFormat,
    /// GDAL creation option for the rasters that are written, such as COMPRESS=ZSTD; repeatable
    #[arg(long = "co", value_name = "KEY=VALUE", value_parser = key_value)]
    pub creation_options: Vec<KeyValue>,
    /// Polygons of the classes too, as `rs-seg vectorize` makes them: .gpkg, .fgb, .geojson, .shp
    #[arg(long, value_name = "FILE")]
    pub vector: Option<PathBuf>,
    /// Raster of probabilities, where the parts were computed with --probabilities
    #[arg(long, value_name = "FILE")]
    pub probabilities: Option<PathBuf>,
    /// Raster of confidence, where the parts were computed with --confidence
    #[arg(long, value_name = "FILE")]
    pub confidence: Option<PathBuf>,
    /// Leave out OUT.json, the manifest beside the class raster
    #[arg(long)]
    pub no_manifest: bool,
    /// Remove the parts when everything is written
    #[arg(long)]
    pub remove_parts: bool,
    /// Memory that polygons may take, such as 2GiB [default: half of the machine's]
    #[arg(long, value_name = "SIZE", value_parser = byte_size, help_heading = ADVANCED_HEADING)]
    pub max_memory: Option<ByteSize>,
    #[command(flatten)]
    pub gdal: GdalArgs,
}

const EXAMPLES: &str = "\
Examples:
  Two halves of a raster, computed on two machines that share a folder:
    rs-seg infer ortho.tif --out classes.tif --shard 0/2
    rs-seg infer ortho.tif --out classes.tif --shard 1/2
    rs-seg merge classes.tif.rs-seg-parts --out classes.tif --vector polygons.gpkg --remove-parts";
