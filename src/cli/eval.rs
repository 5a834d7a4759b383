//! `rs-seg eval`.

use super::GdalArgs;
use crate::value::DataSetChoice;
use clap::Args;
use std::path::PathBuf;

/// Compare class rasters with their truth: intersection over union, F1, precision, recall of each class
///
/// Pixels without a truth (255, nodata) count nowhere; pixels without a prediction count as misses. Classes that
/// are neither in the truth nor predicted have no score and are left out of the means.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct EvalArgs {
    /// Predicted class rasters, or folders of them
    #[arg(long, value_name = "FILE|DIR", required = true, num_args = 1..)]
    pub pred: Vec<String>,
    /// Their truth in the same order: rasters of ids or legend colors, polygons, or folders
    #[arg(long, value_name = "FILE|DIR", required = true, num_args = 1..)]
    pub truth: Vec<String>,
    /// Folder for the report: report.json and report.md
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Classes: a legend file, or one of dubai, loveda, potsdam, vaihingen
    #[arg(long, value_name = "FILE|NAME")]
    pub legend: Option<String>,
    /// Attribute of truth polygons that holds the class's name or id
    #[arg(long, value_name = "NAME")]
    pub label_attribute: Option<String>,
    /// Public data set whose label files the truth are
    #[arg(long, value_name = "NAME")]
    pub dataset: Option<DataSetChoice>,
    /// Classes to leave out of the means, by name; their pixels still count; repeatable
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub exclude: Vec<String>,
    #[command(flatten)]
    pub gdal: GdalArgs,
}

const EXAMPLES: &str = "\
Examples:
  One raster, the table on the terminal:
    rs-seg eval --pred classes.tif --truth truth.tif --legend potsdam
  Means without clutter, as papers on Potsdam report them, as files:
    rs-seg eval --pred out/ --truth truth/ --legend potsdam --exclude clutter --out report";
