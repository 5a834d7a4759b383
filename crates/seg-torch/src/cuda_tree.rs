//! Where libtorch's CUDA part may lie, and whether what lies there fits the libtorch that runs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{env, fs};

use crate::build_id::build_id;

/// The variable that names a libtorch with CUDA.
pub(crate) const VARIABLE: &str = "RS_SEG_LIBTORCH";
/// What is looked for.
const CUDA_PART: &str = "libtorch_cuda.so";
/// What the CUDA part calls into: it has to be the one that was loaded.
const CALLED: [&str; 2] = ["libc10.so", "libtorch_cpu.so"];

/// A CUDA part that fits the libtorch that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CudaTree {
    /// The folder of `libtorch_cuda.so`.
    pub lib: PathBuf,
    /// libtorch's version.
    pub version: String,
}

/// A CUDA part that was found and cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedTree {
    /// Its folder.
    pub path: PathBuf,
    /// Why it cannot be used.
    pub why: String,
    /// What the user can do.
    pub help: String,
}

/// What a search for a CUDA part found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CudaSearch {
    /// The first that fits.
    pub found: Option<CudaTree>,
    /// Where was looked.
    pub looked: Vec<PathBuf>,
    /// What was there and does not fit.
    pub refused: Vec<RefusedTree>,
}

/// Why a folder is no CUDA part that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeFault {
    /// It does not exist.
    #[error("there is no such folder")]
    Missing,
    /// It holds no libtorch.
    #[error("neither it nor lib/ nor torch/lib/ in it holds libtorch_cuda.so")]
    NoLibtorch,
    /// It holds a libtorch without CUDA.
    #[error("the libtorch in it is for the processor only: {} lacks libtorch_cuda.so", lib.display())]
    ProcessorOnly {
        /// The folder of its libraries.
        lib: PathBuf,
    },
    /// Its version cannot be told.
    #[error("its version is unknown: {} holds neither version.py nor build-version", folder.display())]
    NoVersion {
        /// Where the version should be.
        folder: PathBuf,
    },
    /// It is of another version.
    #[error("it is libtorch {found}, rs-seg is made for {wanted}")]
    Version {
        /// Its version.
        found: String,
        /// The version that fits.
        wanted: String,
    },
    /// It is of the same version and was built another way.
    #[error("its {library} is another build than the one that rs-seg runs with")]
    OtherBuild {
        /// The library that differs.
        library: &'static str,
        /// The folder of its libraries.
        lib: PathBuf,
    },
}

impl TreeFault {
    /// What the user can do about it; `wanted` is the version that fits.
    pub(crate) fn hint(&self, wanted: &str) -> String {
        match self {
            Self::OtherBuild { lib, .. } => format!(
                "`make setup-cuda` gets one that fits; or start rs-seg with LD_LIBRARY_PATH={}, so that all of \
                 libtorch comes from there",
                lib.display()
            ),
            _ => how_to_get(wanted),
        }
    }
}

/// How to come by a CUDA part.
pub(crate) fn how_to_get(wanted: &str) -> String {
    format!(
        "`make setup-cuda` gets libtorch {wanted} with CUDA, or `pip install torch=={wanted}` and set {VARIABLE} to \
         the folder torch of its site-packages"
    )
}

/// The libtorch that runs.
#[derive(Debug, Clone)]
pub(crate) struct Running {
    /// Its version.
    pub(crate) version: String,
    /// The version that this program was compiled for.
    pub(crate) compiled_for: String,
    /// The folder of its libraries.
    pub(crate) lib: PathBuf,
}

/// Where a CUDA part may be.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places {
    /// What the user named.
    named: Option<PathBuf>,
    /// Beside the libtorch that runs.
    beside: Vec<PathBuf>,
    /// In the Python that is active.
    python: Vec<PathBuf>,
}

impl Places {
    /// Those of this process.
    pub(crate) fn of_this_process(running: &Running) -> Self {
        let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        let pythons = [variable("VIRTUAL_ENV"), variable("CONDA_PREFIX")];
        Self::new(variable(VARIABLE), &running.lib, pythons.into_iter().flatten().map(PathBuf::from))
    }

    fn new(named: Option<OsString>, lib: &Path, pythons: impl Iterator<Item = PathBuf>) -> Self {
        Self {
            named: named.map(PathBuf::from),
            beside: [Some(lib.to_owned()), beside(lib)].into_iter().flatten().collect(),
            python: pythons.flat_map(|prefix| site_packages_torch(&prefix)).collect(),
        }
    }

