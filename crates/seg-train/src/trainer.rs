//! The training loop.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use seg_data::{Batch, Loader, LoaderPlan};
use seg_grid::Progress;
use seg_label::Scores;
use seg_nn::import::Origin;
use seg_nn::{Checkpoint, Config};
use tch::Device;

use crate::chips::Chips;
use crate::learner::{Learner, StepLosses, Weights};
use crate::meter::Meter;
use crate::observer::TrainObserver;
use crate::recorder::{Begun, Recorder};
use crate::run_folder::{Existing, LockedFolder, check_free, last};
use crate::saved_run::{Best, SavedRun, differing};
use crate::summary::TrainSummary;
use crate::validate::{ValidationPlan, validate};
use crate::{Error, TrainSettings, classes};

#[cfg(test)]
mod tests;

/// A training.
#[derive(Debug)]
pub struct TrainJob {
    /// The configuration, every default of training written out ([`TrainSettings::effective`]).
    pub config: Config,
    /// Its sections for training.
    pub settings: TrainSettings,
    /// The folder of chips.
    pub data: PathBuf,
    /// The folder of the run.
    pub out: PathBuf,
    /// What the first step starts from.
    pub start: Start,
    /// Where the network learns.
    pub device: Device,
    /// Threads of an operator.
    pub threads: usize,
}

/// What the first step starts from.
#[derive(Debug)]
pub enum Start {
    /// Weights drawn from the seed.
    Fresh {
        /// What becomes of a training in the folder.
        existing: Existing,
    },
    /// The weights of another network, as far as they fit.
    From {
        /// The network, or its encoders.
        origin: Arc<Origin>,
        /// How the user named it.
        name: String,
        /// What becomes of a training in the folder.
        existing: Existing,
    },
    /// The run's own last checkpoint; the first step in a folder that holds nothing of a training yet.
    Resume,
}

/// Trains a network.
///
/// The same job gives the same weights, bit for bit, on the same kind of processor with the same number of
/// threads, however often it is interrupted and resumed. One process does one training at a time: libtorch's
/// random numbers are one stream for all of it.
///
/// # Errors
/// Before the first step when settings, chips, checkpoint and network do not fit each other or the folder is
/// taken; later when a sample cannot be read, a loss is not finite, a file cannot be written, or the observer
/// cancels.
pub fn train(job: &TrainJob, observer: &dyn TrainObserver) -> Result<TrainSummary, Error> {
    seg_torch::set_intra_op_threads(job.threads.min(usize::from(u16::MAX)) as u16);
    seg_torch::keep_freed_memory();
    let mut training = match &job.start {
        Start::Resume if is_begun(&job.out) => Training::resume(job, observer)?,
        Start::Resume => {
            observer.note("there is no checkpoint yet: the training begins with its first step");
            Training::begin(job, &Weights::Drawn, Existing::Refuse, observer)?
        }
        Start::Fresh { existing } => Training::begin(job, &Weights::Drawn, *existing, observer)?,
        Start::From { origin, existing, .. } => {
            Training::begin(job, &Weights::Transferred(origin), *existing, observer)?
        }
    };
    training.run(observer)
}

/// What a device is called in a checkpoint.
fn device_name(device: Device) -> &'static str {
    if device.is_cuda() { "cuda" } else { "cpu" }
}

/// A training under way.
struct Training<'a> {
    job: &'a TrainJob,
    chips: Chips,
    learner: Learner,
    recorder: Recorder,
    meter: Meter,
    /// Steps done.
    step: u64,
}

impl<'a> Training<'a> {
    /// A training that begins; the folder is not touched before all that can be refused was looked at.
    fn begin(
        job: &'a TrainJob,
        weights: &Weights,
        existing: Existing,
        observer: &dyn TrainObserver,
    ) -> Result<Self, Error> {
        check_free(&job.out, existing)?;
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
        let (learner, transfer) = Learner::new(&job.config, &settings, weights, job.device)?;
        if let Some(transfer) = &transfer {
            for note in classes::transfer_notes(transfer) {
                observer.note(&note);
            }
            if let Some(warning) = classes::frozen_tower_warning(&job.config, transfer) {
                observer.warning(warning);
            }
        }
        let folder = LockedFolder::lock(&job.out)?;
        check_free(&job.out, existing)?;
        let begun = Begun {
            chips: chips.fingerprint.clone(),
            device: device_name(job.device),
            transfer: transfer.as_ref(),
            seen: chips.seen()?,
        };
        let recorder = Recorder::begin(job, folder, begun, &learner, observer)?;
        let meter = Meter::new(&job.settings.train, chips.train.len(), recorder.run.sums);
        Ok(Self { job, chips, learner, recorder, meter, step: 0 })
    }

