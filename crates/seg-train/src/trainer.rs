//! The training loop.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use seg_data::{Batch, BatchShare, Loader, LoaderPlan};
use seg_grid::Progress;
use seg_label::Scores;
use seg_nn::import::Origin;
use seg_nn::{Checkpoint, Config};
use seg_torch::distributed::Group;
use tch::Device;

use crate::chips::Chips;
use crate::crew::{Crew, Found, Verdict, agree};
use crate::learner::{Learner, StepLosses, Weights};
use crate::meter::Meter;
use crate::observer::TrainObserver;
use crate::recorder::Recorder;
use crate::run_folder::{Existing, best, check_free, last};
use crate::saved_run::{Best, SavedRun};
use crate::summary::TrainSummary;
use crate::validate::{ValidationPlan, validate};
use crate::{Error, TrainSettings, classes, tensor};

mod start;
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
    /// The processes that train together, each with this job; none where this one is alone.
    pub group: Option<Arc<Group>>,
    /// The name of the launch that this start belongs to ([`begun_by`]); none where there are no restarts.
    pub launch: Option<String>,
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
/// The processes of a [`group`](TrainJob::group) share the samples of every step: they do what one process does whose
/// `train.accumulate` is as many times as large. The first of them writes; all see the folders of the run and the chips.
/// What ends one of them ends all.
///
/// # Errors
/// Before the first step when settings, chips, checkpoint and network do not fit each other or the folder is
/// taken; later when a sample cannot be read, a loss is not finite, a file cannot be written, or the observer
/// cancels.
pub fn train(job: &TrainJob, observer: &dyn TrainObserver) -> Result<TrainSummary, Error> {
    seg_torch::set_intra_op_threads(job.threads.min(usize::from(u16::MAX)) as u16);
    seg_torch::keep_freed_memory();
    let crew = job.group.as_ref().map(|group| Arc::new(Crew::new(group)));
    let trained = train_with(job, crew.as_ref(), observer);
    if let Some(crew) = &crew {
        crew.part();
    }
    trained
}

fn train_with(
    job: &TrainJob,
    crew: Option<&Arc<Crew>>,
    observer: &dyn TrainObserver,
) -> Result<TrainSummary, Error> {
    let found = if is_begun(&job.out) { Found::Checkpoint } else { Found::Nothing };
    // The others may look when the first one has written already.
    let found = crew.map_or(Ok(found), |crew| crew.as_first(found))?;
    let fresh = |weights: &Weights, existing| Training::begin(job, weights, existing, crew, observer);
    let mut training = match &job.start {
        Start::Resume if found == Found::Checkpoint => Training::resume(job, crew, observer)?,
        Start::Resume => {
            observer.note("there is no checkpoint yet: the training begins with its first step");
            fresh(&Weights::Drawn, Existing::Refuse)?
        }
        Start::Fresh { existing } => fresh(&Weights::Drawn, *existing)?,
        Start::From { origin, existing, .. } => fresh(&Weights::Transferred(origin), *existing)?,
    };
    training.run(observer)
}

/// A training under way.
struct Training<'a> {
    job: &'a TrainJob,
    /// The other processes.
    crew: Option<&'a Arc<Crew>>,
    chips: Chips,
    learner: Learner,
    recorder: Recorder,
    meter: Meter,
    /// Steps done.
    step: u64,
}

