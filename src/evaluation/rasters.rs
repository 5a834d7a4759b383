//! Class rasters against their truth.

use super::{BEST, Outcome, WORST, excluded, known};
use crate::cli::EvalArgs;
use crate::context::Context;
use crate::diagnostic::Advice;
use crate::polygons::{self, PolygonJob};
use crate::progress::Stage;
use crate::segment::conflicts;
use seg_data::{
    CompareJob, Comparison, Grids, LabelFile, Scene, Spot, compare, find_convention, read_spot,
    write_error_map,
};
use seg_label::{AssessmentPlan, Convention, Resampling};
use seg_report::{Evaluation, Findings, LineFindings, OtherFindings, Report, SceneFindings, Standing, Strip};
use std::path::Path;

/// Bytes that GDAL may keep of decoded blocks: enough for rows of blocks of all rasters that are read together.
const BLOCK_CACHE: u64 = 48 << 20;

/// Compares class rasters with their truth.
pub(crate) fn compare_rasters(args: &EvalArgs, context: &Context) -> anyhow::Result<Outcome> {
    let mut stages = vec![Stage { name: "eval", weight: 90.0 }];
    if args.error_map.is_some() {
        stages.push(Stage { name: "error map", weight: 30.0 });
    }
    if args.review.is_some() {
        stages.push(Stage { name: "trace", weight: 30.0 });
    }
    context.progress.start("eval", &stages);
    seg_gdal::set_cache_bytes(BLOCK_CACHE)?;
    let job = job(args, context)?;
    for (flag, path) in [("--error-map", &args.error_map), ("--review", &args.review)] {
        let Some(path) = path else { continue };
        context.check_output(path)?;
        let truths = job.truths.iter().map(|truth| ("truth", Path::new(truth.name())));
        let predictions =
            job.predictions.iter().chain(&job.others).map(|name| ("prediction", Path::new(name)));
        conflicts::refuse(flag.trim_start_matches('-'), path, truths.chain(predictions))?;
        if job.predictions.len() > 1 {
            let what = format!("{flag} writes one file, but {} are compared", job.predictions.len());
            return Err(Advice::new(what, "compare the one that it is wanted for alone").into());
        }
    }
    let review = args.review.as_ref().map(|path| review_job(args, &job, path, context)).transpose()?;
    let comparison = compare(&job, &context.progress)?;
    let report = report(args, &job, &comparison)?;
    if let Some(path) = &args.error_map {
        write_error_map(&job, &comparison.legend, path, &context.progress)?;
    }
    if let Some(review) = &review {
        polygons::prepare(review)?.review(&context.progress)?.publish()?;
    }
    let strips = if args.out.is_some() { strips(&job, &comparison)? } else { Vec::new() };
    Ok(Outcome { report, legend: comparison.legend, strips, timing: None })
}

fn job(args: &EvalArgs, context: &Context) -> anyhow::Result<CompareJob> {
    let data_set = args.dataset.map(crate::value::DataSetChoice::data_set);
    let attribute = args.label_attribute.as_deref();
    let (predictions, truths) = CompareJob::find(&args.pred, &args.truth, attribute)?;
    let others = if args.compare.is_empty() {
        Vec::new()
    } else {
        // Paired as predictions and truths are.
        let (_, others) = CompareJob::find(&args.pred, &args.compare, None)?;
        others.iter().map(|other| other.name().to_owned()).collect()
    };
    let known = known::known(args, &predictions)?;
    Ok(CompareJob {
        others,
        known,
        convention: find_convention(args.legend.as_deref(), data_set)?,
        plan: AssessmentPlan::eroding(args.eroded, args.boundary_tolerance),
        grids: if args.resample.is_some() { Grids::Nearest } else { Grids::Same },
        ..CompareJob::new(predictions, truths, context.threads)
    })
}

/// The polygons of the prediction, with how sure the network was of them.
fn review_job(
    args: &EvalArgs,
    job: &CompareJob,
    path: &Path,
    context: &Context,
) -> anyhow::Result<PolygonJob> {
    let prediction = &job.predictions[0];
    let Some(confidence) = known::confidence(args, prediction) else {
        let what = format!("it is not known how sure {prediction} is, which a review goes by");
        let hint =
            "`rs-seg infer --confidence FILE` writes it; --probabilities names it where it lies elsewhere";
        return Err(Advice::new(what, hint).into());
    };
    Ok(PolygonJob {
        convention: job.convention.clone(),
        confidence: Some(confidence),
        ..PolygonJob::plain(prediction.clone(), path.to_path_buf(), context.threads)
    })
}

fn report(args: &EvalArgs, job: &CompareJob, comparison: &Comparison) -> anyhow::Result<Report> {
    let legend = &comparison.legend;
    let evaluation = Evaluation {
        truth: job.truths.iter().map(LabelFile::name).map(str::to_owned).collect(),
        prediction: job.predictions.clone(),
        excluded: excluded(&args.exclude, legend)?,
        eroded: args.eroded,
        test: None,
        cut: comparison.scenes.iter().filter(|scene| scene.cut).count(),
        resampled: comparison.scenes.iter().filter(|scene| scene.resampled).count(),
    };
    let findings = Findings {
        total: &comparison.total,
        scenes: comparison.scenes.iter().map(scene_findings).collect(),
        other: comparison.other.as_ref().map(|matrix| OtherFindings { names: &job.others, matrix }),
        calibration: comparison.calibration.as_ref(),
        lines: comparison.lines.as_ref().map(|agreement| LineFindings { agreement, near_px: known::NEAR_PX }),
        resampling: Resampling { seed: args.seed, ..Resampling::default() },
    };
    let mut report = Report::new(legend, &comparison.total.matrix, &evaluation);
    report.add(&findings, &evaluation.excluded);
    Ok(report)
}

fn scene_findings(scene: &Scene) -> SceneFindings<'_> {
    SceneFindings {
        prediction: &scene.prediction,
        truth: &scene.truth,
        cells: &scene.cells,
        other: scene.other.as_ref(),
        mapped: &scene.mapped,
        pixel_area: scene.pixel_area,
    }
}

/// What is to be seen at the worst and the best places.
fn strips(job: &CompareJob, comparison: &Comparison) -> anyhow::Result<Vec<Strip>> {
    let convention = job.convention.clone().unwrap_or_else(|| Convention::new(comparison.legend.clone()));
    let (worst, best) = comparison.spots(WORST.max(BEST));
    let strip = |(standing, spot): (Standing, Spot)| {
        let maps = read_spot(job, &convention, &spot)?;
        let window = spot.window;
        anyhow::Ok(Strip {
            standing,
            scene: comparison.scenes[spot.scene].prediction.clone(),
            place: format!(
                "columns {} to {}, rows {} to {}",
                window.x,
                window.right() - 1,
                window.y,
                window.bottom() - 1
            ),
            image: maps.image,
            truth: maps.truth,
            prediction: maps.prediction,
        })
    };
    let worst = worst.into_iter().take(WORST).map(|spot| (Standing::Worst, spot));
    let best = best.into_iter().rev().take(BEST).rev().map(|spot| (Standing::Best, spot));
    worst.chain(best).map(strip).collect()
}
