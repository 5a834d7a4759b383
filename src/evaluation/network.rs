//! A network tested on chips.

use super::{BEST, Outcome, WORST, excluded};
use crate::cli::EvalArgs;
use crate::context::{Context, Existing};
use crate::network::NetworkName;
use crate::progress::Stage;
use crate::value::ProtocolChoice;
use seg_data::{ChipSet, DataSettings, PredictionFolder, PredictionStyle};
use seg_grid::Observer as _;
use seg_label::{AssessmentPlan, ClassCounts, ClassId, Legend, Resampling};
use seg_report::{Evaluation, Findings, NetworkTest, Report, SceneFindings, Standing, Strip};
use seg_run::{Passes, SlidingWindow};
use seg_train::{ChipScene, EvaluateJob, evaluate, look};
use serde::Serialize;
use std::path::Path;
use std::time::Instant;

const STAGES: [Stage; 2] = [Stage { name: "check", weight: 2.0 }, Stage { name: "eval", weight: 98.0 }];

/// How long a test took.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Timing {
    seconds: f64,
    pub patches_per_second: f64,
}

/// Chips to test a network on, and how.
pub(crate) struct ChipTest<'a> {
    pub job: EvaluateJob<'a>,
    /// What the network is called.
    pub name: String,
    /// The folder of chips.
    pub data: &'a Path,
    pub excluded: &'a [ClassId],
    pub seed: u64,
}

/// Tests a network on the chips of a split.
pub(crate) fn test_network(
    name: &NetworkName,
    data: &Path,
    args: &EvalArgs,
    context: &Context,
) -> anyhow::Result<Outcome> {
    context.progress.start("eval", &STAGES);
    let model = name.load(context.network_device()?)?;
    let classes: Vec<_> = model.card.classes.iter().map(|class| class.name.clone()).collect();
    let settings =
        DataSettings { bands: args.bands.as_ref().map(|list| list.0.clone()), ..DataSettings::default() };
    // What is only to be predicted needs no labels.
    let open = if args.save_predictions.is_some() { ChipSet::open_images } else { ChipSet::open };
    let chips = open(data, args.split.split(), &classes, model.card.input.bands, &settings)?
        .accepting(&model.card.input.dtypes);
    let excluded = excluded(&args.exclude, chips.legend())?;
    let passes = passes(args, model.card.tile_side());
    let predictions = args.save_predictions.as_ref().map(|folder| {
        let existing = match context.existing {
            Existing::Refuse => seg_data::Existing::Refuse,
            Existing::Replace => seg_data::Existing::Replace,
        };
        PredictionFolder::create(folder, existing, &chips, style(chips.legend()))
    });
    let predictions = predictions.transpose()?;
    let job = EvaluateJob {
        model: &model,
        chips: &chips,
        passes: &passes,
        plan: AssessmentPlan::eroding(args.eroded, args.boundary_tolerance),
        threads: context.threads,
        predictions: predictions.as_ref(),
    };
    let test = ChipTest { job, name: name.to_string(), data, excluded: &excluded, seed: args.seed };
    let show = args.out.is_some();
    let outcome = test_chips(&test, if show { Shown::Places } else { Shown::Nothing }, context)?;
    if let Some(predictions) = predictions {
        predictions.publish()?;
    }
    match chips.unlabeled() {
        0 => {}
        all if all == chips.len() => {
            context.progress.warning("the chips have no labels, so there are no scores");
        }
        some => context
            .progress
            .warning(&format!("{some} of {} chips have no label and count nowhere", chips.len())),
    }
    Ok(outcome)
}

/// Whether pictures are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    Places,
    Nothing,
}

