//! `rs-seg infer`.

use super::GdalArgs;
use super::global::ADVANCED_HEADING;
use crate::network::{DEFAULT, NetworkName};
use crate::segment::{OverlapChoice, PixelSize};
use crate::value::{
    BandList, BlendChoice, ByteSize, FlipChoice, KeyValue, PrecisionChoice, ProbabilityChoice,
    ProtocolChoice, RasterFormat, ReadErrorChoice, ScaleList, ShardArg, band_list, batch, bbox, byte_size,
    gsd, key_value, overlap, scales, scaling, shard, tile_side,
};
use clap::Args;
use seg_gdal::Bounds;
use seg_run::{Batch, Scaling};
use std::path::PathBuf;

/// Segment rasters of any size
///
/// Cuts the raster into overlapping tiles, runs the network on each and blends the results, within a memory
/// limit that is planned before the first tile is read (`--dry-run` shows the plan). The output has the
/// input's CRS, extent and grid; what was not measured becomes nodata, 255.
///
/// The output is the same to the byte for any number of threads, batch size, memory limit and resume.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "one for each flag")]
pub(crate) struct InferArgs {
    /// Rasters to segment: any names that GDAL can open, or a folder of rasters
    ///
    /// Several become one mosaic, later ones over earlier ones where they have data. They must have the same
    /// CRS, bands and pixels; nothing is resampled silently.
    #[arg(id = "input", value_name = "INPUT", required_unless_present = "list")]
    pub inputs: Vec<String>,
    /// File with more inputs, one a line; lines that begin with # are passed over
    #[arg(long, value_name = "FILE")]
    pub list: Option<PathBuf>,
    /// Network: `default`, which comes with rs-seg, a checkpoint (.safetensors), or a TorchScript file
    /// (NET.pt with NET.toml beside it)
    #[arg(long, value_name = "NAME|FILE", default_value = DEFAULT)]
    pub model: NetworkName,
    /// Class raster to write: one band of class ids, nodata 255, with color table and class names;
    /// left out only with --dry-run
    ///
    /// Beside OUT.tif lie OUT.tif.aux.xml (names, colors and pixels of the classes, for GDAL), OUT.qml (the style
    /// that QGIS shows it with) and OUT.tif.json (the manifest).
    #[arg(long, value_name = "FILE", required_unless_present = "dry_run")]
    pub out: Option<PathBuf>,
    /// Format of the rasters that are written
    #[arg(long = "of", value_name = "FORMAT", default_value = "GTiff")]
    pub format: RasterFormat,
    /// GDAL creation option for the rasters that are written, such as COMPRESS=ZSTD; repeatable
    #[arg(long = "co", value_name = "KEY=VALUE", value_parser = key_value)]
    pub creation_options: Vec<KeyValue>,
    /// Picture of image and classes side by side, at most 2000 pixels wide, PNG
    #[arg(long, value_name = "FILE")]
    pub preview: Option<PathBuf>,
    /// Polygons of the classes too, as `rs-seg vectorize` makes them: .gpkg, .fgb, .geojson, .shp
    ///
    /// They have the confidence of each area where --confidence is written.
    #[arg(long, value_name = "FILE")]
    pub vector: Option<PathBuf>,
    /// Raster of probabilities, one band a class
    #[arg(long, value_name = "FILE")]
    pub probabilities: Option<PathBuf>,
    /// Type of the probabilities
    #[arg(long, value_name = "TYPE", default_value = "uint8")]
    pub probability_type: ProbabilityChoice,
    /// Raster of confidence: top probability, and its margin over the second, 0 to 254
    #[arg(long, value_name = "FILE")]
    pub confidence: Option<PathBuf>,
    /// Other names and colors for the model's classes: a TOML file of `[[class]]` entries
    #[arg(long, value_name = "FILE")]
    pub legend: Option<PathBuf>,
    /// Leave out OUT.json, the manifest beside the class raster, which `rs-seg verify` reads
    ///
    /// It tells what made the outputs: input, network, parameters and versions, with checksums of all files and the
    /// pixels of each class. It holds no time, and is the same for any number of threads, batch size and memory limit.
    #[arg(long)]
    pub no_manifest: bool,
    /// Side of a tile in pixels, rounded up to the network's multiple [default: the model's, else 512]
    #[arg(long, value_name = "PX", value_parser = tile_side)]
    pub tile: Option<usize>,
    /// How far tiles overlap: pixels, percent of the tile's side, or auto [default: 128, a quarter of smaller tiles]
    ///
    /// `auto` measures how far the network looks. Where that is less than a quarter of a tile, tiles overlap so far
    /// that none can be seen in the result; a network that looks at the whole tile is tried on the raster instead.
    #[arg(long, value_name = "N|P%|auto", value_parser = overlap)]
    pub overlap: Option<OverlapChoice>,
    /// How overlapping tiles are blended
    #[arg(long, value_name = "HOW", default_value = "hann")]
    pub blend: BlendChoice,
    /// Pixels along a tile's inner edges that count for nothing, at most half of the overlap; with `--blend hann`
    #[arg(long, value_name = "PX", help_heading = ADVANCED_HEADING)]
    pub margin: Option<usize>,
    /// Compare how often classes change along tile lines with how often elsewhere
    #[arg(long)]
    pub check_seams: bool,
    /// How each tile is turned; the mean of the probabilities decides
    #[arg(long, value_name = "HOW", default_value = "none")]
    pub tta: FlipChoice,
    /// Ratios to which each tile is resized, such as 0.5,1,1.5; the mean of the probabilities decides
    #[arg(long, value_name = "R,R,...", default_value = "1", value_parser = scales)]
    pub scales: ScaleList,
    /// Scales and turns by a name: single is one pass, paper the 12 passes of multi-scale tests
    #[arg(long, value_name = "NAME", conflicts_with_all = ["scales", "tta"])]
    pub protocol: Option<ProtocolChoice>,
    /// What the network computes in
    #[arg(long, value_name = "WHAT", default_value = "f32")]
    pub precision: PrecisionChoice,
    /// Bands to read, in the model's order, such as 4,3,2 [default: red, green, blue where the raster names them]
    #[arg(long, value_name = "N,N,...", value_parser = band_list)]
    pub bands: Option<BandList>,
    /// Segment only what lies in a box, in the raster's CRS or that of --bbox-crs, x before y; the rest of the
    /// output is nodata, and tiles that lie wholly outside cost nothing
    #[arg(long, value_name = "XMIN,YMIN,XMAX,YMAX", value_parser = bbox, allow_hyphen_values = true)]
    pub bbox: Option<Bounds>,
    /// CRS of the box, such as EPSG:4326 for longitude and latitude [default: the raster's]
    #[arg(long, value_name = "CRS", requires = "bbox")]
    pub bbox_crs: Option<String>,
    /// Segment only what lies in the polygons of a file, of any kind that GDAL reads
    #[arg(long, value_name = "FILE", conflicts_with = "bbox")]
    pub aoi: Option<String>,
    /// How values meet the model: model, none, divide=V, minmax=LO,HI or percentile=LO,HI
    ///
    /// `model` does what the model was trained with, and refuses a data type that it never saw. Decided once for
    /// the whole raster, never for a tile; `percentile` takes the limits from one decimated read.
    #[arg(long, value_name = "HOW", default_value = "model", value_parser = scaling)]
    pub scaling: Scaling,
    /// Pixel size at which the network sees the raster: native, model (that of its training) or meters
    ///
    /// Other pixels are averaged to larger ones or interpolated to smaller ones, within 1 % none is touched. The
    /// output keeps the input's grid: probabilities return to it before classes are chosen. A raster in degrees
    /// needs --t-srs.
    #[arg(long, value_name = "native|model|METERS", default_value = "native", value_parser = gsd)]
    pub gsd: PixelSize,
    /// Segment the raster as it lies in another CRS, and write the output on that grid, north up; with --gsd its
    /// pixels have that size
    #[arg(long, value_name = "CRS")]
    pub t_srs: Option<String>,
    /// Memory limit, such as 2GiB [default: half of the machine's]
    #[arg(long, value_name = "SIZE", value_parser = byte_size)]
    pub max_memory: Option<ByteSize>,
    /// Compute one part of N of the raster, for several machines: I/N, from 0/N to N-1/N, or auto/N for the task of
    /// Slurm, Kubernetes or AWS Batch that this is
    ///
    /// It makes the folder OUT.rs-seg-parts/I-of-N beside OUT, from which `rs-seg merge` makes what one run over
    /// everything would have made, to the byte. The same command again goes on with what was begun, and does nothing
    /// where the part is whole. Counting from 1 works too, N/N is another name of 0/N. The input is told by its pixels,
    /// in 64 places, so each machine can have a copy. With --bbox or --aoi the tiles of the area are dealt out evenly.
    /// With --each the rasters are dealt out instead.
    #[arg(long, value_name = "I/N|auto[/N]", value_parser = shard)]
    pub shard: Option<ShardArg>,
    /// Segment every input by itself: --out is a folder, or a name with {stem} in it, as other outputs are
    ///
    /// {stem} is the raster's name without folder and ending. A raster whose outputs are there and were made with
    /// the same network and flags, --of and --co aside, is passed over, one that fails does not stop the others, and what was begun is gone on with.
    #[arg(long, conflicts_with_all = ["resume", "dry_run", "no_manifest"])]
    pub each: bool,
    /// Only show the plan: tiles, memory, disk, expected time
    ///
    /// With --bbox or --aoi the time is that of the tiles which the area touches. Tiles without data are counted too:
    /// that they have none is seen only when they are read.
    #[arg(long)]
    pub dry_run: bool,
    /// Go on with an interrupted run of the same input, model and parameters
    #[arg(long, conflicts_with = "discard")]
    pub resume: bool,
    /// Throw away what an interrupted run left, and start over
    #[arg(long)]
    pub discard: bool,
    /// Leave nothing behind when this run is interrupted
    #[arg(long, help_heading = ADVANCED_HEADING)]
    pub discard_on_cancel: bool,
    /// Tiles that are on their way at once: auto or a number; changes speed and memory, never the result
    #[arg(long, value_name = "N", default_value = "auto", value_parser = batch, help_heading = ADVANCED_HEADING)]
    pub batch: Batch,
    /// What happens when part of the input cannot be read
    #[arg(long, value_name = "WHAT", default_value = "fail", help_heading = ADVANCED_HEADING)]
    pub on_read_error: ReadErrorChoice,
    #[command(flatten)]
    pub gdal: GdalArgs,
}

