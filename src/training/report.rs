//! What a training ends with: a page of its curves, and reports on its validation and test chips.

use crate::context::Context;
use crate::evaluation::{ChipTest, Outputs, Shown, test_chips, write_file};
use crate::network::NetworkName;
use seg_data::{ChipSet, Error as DataError, Split};
use seg_grid::Observer as _;
use seg_label::AssessmentPlan;
use seg_report::{TrainingCurves, TrainingPage, ValidationPoint, training_html};
use seg_run::{Passes, SlidingWindow};
use seg_train::{EvaluateJob, TrainJob, TrainSummary};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// Makes the page of a training and the reports on its chips; gives the page. What cannot be reported is warned of, for
/// the network is trained all the same.
///
/// # Errors
/// If the user asked to stop.
pub(crate) fn report(
    job: &TrainJob,
    summary: &TrainSummary,
    context: &Context,
) -> anyhow::Result<Option<PathBuf>> {
    let mut splits = vec![job.settings.data.val];
    splits.extend((!splits.contains(&Split::Test)).then_some(Split::Test));
    let mut reports = Vec::new();
    for split in splits {
        match test(job, summary, split, context) {
            Ok(Some(name)) => reports.push((format!("{split} chips"), name)),
            Ok(None) => {}
            Err(error) if context.progress.cancelled() => return Err(error),
            Err(error) => {
                context.progress.warning(&format!("there is no report on the {split} chips: {error:#}"));
            }
        }
    }
    let page = seg_train::page(&summary.folder);
    match write_page(job, summary, reports, &page) {
        Ok(()) => Ok(Some(page)),
        Err(error) => {
            context.progress.warning(&format!("there is no page of the training: {error:#}"));
            Ok(None)
        }
    }
}

/// Tests the checkpoint that is kept on the chips of a split; gives the report's name, `None` where there are no chips
/// with labels.
fn test(
    job: &TrainJob,
    summary: &TrainSummary,
    split: Split,
    context: &Context,
) -> anyhow::Result<Option<String>> {
    let checkpoint = summary.best.as_ref().unwrap_or(&summary.last).clone();
    let model = NetworkName::File(checkpoint).load(job.device)?;
    let classes: Vec<_> = model.card.classes.iter().map(|class| class.name.clone()).collect();
    let chips = match ChipSet::open(&job.data, split, &classes, model.card.input.bands, &job.settings.data) {
        Err(DataError::EmptySplit { .. } | DataError::UnlabeledChips { .. }) => return Ok(None),
        chips => chips?.accepting(&model.card.input.dtypes),
    };
    let passes = Passes::single(SlidingWindow::of_side(model.card.tile_side()));
    let test = ChipTest {
        job: EvaluateJob {
            model: &model,
            chips: &chips,
            passes: &passes,
            plan: AssessmentPlan::default(),
            threads: context.threads,
            predictions: None,
        },
        name: summary.folder.display().to_string(),
        data: &job.data,
        excluded: &[],
        seed: 0,
    };
    let outcome = test_chips(&test, Shown::Places, context)?;
    let stem = seg_train::report_stem(split);
    Outputs::of_training(&summary.folder, &stem).write(&outcome)?;
    Ok(Some(format!("{stem}.html")))
}

fn write_page(
    job: &TrainJob,
    summary: &TrainSummary,
    reports: Vec<(String, String)>,
    page: &Path,
) -> anyhow::Result<()> {
    let metrics = fs::read_to_string(seg_train::metrics(&summary.folder))?;
    let name = job.out.file_name().unwrap_or(job.out.as_os_str()).to_string_lossy().into_owned();
    let training = TrainingPage {
        name,
        steps: summary.steps,
        best_step: summary.best_step,
        curves: curves(&metrics),
        reports,
    };
    write_file(page, &training_html(&training)?)
}

/// The curves in the lines of a training's metrics.
fn curves(metrics: &str) -> TrainingCurves {
    let mut curves = TrainingCurves::default();
    let parts = ["loss", "main", "aux", "cpc", "dice"];
    let mut losses: Vec<(String, Vec<[f64; 2]>)> = parts
        .iter()
        .map(|&part| (if part == "loss" { "total" } else { part }.to_owned(), Vec::new()))
        .collect();
    for line in metrics.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let Some(step) = line["step"].as_u64() else { continue };
        match line["event"].as_str() {
            Some("step") => {
                for (part, (_, points)) in parts.iter().zip(&mut losses) {
                    points.extend(line[part].as_f64().map(|value| [step as f64, value]));
                }
                curves.learning_rate.extend(line["lr"].as_f64().map(|lr| [step as f64, lr]));
            }
            Some("validation") => {
                let classes = line["iou"].as_object().into_iter().flatten();
                curves.validations.push(ValidationPoint {
                    step,
                    miou: line["miou"].as_f64(),
                    oa: line["oa"].as_f64(),
                    iou: classes.map(|(name, iou)| (name.clone(), iou.as_f64())).collect(),
                });
            }
            _ => {}
        }
    }
    losses.retain(|(_, points)| !points.is_empty());
    curves.losses = losses;
    curves
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_are_read_off_the_metrics() {
        let found = curves(
            "{\"event\":\"step\",\"step\":10,\"loss\":2.5,\"main\":2.0,\"dice\":0.5,\"lr\":0.001}\n\
             {\"event\":\"validation\",\"step\":10,\"miou\":0.5,\"oa\":0.7,\"iou\":{\"road\":null,\"water\":0.25}}\n\
             {\"event\":\"step\",\"step\":20,\"loss\":1.5,\"main\":1.0,\"dice\":0.5,\"lr\":0.0005}\n{\"event\"",
        );
        let names: Vec<_> = found.losses.iter().map(|(name, points)| (name.as_str(), points.len())).collect();
        assert_eq!(names, [("total", 2), ("main", 2), ("dice", 2)]);
        assert_eq!(found.learning_rate, [[10.0, 0.001], [20.0, 0.0005]]);
        assert_eq!(found.validations[0].iou, [("road".to_owned(), None), ("water".to_owned(), Some(0.25))]);
    }
}
