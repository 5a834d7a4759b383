//! Outputs that would destroy what the run reads, each other, or somebody else's files.

use super::outputs::side_car;
use super::{AreaRequest, Job, Wanted};
use crate::context::Existing;
use crate::diagnostic::Advice;
use crate::network::NetworkName;
use seg_gdal::files_behind;
use std::collections::HashMap;
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
    refuse_any(what, [path], read)
}

/// The same for many outputs: what lies behind the name of a thing read is looked up once.
pub(crate) fn refuse_any<'a, 'b>(
    what: &str,
    outputs: impl IntoIterator<Item = &'b Path>,
    read: impl IntoIterator<Item = (&'a str, &'a Path)>,
) -> Result<(), Advice> {
    let there: HashMap<_, _> = outputs.into_iter().filter_map(|path| Some((identity(path)?, path))).collect();
    if there.is_empty() {
        return Ok(());
    }
    for (other, name) in read {
        if let Some(path) = identities(name).find_map(|file| there.get(&file)) {
            let text = format!("{what} would replace the {other}, {}", path.display());
            return Err(Advice::new(text, "write to another file; --overwrite is for earlier results"));
        }
    }
    Ok(())
}

/// Whether what GDAL opens by a name is read from a file, be it by a link, as a part of it or through a VRT.
pub(crate) fn is_read_from(name: &Path, file: &Path) -> bool {
    identity(file).is_some_and(|file| identities(name).any(|other| other == file))
}

/// What tells a file from others, whatever it is called; `None` if there is none.
fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).map(|m| (m.dev(), m.ino())).ok()
}

/// The files that GDAL reads for a name; those behind it are looked up only where its own is not enough.
fn identities(name: &Path) -> impl Iterator<Item = (u64, u64)> {
    let behind = std::iter::once_with(|| files_behind(&name.to_string_lossy()));
    identity(name).into_iter().chain(behind.flatten().filter_map(|path| identity(&path)))
}

/// The path with its folder's own name, whether the file exists or not.
pub(super) fn resolved(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::canonicalize(folder)
        .map_or_else(|_| path.to_path_buf(), |f| f.join(path.file_name().unwrap_or_default()))
}