    /// The training of the folder.
    fn resume(job: &'a TrainJob, observer: &dyn TrainObserver) -> Result<Self, Error> {
        let folder = LockedFolder::lock(&job.out)?;
        let checkpoint = Checkpoint::read(&folder.last())?;
        let saved = SavedRun { data: job.data.clone(), ..SavedRun::of(&checkpoint, folder.last())? };
        // An older program may not have written all defaults out.
        let begun = TrainSettings::of(&checkpoint.config, &folder.last())?.effective(&checkpoint.config)?;
        let other = differing(&begun, &job.config);
        if !other.is_empty() {
            return Err(Error::OtherRun { path: job.out.clone(), differing: other.join(", ") });
        }
        let chips = Chips::open(job, observer)?;
        if saved.chips != chips.fingerprint {
            return Err(Error::OtherChips { path: job.out.clone(), data: job.data.clone() });
        }
        let device = device_name(job.device);
        if saved.device != device {
            observer.warning(&format!(
                "begun on {}, resumed on {device}: the weights will differ from those of an uninterrupted training",
                saved.device
            ));
        }
        if saved.threads != job.threads {
            observer.warning(&format!(
                "begun with {} threads, resumed with {}: the weights will differ in their last bits from those of \
                 an uninterrupted training",
                saved.threads, job.threads
            ));
        }
        let step = checkpoint.step;
        observer.note(&format!("resumed at step {step} of {}", job.settings.train.steps));
        let weights = Weights::Resumed(&checkpoint);
        let (learner, _) = Learner::new(&job.config, &chips.settings(job), &weights, job.device)?;
        let recorder = Recorder::open(job, folder, saved, observer)?;
        let meter = Meter::new(&job.settings.train, chips.train.len(), recorder.run.sums);
        Ok(Self { job, chips, learner, recorder, meter, step })
    }

    fn run(&mut self, observer: &dyn TrainObserver) -> Result<TrainSummary, Error> {
        let settings = &self.job.settings.train;
        let mut loader = self.loader()?;
        // Where the training was stopped while it validated.
        if self.validate_if_due(observer)? {
            self.save()?;
        }
        while self.step < settings.steps && !self.is_stale() {
            if observer.cancelled() {
                return self.stop();
            }
            let waited = Instant::now();
            let batches = (0..settings.accumulate).map(|_| loader.next()).collect::<Result<Vec<Batch>, _>>();
            // What was learned until then is not lost with a chip that cannot be read any more.
            let batches = batches.or_else(|error| self.save().and(Err(Error::from(error))))?;
            self.meter.waited(waited.elapsed());
            let losses = self.learner.step(&batches, self.step)?;
            self.step += 1;
            self.check(&losses, &batches)?;
            self.meter.count(&losses);
            observer.progress(Progress { stage: "train", done: self.step, total: settings.steps });
            if self.due(settings.log_every) {
                let report = self.meter.report(self.step, self.learner.rate(self.step - 1));
                self.recorder.step(&report)?;
                observer.step(&report);
            }
            if self.validate_if_due(observer)? || self.due(settings.checkpoint_every) {
                self.save()?;
            }
        }
        Ok(self.summary())
    }

    /// Whether something is done after this step that is done every so many steps and after the last; 0 is never.
    fn due(&self, every: u64) -> bool {
        let ends = self.step == self.job.settings.train.steps;
        every > 0 && self.step > 0 && (ends || self.step.is_multiple_of(every))
    }

    /// Whether the last validations brought nothing better.
    fn is_stale(&self) -> bool {
        let patience = self.job.settings.train.early_stop;
        patience > 0 && self.recorder.run.stale >= patience
    }

    fn save(&mut self) -> Result<(), Error> {
        self.recorder.checkpoint(&self.learner, self.step, self.meter.unsaved(), self.meter.sums())
    }

    /// Ends where the caller wants it, with a checkpoint.
    fn stop<T>(&mut self) -> Result<T, Error> {
        self.save()?;
        Err(Error::Cancelled { step: self.step, path: self.job.out.clone() })
    }

    /// Samples from the next step on.
    fn loader(&self) -> Result<Loader, Error> {
        let settings = &self.job.settings;
        let plan = LoaderPlan {
            seed: settings.train.seed,
            batch: settings.train.batch,
            crop: settings.crop(&self.job.config),
            first_sample: self.step * (settings.train.batch * settings.train.accumulate) as u64,
            workers: settings.train.workers,
            queue: settings.train.queue,
        };
        let scale = classes::input_scale(&self.job.config);
        Ok(Loader::start(Arc::clone(&self.chips.train), settings.augment.clone(), scale, plan)?)
    }