impl<'a> Training<'a> {
    fn run(&mut self, observer: &dyn TrainObserver) -> Result<TrainSummary, Error> {
        let settings = &self.job.settings.train;
        let mut loader = self.loader()?;
        // Where the training was stopped while it validated.
        if self.validate_if_due(observer)? {
            self.save()?;
        }
        while self.step < settings.steps && !self.is_stale() {
            let wish = wish(observer);
            let waited = Instant::now();
            let wanted = if wish == Verdict::Stop { 0 } else { settings.accumulate };
            let batches = (0..wanted).map(|_| loader.next()).collect::<Result<Vec<Batch>, _>>();
            self.meter.waited(waited.elapsed());
            let (batches, verdict) = match agree(self.crew(), batches.map_err(Error::from), wish) {
                Err(error) if error.is_loss_of_peer() => return Err(error),
                // What was learned until then is not lost with a chip that cannot be read any more.
                Err(error) => return self.save().and(Err(error)),
                Ok(agreed) => agreed,
            };
            if verdict == Verdict::Stop {
                return self.stop();
            }
            let losses = self.learner.step(&batches, self.step)?;
            self.step += 1;
            self.check(&losses, &batches)?;
            self.meter.count(&losses);
            if let Some(crew) = self.crew() {
                if self.due(settings.check_ranks_every) {
                    self.learner.compare(crew, self.step)?;
                }
                let spent = crew.take_spent();
                self.meter.talked(spent);
            }
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
        self.part();
        Ok(self.summary())
    }

    fn crew(&self) -> Option<&'a Crew> {
        self.crew.map(|crew| &**crew)
    }

    /// All processes have come to an end here.
    fn part(&self) {
        if let Some(crew) = self.crew {
            crew.is_parting();
        }
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
        self.part();
        Err(Error::Cancelled { step: self.step, path: self.job.out.clone() })
    }

    /// Of batches, and of chips to validate with, those of this process.
    fn share(&self) -> BatchShare {
        self.crew.map_or(BatchShare::ALL, |crew| BatchShare { place: crew.rank(), of: crew.world() })
    }

    /// Samples from the next step on.
    fn loader(&self) -> Result<Loader, Error> {
        let settings = &self.job.settings;
        let plan = LoaderPlan {
            seed: settings.train.seed,
            batch: settings.train.batch,
            crop: settings.crop(&self.job.config),
            share: self.share(),
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
                let saved = self.recorder.not_finite(step, what, &chips, batches, self.share().place);
                self.part();
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
            share: self.share(),
        };
        let (vs, network) = self.learner.predictor();
        // All count what the weights of the first do, which are stored.
        self.crew.map_or(Ok(()), |crew| crew.share_statistics(vs))?;
        let validation = validate(network, val, &plan, observer);
        let (mut validation, verdict) = agree(self.crew(), validation, wish(observer))?;
        if verdict == Verdict::Stop {
            // Not all chips were counted: it is done again when the training goes on.
            return self.stop();
        }
        self.crew.map_or(Ok(()), |crew| crew.add_up(&mut validation.matrix))?;
        tensor::warn_of_unseen(&validation.matrix, observer);
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
            checkpoint: &best(&self.job.out),
        });
        Ok(true)
    }

    fn summary(&self) -> TrainSummary {
        let folder = &self.job.out;
        let found = self.recorder.run.best;
        TrainSummary {
            folder: folder.clone(),
            steps: self.step,
            last: last(folder),
            best: found.map(|_| best(folder)),
            best_step: found.map(|best| best.step),
            miou: found.map(|best| best.miou),
            seconds: self.meter.seconds(),
            waiting: self.meter.waiting(),
            communication: self.meter.communication(),
            page: None,
            stopped_early: self.step < self.job.settings.train.steps,
        }
    }
}

/// Whether the caller wants the training to go on.
fn wish(observer: &dyn TrainObserver) -> Verdict {
    if observer.cancelled() { Verdict::Stop } else { Verdict::GoOn }
}

/// Whether a folder holds a training that can be resumed.
pub fn is_begun(folder: &Path) -> bool {
    last(folder).exists()
}

/// The launch that began the training of a folder, where it was named; what cannot be read is no launch's.
pub fn begun_by(folder: &Path) -> Option<String> {
    let path = last(folder);
    let checkpoint = Checkpoint::read(&path).ok()?;
    SavedRun::of(&checkpoint, path).ok()?.launch
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
