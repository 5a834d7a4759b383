//! Parts that were computed apart become the outputs of one run.

use super::outputs::{Assembly, OutputFiles, TraceLimits, Wanted};
use super::part::{self, Found, Record};
use super::{conflicts, manifest, record, run};
use crate::context::Existing;
use crate::diagnostic::Advice;
use crate::value::Shard;
use seg_gdal::OutputFormat;
use seg_grid::Observer;
use seg_label::Legend;
use seg_run::{Output, ProbabilityType, Strips, WorkFolder};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// What is to be made of parts.
#[derive(Debug)]
pub(crate) struct MergeJob {
    /// Folders of parts, or folders that hold those.
    pub parts: Vec<PathBuf>,
    pub classes: PathBuf,
    pub probabilities: Option<PathBuf>,
    pub confidence: Option<PathBuf>,
    pub vector: Option<PathBuf>,
    pub manifest: Option<PathBuf>,
    pub format: OutputFormat,
    pub creation_options: Vec<String>,
    pub limits: TraceLimits,
}

/// Parts that were found to make a whole.
pub(crate) struct Ready {
    first: Record,
    strips: Strips,
    outputs: Vec<Output>,
    pub wanted: Wanted,
    /// Where each part lies.
    pub parts: Vec<(PathBuf, Shard)>,
    /// Keeps others from changing them.
    _held: Vec<Option<File>>,
    pub tiles_computed: u64,
    pub tiles_skipped: u64,
    /// What the parts hold and nobody asks for, in lines.
    pub notes: Vec<String>,
}

/// What was made.
pub(crate) struct Merged {
    pub legend: Legend,
    /// Pixels by class, in the legend's order, and those without data at the end.
    pub pixels: Vec<u64>,
}

/// Reads what is known of the parts, and refuses those that make no whole.
pub(crate) fn prepare(job: &MergeJob) -> anyhow::Result<Ready> {
    let Found { mut whole, begun } = part::find(&job.parts)?;
    whole.sort_by_key(|(_, record)| record.shard.index);
    let Some((first_folder, first)) = whole.first().cloned() else {
        let names: Vec<_> = begun.iter().map(|path| path.display().to_string()).collect();
        let what = format!("no part is whole; begun are {}", names.join(", "));
        return Err(Advice::new(what, "the same `rs-seg infer --shard` goes on with each").into());
    };
    for (folder, other) in &whole {
        if let Some(what) = difference(&first, other) {
            let (one, two) = (first_folder.display(), folder.display());
            let text = format!("parts {one} and {two} are not of one run: {what}");
            let hint =
                "compute all with the same input, network, flags and versions, on processors of one kind";
            return Err(Advice::new(text, hint).into());
        }
    }
    if let Some(pair) = whole.windows(2).find(|pair| pair[0].1.shard == pair[1].1.shard) {
        let (one, two) = (pair[0].0.display(), pair[1].0.display());
        let what = format!("part {} is there twice: {one} and {two}", pair[0].1.shard);
        return Err(Advice::new(what, "name each part once").into());
    }
    let there: BTreeSet<_> = whole.iter().map(|(_, record)| record.shard.index).collect();
    let count = first.shard.count;
    let missing: Vec<_> = (0..count).filter(|index| !there.contains(index)).collect();
    if !missing.is_empty() {
        return Err(lacking(&missing, count).into());
    }
    let held = whole.iter().map(|(folder, _)| WorkFolder::hold(folder)).collect::<Result<Vec<_>, _>>()?;
    let pieces = whole.iter().map(|(folder, record)| record.piece(folder)).collect();
    let strips = Strips::of_parts(first.result, pieces)?;
    let (outputs, wanted, notes) = outputs(job, &first)?;
    Ok(Ready {
        strips,
        outputs,
        wanted,
        notes,
        tiles_computed: whole.iter().map(|(_, record)| record.tiles_computed).sum(),
        tiles_skipped: whole.iter().map(|(_, record)| record.tiles_skipped).sum(),
        parts: whole.into_iter().map(|(folder, record)| (folder, record.shard)).collect(),
        _held: held,
        first,
    })
}

/// Refuses outputs that would replace what the parts were made of, or lie in one of them.
pub(crate) fn check_outputs(ready: &Ready, existing: Existing) -> Result<(), Advice> {
    let inputs = ready.first.manifest.input.files.iter();
    let read: Vec<_> = inputs.map(|name| ("raster that was segmented", PathBuf::from(name))).collect();
    conflicts::check_written(&ready.wanted, &read, existing)?;
    let known = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    for (what, path) in ready.wanted.files() {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if let Some((part, _)) = ready.parts.iter().find(|(part, _)| known(folder).starts_with(known(part))) {
            let text = format!("{what} would be written into the part {}", part.display());
            return Err(Advice::new(text, "write it to another folder"));
        }
    }
    Ok(())
}

