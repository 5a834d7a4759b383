//! The command line: structures only, whose comments are the help texts.

mod eval;
mod global;
mod infer;
mod merge;
mod model;
mod plan;
mod tile;
mod tools;
mod train;
mod vectorize;
mod verify;

pub(crate) use eval::EvalArgs;
pub(crate) use global::{ADVANCED_HEADING, GLOBAL_HEADING, GdalArgs, GlobalArgs};
pub(crate) use infer::InferArgs;
pub(crate) use merge::MergeArgs;
pub(crate) use model::{
    ModelArgs, ModelCheckArgs, ModelCommand, ModelExportArgs, ModelFetchArgs, ModelImportArgs, ModelInfoArgs,
    ModelInitArgs, ModelPackArgs,
};
pub(crate) use plan::PlanArgs;
pub(crate) use tile::TileArgs;
pub(crate) use tools::{CompletionsArgs, DescribeArgs, DoctorArgs, ManArgs};
pub(crate) use train::TrainArgs;
pub(crate) use vectorize::VectorizeArgs;
pub(crate) use verify::VerifyArgs;

use clap::{Parser, Subcommand};

/// Segments aerial and satellite imagery: an orthophoto in, a georeferenced class raster and an accuracy report out
///
/// Every command takes its inputs first and its outputs by flag. Any name that GDAL can open is an input:
/// files, VRT, /vsicurl/, /vsizip/, subdatasets. Results go to standard output, everything else to standard error.
#[derive(Debug, Parser)]
#[command(
    name = "rs-seg",
    bin_name = "rs-seg",
    version,
    arg_required_else_help = true,
    subcommand_required = true,
    max_term_width = 100,
    after_help = "Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted.\n\
                  Start with `rs-seg doctor`, then `rs-seg infer --help`."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub global: GlobalArgs,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Tile(TileArgs),
    Train(TrainArgs),
    Infer(Box<InferArgs>),
    Merge(MergeArgs),
    Plan(Box<PlanArgs>),
    Verify(VerifyArgs),
    Eval(EvalArgs),
    Vectorize(VectorizeArgs),
    Model(ModelArgs),
    Doctor(DoctorArgs),
    Describe(DescribeArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}
