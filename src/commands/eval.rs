//! `rs-seg eval`.

use crate::cli::EvalArgs;
use crate::context::{Context, ResultFormat};
use crate::evaluation::{Outputs, Timing, compare_rasters, test_network};
use seg_report::{Report, table};
use serde::Serialize;
use serde_json::{Map, json};

/// A report, and how long it took where that matters.
#[derive(Debug, Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    report: &'a Report,
    #[serde(skip_serializing_if = "Option::is_none")]
    timing: Option<Timing>,
}

/// Compares class rasters with their truth, or tests a network on chips.
pub(crate) fn run(args: &EvalArgs, context: &Context) -> anyhow::Result<()> {
    Context::configure_gdal(&args.gdal)?;
    let files = args.out.as_deref().map(|folder| Outputs::prepare(folder, context)).transpose()?;
    let outcome = match (&args.model, &args.data) {
        (Some(model), Some(data)) => test_network(model, data, args, context)?,
        _ => compare_rasters(args, context)?,
    };
    let mut outputs = Map::new();
    if let Some(files) = &files {
        files.write(&outcome)?;
        files.tell(&mut outputs);
    }
    let others =
        [("error_map", &args.error_map), ("review", &args.review), ("predictions", &args.save_predictions)];
    let others = others.into_iter().filter_map(|(what, path)| Some((what, path.as_ref()?)));
    outputs.extend(others.clone().map(|(what, path)| (what.to_owned(), json!(path))));
    context.progress.result(&outputs.into());
    match context.format {
        ResultFormat::Json => context.printer.json(&Told { report: &outcome.report, timing: outcome.timing }),
        ResultFormat::Text => {
            if let Some(timing) = outcome.timing {
                context.printer.note(format_args!("{:.2} patches per second", timing.patches_per_second));
            }
            let files = files.iter().flat_map(Outputs::files).map(|(_, path)| path);
            for file in files.chain(others.map(|(_, path)| path.as_path())) {
                context.printer.note(file.display());
            }
            context.printer.data(table(&outcome.report).trim_end())
        }
    }
}
