//! From the arguments of `eval` to a report.

mod network;

pub(crate) use network::{Timing, test_network};

use crate::cli::EvalArgs;
use crate::context::Context;
use seg_data::{CompareJob, Comparison, LabelFile, compare, find_convention};
use seg_label::{ClassId, Error as LabelError, Legend};
use seg_report::{Evaluation, Report};

/// Compares class rasters with their truth.
pub(crate) fn compare_rasters(args: &EvalArgs, context: &Context) -> anyhow::Result<Report> {
    context.progress.start("eval", &[]);
    let data_set = args.dataset.map(crate::value::DataSetChoice::data_set);
    let (predictions, truths) = CompareJob::find(&args.pred, &args.truth, args.label_attribute.as_deref())?;
    let convention = find_convention(args.legend.as_deref(), data_set)?;
    let job = CompareJob { predictions, truths, convention, eroded: args.eroded, threads: context.threads };
    let Comparison { legend, matrix } = compare(&job, &context.progress)?;
    let evaluation = Evaluation {
        truth: job.truths.iter().map(LabelFile::name).map(str::to_owned).collect(),
        prediction: job.predictions,
        excluded: excluded(&args.exclude, &legend)?,
        eroded: args.eroded,
        test: None,
    };
    Ok(Report::new(&legend, &matrix, &evaluation))
}

/// The classes that are left out of the means.
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
