//! `rs-seg infer`.

use super::vectorize::check_outputs;
use crate::cli::InferArgs;
use crate::context::{Context, ResultFormat};
use crate::network::NetworkName;
use crate::progress::Stage;
use crate::segment::{self, Job, OnCancel, OverlapChoice, PassChoice, SeamCheck, Wanted, manifest, report};
use crate::value::{DeviceArg, RasterFormat};
use anyhow::Context as _;
use seg_gdal::{BandIndex, OutputFormat};
use seg_label::Legend;
use seg_run::{Fresh, Rss};
use serde_json::{Map, Value, json};
use std::fs;
use std::path::PathBuf;

/// What its user must know of the embedded network.
const EMBEDDED: &str = "the network that comes with rs-seg learned from satellite scenes of Dubai: elsewhere what \
                        it says is a guess, and `rs-seg train --init default` teaches it other scenes";

/// Segments one raster.
pub(crate) fn run(args: &InferArgs, context: &Context) -> anyhow::Result<()> {
    Context::configure_gdal(&args.gdal)?;
    let job = job(args, context.network_device()?, context)?;
    if !args.dry_run {
        for (_, path) in job.outputs.files() {
            context.check_output(path)?;
        }
        segment::conflicts::check(&job, context.existing)?;
    }
    if let Some(vector) = args.vector.as_ref().filter(|_| !args.dry_run) {
        // Before hours of work, not after them.
        check_outputs(vector, context)?;
    }
    let mut stages = vec![Stage { name: "infer", weight: 95.0 }, Stage { name: "assemble", weight: 5.0 }];
    stages.extend(args.vector.as_ref().map(|_| Stage { name: "trace", weight: 5.0 }));
    context.progress.start("infer", &stages);
    let mut prepared = segment::prepare(&job, &context.progress)?;
    if args.dry_run {
        let in_area = prepared.tiles_in_area(&job, &context.progress)?;
        context.progress.end();
        return match context.format {
            ResultFormat::Json => context.printer.json(&report::plan_json(&prepared, in_area)),
            ResultFormat::Text => context.printer.data(report::plan_text(&prepared, in_area)),
        };
    }
    let tiles = prepared.plan.tiles();
    if job.model == NetworkName::Default {
        context.printer.note(EMBEDDED);
    }
    for line in prepared.notes.iter().map(String::as_str).chain(report::plan_text(&prepared, tiles).lines()) {
        context.printer.note(line);
    }
    let (legend, workers) = (prepared.legend.clone(), prepared.plan.workers);
    let precision = report::precision(prepared.precision);
    let done = segment::segment(&job, prepared, &context.progress)?;
    let outputs: Map<String, Value> = job
        .outputs
        .files()
        .into_iter()
        .map(|(what, path)| (what.to_owned(), json!(path.display().to_string())))
        .collect();
    let outputs = Value::Object(outputs);
    context.progress.result(&outputs);
    match context.format {
        ResultFormat::Json => context.printer.json(&json!({
            "outputs": outputs,
            "tiles": tiles,
            "tiles_computed": done.outcome.computed,
            "skipped": done.outcome.skipped,
            "seconds": done.outcome.wall.as_secs_f64(),
            "network_share": report::network_share(&done, workers),
            "device": DeviceArg::from(job.device).to_string(),
            "precision": precision,
            "peak_memory_bytes": Rss::read().peak,
            "classes": report::shares(&legend, &done),
            "seams": done.seams.as_ref().map(segment::seams::json),
        })),
        ResultFormat::Text => {
            context.printer.note(report::summary(&done, workers));
            if let Some(seams) = &done.seams {
                context.printer.note(segment::seams::text(seams));
            }
            context.printer.data(report::shares_text(&legend, &done))?;
            job.outputs.files().into_iter().try_for_each(|(_, path)| context.printer.data(path.display()))
        }
    }
}

/// The job that the arguments ask for, on a device.
pub(super) fn job(args: &InferArgs, device: tch::Device, context: &Context) -> anyhow::Result<Job> {
    let legend = args.legend.as_ref().map(|path| -> anyhow::Result<Legend> {
        let text =
            fs::read_to_string(path).with_context(|| format!("cannot read the legend {}", path.display()))?;
        Legend::from_toml_str(&text).with_context(|| format!("{} is no legend", path.display()))
    });
    let bands =
        args.bands.as_ref().map(|list| list.0.iter().filter_map(|&n| BandIndex::from_number(n)).collect());
    // Without --out there is only a dry run, which writes nothing.
    let classes = args.out.clone().unwrap_or_else(|| PathBuf::from("classes.tif"));
    Ok(Job {
        inputs: segment::inputs::expand(&args.inputs, args.list.as_deref())?,
        model: args.model.clone(),
        outputs: Wanted {
            style: classes.with_extension("qml"),
            manifest: (!args.no_manifest).then(|| manifest::path_for(&classes)),
            classes,
            probabilities: args
                .probabilities
                .clone()
                .map(|path| (path, args.probability_type.probability_type())),
            confidence: args.confidence.clone(),
            preview: args.preview.clone(),
            vector: args.vector.clone(),
        },
        format: match args.format {
            RasterFormat::GTiff => OutputFormat::GTiff,
            RasterFormat::Cog => OutputFormat::Cog,
        },
        creation_options: args.creation_options.iter().map(|o| format!("{}={}", o.key, o.value)).collect(),
        legend: legend.transpose()?,
        bands,
        area: segment::AreaRequest::new(args.bbox, args.bbox_crs.as_deref(), args.aoi.as_deref())?,
        scaling: args.scaling,
        pixel_size: args.gsd,
        t_srs: args.t_srs.as_deref().map(|text| segment::crs_of("--t-srs", text)).transpose()?,
        tile: args.tile,
        overlap: args.overlap.unwrap_or(OverlapChoice::Usual),
        blend: args.blend.blend(),
        margin: args.margin,
        passes: PassChoice::new(args.protocol, &args.scales, args.tta),
        precision: args.precision,
        seams: if args.check_seams { SeamCheck::Count } else { SeamCheck::None },
        batch: args.batch,
        threads: context.threads,
        device,
        max_memory: args.max_memory.map(|size| size.0),
        timed_tiles: if args.dry_run { 3 } else { 1 },
        fresh: match (args.resume, args.discard) {
            (true, _) => Fresh::Resume,
            (_, true) => Fresh::Discard,
            _ => Fresh::Expected,
        },
        on_cancel: if args.discard_on_cancel { OnCancel::Discard } else { OnCancel::Keep },
    })
}
