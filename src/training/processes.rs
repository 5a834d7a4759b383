//! The processes that train together, where a launcher started several.

use crate::cli::TrainArgs;
use crate::context::Context;
use crate::value::DeviceArg;
use seg_torch::distributed::{Group, Rendezvous, restarts};
use seg_torch::{CudaLoad, CudaWish};
use std::sync::Arc;
use tch::Device;

/// This process among those that train together.
#[derive(Debug)]
pub(crate) struct Processes {
    /// The others, where there are some.
    pub group: Option<Arc<Group>>,
    /// Where the network of this one learns.
    pub device: Device,
    /// Processor threads of this one.
    pub threads: usize,
    /// Whether a launcher started the training anew after one of its processes was lost.
    pub start: Launch,
}

/// Which start of a training this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Launch {
    First,
    Again,
}

impl Processes {
    /// Meets the others, if the environment tells of some; to be called before the first tensor.
    pub(crate) fn join(args: &TrainArgs, context: &Context) -> anyhow::Result<Self> {
        let meeting = Rendezvous::from_environment()?;
        let restarts = restarts(|name| std::env::var(name).ok())?;
        let start = if restarts > 0 { Launch::Again } else { Launch::First };
        let Some(meeting) = meeting else {
            let device = context.network_device()?;
            return Ok(Self { group: None, device, threads: context.threads, start });
        };
        if meeting.rank > 0 {
            context.progress.stderr().only_errors(meeting.rank);
        }
        let mut device = context.network_device()?;
        if let Some(local) = meeting.local_rank.filter(|_| device.is_cuda()) {
            device = context.choose_device(DeviceArg::Cuda(local))?;
        }
        let group = Group::meet(&meeting, args.dist_timeout)?;
        if let Device::Cuda(index) = device
            && let CudaLoad::Loaded(tree) = seg_torch::load_cuda(CudaWish::WithGpu)?
        {
            group.connect_cuda(&tree.lib, index)?;
        }
        let threads = context.threads_beside(meeting.local_world.unwrap_or(1));
        Ok(Self { group: Some(group), device, threads, start })
    }

    /// Whether this is the process that writes and tells.
    pub(crate) fn is_first(&self) -> bool {
        self.group.as_ref().is_none_or(|group| group.rank() == 0)
    }
}
