//! `rs-seg plan`.

use super::GdalArgs;
use super::global::ADVANCED_HEADING;
use crate::network::{DEFAULT, NetworkName};
use crate::segment::OverlapChoice;
use crate::value::{
    ByteSize, GroundArea, Seconds, amount, byte_size, count, ground_area, ground_sample_distance, overlap,
    positive, positive_span, share, span, tile_side, workers,
};
use clap::{ArgGroup, Args};
use std::path::PathBuf;

const MACHINES: &str = "Machines";
const MONEY: &str = "Prices";

/// Plan the segmentation of a country: time, machines, bytes, money, and what of it is wasted
///
/// Cuts an area into tiles and shards in whole numbers, as `rs-seg infer --shard` does, and simulates many runs on
/// machines that fail: each free worker takes the next shard, and a shard whose worker failed goes on from its finished
/// strips on another one. The table says of every figure whether it was measured, given or assumed.
///
/// What a tile takes is the figure that all others hang on. Measure it on the machine that will do the work:
/// `rs-seg infer RASTER --dry-run --json > plan.json` times the network alone, `rs-seg infer RASTER --out c.tif --json >
/// run.json` a whole run with reading and writing; `--from` reads both.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
#[command(group(ArgGroup::new("what").required(true).args(["area", "aoi", "bytes"])))]
#[command(group(ArgGroup::new("speed").required(true).args(["tile_seconds", "from", "scene"])))]
pub(crate) struct PlanArgs {
    /// Area to segment: 357022km2, 500ha, or pixels, 40000000000px
    #[arg(long, value_name = "AREA", value_parser = ground_area)]
    pub area: Option<GroundArea>,
    /// Polygons of the area, of any kind that GDAL reads, measured on the ellipsoid; where they lie over each other
    /// each counts
    #[arg(long, value_name = "FILE")]
    pub aoi: Option<String>,
    /// Size of the imagery as it is stored: 10TB; --bands, --sample-bytes and --compression make pixels of it
    #[arg(long, value_name = "SIZE", value_parser = byte_size)]
    pub bytes: Option<ByteSize>,
    /// Side of a pixel on the ground in meters, such as 0.2 or 20cm [default: what --from measured]
    #[arg(long, value_name = "METERS", value_parser = ground_sample_distance)]
    pub gsd: Option<f64>,
    /// Bands that are stored [default: what --from measured, else 3]
    #[arg(long, value_name = "N", value_parser = count)]
    pub bands: Option<usize>,
    /// Bytes of a value of a band: 1 for 8 bit, 2 for 16 [default: what --from measured, else 1]
    #[arg(long, value_name = "N", value_parser = count)]
    pub sample_bytes: Option<usize>,
    /// How many times smaller the imagery is stored than it is: about 2 for DEFLATE, 10 for JPEG
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = positive)]
    pub compression: f64,
    /// Side of the sheets in pixels, where each is segmented by itself (`infer --each`); left out, all is one mosaic
    /// and shards are windows of it
    #[arg(long, value_name = "PX", value_parser = count)]
    pub sheet: Option<usize>,
    /// Side of the stored blocks in pixels [default: what --from measured, else 512]
    #[arg(long, value_name = "PX", value_parser = count, help_heading = ADVANCED_HEADING)]
    pub block: Option<usize>,
    /// Side of a tile in pixels [default: what --from measured, else 512]
    #[arg(long, value_name = "PX", value_parser = tile_side)]
    pub tile: Option<usize>,
    /// How far tiles overlap: pixels, or percent of the tile's side [default: what --from measured, else a quarter, at
    /// most 128]
    #[arg(long, value_name = "N|P%", value_parser = overlap)]
    pub overlap: Option<OverlapChoice>,
    /// Bytes of a pixel of the results: 1 for classes, 2 more for --confidence, one more a class for --probabilities
    #[arg(long, value_name = "N", default_value = "1", value_parser = count)]
    pub result_bytes: usize,
    /// What a worker takes for a tile, such as 0.02s
    #[arg(long, value_name = "TIME", value_parser = positive_span)]
    pub tile_seconds: Option<Seconds>,
    /// What `rs-seg infer --json` printed, with --dry-run or without: its time a tile, and its tiles and pixels
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// Raster to measure with here and now, as `rs-seg infer --dry-run` does
    #[arg(long, value_name = "FILE")]
    pub scene: Option<String>,
    /// Network to measure with
    #[arg(long, value_name = "NAME|FILE", default_value = DEFAULT, requires = "scene")]
    pub model: NetworkName,
    /// Workers: machines, GPUs or jobs that run at the same time [default: 1]
    #[arg(long, value_name = "N", value_parser = workers, help_heading = MACHINES)]
    pub workers: Option<usize>,
    /// When all should be done, such as 36h or 7d: without --workers it tells how many that takes in 95 of 100 runs
    #[arg(long, value_name = "TIME", value_parser = positive_span, help_heading = MACHINES)]
    pub deadline: Option<Seconds>,
    /// Shards that the work is cut into [default: 8 a worker]
    #[arg(long, value_name = "N", value_parser = count, help_heading = MACHINES)]
    pub shards: Option<usize>,
    /// Processor cores of a worker, to tell core-hours [default: what --from measured, else 1]
    #[arg(long, value_name = "N", value_parser = count, help_heading = MACHINES)]
    pub cores: Option<usize>,
    /// GPUs of a worker, to tell GPU-hours
    #[arg(long, value_name = "N", default_value = "0", help_heading = MACHINES)]
    pub gpus: u64,
    /// From the start of a shard, and of each retry, to its first tile: machine, container, program, network
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = span, help_heading = MACHINES)]
    pub startup: Seconds,
    /// Failures of a worker in an hour: 0.01 is one in 100 hours
    #[arg(long, value_name = "N", default_value = "0", value_parser = amount, help_heading = MACHINES)]
    pub failure_rate: f64,
    /// Until a worker that failed is back
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = span, help_heading = MACHINES)]
    pub restart_delay: Seconds,
    /// How much shards of equal size differ in time, as standard deviation: 0.1 or 10%
    #[arg(long, value_name = "SHARE", default_value = "0.1", value_parser = share, help_heading = MACHINES)]
    pub spread: f64,
    /// Price of an hour of a worker, in any currency
    #[arg(long, value_name = "N", value_parser = amount, help_heading = MONEY)]
    pub price_hour: Option<f64>,
    /// Price of reading a gigabyte
    #[arg(long, value_name = "N", value_parser = amount, help_heading = MONEY)]
    pub price_gb: Option<f64>,
    /// Runs that are simulated; fewer where there are very many shards or failures
    #[arg(long, value_name = "N", default_value = "400", value_parser = count, help_heading = ADVANCED_HEADING)]
    pub runs: usize,
    /// Seed of the simulation
    #[arg(long, value_name = "N", default_value = "0", help_heading = ADVANCED_HEADING)]
    pub seed: u64,
    #[command(flatten)]
    pub gdal: GdalArgs,
}

