//! `rs-seg eval`.

use crate::cli::EvalArgs;
use crate::context::{Context, ResultFormat};
use anyhow::Context as _;
use seg_data::{CompareJob, Comparison, LabelFile, compare, find_convention};
use seg_label::{ClassId, Error as LabelError, Legend};
use seg_report::{Evaluation, Report, markdown, table};
use serde_json::json;
use std::fs;
use std::path::Path;

/// Compares class rasters with their truth.
pub(crate) fn run(args: &EvalArgs, context: &Context) -> anyhow::Result<()> {
    Context::configure_gdal(&args.gdal)?;
    let files = args.out.as_deref().map(|folder| [folder.join("report.json"), folder.join("report.md")]);
    if let Some(folder) = &args.out {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create the folder {}", folder.display()))?;
    }
    for file in files.iter().flatten() {
        context.check_output(file)?;
    }
    context.progress.start("eval", &[]);
    let report = evaluate(args, context)?;
    if let Some([json, text]) = &files {
        write(json, &report.to_json())?;
        write(text, &markdown(&report))?;
        context.progress.result(&json!({"report": json, "markdown": text}));
    } else {
        context.progress.result(&json!({}));
    }
    match context.format {
        ResultFormat::Json => context.printer.json(&report),
        ResultFormat::Text => {
            for file in files.iter().flatten() {
                context.printer.note(file.display());
            }
            context.printer.data(table(&report).trim_end())
        }
    }
}

fn evaluate(args: &EvalArgs, context: &Context) -> anyhow::Result<Report> {
    let data_set = args.dataset.map(crate::value::DataSetChoice::data_set);
    let (predictions, truths) = CompareJob::find(&args.pred, &args.truth, args.label_attribute.as_deref())?;
    let convention = find_convention(args.legend.as_deref(), data_set)?;
    let job = CompareJob { predictions, truths, convention, threads: context.threads };
    let Comparison { legend, matrix } = compare(&job, &context.progress)?;
    let evaluation = Evaluation {
        truth: job.truths.iter().map(LabelFile::name).map(str::to_owned).collect(),
        prediction: job.predictions,
        excluded: excluded(&args.exclude, &legend)?,
    };
    Ok(Report::new(&legend, &matrix, &evaluation))
}

fn excluded(names: &[String], legend: &Legend) -> Result<Vec<ClassId>, LabelError> {
    let id = |name: &String| {
        let known = || legend.names().map(str::to_owned).collect();
        let class = legend
            .by_name(name)
            .ok_or_else(|| LabelError::UnknownClass { name: name.clone(), known: known() });
        class.map(|class| class.id)
    };
    names.iter().map(id).collect()
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
