//! From the command line to a training job.

mod listener;
mod seeds;

pub(crate) use listener::Listener;
pub(crate) use seeds::spread;

use crate::cli::TrainArgs;
use crate::context::{Context, Existing};
use crate::diagnostic::Advice;
use anyhow::Context as _;
use seg_label::Legend;
use seg_nn::{Checkpoint, ClassSpec, Config};
use seg_train::{Start, TrainJob, TrainSettings};
use std::fs;
use std::path::{Path, PathBuf};

/// The job that the arguments ask for, but for its seed and folder.
pub(crate) fn job(args: &TrainArgs, out: &Path, context: &Context) -> anyhow::Result<TrainJob> {
    let init = args.init.as_ref().map(|name| Ok::<_, anyhow::Error>((name.checkpoint()?, name)));
    let init = init.transpose()?;
    let (config, origin, data) = configuration(args, out, init.as_ref().map(|(checkpoint, _)| checkpoint))?;
    let settings = TrainSettings::of(&config, &origin)?;
    let data = args.data.clone().or_else(|| settings.data.folder.clone()).or(data).ok_or_else(|| {
        Advice::new("no folder of chips was given", "give --data, or data.folder in the configuration")
    })?;
    let existing = match context.existing {
        Existing::Refuse => seg_train::Existing::Refuse,
        Existing::Replace => seg_train::Existing::Replace,
    };
    let start = match init {
        _ if args.resume => Start::Resume,
        None => Start::Fresh { existing },
        Some((checkpoint, name)) => {
            Start::From { checkpoint: Box::new(checkpoint), name: name.to_string(), existing }
        }
    };
    Ok(TrainJob {
        config: settings.effective(&config)?,
        settings,
        data,
        out: out.to_owned(),
        start,
        device: seg_nn::parse_device(&context.device.to_string())?,
        threads: context.threads,
    })
}

/// The same job for another seed.
pub(crate) fn with_seed(mut job: TrainJob, seed: u64) -> anyhow::Result<TrainJob> {
    job.settings.train.seed = seed;
    job.config = job.settings.effective(&job.config)?;
    Ok(job)
}

/// The configuration with what replaces parts of it, where it came from, and the chips that a resumed training
/// was begun with.
fn configuration(
    args: &TrainArgs,
    out: &Path,
    init: Option<&Checkpoint>,
) -> anyhow::Result<(Config, PathBuf, Option<PathBuf>)> {
    let (text, origin, data) = match (&args.config, init) {
        (Some(path), _) => {
            let text = fs::read_to_string(path)
                .with_context(|| format!("cannot read the configuration {}", path.display()))?;
            // Errors name a line of the file as it was written.
            Config::parse(&text, path)?;
            (text, path.clone(), None)
        }
        (None, Some(init)) => (init.config.to_toml()?, init_name(args).into(), None),
        (None, None) => {
            let (config, data) = seg_train::resumable(out)?;
            (config.to_toml()?, out.join("last.safetensors"), Some(data))
        }
    };
    let mut table: toml::Table = toml::from_str(&text)?;
    for setting in &args.set {
        setting.apply(&mut table).map_err(|reason| {
            let what = format!("cannot set {}: {reason}", setting.path.join("."));
            Advice::new(what, "`--set` takes SECTION.KEY=VALUE as in the configuration file")
        })?;
    }
    let mut config = Config::parse(&toml::to_string(&table)?, &origin).map_err(|error| match error {
        // Lines of this text are not those of the file.
        seg_nn::Error::Toml { reason, .. } => {
            let what = format!("`--set` does not fit {}: {reason}", origin.display());
            Advice::new(what, "`--set` takes SECTION.KEY=VALUE as in the configuration file").into()
        }
        other => anyhow::Error::from(other),
    })?;
    if let Some(name) = &args.legend {
        config.class = read_legend(name)?.classes().iter().map(class).collect();
    }
    Ok((config, origin, data))
}

fn init_name(args: &TrainArgs) -> String {
    args.init.as_ref().map_or_else(String::new, ToString::to_string)
}

fn class(class: &seg_label::Class) -> ClassSpec {
    ClassSpec {
        id: class.id.0,
        name: class.name.clone(),
        prompt: class.prompt.clone(),
        color: [class.color.r, class.color.g, class.color.b],
    }
}

fn read_legend(name: &str) -> anyhow::Result<Legend> {
    if let Some(legend) = Legend::builtin(name) {
        return Ok(legend);
    }
    let text = fs::read_to_string(name).with_context(|| format!("cannot read the legend {name}"))?;
    Legend::from_toml_str(&text).with_context(|| format!("cannot understand the legend {name}"))
}
