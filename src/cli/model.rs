//! `rs-seg model`.

use crate::network::NetworkName;
use crate::value::{StoreChoice, tile_side, tolerance};
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
    Pack(ModelPackArgs),
    Check(ModelCheckArgs),
}

/// Tell a network's parameters, operations, classes and input
#[derive(Debug, Clone, Args)]
pub(crate) struct ModelInfoArgs {
    /// `default`, which comes with rs-seg, a checkpoint (.safetensors), a TorchScript file (.pt), or a
    /// configuration (.toml)
    #[arg(value_name = "MODEL|CONFIG")]
    pub model: NetworkName,
    /// Side of the image that operations are counted for, in pixels
    #[arg(long, value_name = "PX", default_value = "512", value_parser = tile_side)]
    pub size: usize,
}

/// Make a small network for inference of one or more checkpoints
///
/// Leaves out what only training needs. Several checkpoints of one training become one network with the mean of
/// their weights, which often predicts better than each.
#[derive(Debug, Clone, Args)]
pub(crate) struct ModelPackArgs {
    /// Checkpoints (.safetensors) of one structure
    #[arg(value_name = "MODEL", required = true)]
    pub models: Vec<NetworkName>,
    /// Checkpoint to write (.safetensors)
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Precision of the weights in the file
    #[arg(long, value_name = "PRECISION", default_value = "f16")]
    pub store: StoreChoice,
    /// Keep the text tower, so that `train --init` can go on from the file with other classes
    #[arg(long)]
    pub keep_text_tower: bool,
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

/// Compare a network with the tensors of a reference program
///
/// Rebuilds the weights from the seed in the file, or takes those in it, computes the network in eval and in train
/// mode with all losses and gradients, and compares every tensor of the file. The error of a tensor is
/// max|a - b| / max|b|. Exit status 1 tells that one is above the tolerance or missing.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = CHECK_EXAMPLES)]
pub(crate) struct ModelCheckArgs {
    /// Reference file (.safetensors)
    #[arg(long, value_name = "FILE")]
    pub golden: PathBuf,
    /// The largest error that passes
    #[arg(long, value_name = "ERROR", default_value = "1e-4", value_parser = tolerance)]
    pub tolerance: f64,
}

const CHECK_EXAMPLES: &str = "\
Examples:
  A tiny BEMSeg that the repository has tensors of:
    rs-seg model check --golden tests/data/parity/bemseg.safetensors
  On a graphics processor, all errors one by one:
    rs-seg model check --golden FILE --device cuda --json";
