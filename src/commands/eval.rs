//! `rs-seg eval`.

use crate::cli::EvalArgs;
use crate::context::{Context, ResultFormat};
use crate::evaluation::{Timing, compare_rasters, test_network};
use anyhow::Context as _;
use seg_data::MadeFolder;
use seg_report::{Report, markdown, table};
use serde::Serialize;
use serde_json::{Map, json};
use std::fs;
use std::path::Path;

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
    let files = args.out.as_deref().map(|folder| [folder.join("report.json"), folder.join("report.md")]);
    // If nothing comes of it, the folder is gone again.
    let made = |folder: &Path| {
        MadeFolder::create(folder).with_context(|| format!("cannot create the folder {}", folder.display()))
    };
    let _made = args.out.as_deref().map(made).transpose()?;
    for file in files.iter().flatten() {
        context.check_output(file)?;
    }
    let (report, timing) = match (&args.model, &args.data) {
        (Some(model), Some(data)) => {
            let (report, timing) = test_network(model, data, args, context)?;
            (report, Some(timing))
        }
        _ => (compare_rasters(args, context)?, None),
    };
    let mut outputs = Map::new();
    if let Some([json, text]) = &files {
        write(json, &report.to_json())?;
        write(text, &markdown(&report))?;
        outputs.insert("report".to_owned(), json!(json));
        outputs.insert("markdown".to_owned(), json!(text));
    }
    if let Some(folder) = &args.save_predictions {
        outputs.insert("predictions".to_owned(), json!(folder));
    }
    context.progress.result(&outputs.into());
    match context.format {
        ResultFormat::Json => context.printer.json(&Told { report: &report, timing }),
        ResultFormat::Text => {
            if let Some(timing) = timing {
                context.printer.note(format_args!("{:.2} patches per second", timing.patches_per_second));
            }
            for file in files.iter().flatten().chain(&args.save_predictions) {
                context.printer.note(file.display());
            }
            context.printer.data(table(&report).trim_end())
        }
    }
}

/// Writes a whole file under its name, or none.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let failed = || format!("cannot write {}", path.display());
    let file = tempfile::NamedTempFile::new_in(folder).with_context(failed)?;
    fs::write(file.path(), text).with_context(failed)?;
    file.persist(path).with_context(failed)?;
    Ok(())
}