const EXAMPLES: &str = "\
Examples:
  Measure here, then plan: Germany at 20 cm on 50 workers like this one:
    rs-seg infer sheet.tif --dry-run --json > plan.json
    rs-seg plan --area 357022km2 --gsd 0.2 --from plan.json --workers 50
  How many workers finish it within a week, if each fails once in 100 hours?
    rs-seg plan --area 357022km2 --gsd 0.2 --from plan.json --deadline 7d --failure-rate 0.01
  10 TB of JPEG in sheets of 10000 pixels, on GPUs that take 8 ms a tile, with their price:
    rs-seg plan --bytes 10TB --compression 10 --sheet 10000 --tile-seconds 0.008s --workers 16 --gpus 1 --price-hour 2.5
  What polygons take, measured with a raster and another network:
    rs-seg plan --aoi state.gpkg --gsd 0.2 --scene sheet.tif --model net.safetensors --deadline 48h
  Bad machines: what is lost to failures, and what smaller shards change:
    rs-seg plan --area 20000km2 --gsd 0.2 --from plan.json --workers 100 --failure-rate 0.2 --restart-delay 5min --shards 200
    rs-seg plan --area 20000km2 --gsd 0.2 --from plan.json --workers 100 --failure-rate 0.2 --restart-delay 5min --shards 1000";
