//! `rs-seg merge`.

use super::vectorize::check_outputs;
use crate::cli::MergeArgs;
use crate::context::{Context, ResultFormat};
use crate::polygons::plain_stages;
use crate::progress::Stage;
use crate::segment::merge::{self, MergeJob, Merged};
use crate::segment::{TraceLimits, manifest, report};
use crate::value::KeyValue;
use seg_run::Rss;
use serde_json::json;
use std::time::Instant;

/// Puts parts together.
pub(crate) fn run(args: &MergeArgs, context: &Context) -> anyhow::Result<()> {
    Context::configure_gdal(&args.gdal)?;
    let started = Instant::now();
    let job = job(args, context);
    let ready = merge::prepare(&job)?;
    for (_, path) in ready.wanted.files() {
        context.check_output(path)?;
    }
    merge::check_outputs(&ready, context.existing)?;
    if let Some(vector) = &args.vector {
        check_outputs(vector, context.existing)?;
    }
    let mut stages = vec![Stage { name: "assemble", weight: 50.0 }];
    stages.extend(args.vector.iter().flat_map(|vector| plain_stages(vector, 50.0)));
    context.progress.start("merge", &stages);
    for note in &ready.notes {
        context.printer.note(note);
    }
    let (parts, computed, skipped) = (ready.parts.clone(), ready.tiles_computed, ready.tiles_skipped);
    let files = ready.wanted.clone();
    let Merged { legend, pixels } = merge::merge(&job, ready, &context.progress)?;
    if args.remove_parts {
        merge::remove_parts(&parts, &context.progress);
    }
    let outputs = files.json();
    context.progress.result(&outputs);
    match context.format {
        ResultFormat::Json => context.printer.json(&json!({
            "outputs": outputs,
            "parts": parts.len(),
            "tiles_computed": computed,
            "skipped": skipped,
            "seconds": started.elapsed().as_secs_f64(),
            "peak_memory_bytes": Rss::read().peak,
            "classes": report::shares(&legend, &pixels),
        })),
        ResultFormat::Text => {
            let (parts, seconds) = (parts.len(), started.elapsed().as_secs_f64());
            context.printer.note(format!(
                "{parts} parts with {computed} tiles put together in {seconds:.1} s; {skipped} tiles without data"
            ));
            context.printer.data(report::shares_text(&legend, &pixels))?;
            files.files().into_iter().try_for_each(|(_, path)| context.printer.data(path.display()))
        }
    }
}

fn job(args: &MergeArgs, context: &Context) -> MergeJob {
    MergeJob {
        parts: args.parts.clone(),
        classes: args.out.clone(),
        probabilities: args.probabilities.clone(),
        confidence: args.confidence.clone(),
        vector: args.vector.clone(),
        manifest: (!args.no_manifest).then(|| manifest::path_for(&args.out)),
        format: args.format.output_format(),
        creation_options: KeyValue::texts(&args.creation_options),
        limits: TraceLimits { threads: context.threads, max_memory: args.max_memory.map(|size| size.0) },
    }
}
