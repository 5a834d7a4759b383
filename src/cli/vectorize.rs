//! `rs-seg vectorize`.

use super::GdalArgs;
use super::global::ADVANCED_HEADING;
use crate::value::{
    ByteSize, ConnectednessChoice, GroundArea, GroundLength, KeyValue, SimplifyChoice, byte_size,
    ground_area, ground_length, key_value,
};
use clap::Args;
use std::path::PathBuf;

/// Turn a class raster into polygons that fit together
///
/// Borders are traced along the edges of pixels, once for both sides, so neighbors share every corner: there are no
/// gaps and no overlaps, before and after simplification. Nodata becomes no polygon. The raster is read in bands of
/// rows, so memory does not grow with it, but for a bit a pixel with --simplify and some 200 bytes an area with
/// --min-area or --fill-holes. The polygons are the same for any number of threads.
///
/// Attributes are `class_id`, `class_name`, `area_m2` and `perimeter_m` (on the ellipsoid where coordinates are degrees,
/// empty where there is no CRS), pixels, `touches_edge`, and with --confidence `confidence_mean` and `confidence_p10`, from
/// 0 to 1.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct VectorizeArgs {
    /// Class raster: ids, or a legend's colors
    #[arg(id = "raster", value_name = "CLASSES")]
    pub raster: String,
    /// Polygons to write: .gpkg, .fgb, .geojson, .geojsonl, .shp, or .parquet where GDAL has it
    ///
    /// A GeoPackage brings the style that QGIS shows it with. GeoJSON is in longitude and latitude (RFC 7946). A
    /// Shapefile has short attribute names (`perim_m`, `touch_edge`, `conf_mean`, `conf_p10`) and at most 2 GB.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Whether pixels that share no more than a corner belong together (8) or not (4)
    #[arg(long, value_name = "4|8", default_value = "4")]
    pub connectedness: ConnectednessChoice,
    /// Merge smaller areas into the neighbor with the longest common border, the smallest first: 10m2, 0.5ha or 40px
    #[arg(long, value_name = "AREA", value_parser = ground_area)]
    pub min_area: Option<GroundArea>,
    /// Fill smaller holes that have no nodata in them: 5m2 or 20px
    #[arg(long, value_name = "AREA", value_parser = ground_area)]
    pub fill_holes: Option<GroundArea>,
    /// Leave out corners of borders between areas, once for both sides, within this tolerance: 0.5m or 2px
    ///
    /// No border crosses or touches another one anew, and no ring is lost. Borders to nodata and the raster's edge stay
    /// as they are.
    #[arg(long, value_name = "LENGTH", value_parser = ground_length)]
    pub simplify: Option<GroundLength>,
    /// Which corners go first
    #[arg(long, value_name = "HOW", default_value = "visvalingam", requires = "simplify")]
    pub simplify_method: SimplifyChoice,
    /// Simplify borders to nodata and the raster's edge too
    #[arg(long, requires = "simplify")]
    pub simplify_outer: bool,
    /// Raster of confidence on the same grid, as `rs-seg infer --confidence` writes it
    #[arg(long, value_name = "FILE")]
    pub confidence: Option<String>,
    /// Write only these classes, by name or id
    #[arg(id = "only", long = "classes", value_name = "NAME,...", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Classes: a legend file, or one of dubai, loveda, potsdam, vaihingen [default: what the raster carries along,
    /// else its ids]
    #[arg(long, value_name = "FILE|NAME")]
    pub legend: Option<String>,
    /// One layer for each class, in a GeoPackage
    #[arg(long)]
    pub layer_per_class: bool,
    /// GDAL layer creation option, such as FID=id; repeatable
    #[arg(long = "lco", value_name = "KEY=VALUE", value_parser = key_value)]
    pub layer_options: Vec<KeyValue>,
    /// Memory that the plan may take, such as 800MiB or 2GiB [default: half of the machine's]
    #[arg(long, value_name = "SIZE", value_parser = byte_size, help_heading = ADVANCED_HEADING)]
    pub max_memory: Option<ByteSize>,
    #[command(flatten)]
    pub gdal: GdalArgs,
}

const EXAMPLES: &str = "\
Examples:
  Every area as it is, in the classes' colors in QGIS:
    rs-seg vectorize classes.tif --out polygons.gpkg
  A map without specks and stairs:
    rs-seg vectorize classes.tif --out map.gpkg --min-area 10m2 --fill-holes 5m2 --simplify 0.5m
  Buildings and cars alone, with the confidence of each:
    rs-seg infer ortho.tif --out classes.tif --confidence sure.tif
    rs-seg vectorize classes.tif --out some.fgb --classes building,car --confidence sure.tif";
