//! Loading libtorch's CUDA part into a process that was linked without it.
//!
//! The part is opened before libtorch is asked for CUDA the first time, when it looks for what registered itself
//! and remembers the answer; a convolution on the processor asks, and so does libtorch's description of itself. What the part needs of libtorch is in the process already, under the same names, so
//! it must be of the very same build.

use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::cuda_tree::{CudaSearch, CudaTree, Places, Running, how_to_get, search};
use crate::error::Error;
use crate::ffi;
use crate::gpu::Gpu;
use crate::info::{compiled_for, running_version};

/// When the CUDA part is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CudaWish {
    /// Where there is a GPU.
    WithGpu,
    /// In any case, be it only to learn why there is no GPU.
    Always,
}

/// What became of the CUDA part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CudaLoad {
    /// It was left alone, for the processor alone was asked for.
    NotAsked,
    /// It was left alone, for no GPU is there to compute.
    NotNeeded(Gpu),
    /// It is loaded.
    Loaded(CudaTree),
    /// There is none that fits.
    NotFound(CudaSearch),
}

/// Versions of what the CUDA part runs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CudaVersions {
    /// CUDA's, as 13000 for 13.0.
    pub runtime: i64,
    /// cuDNN's, as 92000 for 9.20.0.
    pub cudnn: i64,
}

/// Libraries of the CUDA part that libtorch opens by name when they are needed, and would not find then.
const OPENED_LATER: [&str; 2] = ["libtorch_cuda_linalg.so", "libcaffe2_nvrtc.so"];

impl CudaLoad {
    /// Why networks cannot run on CUDA, where nothing was loaded.
    pub fn why_not(&self) -> Option<String> {
        match self {
            Self::Loaded(_) => None,
            Self::NotAsked => Some("the processor alone was asked for".to_owned()),
            Self::NotNeeded(Gpu::NoDriver) => Some("NVIDIA's driver is not loaded".to_owned()),
            Self::NotNeeded(Gpu::Hidden) => Some("CUDA_VISIBLE_DEVICES hides all GPUs".to_owned()),
            Self::NotNeeded(Gpu::OutOfReach { driver }) => {
                Some(format!("the NVIDIA driver {driver} is loaded, but there is no device to open"))
            }
            Self::NotNeeded(_) => Some("this machine has no NVIDIA GPU".to_owned()),
            Self::NotFound(search) => Some(search.refused.first().map_or_else(
                || "no libtorch with CUDA was found".to_owned(),
                |refused| format!("{} cannot be used: {}", refused.path.display(), refused.why),
            )),
        }
    }

    /// What the user can do, where nothing was loaded and something could be.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotNeeded(Gpu::NoDriver) => {
                Some("install NVIDIA's driver for the card; CUDA 13 wants 580 or newer".to_owned())
            }
            Self::NotNeeded(Gpu::OutOfReach { .. }) => {
                Some("a container is given GPUs when it is started, as by `docker run --gpus all`".to_owned())
            }
            Self::NotFound(search) => Some(
                search
                    .refused
                    .first()
                    .map_or_else(|| how_to_get(&compiled_for()), |refused| refused.help.clone()),
            ),
            _ => None,
        }
    }
}

/// Loads the CUDA part once for this process; to be called before the first tensor.
///
/// Without a GPU it costs a look at `/dev`, and what `RS_SEG_LIBTORCH` names is looked at too.
///
/// # Errors
/// When `RS_SEG_LIBTORCH` names something that does not fit or cannot be loaded.
///
/// # Examples
/// ```
/// use seg_torch::{CudaLoad, CudaWish};
///
/// if let CudaLoad::Loaded(tree) = seg_torch::load_cuda(CudaWish::WithGpu)? {
///     assert!(tree.lib.join("libtorch_cuda.so").is_file());
/// }
/// # Ok::<(), seg_torch::Error>(())
/// ```
pub fn load_cuda(wish: CudaWish) -> Result<CudaLoad, Error> {
    static DONE: Mutex<Option<CudaLoad>> = Mutex::new(None);
    let mut done = DONE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(load) = &*done {
        return Ok(load.clone());
    }
    let gpu = Gpu::of_this_machine();
    let running = running();
    let places = Places::of_this_process(&running);
    if wish == CudaWish::WithGpu && !gpu.is_present() {
        if places.is_named() {
            find(&places, &running)?;
        }
        // Not kept: the next caller may want it in any case.
        return Ok(CudaLoad::NotNeeded(gpu));
    }
    let mut search = find(&places, &running)?;
    let load = match search.found.take().map(|tree| (open(&tree), tree)) {
        Some((Ok(()), tree)) => CudaLoad::Loaded(tree),
        Some((Err(error), _)) if places.is_named() => return Err(error),
        // What the user did not ask for keeps nobody from computing on the processor.
        Some((Err(error), tree)) => {
            search.refused.push(error.refused(tree.lib));
            CudaLoad::NotFound(search)
        }
        None => CudaLoad::NotFound(search),
    };
    Ok(done.insert(load).clone())
}

/// Looks for the CUDA part without loading it.
///
/// # Errors
/// When `RS_SEG_LIBTORCH` names something that does not fit.
pub fn find_cuda() -> Result<CudaSearch, Error> {
    let running = running();
    find(&Places::of_this_process(&running), &running)
}

