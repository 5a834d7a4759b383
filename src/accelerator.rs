//! What `doctor` finds out about NVIDIA's GPUs and libtorch's CUDA part.

use crate::value::DeviceArg;
use seg_torch::{CudaLoad, CudaSearch, CudaVersions, CudaWish, DeviceInfo, Gpu};
use serde_json::{Value, json};

/// NVIDIA's GPUs, libtorch's CUDA part, and the devices that come of both.
#[derive(Debug)]
pub(crate) struct Accelerator {
    /// All devices, the processor first.
    pub devices: Vec<DeviceInfo>,
    /// What keeps a GPU that is there from computing, and what cures it.
    pub problems: Vec<(String, String)>,
    gpu: Gpu,
    load: CudaLoad,
    search: CudaSearch,
    versions: Option<CudaVersions>,
    asked: DeviceArg,
}

impl Accelerator {
    /// Loads the CUDA part as networks would for a device, and tries every device.
    pub(crate) fn look(asked: DeviceArg) -> Self {
        let mut problems = Vec::new();
        let loaded = match asked {
            DeviceArg::Cpu => Ok(CudaLoad::NotAsked),
            DeviceArg::Auto => seg_torch::load_cuda(CudaWish::WithGpu),
            DeviceArg::Cuda(_) => seg_torch::load_cuda(CudaWish::Always),
        };
        let load = loaded.unwrap_or_else(|error| {
            let cause = std::error::Error::source(&error).map_or(String::new(), |cause| format!(": {cause}"));
            let what = format!("{error}{cause}");
            problems.push((what, error.hint().unwrap_or_default()));
            let path = std::env::var_os("RS_SEG_LIBTORCH").unwrap_or_default().into();
            let refused = vec![error.refused(path)];
            CudaLoad::NotFound(CudaSearch { refused, ..CudaSearch::default() })
        });
        // What is wrong with what the user named was just told.
        let search = seg_torch::find_cuda().unwrap_or_default();
        let devices = seg_torch::devices(&load);
        let gpu = Gpu::of_this_machine();
        let expected = match asked {
            DeviceArg::Cpu => false,
            DeviceArg::Auto => !matches!(gpu, Gpu::None | Gpu::Hidden),
            DeviceArg::Cuda(_) => true,
        };
        if problems.is_empty() && expected {
            problems.extend(devices.iter().filter_map(|device| problem(device, &load)));
        }
        let versions = matches!(load, CudaLoad::Loaded(_)).then(seg_torch::cuda_versions).flatten();
        Self { devices, problems, gpu, load, search, versions, asked }
    }

    /// Where networks run with the flags that were given; none where that device is not usable.
    pub(crate) fn in_use(&self) -> Option<&str> {
        let usable = |device: &&DeviceInfo| device.usable;
        let device = match self.asked {
            DeviceArg::Cpu => self.devices.first(),
            DeviceArg::Auto => self.devices.iter().skip(1).find(usable).or(self.devices.first()),
            DeviceArg::Cuda(_) => {
                self.devices.iter().filter(usable).find(|device| device.id == self.asked.to_string())
            }
        };
        device.map(|device| device.id.as_str())
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        let driver = match &self.gpu {
            Gpu::Present { driver } => driver.clone(),
            Gpu::OutOfReach { driver } => Some(driver.clone()),
            Gpu::None | Gpu::Hidden | Gpu::NoDriver => None,
        };
        let tree = self.tree();
        let search = self.search();
        json!({
            "loaded": matches!(self.load, CudaLoad::Loaded(_)),
            "version": tree.map(|tree| &tree.version),
            "path": tree.map(|tree| tree.lib.display().to_string()),
            "runtime": self.versions.map(|versions| runtime(&versions)),
            "cudnn": self.versions.map(|versions| cudnn(&versions)),
            "driver": driver,
            "looked": search.looked.iter().map(|path| path.display().to_string()).collect::<Vec<_>>(),
            "refused": search.refused.iter().map(|refused| {
                json!({"path": refused.path.display().to_string(), "why": refused.why, "hint": refused.help})
            }).collect::<Vec<_>>(),
        })
    }

