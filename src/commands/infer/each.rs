//! Many rasters, each by itself.

use super::whole;
use crate::cli::InferArgs;
use crate::context::{Context, Existing, ResultFormat};
use crate::diagnostic::{Advice, Diagnostic};
use crate::segment::{self, Job, Wanted, manifest};
use crate::value::Shard;
use anyhow::Context as _;
use seg_grid::Observer as _;
use serde_json::json;
use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};

/// What stands for a raster's name in the names of outputs.
const STEM: &str = "{stem}";

/// Segments every raster that is named, or every n-th.
pub(super) fn run(args: &InferArgs, all: &Job, context: &Context) -> anyhow::Result<()> {
    let shard = args.shard.map(|shard| shard.resolve(|name| env::var(name).ok())).transpose()?;
    let outputs = named(&all.inputs, &all.outputs)?;
    let Shard { index, count } = shard.unwrap_or(Shard { index: 0, count: 1 });
    let mine: Vec<_> = all.inputs.iter().zip(outputs).skip(index).step_by(count).collect();
    let (mut told, mut failed) = (Vec::new(), Vec::new());
    context.progress.start_rounds("infer", &whole::stages(all), mine.len());
    for (number, (input, outputs)) in mine.iter().enumerate() {
        let job = Job { inputs: vec![(*input).clone()], outputs: outputs.clone(), ..all.clone() };
        context.printer.note(format!("{} of {}: {input}", number + 1, mine.len()));
        match one(&job, context) {
            Ok(state) => {
                told.push(json!({"input": input, "state": state, "outputs": whole::outputs(&job)}));
            }
            Err(error) if context.progress.cancelled() => return Err(error),
            Err(error) => {
                let Diagnostic { message, cause, hint, .. } = Diagnostic::new(&error);
                let all = [Some(message.clone()), cause, hint].into_iter().flatten().collect::<Vec<_>>();
                context.progress.warning(&format!("{input} failed: {}", all.join("; ")));
                told.push(json!({"input": input, "state": "failed", "message": message}));
                failed.push((*input).clone());
            }
        }
        context.progress.next_round();
    }
    context.progress.result(&json!({"rasters": mine.len()}));
    match context.format {
        ResultFormat::Json => context.printer.json(&json!({"shard": shard, "rasters": told}))?,
        ResultFormat::Text => {
            for line in told.iter().filter_map(|one| one["outputs"]["classes"].as_str()) {
                context.printer.data(line)?;
            }
        }
    }
    match failed.first() {
        None => Ok(()),
        Some(first) => {
            let what = format!("{} of {} rasters failed, {first} first", failed.len(), mine.len());
            Err(Advice::new(what, "what was said of each stands above; the same command tries those again")
                .into())
        }
    }
}

/// Segments one raster, unless that has been done.
fn one(job: &Job, context: &Context) -> anyhow::Result<&'static str> {
    let mut prepared = segment::prepare(job, &context.progress)?;
    if context.existing == Existing::Refuse && job.outputs.are_there() && prepared.is_made(job)? {
        context.printer.note("its outputs are there");
        return Ok("found");
    }
    whole::check(job, context)?;
    let workers = prepared.plan.workers;
    let done = segment::segment(job, prepared, &context.progress)?;
    context.printer.note(segment::report::summary(&done.outcome, workers));
    Ok("made")
}

/// The outputs of each raster.
fn named(inputs: &[String], wanted: &Wanted) -> anyhow::Result<Vec<Wanted>> {
    let (classes, others) = (&wanted.classes, wanted.by_flag());
    let has_stem = |path: &Path| path.to_string_lossy().contains(STEM);
    if let Some((flag, path)) = others.iter().find(|(_, path)| !has_stem(path)) {
        let what = format!("--{flag} {} would be the file of every raster", path.display());
        return Err(Advice::new(what, "put {stem} into its name, which stands for the raster's").into());
    }
    let pattern = if has_stem(classes) { classes.clone() } else { classes.join("{stem}.tif") };
    let mut seen: BTreeMap<PathBuf, &String> = BTreeMap::new();
    let mut all = Vec::with_capacity(inputs.len());
    for input in inputs {
        let stem =
            stem(input).with_context(|| format!("{input} has no name that outputs could be called by"))?;
        let name = |path: &Path| PathBuf::from(path.to_string_lossy().replace(STEM, &stem));
        let classes = name(&pattern);
        if let Some(other) = seen.insert(classes.clone(), input) {
            let what = format!("{other} and {input} would both become {}", classes.display());
            return Err(Advice::new(
                what,
                "give rasters of one name different folders, and run once for each",
            )
            .into());
        }
        all.push(Wanted {
            style: classes.with_extension("qml"),
            manifest: wanted.manifest.as_ref().map(|_| manifest::path_for(&classes)),
            probabilities: wanted.probabilities.as_ref().map(|(path, kind)| (name(path), *kind)),
            confidence: wanted.confidence.as_deref().map(name),
            preview: wanted.preview.as_deref().map(name),
            vector: wanted.vector.as_deref().map(name),
            classes,
        });
    }
    Ok(all)
}

/// The name of a raster without folder and ending.
fn stem(input: &str) -> Option<String> {
    let stem = Path::new(input.trim_end_matches('/')).file_stem()?.to_string_lossy().into_owned();
    // Names such as GPKG:file.gpkg:layer.
    let stem: String =
        stem.chars().map(|c| if matches!(c, ':' | '"' | '?' | '*') { '_' } else { c }).collect();
    (!stem.is_empty()).then_some(stem)
}