/// The versions of CUDA and cuDNN, where the CUDA part is loaded.
pub fn cuda_versions() -> Option<CudaVersions> {
    let (mut runtime, mut cudnn) = (0, 0);
    // SAFETY: both numbers live during the call, which writes them only on success.
    let status = unsafe { ffi::seg_torch_cuda_versions(&raw mut runtime, &raw mut cudnn) };
    (status == ffi::OK).then_some(CudaVersions { runtime, cudnn })
}

/// The libtorch of this process.
pub(crate) fn running() -> Running {
    let library = loaded_library(c"libtorch_cpu.so").unwrap_or_default();
    let lib = library.parent().unwrap_or(Path::new("")).to_owned();
    Running { version: running_version(), compiled_for: compiled_for(), lib }
}

/// The file that a library of this process was loaded from.
pub(crate) fn loaded_library(name: &CStr) -> Option<PathBuf> {
    // SAFETY: the name ends in NUL; the answer is null, or a string of this thread that lives until the next call,
    // and is copied here.
    let path = unsafe {
        let path = ffi::seg_torch_library_path(name.as_ptr());
        (!path.is_null()).then(|| CStr::from_ptr(path).to_bytes().to_vec())?
    };
    Some(PathBuf::from(OsStr::from_bytes(&path)))
}

fn find(places: &Places, running: &Running) -> Result<CudaSearch, Error> {
    search(places, running).map_err(|(path, source)| Error::CudaTree {
        path,
        source,
        wanted: running.compiled_for.clone(),
    })
}

fn open(tree: &CudaTree) -> Result<(), Error> {
    open_library(&tree.lib.join("libtorch_cuda.so"))?;
    for library in OPENED_LATER {
        // The last needs the driver; without either, only the operators that need them fail.
        let _ = open_library(&tree.lib.join(library));
    }
    // SAFETY: reads a flag of the loaded libraries.
    if unsafe { ffi::seg_torch_has_cuda_part() } == 0 {
        let reason = "libtorch was asked for CUDA before its CUDA part was there".to_owned();
        return Err(Error::LoadCuda { path: tree.lib.clone(), reason });
    }
    Ok(())
}

/// Opens a library for the rest of the process's life.
fn open_library(path: &Path) -> Result<(), Error> {
    let failed = |reason| Error::LoadCuda { path: path.to_owned(), reason };
    let name = CString::new(path.as_os_str().as_bytes())
        .map_err(|_| failed("its name holds a NUL byte".to_owned()))?;
    // SAFETY: the name ends in NUL and lives during the call. Loading runs the library's initializers: it is the
    // part of libtorch that belongs to the one in this process, by version and build, and what that needs.
    match unsafe { ffi::seg_torch_open_library(name.as_ptr()) } {
        ffi::OK => Ok(()),
        _ => Err(failed(ffi::last_error())),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::cuda_tree::RefusedTree;

    #[test]
    fn the_libtorch_that_runs_is_found() {
        let running = running();
        assert!(running.lib.join("libc10.so").is_file(), "{running:?}");
        assert!(running.version.starts_with("2."), "{running:?}");
        assert_eq!(loaded_library(c"libnothing.so"), None);
    }

    #[test]
    fn a_library_that_cannot_be_loaded_is_named_with_the_system_s_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("libtorch_cuda.so");
        fs::write(&path, "no library").unwrap();
        let tree = CudaTree { lib: folder.path().to_owned(), version: String::new() };
        let error = open(&tree).unwrap_err();
        assert!(matches!(&error, Error::LoadCuda { path: at, .. } if *at == path), "{error}");
        assert!(error.to_string().contains("too short") && error.hint().is_some(), "{error}");
    }

    #[test]
    fn each_outcome_has_its_reason() {
        let why = |load: CudaLoad| (load.why_not(), load.hint());
        let fits = CudaTree { lib: PathBuf::new(), version: String::new() };
        assert_eq!(why(CudaLoad::Loaded(fits)), (None, None));
        let (reason, hint) = why(CudaLoad::NotNeeded(Gpu::None));
        assert_eq!((reason.unwrap().contains("no NVIDIA GPU"), hint), (true, None));
        let (reason, hint) = why(CudaLoad::NotNeeded(Gpu::Hidden));
        assert_eq!((reason.unwrap().contains("CUDA_VISIBLE_DEVICES"), hint), (true, None));
        let (reason, hint) = why(CudaLoad::NotNeeded(Gpu::NoDriver));
        assert!(reason.unwrap().contains("not loaded") && hint.unwrap().contains("driver"));
        assert_eq!(why(CudaLoad::NotAsked).1, None);
        let (reason, hint) = why(CudaLoad::NotNeeded(Gpu::OutOfReach { driver: "580.1".to_owned() }));
        assert!(reason.unwrap().contains("580.1") && hint.unwrap().contains("--gpus"));
        let (reason, hint) = why(CudaLoad::NotFound(CudaSearch::default()));
        assert!(reason.is_some() && hint.unwrap().contains("make setup-cuda"));
        let refused = RefusedTree {
            path: "/venv/torch".into(),
            why: "it is old".to_owned(),
            help: "renew it".to_owned(),
        };
        let (reason, hint) =
            why(CudaLoad::NotFound(CudaSearch { refused: vec![refused], ..CudaSearch::default() }));
        assert_eq!(reason.unwrap(), "/venv/torch cannot be used: it is old");
        assert_eq!(hint.unwrap(), "renew it");
    }
}