    /// Whether the user named one.
    pub(crate) fn is_named(&self) -> bool {
        self.named.is_some()
    }
}

/// Looks for a CUDA part that fits: where the user says and nowhere else, or else in all places.
///
/// # Errors
/// When the user named one that does not fit.
pub(crate) fn search(places: &Places, running: &Running) -> Result<CudaSearch, (PathBuf, TreeFault)> {
    if let Some(path) = &places.named {
        let found = inspect(path, running).map_err(|fault| (path.clone(), fault))?;
        return Ok(CudaSearch { found: Some(found), looked: vec![path.clone()], refused: Vec::new() });
    }
    let mut search = CudaSearch::default();
    for path in places.beside.iter().chain(&places.python) {
        search.looked.push(path.clone());
        match inspect(path, running) {
            Ok(tree) => {
                search.found = Some(tree);
                break;
            }
            // A libtorch without CUDA is what there usually is beside.
            Err(TreeFault::Missing | TreeFault::NoLibtorch) => {}
            Err(TreeFault::ProcessorOnly { .. }) if places.beside.contains(path) => {}
            Err(fault) => {
                search.refused.push(RefusedTree {
                    path: path.clone(),
                    why: fault.to_string(),
                    help: fault.hint(&running.compiled_for),
                });
            }
        }
    }
    Ok(search)
}

/// Whether a folder is a CUDA part that fits: a libtorch, the package `torch` of Python, or its site-packages.
fn inspect(path: &Path, running: &Running) -> Result<CudaTree, TreeFault> {
    if !path.is_dir() {
        return Err(TreeFault::Missing);
    }
    let libs = [path.join("lib"), path.join("torch/lib"), path.to_owned()];
    let holds = |library: &str| libs.iter().find(|lib| lib.join(library).is_file()).cloned();
    let lib = match (holds(CUDA_PART), holds("libtorch_cpu.so")) {
        (Some(lib), _) => lib,
        (None, Some(lib)) => return Err(TreeFault::ProcessorOnly { lib }),
        (None, None) => return Err(TreeFault::NoLibtorch),
    };
    let root = lib.parent().unwrap_or(&lib);
    let found = match version(root) {
        _ if same_file(&lib, &running.lib) => running.version.clone(),
        Some(version) => version,
        None => return Err(TreeFault::NoVersion { folder: root.to_owned() }),
    };
    // `2.13.0+cu130` is 2.13.0, built for CUDA 13.0.
    if found.split('+').next() != running.compiled_for.split('+').next() {
        return Err(TreeFault::Version { found, wanted: running.compiled_for.clone() });
    }
    for library in CALLED {
        let (its, ours) = (lib.join(library), running.lib.join(library));
        let id = build_id(&its);
        if !same_file(&its, &ours) && (id.is_none() || id != build_id(&ours)) {
            return Err(TreeFault::OtherBuild { library, lib });
        }
    }
    Ok(CudaTree { lib, version: found })
}

/// The folder of a CUDA part that belongs to a libtorch: `.libtorch-cuda/torch` to `.libtorch/lib`, and
/// `lib/rs-seg-cuda/torch` to `lib/rs-seg`.
fn beside(lib: &Path) -> Option<PathBuf> {
    let tree = if lib.file_name()? == "lib" { lib.parent()? } else { lib };
    let mut name = tree.file_name()?.to_owned();
    name.push("-cuda");
    Some(tree.with_file_name(name).join("torch"))
}

/// The packages `torch` of a Python's folder, mostly one.
fn site_packages_torch(prefix: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(prefix.join("lib")) else { return Vec::new() };
    let pythons = entries.flatten().map(|entry| entry.path());
    let of_version = |path: &PathBuf| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("python3"))
    };
    let mut found: Vec<_> = pythons
        .filter(of_version)
        .map(|python| python.join("site-packages/torch"))
        .filter(|torch| torch.is_dir())
        .collect();
    found.sort();
    found
}

/// The version that a libtorch's folder tells: a Python package in `version.py`, an archive in `build-version`.
fn version(folder: &Path) -> Option<String> {
    if let Ok(text) = fs::read_to_string(folder.join("version.py")) {
        let line =
            text.lines().find_map(|line| line.strip_prefix("__version__")?.trim().strip_prefix('='))?;
        return Some(line.trim().trim_matches(['\'', '"']).to_owned()).filter(|version| !version.is_empty());
    }
    let text = fs::read_to_string(folder.join("build-version")).ok()?;
    Some(text.trim().to_owned()).filter(|version| !version.is_empty())
}

fn same_file(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

#[cfg(test)]
mod tests;
