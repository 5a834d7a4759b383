//! One part of a raster.

use super::{tell_notes, tell_plan};
use crate::context::{Context, Existing, ResultFormat};
use crate::progress::Stage;
use crate::segment::part::Part;
use crate::segment::{self, Job, conflicts, report};
use crate::value::DeviceArg;
use seg_run::{Outcome, Rss};
use serde_json::json;

/// Computes the strips of a part, unless they are there.
pub(super) fn run(job: &Job, context: &Context) -> anyhow::Result<()> {
    let folder = job.work_folder();
    // What `merge` replaces is looked at there; an input is no output of it either.
    conflicts::check(job, Existing::Replace)?;
    // The folders of all parts lie beside the output.
    Context::check_folder_of(&job.outputs.classes)?;
    context.progress.start("infer", &[Stage { name: "infer", weight: 100.0 }]);
    let identified = segment::identify(job, &context.progress)?;
    let (window, precision) = (identified.window, report::precision(identified.precision));
    // Before the network is built and tried, which takes longer than all of this.
    let (part, tiles, workers) = if let Some(tiles) = identified.found_part(job)? {
        tell_notes(job, &identified.notes, context);
        (Part::Found, tiles, 0)
    } else {
        let prepared = identified.prepare(job)?;
        tell_plan(job, &prepared, context);
        let (workers, tiles) = (prepared.plan.workers, window.map_or(0, |_| prepared.plan.tiles()));
        (segment::segment_part(job, prepared, &context.progress)?, tiles, workers)
    };
    let (outcome, state) = match part {
        Part::Made(outcome) => (outcome, "made"),
        Part::Found => (Outcome::default(), "found"),
    };
    let outputs = json!({"part": folder.display().to_string()});
    context.progress.result(&outputs);
    match context.format {
        ResultFormat::Json => context.printer.json(&json!({
            "outputs": outputs,
            "shard": job.shard,
            "window": window,
            "state": state,
            "tiles": tiles,
            "tiles_computed": outcome.computed,
            "skipped": outcome.skipped,
            "seconds": outcome.wall.as_secs_f64(),
            "network_share": report::network_share(&outcome, workers),
            "device": DeviceArg::from(job.device).to_string(),
            "precision": precision,
            "peak_memory_bytes": Rss::read().peak,
        })),
        ResultFormat::Text => {
            context.printer.note(match state {
                "found" => "the part was whole already".to_owned(),
                _ => report::summary(&outcome, workers),
            });
            context.printer.data(folder.display())
        }
    }
}
