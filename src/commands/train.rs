//! `rs-seg train`.

use crate::cli::TrainArgs;
use crate::context::{Context, ResultFormat};
use crate::progress::Stage;
use crate::training::{self, Listener, spread};
use seg_train::TrainSummary;
use serde_json::json;

const STAGES: [Stage; 2] = [Stage { name: "check", weight: 1.0 }, Stage { name: "train", weight: 99.0 }];

/// Trains a network, or one for each seed.
pub(crate) fn run(args: &TrainArgs, context: &Context) -> anyhow::Result<()> {
    if args.seeds.is_empty() {
        let summary = train(&training::job(args, &args.out, context)?, context)?;
        let checkpoint = summary.best.as_ref().unwrap_or(&summary.last);
        context.progress.result(&json!({"model": checkpoint, "folder": summary.folder}));
        return match context.format {
            ResultFormat::Json => context.printer.json(&summary),
            ResultFormat::Text => context.printer.data(checkpoint.display()),
        };
    }
    let mut runs = Vec::new();
    for &seed in &args.seeds {
        let job = training::job(args, &args.out.join(format!("seed-{seed}")), context)?;
        runs.push(train(&training::with_seed(job, seed)?, context)?);
    }
    let spread = spread(&runs);
    let folders: Vec<_> = runs.iter().map(|run| &run.folder).collect();
    context.progress.result(&json!({"folders": folders}));
    match context.format {
        ResultFormat::Json => context.printer.json(&json!({"runs": runs, "miou": spread})),
        ResultFormat::Text => {
            if let Some(spread) = spread {
                let deviation = spread.deviation.map_or(String::new(), |value| format!(" ± {value:.4}"));
                context.printer.note(format_args!(
                    "mIoU {:.4}{deviation} over {} seeds",
                    spread.mean,
                    runs.len()
                ));
            }
            folders.into_iter().try_for_each(|folder| context.printer.data(folder.display()))
        }
    }
}

fn train(job: &seg_train::TrainJob, context: &Context) -> anyhow::Result<TrainSummary> {
    context.progress.start("train", &STAGES);
    let summary = seg_train::train(job, &Listener(context))?;
    let best = summary.miou.zip(summary.best_step);
    context.printer.note(format_args!(
        "{} steps in {:.0} s, {:.1} % of it waiting for data{}{}",
        summary.steps,
        summary.seconds,
        100.0 * summary.waiting,
        best.map_or(String::new(), |(miou, step)| format!("; best mIoU {miou:.4} at step {step}")),
        if summary.stopped_early { "; stopped early, for nothing got better" } else { "" },
    ));
    Ok(summary)
}
