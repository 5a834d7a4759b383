//! `rs-seg train`.

use crate::cli::TrainArgs;
use crate::context::{Context, ResultFormat};
use crate::progress::Stage;
use crate::training::{self, Listener, Processes, Shows, spread};
use seg_train::TrainSummary;
use serde_json::json;

const STAGES: [Stage; 3] = [
    Stage { name: "check", weight: 1.0 },
    Stage { name: "train", weight: 96.0 },
    Stage { name: "eval", weight: 3.0 },
];

/// Trains a network, or one for each seed.
pub(crate) fn run(args: &TrainArgs, context: &Context) -> anyhow::Result<()> {
    let processes = Processes::join(args, context)?;
    // A folder that is taken is told before the first hours are spent.
    let jobs = training::jobs(args, &processes, context).and_then(|jobs| {
        let mut written = jobs.iter().filter(|_| processes.is_first());
        written.try_for_each(seg_train::check_folder)?;
        Ok(jobs)
    });
    let jobs = processes.agree(jobs, &[("--seeds", format!("{:?}", args.seeds))])?;
    if processes.is_first() {
        context.progress.start_rounds("train", &STAGES, jobs.len());
    }
    let mut runs = Vec::with_capacity(jobs.len());
    for job in jobs {
        if !runs.is_empty() {
            context.progress.next_round();
        }
        runs.push(train(&job, &processes, context)?);
    }
    if !processes.is_first() {
        return Ok(());
    }
    match &runs[..] {
        [run] if args.seeds.is_empty() => tell_one(run, context),
        _ => tell_all(&runs, context),
    }
}

fn tell_one(run: &TrainSummary, context: &Context) -> anyhow::Result<()> {
    let checkpoint = run.best.as_ref().unwrap_or(&run.last);
    context.progress.result(&json!({
        "model": checkpoint.display().to_string(),
        "folder": run.folder.display().to_string(),
        "html": run.page.as_ref().map(|page| page.display().to_string()),
    }));
    match context.format {
        ResultFormat::Json => context.printer.json(run),
        ResultFormat::Text => context.printer.data(checkpoint.display()),
    }
}

fn tell_all(runs: &[TrainSummary], context: &Context) -> anyhow::Result<()> {
    let spread = spread(runs);
    let folders: Vec<_> = runs.iter().map(|run| run.folder.display().to_string()).collect();
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
            folders.into_iter().try_for_each(|folder| context.printer.data(folder))
        }
    }
}

fn train(
    job: &seg_train::TrainJob,
    processes: &Processes,
    context: &Context,
) -> anyhow::Result<TrainSummary> {
    let shows = if processes.is_first() { Shows::Progress } else { Shows::Nothing };
    let mut summary = seg_train::train(job, &Listener { context, shows })?;
    if !processes.is_first() {
        return Ok(summary);
    }
    let best = summary.miou.zip(summary.best_step);
    context.printer.note(format_args!(
        "{} steps in {:.0} s, {:.1} % of it waiting for data{}{}{}",
        summary.steps,
        summary.seconds,
        100.0 * summary.waiting,
        summary
            .communication
            .map_or(String::new(), |share| format!(", {:.1} % communication", 100.0 * share)),
        best.map_or(String::new(), |(miou, step)| format!("; best mIoU {miou:.4} at step {step}")),
        if summary.stopped_early { "; stopped early, for nothing got better" } else { "" },
    ));
    summary.page = training::report(job, &summary, context)?;
    if let Some(page) = &summary.page {
        context.printer.note(page.display());
    }
    Ok(summary)
}
