//! The processes that train together, where a launcher started several.

use crate::cli::TrainArgs;
use crate::context::Context;
use crate::diagnostic::{Advice, in_one_line};
use crate::value::DeviceArg;
use seg_grid::Observer as _;
use seg_torch::distributed::{Group, Launcher, Rendezvous};
use seg_torch::{CudaLoad, CudaWish};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
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
    /// Which launch this is, as the first process knows where the launcher has a store.
    pub launch: Option<String>,
    /// Which start of that launch.
    start: Launch,
}

/// Which start of a training this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Launch {
    First,
    /// The launcher started all processes anew after one of them was lost.
    Again,
}

/// What a process tells the others before they begin.
#[derive(Debug, Serialize, Deserialize)]
struct Told {
    error: Option<String>,
    /// What has to be the same everywhere, by its name.
    alike: Vec<(String, String)>,
}

impl Processes {
    /// Meets the others, if the environment tells of some; to be called before the first tensor.
    pub(crate) fn join(args: &TrainArgs, context: &Context) -> anyhow::Result<Self> {
        let launcher = Launcher::from_environment()?;
        let start = if launcher.restarts > 0 { Launch::Again } else { Launch::First };
        let stopped = || context.progress.cancelled();
        let launch = || -> anyhow::Result<Option<String>> {
            let name = launcher.store.as_ref().map(|store| store.launch(args.dist_timeout, &stopped));
            Ok(name.transpose()?)
        };
        let Some(meeting) = Rendezvous::from_environment()? else {
            let (device, launch) = (context.network_device()?, launch()?);
            return Ok(Self { group: None, device, threads: context.threads, launch, start });
        };
        if meeting.rank > 0 {
            context.progress.stderr().only_errors(meeting.rank);
        }
        let device = context.network_device().and_then(|device| match meeting.local_rank {
            Some(local) if device.is_cuda() => context.choose_device(DeviceArg::Cuda(local)),
            _ => Ok(device),
        });
        let (group, device) = match (Group::meet(&meeting, args.dist_timeout, &stopped), device) {
            // There is nobody to tell.
            (Err(_), Err(error)) => return Err(error),
            (group, device) => (group?, device),
        };
        let threads = match meeting.cores {
            Some(cores) => context.threads_of(cores),
            None => context.threads_beside(meeting.local_world.unwrap_or(1)),
        };
        let mut processes = Self { group: Some(group), device: Device::Cpu, threads, launch: None, start };
        processes.device = processes.agree(device, &[])?;
        let known = processes.connect().and_then(|()| if processes.is_first() { launch() } else { Ok(None) });
        processes.launch = processes.agree(known, &[])?;
        Ok(processes)
    }

    /// Connects GPUs, where the network learns on them.
    fn connect(&self) -> anyhow::Result<()> {
        if let (Some(group), Device::Cuda(index)) = (&self.group, self.device)
            && let CudaLoad::Loaded(tree) = seg_torch::load_cuda(CudaWish::WithGpu)?
        {
            group.connect_cuda(&tree.lib, index)?;
        }
        Ok(())
    }

    /// Whether this is the process that writes and tells.
    pub(crate) fn is_first(&self) -> bool {
        self.group.as_ref().is_none_or(|group| group.rank() == 0)
    }

    /// Gives what is ready here when it is ready everywhere, and when what `alike` tells is the same everywhere.
    pub(crate) fn agree<T>(&self, here: anyhow::Result<T>, alike: &[(&str, String)]) -> anyhow::Result<T> {
        let Some(group) = &self.group else { return here };
        let alike = alike.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let told = serde_json::to_vec(&Told { error: here.as_ref().err().map(in_one_line), alike })?;
        let all = match (group.gather_bytes(&told), &here) {
            // There is nobody to tell.
            (Err(_), Err(_)) => return here,
            (all, _) => all?,
        };
        let all = all.iter().map(|bytes| serde_json::from_slice(bytes));
        let all: Vec<Told> = all.collect::<Result<_, _>>()?;
        let failed = all.iter().enumerate().find_map(|(rank, told)| Some((rank, told.error.as_ref()?)));
        let outcome = match (here, failed) {
            (Err(error), _) => Err(error),
            (Ok(_), Some((rank, error))) => {
                Err(Advice::new(format!("process {rank} failed: {error}"), "it says what can be done").into())
            }
            (Ok(ready), None) => match odd_one(&all) {
                None => return Ok(ready),
                Some((rank, name)) => {
                    let what = format!("process {rank} was started with another {name} than process 0");
                    Err(Advice::new(what, "start all processes with the same arguments").into())
                }
            },
        };
        // What was told arrives before this process leaves; whoever is gone by now had all that there was to get.
        let _left = group.barrier();
        outcome
    }

    /// Whether the trainings of these folders go on by themselves: those that an earlier start of this launch began.
    ///
    /// A launcher that remembers nothing is taken at its word that this is a restart; the count of one that does tells
    /// nothing, since it does not count those for which machines come or leave.
    pub(crate) fn go_on(&self, folders: &[PathBuf]) -> anyhow::Result<Vec<bool>> {
        let goes_on = |folder: &PathBuf| match &self.launch {
            _ if !self.is_first() || !seg_train::is_begun(folder) => false,
            Some(launch) => seg_train::begun_by(folder).as_ref() == Some(launch),
            None => self.start == Launch::Again,
        };
        let known: Vec<bool> = folders.iter().map(goes_on).collect();
        let Some(group) = &self.group else { return Ok(known) };
        let known: Vec<u8> = known.into_iter().map(u8::from).collect();
        let all = group.gather_bytes(&known)?;
        Ok(all.into_iter().next().unwrap_or_default().into_iter().map(|known| known == 1).collect())
    }
}

/// The first process that told something else than process 0, and what.
fn odd_one(all: &[Told]) -> Option<(usize, &str)> {
    let first = &all.first()?.alike;
    all.iter().enumerate().find_map(|(rank, told)| {
        let (name, _) = told.alike.iter().find(|part| !first.contains(part))?;
        Some((rank, name.as_str()))
    })
}
