//! What can go wrong in libtorch itself.

use std::path::PathBuf;
use std::time::Duration;

use crate::cuda_tree::{RefusedTree, TreeFault};

/// What this crate could not do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read as a TorchScript module.
    #[error("cannot load {} as TorchScript: {reason}", path.display())]
    LoadScript {
        /// The file.
        path: PathBuf,
        /// What libtorch says.
        reason: String,
    },
    /// A file's name cannot be passed to libtorch.
    #[error("cannot load {}: its name holds a NUL byte", path.display())]
    ScriptPath {
        /// The file.
        path: PathBuf,
    },
    /// A TorchScript module failed while it ran.
    #[error("the TorchScript network {} failed on an input of shape {input:?}: {reason}", path.display())]
    RunScript {
        /// The module's file.
        path: PathBuf,
        /// The input's shape.
        input: Vec<i64>,
        /// What libtorch says.
        reason: String,
    },
    /// A TorchScript module returned something else than one tensor.
    #[error("the TorchScript network {} returned a {found}, not one tensor", path.display())]
    NotATensor {
        /// The module's file.
        path: PathBuf,
        /// The type that it returned, in libtorch's words.
        found: String,
    },
    /// A libtorch setting was refused.
    #[error("libtorch refused to {action}: {reason}")]
    Setting {
        /// What was asked.
        action: &'static str,
        /// What libtorch says.
        reason: String,
    },
    /// A tensor could not be copied into channels-last order.
    #[error("cannot lay a tensor of shape {shape:?} out channels-last: {reason}")]
    ChannelsLast {
        /// The tensor's shape.
        shape: Vec<i64>,
        /// What libtorch says.
        reason: String,
    },
    /// A map could not be brought to another size.
    #[error("cannot resize a tensor of shape {shape:?}: {reason}")]
    Resize {
        /// The tensor's shape.
        shape: Vec<i64>,
        /// What libtorch says.
        reason: String,
    },
    /// The user named a CUDA part of libtorch that does not fit.
    #[error("RS_SEG_LIBTORCH names {}, which cannot be used", path.display())]
    CudaTree {
        /// What was named.
        path: PathBuf,
        /// Why.
        source: TreeFault,
        /// The version that fits.
        wanted: String,
    },
    /// A CUDA part that fits could not be loaded.
    #[error("cannot load libtorch's CUDA part {}: {reason}", path.display())]
    LoadCuda {
        /// The library, or the folder of all of them.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// A tensor could not be brought to a device or back.
    #[error("cannot {action}: {reason}")]
    Copy {
        /// What was tried.
        action: &'static str,
        /// What libtorch says.
        reason: String,
    },
    /// An environment variable by which a launcher tells of other processes.
    #[error("the environment variable {name} {problem}")]
    Variable {
        /// The variable.
        name: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The place where processes meet cannot be reached or opened.
    #[error("cannot meet the other processes at {host}:{port}: {reason}")]
    Meet {
        /// The machine.
        host: String,
        /// The port.
        port: u16,
        /// What libtorch says.
        reason: String,
    },
    /// Processes that did not come.
    #[error("of {world} processes, these did not come within {} s: {ranks}", timeout.as_secs_f64())]
    Missing {
        /// Their numbers.
        ranks: String,
        /// How many there should be.
        world: usize,
        /// How long they were waited for.
        timeout: Duration,
    },
    /// The caller does not want to wait any more.
    #[error("stopped while {action}")]
    Cancelled {
        /// What was being done.
        action: &'static str,
    },
    /// A process that is gone, or does not answer any more.
    #[error("another process of this training was lost while {action}: {reason}")]
    PeerLost {
        /// What was being done.
        action: &'static str,
        /// What libtorch says.
        reason: String,
    },
    /// The plug-in that connects GPUs.
    #[error("cannot connect GPUs by {}: {reason}", path.display())]
    Nccl {
        /// The library.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The device is neither the processor nor a CUDA device.
    #[error("networks run on cpu or cuda, not on {device}")]
    Device {
        /// The device asked for.
        device: String,
    },
}

impl Error {
    /// A CUDA part that could not be loaded, as a finding: what failed is told with the path.
    pub fn refused(&self, path: PathBuf) -> RefusedTree {
        let why = match self {
            Self::CudaTree { source, .. } => source.to_string(),
            Self::LoadCuda { reason, .. } => reason.clone(),
            other => other.to_string(),
        };
        RefusedTree { path, why, help: self.hint().unwrap_or_default() }
    }

    /// What the user can do about it, where there is something.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::LoadScript { reason, .. } if reason.contains("constants.pkl") => Some(
                "the file holds weights without a program; save the network with torch.jit.trace or \
                 torch.jit.script, or convert the weights to safetensors"
                    .to_owned(),
            ),
            Self::LoadScript { .. } => Some(
                "a TorchScript file is made by torch.jit.trace(network, example).save(\"net.pt\")".to_owned(),
            ),
            Self::NotATensor { .. } => {
                Some("wrap the network so that forward returns its (B, K, H, W) scores alone".to_owned())
            }
            Self::RunScript { .. } => Some(
                "compare [input] bands and [model] stride of the .toml beside it with the network".to_owned(),
            ),
            Self::CudaTree { source, wanted, .. } => Some(source.hint(wanted)),
            Self::LoadCuda { .. } => Some(
                "what it needs lies beside it as pip installs it, in nvidia/ beside torch/; --device cpu does \
                 without"
                    .to_owned(),
            ),
            Self::Copy { reason, .. } if reason.contains("out of memory") => {
                Some("use a smaller --tile or --batch, or --device cpu".to_owned())
            }
            Self::Variable { .. } => Some(
                "torchrun sets it, and so does srun; without WORLD_SIZE one process trains alone".to_owned(),
            ),
            Self::Meet { .. } => Some(
                "start all processes with the same MASTER_ADDR and MASTER_PORT: the first one's machine, and a port \
                 that is free there and open to the others"
                    .to_owned(),
            ),
            Self::Missing { .. } => Some(
                "see what they said, and whether as many were started as WORLD_SIZE says; --dist-timeout waits longer"
                    .to_owned(),
            ),
            Self::PeerLost { .. } => Some(
                "see what the other processes said before; start all of them again with --resume, or let torchrun do \
                 it with --max-restarts"
                    .to_owned(),
            ),
            Self::Nccl { .. } => {
                Some("`make setup-cuda` builds it; --device cpu trains on the processors".to_owned())
            }
            Self::Device { .. } => Some("use --device cpu or --device cuda".to_owned()),
            Self::ScriptPath { .. }
            | Self::Cancelled { .. }
            | Self::Setting { .. }
            | Self::ChannelsLast { .. }
            | Self::Resize { .. }
            | Self::Copy { .. } => None,
        }
    }
}
