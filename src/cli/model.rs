//! `rs-seg model`.

use crate::network::NetworkName;
use crate::value::{FetchChoice, Sha256, StoreChoice, sha256, tile_side, tolerance};
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
    Export(ModelExportArgs),
    Check(ModelCheckArgs),
    Import(ModelImportArgs),
    Fetch(ModelFetchArgs),
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

/// Write a checkpoint as TorchScript, which runs without rs-seg
///
/// Normalization and soft-max are inside: pixels as they stand in the raster, float (B, C, H, W), go in,
/// probabilities (B, K, H, W) come out. Any batch and any size goes whose sides are multiples of 32; the size that the
/// network was made for is `tile-px` in the description.
///
/// Beside M.pt are written M.toml, the description that `rs-seg infer --model M.pt` reads, M.metadata.json, the keys
/// that the QGIS plugins Deepness and `GeoDeep` know, and M.mlm.json, the properties of STAC's extension for machine
/// learning models.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXPORT_EXAMPLES)]
pub(crate) struct ModelExportArgs {
    /// `default`, which comes with rs-seg, or a checkpoint (.safetensors)
    #[arg(value_name = "MODEL")]
    pub model: NetworkName,
    /// TorchScript file to write (.pt)
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

const EXPORT_EXAMPLES: &str = "\
Examples:
  The same classes as with the checkpoint:
    rs-seg model export run/best.safetensors --out net.pt
    rs-seg infer ortho.tif --model net.pt --out classes.tif
  In Python, without rs-seg:
    import torch
    network = torch.jit.load(\"net.pt\")
    probabilities = network(pixels)         # (B, C, H, W), 0 to 255 -> (B, K, H, W)
    classes = probabilities.argmax(1)       # places in the list of M.toml";

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

/// Take the weights of another program's file
///
/// Reads archives of PyTorch (`torch.save` and TorchScript, in whatever precision) and safetensors, without
/// running any code in them. Known are rs-seg's own names, those of CLIP's residual networks by OpenAI and
/// `open_clip`, and those of BEMSeg, Semantic FPN and `ResNet`-50 V1c in mmsegmentation.
///
/// A whole network becomes a checkpoint, which `rs-seg infer --model` takes. Encoders alone become a file of
/// weights that a training begins with: `rs-seg train --init`, which brings tables of positions to its network's
/// size. Weights that are missing or not used are told; a missing one is an error.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = IMPORT_EXAMPLES)]
pub(crate) struct ModelImportArgs {
    /// File of weights: RN50.pt, a state dict (.pt, .pth, .safetensors)
    #[arg(value_name = "IN")]
    pub input: PathBuf,
    /// File to write (.safetensors)
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Configuration of a whole network [default: what its weights' shapes tell, with the classes of Potsdam where
    /// there are six and of LoveDA where there are seven]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Draw weights of a whole network that are missing, and tell which; of encoders, write those that there are
    #[arg(long)]
    pub allow_missing: bool,
    /// Precision of the weights in the file that is written
    #[arg(long, value_name = "PRECISION", default_value = "f32")]
    pub store: StoreChoice,
    /// Checksum that the file must have, as 64 hexadecimal digits
    #[arg(long, value_name = "HEX", value_parser = sha256)]
    pub sha256: Option<Sha256>,
}

const IMPORT_EXAMPLES: &str = "\
Examples:
  OpenAI's CLIP, to begin a training with:
    rs-seg model import RN50.pt --out clip.safetensors
    rs-seg train --config configs/bemseg-rn50-potsdam.toml --init clip.safetensors --data chips --out run
  A network that mmsegmentation trained, ready for inference:
    rs-seg model import iter_80000.pth --config mine.toml --out net.safetensors";

/// Download weights that trainings begin with
///
/// The file goes to a cache: the folder of the variable `RS_SEG_CACHE`, else `$XDG_CACHE_HOME/rs-seg`, else
/// `~/.cache/rs-seg`. An interrupted download goes on where it was; the file has its name only when its checksum is
/// right. Its path is printed.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = FETCH_EXAMPLES)]
pub(crate) struct ModelFetchArgs {
    /// What to download
    #[arg(value_name = "NAME")]
    pub name: FetchChoice,
    /// Address to download it from [default: OpenAI's]
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// File to write [default: one in the cache]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Checksum of another file at --url, as 64 hexadecimal digits [default: that of OpenAI's]
    #[arg(long, value_name = "HEX", value_parser = sha256)]
    pub sha256: Option<Sha256>,
}

const FETCH_EXAMPLES: &str = "\
Examples:
  A training of BEMSeg that begins with OpenAI's CLIP:
    clip=$(rs-seg model fetch clip-rn50)
    rs-seg train --config configs/bemseg-rn50-potsdam.toml --init \"$clip\" --data chips --out run
  From a mirror, to a place of your own:
    rs-seg model fetch clip-rn50 --url https://mirror.example.org/RN50.pt --out weights/RN50.pt";
