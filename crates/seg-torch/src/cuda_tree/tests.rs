use std::os::unix::fs::symlink;

use super::*;
use crate::cuda::{loaded_library, running};

/// A folder with what a Python package of a version has; its libraries are those that run.
fn package(folder: &Path, version: &str) -> PathBuf {
    let torch = folder.join("torch");
    fs::create_dir_all(torch.join("lib")).unwrap();
    fs::write(
        torch.join("version.py"),
        format!("from typing import X\n\n__version__ = '{version}'\ndebug = False\n"),
    )
    .unwrap();
    fs::write(torch.join("lib").join(CUDA_PART), "not looked into").unwrap();
    for library in CALLED {
        symlink(running().lib.join(library), torch.join("lib").join(library)).unwrap();
    }
    torch
}

fn fitting() -> String {
    format!("{}+cu130", running().version)
}

fn named(path: &Path) -> Result<CudaSearch, TreeFault> {
    let places = Places::new(Some(path.into()), Path::new("/none/lib"), std::iter::empty());
    search(&places, &running()).map_err(|(_, fault)| fault)
}

#[test]
fn a_named_tree_may_be_any_folder_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let site_packages = folder.path().join("with spaces, ü/site-packages");
    let torch = package(&site_packages, &fitting());
    for path in [site_packages, torch.clone(), torch.join("lib")] {
        let found = named(&path).unwrap().found.unwrap();
        assert_eq!(found, CudaTree { lib: torch.join("lib"), version: fitting() }, "{}", path.display());
    }
    // An archive of libtorch has its version elsewhere.
    fs::remove_file(torch.join("version.py")).unwrap();
    assert_eq!(named(&torch), Err(TreeFault::NoVersion { folder: torch.clone() }));
    fs::write(torch.join("build-version"), format!("{}\n", fitting())).unwrap();
    assert_eq!(named(&torch).unwrap().found.unwrap().version, fitting());
}

#[test]
fn a_named_tree_that_does_not_fit_is_a_fault_that_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    assert_eq!(named(&root.join("none")), Err(TreeFault::Missing));
    assert_eq!(named(root), Err(TreeFault::NoLibtorch));
    fs::write(root.join("file"), "").unwrap();
    assert_eq!(named(&root.join("file")), Err(TreeFault::Missing));

    let torch = package(root, "2.0.1+cu118");
    let fault = named(&torch).unwrap_err();
    assert_eq!(fault, TreeFault::Version { found: "2.0.1+cu118".to_owned(), wanted: running().version });
    assert!(fault.hint(&running().version).contains(&format!("torch=={}", running().version)));
    // A longer number is another version.
    fs::write(torch.join("version.py"), format!("__version__ = '{}1'", running().version)).unwrap();
    assert!(matches!(named(&torch), Err(TreeFault::Version { .. })));

    fs::write(torch.join("version.py"), format!("__version__ = '{}'", fitting())).unwrap();
    let lib = torch.join("lib");
    for content in [fs::read(loaded_library(c"libc10.so").unwrap()).unwrap(), b"no library".to_vec()] {
        fs::remove_file(lib.join("libtorch_cpu.so")).unwrap();
        fs::write(lib.join("libtorch_cpu.so"), content).unwrap();
        let fault = named(&torch).unwrap_err();
        assert_eq!(fault, TreeFault::OtherBuild { library: "libtorch_cpu.so", lib: lib.clone() });
        assert!(fault.hint("2").contains(&format!("LD_LIBRARY_PATH={}", lib.display())));
    }
    fs::remove_file(lib.join(CUDA_PART)).unwrap();
    assert_eq!(named(&torch), Err(TreeFault::ProcessorOnly { lib }));
}

#[test]
fn a_named_tree_is_the_only_one() {
    let folder = tempfile::tempdir().unwrap();
    let torch = package(&folder.path().join("venv/lib/python3.12/site-packages"), &fitting());
    let prefix = folder.path().join("venv");
    let places = |named: Option<&Path>| {
        Places::new(named.map(Into::into), &running().lib, [prefix.clone()].into_iter())
    };
    let (path, fault) = search(&places(Some(Path::new("/none"))), &running()).unwrap_err();
    assert_eq!((path.as_path(), fault), (Path::new("/none"), TreeFault::Missing));
    let found = search(&places(None), &running()).unwrap();
    assert!(found.looked.contains(&torch) || found.found.is_some_and(|tree| tree.lib != torch.join("lib")));
}

#[test]
fn beside_comes_before_the_active_python_and_what_does_not_fit_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    let ours = Running { lib: at("tree/lib"), ..running() };
    fs::create_dir_all(&ours.lib).unwrap();
    for library in CALLED {
        symlink(running().lib.join(library), ours.lib.join(library)).unwrap();
    }
    let find = || {
        let pythons = [at("venv"), at("conda")];
        search(&Places::new(None, &ours.lib, pythons.into_iter()), &ours).unwrap()
    };
    let nothing = find();
    assert_eq!((nothing.found, nothing.refused), (None, Vec::new()));
    assert_eq!(nothing.looked, [at("tree/lib"), at("tree-cuda/torch")]);

    let old = package(&at("venv/lib/python3.9/site-packages"), "1.13.0");
    let fits = package(&at("conda/lib/python3.12/site-packages"), &fitting());
    let conda = find();
    assert_eq!(conda.found.unwrap().lib, fits.join("lib"));
    assert_eq!(conda.refused[0].path, old);
    assert!(conda.refused[0].why.starts_with("it is libtorch 1.13.0"), "{:?}", conda.refused);
    assert!(conda.refused[0].help.contains("pip install torch=="), "{:?}", conda.refused);

    let beside = package(&at("tree-cuda"), &fitting());
    assert_eq!(find().found.unwrap().lib, beside.join("lib"));
    // A libtorch that was started with its CUDA part needs no other.
    fs::write(ours.lib.join(CUDA_PART), "").unwrap();
    assert_eq!(find().found.unwrap(), CudaTree { lib: ours.lib.clone(), version: ours.version.clone() });
    // Nor does one that was started with another version have any that fits.
    let other = Running { version: "2.99.0".to_owned(), ..ours.clone() };
    let fault = inspect(&ours.lib, &other).unwrap_err();
    assert!(matches!(fault, TreeFault::Version { found, .. } if found == "2.99.0"));
}

#[test]
fn the_folder_beside_has_the_name_of_the_tree() {
    let beside = |lib: &str| beside(Path::new(lib)).unwrap();
    assert_eq!(beside("/src/.libtorch/lib"), Path::new("/src/.libtorch-cuda/torch"));
    assert_eq!(beside("/opt/bin/../lib/rs-seg"), Path::new("/opt/bin/../lib/rs-seg-cuda/torch"));
}
