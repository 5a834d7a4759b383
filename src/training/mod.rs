//! From the command line to a training job.

mod listener;
mod processes;
mod report;
mod seeds;

pub(crate) use listener::{Listener, Shows};
pub(crate) use processes::Processes;
pub(crate) use report::report;
pub(crate) use seeds::spread;

use crate::cli::TrainArgs;
use crate::context::{Context, Existing};
use crate::diagnostic::Advice;
use crate::network::NetworkName;
use anyhow::Context as _;
use seg_label::Legend;
use seg_nn::import::Origin;
use seg_nn::{ClassSpec, Config};
use seg_train::{Start, TrainJob, TrainSettings};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The jobs that the arguments ask for: one, or one for each seed in a folder of its own.
pub(crate) fn jobs(
    args: &TrainArgs,
    processes: &Processes,
    context: &Context,
) -> anyhow::Result<Vec<TrainJob>> {
    let folders: Vec<PathBuf> = match &args.seeds[..] {
        [] => vec![args.out.clone()],
        seeds => seeds.iter().map(|seed| args.out.join(format!("seed-{seed}"))).collect(),
    };
    // All processes ask each other here: nothing that can fail comes before.
    let goes_on = processes.go_on(&folders)?;
    let mut seeds = args.seeds.clone();
    seeds.sort_unstable();
    let mut pairs = seeds.iter().zip(seeds.iter().skip(1));
    if let Some((seed, _)) = pairs.find(|(one, next)| one == next) {
        let what = format!("--seeds names {seed} twice");
        return Err(Advice::new(what, "each seed is trained once, to a folder of its own").into());
    }
    for folder in folders.iter().filter(|_| context.existing == Existing::Replace) {
        check_not_read(args, folder)?;
    }
    // What a training that goes on began with is in its own checkpoint.
    let goes_on: Vec<bool> = folders
        .iter()
        .zip(goes_on)
        .map(|(folder, by_itself)| by_itself || (args.resume && seg_train::is_begun(folder)))
        .collect();
    let wanted = args.init.as_ref().filter(|_| !goes_on.iter().all(|&goes_on| goes_on));
    let init = wanted.map(|name| anyhow::Ok((Arc::new(name.origin()?), name))).transpose()?;
    let seeds = args.seeds.iter().map(Some).chain(std::iter::repeat(None));
    let job = |((folder, goes_on), seed): ((&PathBuf, bool), Option<&u64>)| {
        let init = init.as_ref().filter(|_| !goes_on);
        let resumed = TrainArgs { resume: args.resume || goes_on, ..args.clone() };
        let job = job(&resumed, folder, init, processes, context)?;
        match seed {
            Some(seed) => with_seed(job, *seed),
            None => Ok(job),
        }
    };
    folders.iter().zip(goes_on).zip(seeds).map(job).collect()
}

/// Refuses to remove a file of an earlier training that this one reads.
fn check_not_read(args: &TrainArgs, folder: &Path) -> anyhow::Result<()> {
    let init = match &args.init {
        Some(NetworkName::File(path)) => Some(path),
        _ => None,
    };
    for file in args.config.iter().chain(init) {
        let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if matches!((parent.canonicalize(), folder.canonicalize()), (Ok(a), Ok(b)) if a == b) {
            let what = format!("--overwrite would remove {}, which this training reads", file.display());
            return Err(Advice::new(what, "choose another folder for --out, or move the file").into());
        }
    }
    Ok(())
}

/// The job for a folder.
fn job(
    args: &TrainArgs,
    out: &Path,
    init: Option<&(Arc<Origin>, &NetworkName)>,
    processes: &Processes,
    context: &Context,
) -> anyhow::Result<TrainJob> {
    let (config, origin, begun_with) = configuration(args, out, init.map(|(origin, _)| &**origin))?;
    let mut settings = TrainSettings::of(&config, &origin)?;
    // The run's folder names what runs, so that it is the same when the training goes on elsewhere.
    settings.train.precision = settings.train.precision.on(processes.device);
    if let Some(data) = begun_with.as_ref().filter(|data| args.data.is_none() && !data.is_dir()) {
        let what =
            format!("{} was begun with the chips of {}, which are not there", out.display(), data.display());
        return Err(Advice::new(what, "give --data, or call it in the folder that it was begun in").into());
    }
    let data =
        args.data.clone().or(begun_with).or_else(|| settings.data.folder.clone()).ok_or_else(|| {
            Advice::new("no folder of chips was given", "give --data, or data.folder in the configuration")
        })?;
    let existing = match context.existing {
        Existing::Refuse => seg_train::Existing::Refuse,
        Existing::Replace => seg_train::Existing::Replace,
    };
    let start = match init {
        None if args.resume => Start::Resume,
        None => Start::Fresh { existing },
        Some((origin, name)) => Start::From { origin: Arc::clone(origin), name: name.to_string(), existing },
    };
    Ok(TrainJob {
        config: settings.effective(&config)?,
        settings,
        data,
        out: out.to_owned(),
        start,
        device: processes.device,
        threads: processes.threads,
        group: processes.group.clone(),
        launch: processes.launch.clone(),
    })
}

/// The same job for another seed.
fn with_seed(mut job: TrainJob, seed: u64) -> anyhow::Result<TrainJob> {
    job.settings.train.seed = seed;
    job.config = job.settings.effective(&job.config)?;
    Ok(job)
}

/// The configuration with what replaces parts of it, where it came from, and the chips that a resumed training
/// was begun with.
fn configuration(
    args: &TrainArgs,
    out: &Path,
    init: Option<&Origin>,
) -> anyhow::Result<(Config, PathBuf, Option<PathBuf>)> {
    let (text, origin, data) = match (&args.config, init) {
        (Some(path), _) => {
            let text = fs::read_to_string(path)
                .with_context(|| format!("cannot read the configuration {}", path.display()))?;
            // Errors name a line of the file as it was written.
            Config::parse(&text, path)?;
            (text, path.clone(), None)
        }
        (None, Some(init)) => {
            let mut config = init.config().cloned().ok_or_else(|| {
                let what = format!("{} holds encoders alone, which tell no network", init_name(args));
                Advice::new(what, "give --config with the network that begins with them")
            })?;
            // What was quicker where that network was trained need not be so here.
            if let Some(train) = &mut config.train {
                train.insert("precision".to_owned(), "auto".into());
            }
            (config.to_toml()?, init_name(args).into(), None)
        }
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
