//! Whether a class raster is what its manifest says.

use super::manifest::{Input, Manifest, Software};
use super::outputs::open_classes;
use super::{Job, Prepared, prepare, record};
use crate::checksum::sha256_of;
use crate::diagnostic::Advice;
use crate::value::Sample;
use seg_gdal::Crs;
use seg_grid::{Observer, RasterSource as _, Size};
use seg_run::{Comparison, Fresh, WorkFolder};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// A class raster and what is to be checked of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim<'a> {
    pub classes: &'a Path,
    pub manifest: &'a Manifest,
    pub sample: Sample,
    pub seed: u64,
    pub model: Named,
    pub input: Named,
}

/// Who says which network or raster is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    /// The manifest: it has to be the one of the run.
    ByManifest,
    /// The user: another one is told.
    ByUser,
}

/// What was found.
#[derive(Debug, Serialize)]
pub(crate) struct Verdict {
    /// Whether no file was altered and no pixel differs.
    pub equal: bool,
    pub files: Vec<FileVerdict>,
    /// What is not as it was when the raster was made.
    pub differs: Vec<String>,
    pub tiles: u64,
    pub tiles_checked: u64,
    #[serde(flatten)]
    pub comparison: Comparison,
}

/// One file of the manifest.
#[derive(Debug, Serialize)]
pub(crate) struct FileVerdict {
    pub file: PathBuf,
    pub state: FileState,
}

/// Whether a file is the one that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FileState {
    AsRecorded,
    Altered,
    Missing,
}

/// Parameters whose difference is told by another name, or changes no class.
const TOLD_OTHERWISE: [&str; 2] = ["libtorch", "device"];

/// Checks the files of a manifest, and computes tiles again.
pub(crate) fn verify(job: &Job, claim: &Claim<'_>, observer: &dyn Observer) -> anyhow::Result<Verdict> {
    let files = files(claim)?;
    let mut prepared = prepare(job, observer)?;
    let differs = differences(job, &mut prepared, claim)?;
    for what in &differs {
        observer.warning(&format!("{what}: classes may differ for that alone"));
    }
    let Prepared { input: super::input::Input { source, reference, .. }, legend, plan, network, key, .. } =
        prepared;
    let found = open_classes(claim.classes)?;
    let (size, expected) = (found.profile().size, reference.size);
    if size != expected {
        let what = format!("{} has {size} pixels, its manifest {expected}", claim.classes.display());
        return Err(Advice::new(what, "it is not the raster that the manifest was written for").into());
    }
    let ids: Vec<u8> = legend.classes().iter().map(|class| class.id.0).collect();
    let again = seg_run::Claim { network: &network, source: &*source, plan: &plan, ids: &ids, found: &found };
    let (comparison, tiles_checked) = match claim.sample {
        // Where scores go back to other pixels, or only an area is wanted, a pixel hangs on more than its tiles.
        Sample::Tiles(count) if plan.regrid.is_none() && job.area.is_none() => {
            let tiles = seg_run::sample_tiles(&plan.grid, count, claim.seed);
            (seg_run::check_tiles(again, &tiles, observer)?, tiles.len() as u64)
        }
        Sample::Tiles(_) | Sample::All => {
            let folder = tempfile::tempdir()?;
            let work = WorkFolder::open(folder.path().join("work"), &key, Fresh::Expected)?;
            (seg_run::check_all(again, &work, observer)?, plan.grid.len())
        }
    };
    let altered = files.iter().any(|file| file.state == FileState::Altered);
    let equal = !altered && comparison.differing == 0;
    Ok(Verdict { equal, files, differs, tiles: plan.grid.len(), tiles_checked, comparison })
}

/// Compares every file of the manifest with its checksum; the class raster may have another name by now.
fn files(claim: &Claim<'_>) -> anyhow::Result<Vec<FileVerdict>> {
    let verdict = |recorded: &super::manifest::OutputFile| {
        let path = match recorded.what.as_str() {
            "classes" => claim.classes.to_path_buf(),
            _ => claim.classes.with_file_name("").join(&recorded.file),
        };
        let state = if path.is_file() {
            let (bytes, sha256) = sha256_of(&path)?;
            let same = bytes == recorded.bytes && sha256 == recorded.sha256;
            if same { FileState::AsRecorded } else { FileState::Altered }
        } else {
            FileState::Missing
        };
        Ok(FileVerdict { file: path, state })
    };
    claim.manifest.outputs.iter().map(verdict).collect()
}

