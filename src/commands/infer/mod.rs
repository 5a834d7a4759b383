//! `rs-seg infer`.

mod each;
pub(super) mod job;
mod part;
mod whole;

use crate::cli::InferArgs;
use crate::context::{Context, ResultFormat};
use crate::diagnostic::Advice;
use crate::network::NetworkName;
use crate::segment::{self, Job, Prepared, report};
use crate::value::RasterFormat;

/// What its user must know of the embedded network.
const EMBEDDED: &str = "the network that comes with rs-seg learned from satellite scenes of Dubai: elsewhere what \
                        it says is a guess, and `rs-seg train --init default` teaches it other scenes";

/// Segments a raster, a part of one, or many.
pub(crate) fn run(args: &InferArgs, context: &Context) -> anyhow::Result<()> {
    Context::configure_gdal(&args.gdal)?;
    let job = job::job(args, context.network_device()?, context)?;
    if args.each {
        return each::run(args, &job, context);
    }
    if segment::each::has_stem(&job.outputs.classes) {
        let what = format!("{} has {{stem}} in its name", job.outputs.classes.display());
        return Err(Advice::new(what, "that stands for the raster's name with --each").into());
    }
    if job.shard.is_some() {
        for_merge(args)?;
    }
    if args.dry_run {
        return dry_run(&job, context);
    }
    if job.shard.is_some() {
        return part::run(&job, context);
    }
    whole::check(&job, context.existing)?;
    whole::run(&job, context)
}

/// Shows the plan.
fn dry_run(job: &Job, context: &Context) -> anyhow::Result<()> {
    context.progress.start("infer", &whole::stages(job));
    let mut prepared = segment::prepare(job, &context.progress)?;
    let in_area = prepared.tiles_in_area(job, &context.progress)?;
    context.progress.end();
    if job.shard.is_some() {
        prepared.notes.iter().for_each(|note| context.printer.note(note));
    }
    match context.format {
        ResultFormat::Json => context.printer.json(&report::plan_json(&prepared, in_area, job.device)),
        ResultFormat::Text => context.printer.data(report::plan_text(&prepared, in_area)),
    }
}

/// Tells what was decided and planned.
fn tell_plan(job: &Job, prepared: &Prepared, context: &Context) {
    tell_notes(job, &prepared.notes, context);
    for line in report::plan_text(prepared, prepared.plan.tiles()).lines() {
        context.printer.note(line);
    }
}

/// Tells what was decided.
fn tell_notes(job: &Job, notes: &[String], context: &Context) {
    tell_network(job, context);
    for note in notes {
        context.printer.note(note);
    }
}

/// Tells what its user must know of the network that comes with the program.
fn tell_network(job: &Job, context: &Context) {
    if job.model == NetworkName::Default {
        context.printer.note(EMBEDDED);
    }
}

/// Refuses flags that say what is made of all parts.
fn for_merge(args: &InferArgs) -> Result<(), Advice> {
    let given = [
        ("--vector", args.vector.is_some()),
        ("--preview", args.preview.is_some()),
        ("--check-seams", args.check_seams),
        ("--of", args.format != RasterFormat::GTiff),
        ("--co", !args.creation_options.is_empty()),
        ("--no-manifest", args.no_manifest),
    ];
    match given.into_iter().find(|(_, given)| *given) {
        Some((flag, _)) => {
            let what = format!("{flag}: a part has no outputs of its own");
            let hint = "leave it out here; what `rs-seg merge` makes of all parts is said there";
            Err(Advice::new(what, hint))
        }
        None => Ok(()),
    }
}
