//! How a training begins or goes on.

use std::sync::Arc;

use seg_nn::Checkpoint;
use tch::Device;

use super::{Start, TrainJob, Training};
use crate::chips::Chips;
use crate::crew::{Crew, Verdict, agree};
use crate::learner::{Learner, Weights};
use crate::meter::Meter;
use crate::observer::TrainObserver;
use crate::recorder::{Begun, Recorder};
use crate::run_folder::{Existing, LockedFolder, check_free};
use crate::saved_run::{ONES_OWN, SavedRun, differing, settings};
use crate::together::Place;
use crate::{Error, TrainSettings, classes};

impl<'a> Training<'a> {
    /// A training that begins; the folder is not touched before all that can be refused was looked at, by all processes.
    pub(super) fn begin(
        job: &'a TrainJob,
        weights: &Weights,
        existing: Existing,
        crew: Option<&'a Arc<Crew>>,
        observer: &dyn TrainObserver,
    ) -> Result<Self, Error> {
        let writes = crew.is_none_or(|crew| crew.is_first());
        let prepare = || {
            if writes {
                check_free(&job.out, existing)?;
            }
            let chips = Chips::open(job, observer)?;
            let settings = chips.settings(job);
            if job.settings.loss.class_weight_power > 0.0 {
                observer.note(&classes::weights_note(&job.config, &settings));
            }
            let (schedule, steps) = (&settings.schedule, settings.train.steps);
            if schedule.warmup_steps >= steps {
                observer.warning(&format!(
                    "the learning rate rises over {} steps, and there are only {steps}: set schedule.warmup-steps",
                    schedule.warmup_steps
                ));
            }
            let (learner, transfer) = Learner::new(&job.config, &settings, weights, &place(job, crew))?;
            if let Some(transfer) = &transfer {
                for note in classes::transfer_notes(transfer) {
                    observer.note(&note);
                }
                if let Some(warning) = classes::frozen_tower_warning(&job.config, transfer) {
                    observer.warning(warning);
                }
            }
            let folder = writes.then(|| LockedFolder::lock(&job.out)).transpose()?;
            if writes {
                check_free(&job.out, existing)?;
            }
            let seen = chips.seen()?;
            Ok((chips, learner, transfer, folder, seen))
        };
        let (chips, mut learner, transfer, folder, seen) = meet(prepare(), crew)?;
        join(&mut learner, job, crew, &parts(job, &chips, ""), observer)?;
        let begun = Begun {
            chips: chips.fingerprint.clone(),
            device: device_name(job.device),
            transfer: transfer.as_ref(),
            seen,
            world: crew.map_or(1, |crew| crew.world()),
        };
        let recorder = Recorder::begin(job, folder, begun, &learner, observer)?;
        Ok(Self::at(job, crew, (chips, learner, recorder), 0))
    }

    /// The training of the folder.
    pub(super) fn resume(
        job: &'a TrainJob,
        crew: Option<&'a Arc<Crew>>,
        observer: &dyn TrainObserver,
    ) -> Result<Self, Error> {
        let world = crew.map_or(1, |crew| crew.world());
        let prepare = || {
            let writes = crew.is_none_or(|crew| crew.is_first());
            let folder = writes.then(|| LockedFolder::lock(&job.out)).transpose()?;
            let path = super::last(&job.out);
            let checkpoint = Checkpoint::read(&path)?;
            let saved = SavedRun { data: job.data.clone(), ..SavedRun::of(&checkpoint, path.clone())? };
            // An older program may not have written all defaults out.
            let begun = TrainSettings::of(&checkpoint.config, &path)?.effective(&checkpoint.config)?;
            let other = differing(&begun, &job.config);
            if !other.is_empty() {
                return Err(Error::OtherRun { path: job.out.clone(), differing: other.join(", ") });
            }
            let chips = Chips::open(job, observer)?;
            if saved.chips != chips.fingerprint {
                return Err(Error::OtherChips { path: job.out.clone(), data: job.data.clone() });
            }
            for warning in changes(&saved, job, world) {
                observer.warning(&warning);
            }
            let step = checkpoint.step;
            observer.note(&format!("resumed at step {step} of {}", job.settings.train.steps));
            let weights = Weights::Resumed(&checkpoint);
            let (learner, _) = Learner::new(&job.config, &chips.settings(job), &weights, &place(job, crew))?;
            Ok((chips, learner, SavedRun { world, ..saved }, folder, (step, checkpoint.fingerprint)))
        };
        let (chips, mut learner, saved, folder, (step, checkpoint)) = meet(prepare(), crew)?;
        join(&mut learner, job, crew, &parts(job, &chips, &checkpoint), observer)?;
        let recorder = Recorder::open(job, folder, saved, observer)?;
        Ok(Self::at(job, crew, (chips, learner, recorder), step))
    }

