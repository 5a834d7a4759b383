//! One raster, all of it.

use super::tell_plan;
use crate::commands::vectorize::check_outputs;
use crate::context::{Context, Existing, ResultFormat};
use crate::polygons::plain_stages;
use crate::progress::Stage;
use crate::segment::{self, Job, conflicts, report};
use crate::value::DeviceArg;
use seg_run::Rss;
use serde_json::json;

/// Refuses outputs that cannot be written, before anything is computed.
pub(super) fn check(job: &Job, existing: Existing) -> anyhow::Result<()> {
    for (_, path) in job.outputs.files() {
        Context::check_writable(path, existing)?;
    }
    conflicts::check(job, existing)?;
    job.outputs.vector.as_ref().map_or(Ok(()), |vector| check_outputs(vector, existing))
}

/// What is done one after another.
pub(super) fn stages(job: &Job) -> Vec<Stage> {
    let mut stages = vec![Stage { name: "infer", weight: 95.0 }, Stage { name: "assemble", weight: 5.0 }];
    stages.extend(job.outputs.vector.iter().flat_map(|vector| plain_stages(vector, 5.0)));
    stages
}

/// Makes the outputs and tells what is in them.
pub(super) fn run(job: &Job, context: &Context) -> anyhow::Result<()> {
    context.progress.start("infer", &stages(job));
    let prepared = segment::prepare(job, &context.progress)?;
    tell_plan(job, &prepared, context);
    let (legend, workers, tiles) = (prepared.legend.clone(), prepared.plan.workers, prepared.plan.tiles());
    let precision = report::precision(prepared.precision);
    let done = segment::segment(job, prepared, &context.progress)?;
    let outputs = job.outputs.json();
    context.progress.result(&outputs);
    match context.format {
        ResultFormat::Json => context.printer.json(&json!({
            "outputs": outputs,
            "tiles": tiles,
            "tiles_computed": done.outcome.computed,
            "skipped": done.outcome.skipped,
            "seconds": done.outcome.wall.as_secs_f64(),
            "network_share": report::network_share(&done.outcome, workers),
            "device": DeviceArg::from(job.device).to_string(),
            "precision": precision,
            "peak_memory_bytes": Rss::read().peak,
            "classes": report::shares(&legend, &done.pixels),
            "seams": done.seams.as_ref().map(segment::seams::json),
        })),
        ResultFormat::Text => {
            context.printer.note(report::summary(&done.outcome, workers));
            if let Some(seams) = &done.seams {
                context.printer.note(segment::seams::text(seams));
            }
            context.printer.data(report::shares_text(&legend, &done.pixels))?;
            job.outputs.files().into_iter().try_for_each(|(_, path)| context.printer.data(path.display()))
        }
    }
}