const EXAMPLES: &str = "\
Examples:
  Classes and a picture of an orthophoto:
    rs-seg infer ortho.tif --model net.safetensors --out classes.tif --preview preview.png
  Will it fit, and how long will it take?
    rs-seg infer ortho.tif --model net.safetensors --dry-run
  No seams, and eight looks at every tile:
    rs-seg infer ortho.tif --model net.pt --overlap auto --tta d4 --check-seams --out classes.tif
  16-bit imagery whose red, green and blue are bands 3, 2 and 1:
    rs-seg infer scene.tif --model net.pt --bands 3,2,1 --scaling percentile=2,98 --out classes.tif
  Only what lies in a box of longitudes and latitudes:
    rs-seg infer ortho.tif --bbox 13.37,52.51,13.39,52.52 --bbox-crs EPSG:4326 --out classes.tif
  All sheets of a survey as one raster:
    rs-seg infer sheets/ --model net.safetensors --of COG --out classes.tif
  A raster in degrees, for a network that learned from pixels of half a meter:
    rs-seg infer scene.tif --model net.safetensors --t-srs EPSG:32633 --gsd 0.5 --out classes.tif
  The second eighth of a large raster, on one of several machines, and the whole of it when all are done:
    rs-seg infer country.vrt --model net.safetensors --out classes.tif --shard 1/8
    rs-seg merge classes.tif.rs-seg-parts --out classes.tif
  Every raster of a list by itself:
    rs-seg infer --list scenes.txt --each --out 'classes/{stem}.tif' --vector 'polygons/{stem}.gpkg'
  A raster on a web server, as a cloud-optimized GeoTIFF:
    rs-seg infer /vsicurl/https://example.org/ortho.tif --model net.pt --of COG --out classes.tif

A TorchScript file NET.pt takes (B, C, H, W), returns (B, K, H, W) and is described by NET.toml beside it:
  [model]
  output = \"logits\"            # or \"probabilities\"
  stride = 1                   # sides of a tile are multiples of this
  [input]
  bands = 3
  divide = 255.0               # (value / divide - mean) / std, band by band
  mean = [0.0, 0.0, 0.0]
  std = [1.0, 1.0, 1.0]
  fill = [0.0, 0.0, 0.0]       # optional: what pixels without data enter as, divided; else the mean
  [[class]]                    # one for each output channel, in order
  id = 0
  name = \"building\"
  color = \"#0000ff\"";
