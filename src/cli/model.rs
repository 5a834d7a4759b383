//! `rs-seg model`.

use crate::value::tile_side;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Look at networks and make them
#[derive(Debug, Clone, Args)]
#[command(arg_required_else_help = true, subcommand_required = true)]
pub(crate) struct ModelArgs {
    #[command(subcommand)]
    pub command: ModelCommand,
}

/// What to do with a network.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ModelCommand {
    Info(ModelInfoArgs),
    Init(ModelInitArgs),
}

/// Tell a network's parameters, operations, classes and input
#[derive(Debug, Clone, Args)]
pub(crate) struct ModelInfoArgs {
    /// Checkpoint (.safetensors), TorchScript file (.pt), or configuration (.toml)
    #[arg(value_name = "MODEL|CONFIG")]
    pub model: PathBuf,
    /// Side of the image that operations are counted for, in pixels
    #[arg(long, value_name = "PX", default_value = "512", value_parser = tile_side)]
    pub size: usize,
}

/// Write an untrained network of a configuration
///
/// Its weights are random: it is a starting point for training and a stand-in for tests, and what it predicts
/// means nothing. The same configuration and seed give the same file.
#[derive(Debug, Clone, Args)]
pub(crate) struct ModelInitArgs {
    /// Configuration file (.toml)
    #[arg(value_name = "CONFIG")]
    pub config: PathBuf,
    /// Checkpoint to write (.safetensors)
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Where the random numbers begin
    #[arg(long, value_name = "N", default_value = "0")]
    pub seed: u64,
}
