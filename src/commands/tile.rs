//! `rs-seg tile`.

use crate::cli::TileArgs;
use crate::context::{Context, Existing, ResultFormat};
use crate::progress::Stage;
use crate::value::{ImageVariantChoice, KeyValue, LabelVariantChoice, TileFormat};
use seg_data::{
    DataSet, LabelInput, Manifest, SplitRequest, TileJob, TileSummary, Variants, find_convention,
};
use seg_gdal::ChipFormat;
use serde_json::json;

const STAGES: [Stage; 4] = [
    Stage { name: "check", weight: 5.0 },
    Stage { name: "labels", weight: 10.0 },
    Stage { name: "survey", weight: 5.0 },
    Stage { name: "tile", weight: 80.0 },
];

/// Cuts rasters and their labels into chips.
pub(crate) fn run(args: &TileArgs, context: &Context) -> anyhow::Result<()> {
    Context::configure_gdal(&args.gdal)?;
    let job = job(args, context)?;
    // Each chip takes as much as the one before.
    seg_torch::keep_freed_memory();
    context.progress.start("tile", &STAGES);
    let summary = seg_data::tile(&job, &context.progress)?;
    let manifest = summary.out.join(Manifest::NAME);
    context.progress.result(&json!({"folder": summary.out, "manifest": manifest}));
    match context.format {
        ResultFormat::Json => context.printer.json(&summary),
        ResultFormat::Text => {
            for line in told(&summary) {
                context.printer.note(line);
            }
            context.printer.data(manifest.display())
        }
    }
}

fn job(args: &TileArgs, context: &Context) -> anyhow::Result<TileJob> {
    let data_set = args.dataset.map(crate::value::DataSetChoice::data_set);
    let listed = args.list.iter().map(|list| format!("@{}", list.display()));
    Ok(TileJob {
        inputs: args.inputs.iter().cloned().chain(listed).collect(),
        labels: args.labels.clone().map(|name| LabelInput { name, attribute: args.label_attribute.clone() }),
        convention: find_convention(args.legend.as_deref(), data_set)?,
        data_set,
        variants: Variants {
            image: args.image_variant.map(ImageVariantChoice::variant),
            label: args.label_variant.map(LabelVariantChoice::variant),
        },
        size: args.size,
        overlap: args.overlap.unwrap_or_else(|| default_overlap(data_set, args.size)),
        edge: args.edge.policy(),
        split: SplitRequest {
            shares: args.split,
            by: args.split_by.clone(),
            buffer: args.buffer,
            seed: args.split_seed,
        },
        format: match args.format {
            TileFormat::Gtiff => ChipFormat::GTiff,
            TileFormat::Png => ChipFormat::Png,
        },
        creation_options: KeyValue::texts(&args.creation_options),
        skip_nodata: args.skip_nodata,
        threads: context.threads,
        out: args.out.clone(),
        existing: match context.existing {
            Existing::Refuse => seg_data::Existing::Refuse,
            Existing::Replace => seg_data::Existing::Replace,
        },
    })
}

/// That of the data set, but less than half of a small chip.
fn default_overlap(data_set: Option<DataSet>, size: usize) -> usize {
    data_set.unwrap_or_default().overlap().min(size / 4)
}

/// What was made, in words.
fn told(summary: &TileSummary) -> Vec<String> {
    let written: usize = summary.chips.values().sum();
    let splits: Vec<_> = summary.chips.iter().map(|(split, chips)| format!("{chips} {split}")).collect();
    let mut lines = vec![format!(
        "{written} chips of {} from {} rasters: {}",
        summary.candidates,
        summary.sources,
        splits.join(", ")
    )];
    if summary.skipped_nodata > 0 {
        lines.push(format!("{} chips had no data and were skipped", summary.skipped_nodata));
    }
    if let Some(buffer) = summary.buffer.filter(|_| summary.dropped_by_buffer > 0) {
        lines.push(format!(
            "{} chips lay within {buffer} pixels of another split and were dropped",
            summary.dropped_by_buffer
        ));
    }
    let pixels: u64 = summary.histogram.values().sum();
    let share =
        |(name, &count): (&String, &u64)| format!("{name} {:.1} %", 100.0 * count as f64 / pixels as f64);
    if pixels > 0 {
        lines
            .push(format!("classes: {}", summary.histogram.iter().map(share).collect::<Vec<_>>().join(", ")));
    }
    lines
}