    /// Stops where a number is none, with the batch saved.
    fn check(&mut self, losses: &StepLosses, batches: &[Batch]) -> Result<(), Error> {
        let wrong = [
            ("the loss", losses.total),
            ("the gradient's norm", losses.gradient_norm),
            ("the norm of the weights", losses.weight_norm),
        ];
        match wrong.into_iter().find(|(_, value)| !value.is_finite()) {
            None => Ok(()),
            Some((what, value)) => {
                let step = self.step;
                let chips = batches.iter().flat_map(|batch| &batch.chips);
                let chips: Vec<_> = chips.map(|&chip| self.chips.train.chip(chip).image.clone()).collect();
                // That the number is none must be told even if the disk is full.
                let saved = self.recorder.not_finite(step, what, &chips, batches);
                let batch = saved.inspect_err(|error| tracing::warn!(%error, "the batch was not saved")).ok();
                Err(Error::NotFinite { what, step, value, run: self.job.out.clone(), batch })
            }
        }
    }

    /// Validates after a step after which that is due, once; whether it did.
    fn validate_if_due(&mut self, observer: &dyn TrainObserver) -> Result<bool, Error> {
        let Some(val) = &self.chips.val else { return Ok(false) };
        if !self.due(self.job.settings.train.validate_every)
            || self.recorder.run.validated() == Some(self.step)
        {
            return Ok(false);
        }
        let config = &self.job.config;
        let legend = classes::legend(config)?;
        let plan = ValidationPlan {
            scale: &classes::input_scale(config),
            legend: &legend,
            tile_px: config.model.tile_px,
            threads: self.job.threads,
        };
        let validation = validate(self.learner.predictor().1, val, &plan, observer)?;
        if observer.cancelled() {
            // Not all chips were counted: it is done again when the training goes on.
            return self.stop();
        }
        let scores = Scores::new(&validation.matrix);
        // Nothing is better than a score that is none.
        let before = self.recorder.run.best;
        let better = scores.miou.filter(|miou| before.is_none_or(|best| *miou > best.miou));
        self.recorder.validated(self.step, &validation, &scores, &legend)?;
        if let Some(miou) = better {
            self.recorder.run.best = Some(Best { step: self.step, miou });
            self.recorder.run.stale = 0;
            self.recorder.best(&self.learner, self.step)?;
        } else {
            self.recorder.run.stale += 1;
        }
        let names = classes::names(config);
        observer.validated(&crate::ValidationReport {
            step: self.step,
            matrix: &validation.matrix,
            scores: &scores,
            classes: &names,
            best: better.is_some(),
            checkpoint: &self.recorder.files.folder().best(),
        });
        Ok(true)
    }

    fn summary(&self) -> TrainSummary {
        let folder = self.recorder.files.folder();
        let best = self.recorder.run.best;
        TrainSummary {
            folder: folder.path().to_owned(),
            steps: self.step,
            last: folder.last(),
            best: best.map(|_| folder.best()),
            best_step: best.map(|best| best.step),
            miou: best.map(|best| best.miou),
            seconds: self.meter.seconds(),
            waiting: self.meter.waiting(),
            page: None,
            stopped_early: self.step < self.job.settings.train.steps,
        }
    }
}

/// Whether a folder holds a training that can be resumed.
pub fn is_begun(folder: &Path) -> bool {
    last(folder).exists()
}

/// Refuses a job whose folder holds a training that it may not replace; nothing is touched.
///
/// [`train()`] does so too; several trainings one after another are better asked for all of them first.
///
/// # Errors
/// When the folder holds one, or cannot be looked into.
pub fn check_folder(job: &TrainJob) -> Result<(), Error> {
    match &job.start {
        Start::Resume if is_begun(&job.out) => Ok(()),
        Start::Resume => check_free(&job.out, Existing::Refuse),
        Start::Fresh { existing } | Start::From { existing, .. } => check_free(&job.out, *existing),
    }
}

/// The configuration and chips that a run was begun with, for one that is to go on without being told.
///
/// # Errors
/// When the folder holds no checkpoint of a training.
pub fn resumable(folder: &Path) -> Result<(Config, PathBuf), Error> {
    let path = last(folder);
    if !path.exists() {
        return Err(Error::NothingToResume { path: folder.to_owned(), checkpoint: path });
    }
    let checkpoint = Checkpoint::read(&path)?;
    let saved = SavedRun::of(&checkpoint, path)?;
    Ok((checkpoint.config, saved.data))
}
