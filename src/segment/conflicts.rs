//! Outputs that would destroy what the run reads, each other, or somebody else's files.

use super::outputs::side_car;
use super::{AreaRequest, Job, Wanted};
use crate::context::Existing;
use crate::diagnostic::Advice;
use crate::network::NetworkName;
use seg_gdal::files_behind;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Refuses outputs that are inputs, that share a name, or whose side-car would replace a stranger's.
pub(crate) fn check(job: &Job, existing: Existing) -> Result<(), Advice> {
    let mut read: Vec<_> = job.inputs.iter().map(|input| ("input", PathBuf::from(input))).collect();
    if let Some(AreaRequest::Polygons(area)) = &job.area {
        read.push(("area", PathBuf::from(area)));
    }
    if let NetworkName::File(network) = &job.model {
        read.push(("network", network.clone()));
        read.push(("network's description", network.with_extension("toml")));
    }
    check_written(&job.outputs, &read, existing)
}

/// The same for outputs of whatever is read.
pub(crate) fn check_written(
    outputs: &Wanted,
    read: &[(&str, PathBuf)],
    existing: Existing,
) -> Result<(), Advice> {
    let (outputs, rasters) = (outputs.files(), outputs.rasters());
    let written: Vec<(String, PathBuf)> = outputs
        .iter()
        .map(|(what, path)| ((*what).to_owned(), path.to_path_buf()))
        .chain(rasters.iter().map(|(what, path)| (format!("the side-car of {what}"), side_car(path))))
        .collect();
    for (i, (what, path)) in written.iter().enumerate() {
        if let Some((other, _)) = written[..i].iter().find(|(_, before)| resolved(before) == resolved(path)) {
            let text = format!("{other} and {what} would both be written to {}", path.display());
            return Err(Advice::new(text, "give each output a name of its own"));
        }
        refuse(what, path, read.iter().map(|(other, read)| (*other, &**read)))?;
    }
    for (what, path) in &rasters {
        let beside = side_car(path);
        if existing == Existing::Refuse && beside.exists() {
            let text = format!("{} exists and would become the side-car of {what}", beside.display());
            return Err(Advice::new(text, "--overwrite replaces it"));
        }
    }
    Ok(())
}

/// Refuses an output that is one of the things read: each is called something, and has a name that GDAL can open.
pub(crate) fn refuse<'a>(
    what: &str,
    path: &Path,
    read: impl IntoIterator<Item = (&'a str, &'a Path)>,
) -> Result<(), Advice> {
    match read.into_iter().find(|(_, name)| is_read_from(name, path)) {
        None => Ok(()),
        Some((other, _)) => {
            let text = format!("{what} would replace the {other}, {}", path.display());
            Err(Advice::new(text, "write to another file; --overwrite is for earlier results"))
        }
    }
}

/// Whether what GDAL opens by a name is read from a file, be it by a link, as a part of it or through a VRT.
pub(crate) fn is_read_from(name: &Path, file: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).map(|m| (m.dev(), m.ino())).ok();
    let Some(file) = identity(file) else { return false };
    identity(name) == Some(file)
        || files_behind(&name.to_string_lossy()).iter().any(|path| identity(path) == Some(file))
}

/// The path with its folder's own name, whether the file exists or not.
pub(super) fn resolved(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::canonicalize(folder)
        .map_or_else(|_| path.to_path_buf(), |f| f.join(path.file_name().unwrap_or_default()))
}
