//! A network tested on chips.

use super::excluded;
use crate::cli::EvalArgs;
use crate::context::{Context, Existing};
use crate::network::NetworkName;
use crate::progress::Stage;
use crate::value::ProtocolChoice;
use seg_data::{ChipSet, DataSettings, PredictionFolder, PredictionStyle};
use seg_grid::Observer as _;
use seg_label::Legend;
use seg_report::{Evaluation, NetworkTest, Report};
use seg_run::{Passes, SlidingWindow};
use seg_train::{EvaluateJob, evaluate};
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

/// Tests a network on the chips of a split.
pub(crate) fn test_network(
    name: &NetworkName,
    data: &Path,
    args: &EvalArgs,
    context: &Context,
) -> anyhow::Result<(Report, Timing)> {
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
        eroded: args.eroded,
        threads: context.threads,
        predictions: predictions.as_ref(),
    };
    let started = Instant::now();
    let matrix = evaluate(&job, &context.progress)?;
    let seconds = started.elapsed().as_secs_f64();
    if let Some(predictions) = predictions {
        predictions.publish()?;
    }
    let labels: Vec<_> = chips.label_folders().into_iter().collect();
    let evaluation = Evaluation {
        prediction: vec![name.to_string()],
        truth: vec![data.display().to_string()],
        excluded,
        eroded: args.eroded,
        test: Some(protocol(name, data, &chips, labels, &passes)),
    };
    match chips.unlabeled() {
        0 => {}
        all if all == chips.len() => {
            context.progress.warning("the chips have no labels, so there are no scores");
        }
        some => context
            .progress
            .warning(&format!("{some} of {} chips have no label and count nowhere", chips.len())),
    }
    let report = Report::new(chips.legend(), &matrix, &evaluation);
    Ok((report, Timing { seconds, patches_per_second: chips.len() as f64 / seconds }))
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

fn protocol(
    name: &NetworkName,
    data: &Path,
    chips: &ChipSet,
    labels: Vec<String>,
    passes: &Passes,
) -> NetworkTest {
    NetworkTest {
        model: name.to_string(),
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