/// Tests a network and makes a report of it.
pub(crate) fn test_chips(test: &ChipTest<'_>, shown: Shown, observer: &Context) -> anyhow::Result<Outcome> {
    let job = &test.job;
    let chips = job.chips;
    let started = Instant::now();
    let found = evaluate(job, &observer.progress)?;
    let seconds = started.elapsed().as_secs_f64();
    let labels: Vec<_> = chips.label_folders().into_iter().collect();
    let evaluation = Evaluation {
        prediction: vec![test.name.clone()],
        truth: vec![test.data.display().to_string()],
        excluded: test.excluded.to_vec(),
        eroded: job.plan.eroded,
        test: Some(protocol(&test.name, test.data, chips, labels, job.passes)),
        ..Evaluation::default()
    };
    let findings = Findings {
        total: &found.total,
        scenes: found.scenes.iter().map(|scene| scene_findings(scene, test)).collect(),
        other: None,
        calibration: Some(&found.calibration).filter(|calibration| calibration.pixels() > 0),
        lines: None,
        resampling: Resampling { seed: test.seed, ..Resampling::default() },
    };
    let mut report = Report::new(chips.legend(), &found.total.matrix, &evaluation);
    report.add(&findings, test.excluded);
    let strips = if shown == Shown::Places { strips(job, &found.chips)? } else { Vec::new() };
    let timing = Timing { seconds, patches_per_second: chips.len() as f64 / seconds };
    Ok(Outcome { report, legend: chips.legend().clone(), strips, timing: Some(timing) })
}

fn scene_findings<'a>(scene: &'a ChipScene, test: &'a ChipTest<'_>) -> SceneFindings<'a> {
    SceneFindings {
        prediction: &scene.source,
        truth: test.data.to_str().unwrap_or_default(),
        cells: &scene.cells,
        other: None,
        mapped: &[],
        pixel_area: None,
    }
}

/// The worst and the best chips, looked at once more.
fn strips(job: &EvaluateJob<'_>, counts: &[ClassCounts]) -> anyhow::Result<Vec<Strip>> {
    let accuracy = |chip: usize| counts[chip].right() as f64 / counts[chip].pixels() as f64;
    let most = counts.iter().map(ClassCounts::pixels).max().unwrap_or(0);
    let mut order: Vec<usize> =
        (0..counts.len()).filter(|&chip| most > 0 && counts[chip].pixels() * 2 >= most).collect();
    order.sort_by(|&a, &b| accuracy(a).total_cmp(&accuracy(b)).then(a.cmp(&b)));
    let worst: Vec<usize> = order.iter().copied().filter(|&chip| accuracy(chip) < 1.0).take(WORST).collect();
    let rest: Vec<usize> = order.into_iter().filter(|chip| !worst.contains(chip)).collect();
    let best = rest.iter().rev().take(BEST).rev().map(|&chip| (Standing::Best, chip));
    let strip = |(standing, chip): (Standing, usize)| {
        let seen = look(job, chip)?;
        anyhow::Ok(Strip {
            standing,
            scene: job.chips.chip(chip).image.clone(),
            place: String::new(),
            image: Some((seen.image, seen.valid)),
            truth: seen.truth,
            prediction: seen.predicted,
        })
    };
    worst.iter().map(|&chip| (Standing::Worst, chip)).chain(best).map(strip).collect()
}

fn passes(args: &EvalArgs, tile: usize) -> Passes {
    let sliding = SlidingWindow::of_side(args.window.unwrap_or(tile));
    let sliding = SlidingWindow { stride: args.stride.unwrap_or(sliding.stride), ..sliding };
    match args.protocol {
        Some(ProtocolChoice::Single) => Passes::single(sliding),
        Some(ProtocolChoice::Paper) => Passes::paper(sliding),
        None => Passes { sliding, scales: args.scales.0.clone(), turns: args.tta.turns() },
    }
}

/// `LoveDA`'s test takes ids, everything else is looked at.
fn style(legend: &Legend) -> PredictionStyle {
    let names = |legend: &Legend| legend.names().map(str::to_owned).collect::<Vec<_>>();
    if Legend::builtin("loveda").is_some_and(|loveda| names(&loveda) == names(legend)) {
        PredictionStyle::Ids
    } else {
        PredictionStyle::Colors
    }
}

fn protocol(name: &str, data: &Path, chips: &ChipSet, labels: Vec<String>, passes: &Passes) -> NetworkTest {
    NetworkTest {
        model: name.to_owned(),
        data: data.display().to_string(),
        split: chips.split().to_string(),
        labels,
        images: chips.sources(),
        patches: chips.len(),
        window: passes.sliding.side,
        stride: passes.sliding.stride,
        scales: passes.scales.clone(),
        flips: passes.turns.names().iter().map(|&flip| flip.to_owned()).collect(),
        passes: passes.count(),
        averaging: "scores where windows overlap, then probabilities over passes".to_owned(),
        padding: "0 after normalization at the right and bottom, to the network's multiple; cut off again"
            .to_owned(),
    }
}
