//! From the arguments of `rs-seg infer` to a job.

use crate::cli::InferArgs;
use crate::context::Context;
use crate::segment::{self, Job, OnCancel, OverlapChoice, PassChoice, SeamCheck, Wanted, manifest};
use crate::value::KeyValue;
use anyhow::Context as _;
use seg_gdal::BandIndex;
use seg_label::Legend;
use seg_run::{Fresh, Trial};
use std::env;
use std::fs;
use std::path::PathBuf;

/// The job that the arguments ask for, on a device.
pub(crate) fn job(args: &InferArgs, device: tch::Device, context: &Context) -> anyhow::Result<Job> {
    let legend = args.legend.as_ref().map(|path| -> anyhow::Result<Legend> {
        let text =
            fs::read_to_string(path).with_context(|| format!("cannot read the legend {}", path.display()))?;
        Legend::from_toml_str(&text).with_context(|| format!("{} is no legend", path.display()))
    });
    let bands =
        args.bands.as_ref().map(|list| list.0.iter().filter_map(|&n| BandIndex::from_number(n)).collect());
    let shard = args.shard.map(|shard| shard.resolve(|name| env::var(name).ok())).transpose()?;
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
        format: args.format.output_format(),
        creation_options: KeyValue::texts(&args.creation_options),
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
        // A run does not wait for a good estimate of its time.
        trial: if args.dry_run { Trial::Timed(3) } else { Trial::Once },
        fresh: match (args.resume || shard.is_some() || args.each, args.discard) {
            (_, true) => Fresh::Discard,
            // A scheduler starts a task that failed again with the same command.
            (true, _) => Fresh::Resume,
            _ => Fresh::Expected,
        },
        on_cancel: if args.discard_on_cancel { OnCancel::Discard } else { OnCancel::Keep },
        shard,
    })
}
