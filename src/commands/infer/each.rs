//! Many rasters, each by itself.

use super::{tell_network, whole};
use crate::cli::InferArgs;
use crate::context::{Context, Existing, ResultFormat};
use crate::diagnostic::{Advice, Diagnostic};
use crate::segment::{self, Job, Wanted, conflicts, each, report};
use crate::value::Shard;
use seg_grid::Observer as _;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Segments every raster that is named, or every n-th.
pub(super) fn run(args: &InferArgs, all: &Job, context: &Context) -> anyhow::Result<()> {
    if args.check_seams {
        return Err(
            Advice::new("--check-seams looks at one raster", "leave out --each or --check-seams").into()
        );
    }
    let outputs = each::outputs(&all.inputs, &args.inputs, &all.outputs)?;
    check(all, &outputs)?;
    let Shard { index, count } = all.shard.unwrap_or(Shard { index: 0, count: 1 });
    let mine: Vec<_> = all.inputs.iter().zip(outputs).skip(index).step_by(count).collect();
    let (mut told, mut failed) = (Vec::new(), Vec::new());
    context.progress.start_rounds("infer", &whole::stages(all), mine.len());
    tell_network(all, context);
    for (number, (input, outputs)) in mine.iter().enumerate() {
        let job =
            Job { inputs: vec![(*input).clone()], outputs: outputs.clone(), shard: None, ..all.clone() };
        context.printer.note(format!("{} of {}: {input}", number + 1, mine.len()));
        match one(&job, context) {
            Ok(result) => told.push(result),
            Err(error) if context.progress.cancelled() => return Err(error),
            Err(error) => {
                let Diagnostic { message, cause, hint, .. } = Diagnostic::new(&error);
                let all = [Some(message.clone()), cause, hint].into_iter().flatten().collect::<Vec<_>>();
                context.progress.warning(&format!("{input} failed: {}", all.join("; ")));
                told.push(json!({"input": input, "state": "failed", "message": message}));
                failed.push((*input).clone());
            }
        }
        context.progress.next_round();
    }
    context.progress.result(&json!({"rasters": mine.len()}));
    match context.format {
        ResultFormat::Json => context.printer.json(&json!({"shard": all.shard, "rasters": told}))?,
        ResultFormat::Text => {
            for line in told.iter().filter_map(|one| one["outputs"]["classes"].as_str()) {
                context.printer.data(line)?;
            }
        }
    }
    match failed.first() {
        None => Ok(()),
        Some(first) => {
            let what = format!("{} of {} rasters failed, {first} first", failed.len(), mine.len());
            let hint = "what was said of each stands above; the same command tries those again";
            Err(Advice::new(what, hint).into())
        }
    }
}

/// Refuses what can be refused before the first raster is opened: folders, and outputs that some raster is.
fn check(all: &Job, outputs: &[Wanted]) -> anyhow::Result<()> {
    let files = outputs.iter().flat_map(Wanted::files).map(|(_, path)| path);
    let folders: BTreeSet<_> = files.clone().filter_map(|path| path.parent()).collect();
    for folder in folders {
        Context::check_folder_of(&folder.join("output"))?;
    }
    Ok(conflicts::refuse_any("an output", files, all.inputs.iter().map(|input| ("input", input.as_ref())))?)
}

/// Segments one raster, unless that has been done.
fn one(job: &Job, context: &Context) -> anyhow::Result<Value> {
    let mut identified = segment::identify(job, &context.progress)?;
    let input = &job.inputs[0];
    let made = context.existing == Existing::Refuse && identified.is_made(job)?;
    if made && job.outputs.are_there() {
        context.printer.note("its outputs are there");
        return Ok(json!({"input": input, "state": "found", "outputs": job.outputs.json()}));
    }
    for note in &identified.notes {
        context.printer.note(note);
    }
    // What a run that was ended on its last steps left is its own to complete.
    whole::check(job, if made { Existing::Replace } else { context.existing })?;
    let prepared = identified.prepare(job)?;
    let (workers, legend) = (prepared.plan.workers, prepared.legend.clone());
    let done = segment::segment(job, prepared, &context.progress)?;
    context.printer.note(report::summary(&done.outcome, workers));
    Ok(json!({
        "input": input,
        "state": "made",
        "outputs": job.outputs.json(),
        "tiles_computed": done.outcome.computed,
        "skipped": done.outcome.skipped,
        "seconds": done.outcome.wall.as_secs_f64(),
        "classes": report::shares(&legend, &done.pixels),
    }))
}
