//! `rs-seg train`.

use crate::cli::global::ADVANCED_HEADING;
use crate::network::NetworkName;
use crate::value::{Setting, duration, setting};
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// Train a network on labeled chips
///
/// Chips come from `rs-seg tile --labels`; the configuration tells the network, its classes and how it learns.
/// RUN gets the configuration as it was used, metrics (metrics.jsonl and TensorBoard events), the checkpoint
/// of the best validation (best.safetensors, which `rs-seg infer --model` takes) and that of the last step,
/// from which --resume goes on exactly: a training gives the same weights however often it was interrupted.
///
/// Several processes train together where `torchrun --no-python` or Slurm's `srun` starts them: a step then learns
/// from train.batch x train.accumulate x processes samples, and no learning rate is changed for it. All see the same
/// folders; the first writes.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct TrainArgs {
    /// Configuration file (.toml)
    #[arg(long, value_name = "FILE", required_unless_present_any = ["resume", "init"])]
    pub config: Option<PathBuf>,
    /// Folder of chips, as `rs-seg tile` makes them [default: data.folder of the configuration]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Folder to write
    #[arg(long, value_name = "RUN")]
    pub out: PathBuf,
    /// Replace a value of the configuration, such as `optimizer.lr=1e-4`; repeatable
    #[arg(long, value_name = "SECTION.KEY=VALUE", value_parser = setting)]
    pub set: Vec<Setting>,
    /// Classes instead of the configuration's: a legend file, or one of dubai, loveda, potsdam, vaihingen
    #[arg(long, value_name = "FILE|NAME")]
    pub legend: Option<String>,
    /// Begin with the weights of a checkpoint, or of `default`, the embedded model; what depends on classes
    /// that it does not know begins anew
    #[arg(long, value_name = "WEIGHTS")]
    pub init: Option<NetworkName>,
    /// Go on with the training in RUN, or begin it where it was not begun; with the other arguments as they were
    /// or without them
    #[arg(long, conflicts_with = "overwrite")]
    pub resume: bool,
    /// How long one of several processes waits for another that says nothing; a lost one is noticed at once as a rule
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = duration, help_heading = ADVANCED_HEADING)]
    pub dist_timeout: Duration,
    /// Train once for each seed, to RUN/seed-N, and tell mean and spread
    #[arg(long, value_name = "N,N,...", value_delimiter = ',', value_parser = clap::value_parser!(u64).range(..1 << 63))]
    pub seeds: Vec<u64>,
}

const EXAMPLES: &str = "\
Examples:
  Chips, a training, and a raster segmented with its best checkpoint:
    rs-seg tile ortho.tif --labels truth.gpkg --label-attribute kind --legend mine.toml --out chips
    rs-seg train --config configs/bemseg-small.toml --legend mine.toml --data chips --out run
    rs-seg infer other.tif --model run/best.safetensors --out classes.tif
  The same, begun with the embedded model instead of nothing:
    rs-seg train --init default --legend mine.toml --data chips --out run --set train.steps=2000
  Go on after an interruption:
    rs-seg train --resume --out run
  On two processors or GPUs of a machine, begun anew from the last checkpoint where one fails:
    torchrun --no-python --nproc-per-node 2 --max-restarts 3 rs-seg train --config net.toml --data chips --out run
  Curves and pictures:
    tensorboard --logdir run";