/// Makes the outputs.
pub(crate) fn merge(job: &MergeJob, ready: Ready, observer: &dyn Observer) -> anyhow::Result<Merged> {
    let Ready { first, strips, outputs, wanted, parts, _held, .. } = ready;
    let Record { legend, reference, tiles, mut manifest, in_area, .. } = first;
    let files = OutputFiles::new(&wanted);
    let made = || -> anyhow::Result<Vec<u64>> {
        let assembly = Assembly {
            strips: &strips,
            outputs: &outputs,
            tiles: tiles.as_ref(),
            legend: &legend,
            reference: &reference,
            format: job.format,
            creation_options: &job.creation_options,
        };
        let counted = files.assemble(assembly, observer)?;
        if in_area {
            run::warn_if_empty(&counted.pixels, legend.len(), observer);
        }
        files.trace(&legend, job.limits, observer)?;
        match &wanted.manifest {
            Some(path) => {
                record::complete(&mut manifest, &counted, files.list()?);
                files.stage(&manifest.to_json()?, path)?;
            }
            // One that an earlier run left would speak of another raster.
            None => manifest::remove_own(&manifest::path_for(&wanted.classes)),
        }
        files.publish()?;
        Ok(counted.pixels)
    }();
    match made {
        Ok(pixels) => Ok(Merged { legend, pixels }),
        Err(error) => {
            files.remove_staged();
            Err(told_by_part(error, &parts))
        }
    }
}

/// Removes parts whose outputs are whole, and the folder that held them if nothing else is in it.
pub(crate) fn remove_parts(parts: &[(PathBuf, Shard)], observer: &dyn Observer) {
    for (folder, _) in parts {
        let link = fs::symlink_metadata(folder).is_ok_and(|found| found.is_symlink());
        let Ok(folder) = fs::canonicalize(folder) else { continue };
        match WorkFolder::remove_part(&folder, part::FILE) {
            Ok(()) if link => observer.warning(&format!("a link to {} stays", folder.display())),
            Ok(()) => part::remove_if_empty(&folder),
            Err(error) => observer.warning(&format!("the outputs are whole, but {error}")),
        }
    }
}

/// Says which part it is that cannot be read.
fn told_by_part(error: anyhow::Error, parts: &[(PathBuf, Shard)]) -> anyhow::Error {
    use seg_run::Error::{DamagedStrip, Work};
    let Some(DamagedStrip { path, .. } | Work { path, .. }) = error.downcast_ref() else { return error };
    match parts.iter().find(|(folder, _)| path.starts_with(folder)) {
        Some((_, shard)) => {
            let hint = format!("compute it again: rs-seg infer ... --shard {shard} --discard");
            let reason = format!("{error:#}");
            Advice::new(format!("part {shard} is damaged: {reason}"), hint).into()
        }
        None => error,
    }
}

/// What of two parts tells that they are not of one run.
fn difference(first: &Record, other: &Record) -> Option<String> {
    let differing = first.key.differing(&other.key);
    if !differing.is_empty() {
        return Some(format!("{} differ", differing.join(", ")));
    }
    if first.shard.count != other.shard.count {
        return Some(format!("one is of {}, the other of {} parts", first.shard.count, other.shard.count));
    }
    let (one, two) = (&first.manifest, &other.manifest);
    if one.software != two.software || one.flags != two.flags || one.parameters != two.parameters {
        return Some("flags or versions differ".to_owned());
    }
    if first.legend != other.legend {
        return Some("their legends differ".to_owned());
    }
    let same_cut =
        first.result == other.result && first.tiles == other.tiles && first.reference == other.reference;
    (!same_cut).then(|| "their grids differ".to_owned())
}

/// The error that names missing parts, the first of them.
fn lacking(missing: &[usize], count: usize) -> Advice {
    const LISTED: usize = 20;
    let names: Vec<_> =
        missing.iter().take(LISTED).map(|&index| Shard { index, count }.to_string()).collect();
    let more = missing.len().saturating_sub(LISTED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let what =
        format!("{} of {count} parts are missing or not finished: {}{more}", missing.len(), names.join(", "));
    let hint = format!("compute them: rs-seg infer ... --shard {}", names.first().map_or("", String::as_str));
    Advice::new(what, hint)
}

/// What is made, where it goes, and what is left.
fn outputs(job: &MergeJob, first: &Record) -> anyhow::Result<(Vec<Output>, Wanted, Vec<String>)> {
    let probability_type = first.outputs.iter().find_map(|output| match output {
        Output::Probabilities(kind) => Some(*kind),
        _ => None,
    });
    let lacks = |flag: &str| {
        let what = format!("{flag}: the parts hold none");
        Advice::new(what, format!("compute them with `rs-seg infer {flag} FILE --shard ...` too"))
    };
    let probabilities: Option<(PathBuf, ProbabilityType)> = match (&job.probabilities, probability_type) {
        (Some(path), Some(kind)) => Some((path.clone(), kind)),
        (Some(_), None) => return Err(lacks("--probabilities").into()),
        (None, _) => None,
    };
    let held = first.outputs.contains(&Output::Confidence);
    if job.confidence.is_some() && !held {
        return Err(lacks("--confidence").into());
    }
    let mut notes = Vec::new();
    for (flag, left) in [
        ("--probabilities", probability_type.is_some() && probabilities.is_none()),
        ("--confidence", held && job.confidence.is_none()),
    ] {
        if left {
            notes.push(format!("{flag} FILE would write what the parts hold of that too"));
        }
    }
    let wanted = Wanted {
        style: job.classes.with_extension("qml"),
        manifest: job.manifest.clone(),
        classes: job.classes.clone(),
        probabilities,
        confidence: job.confidence.clone(),
        preview: None,
        vector: job.vector.clone(),
    };
    Ok((wanted.list(), wanted, notes))
}