    /// For people: a line for what runs, and lines that say more of it.
    pub(crate) fn text(&self) -> (String, Vec<String>) {
        let mut more = Vec::new();
        if let Some(versions) = &self.versions {
            more.push(format!("CUDA {}, cuDNN {}", runtime(versions), cudnn(versions)));
        }
        let found = self.tree().map(|tree| format!("{}  {}", tree.version, tree.lib.display()));
        let head = match (self.load.why_not(), found) {
            (None, found) => found.unwrap_or_default(),
            (Some(why), Some(found)) => {
                more.push(format!("found: {found}"));
                format!("not loaded: {why}")
            }
            (Some(why), None) => format!("not loaded: {why}"),
        };
        let search = self.search();
        if self.tree().is_none() {
            more.extend(search.looked.iter().map(|path| format!("looked in {}", path.display())));
        }
        // The first is why nothing was loaded.
        let told = usize::from(matches!(self.load, CudaLoad::NotFound(_)));
        let others = search.refused.iter().skip(told);
        more.extend(others.map(|refused| format!("not used: {}: {}", refused.path.display(), refused.why)));
        (head, more)
    }

    fn tree(&self) -> Option<&seg_torch::CudaTree> {
        match &self.load {
            CudaLoad::Loaded(tree) => Some(tree),
            _ => self.search.found.as_ref(),
        }
    }

    /// The search that was for loading, where there was one.
    fn search(&self) -> &CudaSearch {
        match &self.load {
            CudaLoad::NotFound(search) => search,
            _ => &self.search,
        }
    }
}

fn problem(device: &DeviceInfo, load: &CudaLoad) -> Option<(String, String)> {
    let why = device.why.as_ref()?;
    let hint = load.hint().unwrap_or_else(|| {
        "update NVIDIA's driver where it is old; --device cpu works without a GPU".to_owned()
    });
    Some((format!("{} is not usable: {why}", device.id), hint))
}

/// 13000 is 13.0.
fn runtime(versions: &CudaVersions) -> String {
    format!("{}.{}", versions.runtime / 1000, versions.runtime % 1000 / 10)
}

/// 92000 is 9.20.0.
fn cudnn(versions: &CudaVersions) -> String {
    format!("{}.{}.{}", versions.cudnn / 10_000, versions.cudnn % 10_000 / 100, versions.cudnn % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(id: &str, why: Option<&str>) -> DeviceInfo {
        let why = why.map(str::to_owned);
        DeviceInfo { id: id.to_owned(), name: String::new(), usable: why.is_none(), why }
    }

    fn with(asked: DeviceArg, devices: Vec<DeviceInfo>, load: CudaLoad) -> Accelerator {
        let search = CudaSearch { looked: vec!["/a".into()], ..CudaSearch::default() };
        Accelerator { devices, problems: Vec::new(), gpu: Gpu::None, load, search, versions: None, asked }
    }

    #[test]
    fn the_device_in_use_is_the_first_that_computes() {
        let devices = || vec![device("cpu", None), device("cuda:0", Some("broken")), device("cuda:1", None)];
        let in_use = |asked| with(asked, devices(), CudaLoad::NotAsked).in_use().map(str::to_owned);
        assert_eq!(in_use(DeviceArg::Auto).as_deref(), Some("cuda:1"));
        assert_eq!(in_use(DeviceArg::Cpu).as_deref(), Some("cpu"));
        assert_eq!(in_use(DeviceArg::Cuda(1)).as_deref(), Some("cuda:1"));
        assert_eq!((in_use(DeviceArg::Cuda(0)), in_use(DeviceArg::Cuda(7))), (None, None));
        let alone = with(DeviceArg::Auto, vec![device("cpu", None)], CudaLoad::NotAsked);
        assert_eq!(alone.in_use(), Some("cpu"));
    }

    #[test]
    fn a_gpu_that_does_not_compute_is_a_problem_with_a_cure() {
        let nothing = CudaLoad::NotFound(CudaSearch::default());
        let (what, hint) = problem(&device("cuda:0", Some("no libtorch")), &nothing).unwrap();
        assert!(
            what.contains("cuda:0 is not usable: no libtorch") && hint.contains("make setup-cuda"),
            "{hint}"
        );
        assert_eq!(problem(&device("cpu", None), &nothing), None);
    }

    #[test]
    fn what_was_looked_for_is_told_where_nothing_was_found() {
        let (head, more) = with(DeviceArg::Auto, Vec::new(), CudaLoad::NotNeeded(Gpu::None)).text();
        assert_eq!(
            (head.as_str(), more),
            ("not loaded: this machine has no NVIDIA GPU", vec!["looked in /a".to_owned()])
        );
    }

    #[test]
    fn versions_are_written_as_their_makers_do() {
        let versions = CudaVersions { runtime: 12_080, cudnn: 92_000 };
        assert_eq!((runtime(&versions), cudnn(&versions)), ("12.8".to_owned(), "9.20.0".to_owned()));
    }
}