/// What is not as it was in the run; refused where comparing would mean nothing.
fn differences(job: &Job, prepared: &mut Prepared, claim: &Claim<'_>) -> anyhow::Result<Vec<String>> {
    let manifest = claim.manifest;
    let mut differs = Vec::new();
    let mut skipped = TOLD_OTHERWISE.to_vec();
    let input = record::of_input(job, &mut prepared.input)?;
    if let Some(what) = other_input(&manifest.input, &input) {
        if claim.input == Named::ByManifest || sides(&input) != sides(&manifest.input) {
            let hint = "--input says where the raster of that run lies now";
            return Err(Advice::new(what, hint).into());
        }
        differs.push(what);
        skipped.push("normalization");
    }
    let model = prepared.key.0.get("model").cloned().unwrap_or_default();
    if model != manifest.model.fingerprint {
        let what = format!("{} is not the network of that run, {}", job.model, manifest.model.name);
        if claim.model == Named::ByManifest {
            let what = format!(
                "{} has changed since the raster was made: its fingerprint is another one",
                job.model
            );
            return Err(Advice::new(what, "--model FILE names the network of that run").into());
        }
        differs.push(what);
        skipped.push("normalization");
    }
    let parameters = |name: &&String| {
        !skipped.contains(&name.as_str()) && prepared.key.0.get(*name) != manifest.parameters.get(*name)
    };
    let other: Vec<&str> = manifest.parameters.keys().filter(parameters).map(String::as_str).collect();
    if !other.is_empty() {
        let what = format!("cannot repeat that run: {} would differ", other.join(", "));
        return Err(Advice::new(what, "use the rs-seg, the raster and the network that made it").into());
    }
    differs.extend(other_software(&manifest.software, &record::software(job, prepared.precision)));
    Ok(differs)
}

fn sides(input: &Input) -> Size {
    Size { width: input.width, height: input.height }
}

/// Whether both lie in one CRS, whatever words this PROJ has for it.
fn same_crs(recorded: &Input, now: &Input) -> bool {
    if recorded.crs_wkt == now.crs_wkt {
        return true;
    }
    let crs = |input: &Input| input.crs_wkt.as_deref().and_then(|wkt| Crs::parse(wkt).ok());
    matches!((crs(recorded), crs(now)), (Some(a), Some(b)) if a.is_same(&b))
}

/// In what a raster is another one; its name may differ.
fn other_input(recorded: &Input, now: &Input) -> Option<String> {
    let name = &now.name;
    if sides(recorded) != sides(now) {
        return Some(format!("{name} has {} pixels, the raster of that run {}", sides(now), sides(recorded)));
    }
    if recorded.geotransform != now.geotransform || !same_crs(recorded, now) {
        return Some(format!("{name} lies elsewhere than the raster of that run"));
    }
    let same = recorded.fingerprint == now.fingerprint && recorded.bands == now.bands;
    (!same).then(|| format!("{name} has other pixels than the raster of that run"))
}

/// What computes otherwise than in the run.
fn other_software(recorded: &Software, now: &Software) -> Vec<String> {
    let named = |software: &Software| {
        [
            ("rs-seg", software.rs_seg.clone()),
            ("GDAL", software.gdal.clone()),
            ("PROJ", software.proj.clone()),
            ("libtorch", software.libtorch.clone()),
            ("the processor's instructions", software.cpu_capability.clone()),
            ("the device", software.device.clone()),
            ("the precision", software.precision.clone()),
        ]
    };
    let pairs = named(recorded).into_iter().zip(named(now));
    let told = |((what, then), (_, now)): ((&str, String), (&str, String))| {
        (then != now).then(|| format!("{what} was {then} in that run, is {now} here"))
    };
    pairs.filter_map(told).collect()
}