    fn at(
        job: &'a TrainJob,
        crew: Option<&'a Arc<Crew>>,
        (chips, learner, recorder): (Chips, Learner, Recorder),
        step: u64,
    ) -> Self {
        let world = crew.map_or(1, |crew| crew.world());
        let meter = Meter::new(&job.settings.train, world, chips.train.len(), recorder.run.sums);
        Self { job, crew, chips, learner, recorder, meter, step }
    }
}

/// What is ready here, where it is ready everywhere.
fn meet<T>(ready: Result<T, Error>, crew: Option<&Arc<Crew>>) -> Result<T, Error> {
    let crew = crew.map(|crew| &**crew);
    // Whoever wants to stop is asked before the first step.
    agree(crew, ready, Verdict::GoOn).map(|(ready, _)| ready)
}

/// Joins the other processes, if they do the same.
fn join(
    learner: &mut Learner,
    job: &TrainJob,
    crew: Option<&Arc<Crew>>,
    parts: &[(String, String)],
    observer: &dyn TrainObserver,
) -> Result<(), Error> {
    let Some(crew) = crew else { return Ok(()) };
    crew.compare_jobs(parts)?;
    tell_batch(job, crew, observer);
    learner.join(crew)
}

/// What has to be the same in all processes; `checkpoint` is the hash of the one that they go on from.
fn parts(job: &TrainJob, chips: &Chips, checkpoint: &str) -> Vec<(String, String)> {
    let existing = |existing: Existing| match existing {
        Existing::Refuse => "keeps what is there",
        Existing::Replace => "replaces what is there",
    };
    let (start, weights) = match &job.start {
        Start::Resume => ("resumes", String::new()),
        Start::Fresh { existing: old } => (existing(*old), String::new()),
        Start::From { origin, existing: old, .. } => (existing(*old), origin.fingerprint()),
    };
    let settings =
        settings(&job.config, &ONES_OWN).into_iter().map(|(name, value)| (name, value.to_string()));
    let parts = [
        ("--data", chips.fingerprint.clone()),
        ("--device", device_name(job.device).to_owned()),
        ("--init", weights),
        ("--resume or --overwrite", start.to_owned()),
        ("checkpoint in --out", checkpoint.to_owned()),
    ];
    parts.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(settings).collect()
}

fn place(job: &TrainJob, crew: Option<&Arc<Crew>>) -> Place {
    let alone = Place::alone(job.device);
    crew.map_or(alone, |crew| Place { rank: crew.rank(), world: crew.world(), ..alone })
}

/// What differs from when the training was begun, and from what it will differ.
fn changes(saved: &SavedRun, job: &TrainJob, world: usize) -> Vec<String> {
    let device = device_name(job.device);
    let mut warnings = Vec::new();
    if saved.device != device {
        warnings.push(format!(
            "begun on {}, resumed on {device}: the weights will differ from those of an uninterrupted training",
            saved.device
        ));
    }
    if saved.threads != job.threads {
        warnings.push(format!(
            "begun with {} threads, resumed with {}: the weights will differ in their last bits from those of an \
             uninterrupted training",
            saved.threads, job.threads
        ));
    }
    if saved.world != world {
        warnings.push(format!(
            "begun by {} processes, resumed by {world}: the samples of a step differ from those of an uninterrupted \
             training",
            saved.world
        ));
    }
    warnings
}

/// What a device is called in a checkpoint.
fn device_name(device: Device) -> &'static str {
    if device.is_cuda() { "cuda" } else { "cpu" }
}

/// Tells how large a step is.
fn tell_batch(job: &TrainJob, crew: &Crew, observer: &dyn TrainObserver) {
    let (train, world) = (&job.settings.train, crew.world());
    observer.note(&format!(
        "{world} processes: a step learns from {} samples ({} a batch x {} accumulated x {world} processes)",
        train.batch * train.accumulate * world,
        train.batch,
        train.accumulate,
    ));
    if job.settings.loss.cpc_weight > 0.0 && job.config.model.text.is_some() {
        observer.note("the contrastive loss remembers vectors for each batch of each process by itself");
    }
}
