//! `rs-seg plan`.

use crate::cli::{InferArgs, PlanArgs};
use crate::context::{Context, ResultFormat};
use crate::diagnostic::Advice;
use crate::planning::{self, Ask, Measured};
use crate::segment::{self, report};
use anyhow::Context as _;
use clap::Parser;
use serde_json::json;
use std::fs;

/// The flags of the run that is measured, as the command line reads them.
#[derive(Debug, Parser)]
#[command(no_binary_name = true)]
struct Flags {
    #[command(flatten)]
    infer: InferArgs,
}

/// Plans a country.
pub(crate) fn run(args: &PlanArgs, context: &Context) -> anyhow::Result<()> {
    Context::configure_gdal(&args.gdal)?;
    context.progress.start("plan", &[]);
    let measured = match (&args.from, &args.scene) {
        (Some(path), _) => {
            let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            Some(Measured::read(&text, &path.display().to_string())?)
        }
        (None, Some(raster)) => Some(timed(raster, args, context)?),
        (None, None) => None,
    };
    let ask = Ask::new(args, measured.as_ref())?;
    let estimate = planning::estimate(&ask.question, &context.progress)?;
    context.progress.result(&json!({}));
    match context.format {
        ResultFormat::Json => context.printer.json(&planning::json::plan(&ask, &estimate)),
        ResultFormat::Text => {
            let machine = ask.question.machine;
            context.printer.data(planning::text::plan(&ask.figures, &estimate, machine.cores, machine.gpus))
        }
    }
}

/// Times a network on tiles of a raster, as `rs-seg infer --dry-run` does.
fn timed(raster: &str, args: &PlanArgs, context: &Context) -> anyhow::Result<Measured> {
    let mut line = vec!["--dry-run".to_owned(), format!("--model={}", args.model)];
    line.extend(args.tile.map(|side| format!("--tile={side}")));
    line.extend(["--".to_owned(), raster.to_owned()]);
    let flags = Flags::try_parse_from(line)?;
    let job = super::infer::job::job(&flags.infer, context.network_device()?, context)?;
    let mut prepared = segment::prepare(&job, &context.progress)?;
    let tiles = prepared.tiles_in_area(&job, &context.progress)?;
    Measured::of(&report::plan_json(&prepared, tiles, job.device))
        .ok_or_else(|| Advice::new(format!("no time was measured on {raster}"), "try a larger raster").into())
}
