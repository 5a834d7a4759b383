//! What was planned is done: strips, and the rasters and polygons that are made of them.

use super::outputs::{Assembly, OutputFiles, TraceLimits};
use super::part::{self, Part};
use super::{Done, Job, OnCancel, Prepared, SeamCheck, manifest, preview, record, seams};
use seg_grid::Observer;
use seg_run::{Network, Outcome, Plan, Strips, WorkFolder};

/// Makes the outputs of a raster.
pub(crate) fn segment(job: &Job, prepared: Prepared, observer: &dyn Observer) -> anyhow::Result<Done> {
    let Prepared { mut input, legend, plan, tiling, card, network, key, precision, .. } = prepared;
    let files = OutputFiles::new(&job.outputs);
    let work = WorkFolder::open(job.work_folder(), &key, job.fresh)?;
    let made = || -> anyhow::Result<Done> {
        work.begin(&key, &plan.columns)?;
        let outcome = predict(&network, &input, &plan, &legend, &work, observer)?;
        let strips = Strips::of_run(&work, &plan);
        let assembly = Assembly {
            strips: &strips,
            outputs: &plan.outputs,
            tiles: plan.regrid.is_none().then_some(&plan.grid),
            legend: &legend,
            reference: &input.reference,
            format: job.format,
            creation_options: &job.creation_options,
        };
        let counted = files.assemble(assembly, observer)?;
        if job.area.is_some() {
            warn_if_empty(&counted.pixels, legend.len(), observer);
        }
        if let Some(path) = &job.outputs.preview {
            files.stage(&preview::draw(&*input.source, &files.staged_classes(), &legend)?, path)?;
        }
        let limits = TraceLimits { threads: job.threads, max_memory: job.max_memory };
        files.trace(&legend, limits, observer)?;
        match &job.outputs.manifest {
            Some(path) => {
                let run =
                    record::Run { job, card: &card, tiling: &tiling, key: &key, legend: &legend, precision };
                let mut manifest = record::of_run(&run, &mut input)?;
                record::complete(&mut manifest, &counted, files.list()?);
                files.stage(&manifest.to_json()?, path)?;
            }
            // One that an earlier run left would speak of another raster.
            None => manifest::remove_own(&manifest::path_for(&job.outputs.classes)),
        }
        let seams = match job.seams {
            SeamCheck::None => None,
            SeamCheck::Count if plan.regrid.is_some() => {
                observer.warning("--check-seams needs the raster's own pixels: with --gsd tile lines blur");
                None
            }
            SeamCheck::Count => Some(seams::check(&files.staged_classes(), &plan.grid)?),
        };
        files.publish()?;
        Ok(Done { outcome, pixels: counted.pixels, seams })
    }();
    match made {
        Ok(done) => {
            if let Err(error) = work.remove() {
                observer.warning(&format!("the outputs are whole, but {error}"));
            }
            Ok(done)
        }
        Err(error) => {
            files.remove_staged();
            leave(job, work, &error, observer);
            Err(error)
        }
    }
}

/// Makes the strips of one part, and writes down what they are of; a part that is there stays as it is.
pub(crate) fn segment_part(job: &Job, prepared: Prepared, observer: &dyn Observer) -> anyhow::Result<Part> {
    let Prepared { mut input, legend, plan, tiling, card, network, key, precision, window, .. } = prepared;
    let work = WorkFolder::open(job.work_folder(), &key, job.fresh)?;
    // Another one may have been at it, since it was looked for.
    if part::finished(&work, &key, window)?.is_some() {
        return Ok(Part::Found);
    }
    let made = || -> anyhow::Result<Part> {
        work.begin(&key, &plan.columns)?;
        let outcome = match window {
            Some(_) => predict(&network, &input, &plan, &legend, &work, observer)?,
            None => Outcome::default(),
        };
        let run = record::Run { job, card: &card, tiling: &tiling, key: &key, legend: &legend, precision };
        let manifest = record::of_run(&run, &mut input)?;
        let part = part::Record::new(&run, &plan, window, manifest, &input, &outcome)?;
        part.write(work.path())?;
        Ok(Part::Made(outcome))
    }();
    made.inspect_err(|error| leave(job, work, error, observer))
}

fn predict(
    network: &Network,
    input: &super::input::Input,
    plan: &Plan,
    legend: &seg_label::Legend,
    work: &WorkFolder,
    observer: &dyn Observer,
) -> Result<Outcome, seg_run::Error> {
    let ids: Vec<u8> = legend.classes().iter().map(|class| class.id.0).collect();
    let outcome = seg_run::predict(network, &*input.source, plan, &ids, work, observer)?;
    if outcome.not_a_number > 0 {
        let pixels = outcome.not_a_number;
        observer.warning(&format!("the network gave no number for {pixels} valid pixels; they are nodata"));
    }
    Ok(outcome)
}

/// Tells that an area has nothing in it; `pixels` of each class, and of no class at the end.
pub(super) fn warn_if_empty(pixels: &[u64], classes: usize, observer: &dyn Observer) {
    if pixels.iter().take(classes).all(|&pixels| pixels == 0) {
        observer.warning("no pixel with data lies in the area: all of the output is nodata");
    }
}

/// Keeps what a run has finished, and tells how to go on; or leaves nothing.
fn leave(job: &Job, work: WorkFolder, error: &anyhow::Error, observer: &dyn Observer) {
    let interrupted = error.downcast_ref().is_some_and(|e| matches!(e, seg_run::Error::Cancelled));
    if !work.has_strips() || (interrupted && job.on_cancel == OnCancel::Discard) {
        let folder = work.path().to_path_buf();
        if let Err(error) = work.remove() {
            tracing::warn!(%error, "the work folder stays");
        }
        if job.shard.is_some() {
            part::remove_if_empty(&folder);
        }
        return;
    }
    let (path, mib) = (work.path().display(), work.bytes() as f64 / f64::from(1 << 20));
    let how = match job.shard {
        Some(_) => "the same command goes on with them, or starts over with --discard",
        None => "go on with --resume, or start over with --discard",
    };
    observer.warning(&format!("{mib:.1} MiB of finished strips stay in {path}: {how}"));
}
