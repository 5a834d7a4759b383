//! What a training leaves behind: metrics, events and checkpoints.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use seg_data::Batch;
use seg_events::EventFile;
use seg_grid::Observer;
use seg_label::{Legend, Scores};
use seg_nn::{CheckpointContents, Config, SeenBand, StoredPrecision, StoredTower, Transfer, save_checkpoint};
use seg_report::{confusion_png, sample_png};
use serde_json::{Map, Value, json};
use tch::{Device, Tensor};

use crate::learner::Learner;
use crate::meter::Sums;
use crate::observer::StepReport;
use crate::run_folder::{FileMarks, LockedFolder, RunFolder, bad_batch, best, last, unfinished};
use crate::saved_run::SavedRun;
use crate::trainer::{Start, TrainJob};
use crate::validate::Validation;
use crate::{Error, tensor};

/// Remembers how a training goes, and writes what it leaves behind.
#[derive(Debug)]
pub(crate) struct Recorder {
    config: Config,
    /// Of several processes the first one writes.
    files: Option<RunFolder>,
    pub(crate) run: SavedRun,
    folder: PathBuf,
}

/// What a training begins with.
#[derive(Debug)]
pub(crate) struct Begun<'a> {
    /// A hash of what the chips are.
    pub(crate) chips: String,
    pub(crate) device: &'static str,
    pub(crate) transfer: Option<&'a Transfer>,
    /// The values of the chips.
    pub(crate) seen: Vec<SeenBand>,
    /// How many processes train.
    pub(crate) world: usize,
}

impl Recorder {
    /// For a training that begins: its first file is a checkpoint, so that what is in the folder can always be
    /// resumed.
    pub(crate) fn begin(
        job: &TrainJob,
        folder: Option<LockedFolder>,
        begun: Begun,
        learner: &Learner,
        observer: &dyn Observer,
    ) -> Result<Self, Error> {
        let mut origin = Map::new();
        if let Start::From { origin: begun_with, name, .. } = &job.start {
            // A name without its folders: where it lay is nobody's business.
            let name = Path::new(name).file_name().unwrap_or_default().to_string_lossy();
            let (fingerprint, step) = (begun_with.fingerprint(), begun_with.step());
            let from = json!({"model": name, "fingerprint": fingerprint, "step": step});
            origin.insert("initialized-from".to_owned(), from);
        }
        if let Some(transfer) = begun.transfer {
            origin.insert("classes-kept".to_owned(), json!(transfer.classes_kept));
            origin.insert("classes-new".to_owned(), json!(transfer.classes_new));
        }
        SeenBand::write_into(&begun.seen, &mut origin);
        let run = SavedRun {
            data: job.data.clone(),
            chips: begun.chips,
            device: begun.device.to_owned(),
            threads: job.threads,
            world: begun.world,
            best: None,
            stale: 0,
            seconds: 0.0,
            metrics: Map::new(),
            sums: Sums::default(),
            launch: job.launch.clone(),
            origin,
            files: FileMarks::none(),
        };
        if let Some(folder) = &folder {
            save_for_resuming(&folder.last(), &job.config, &run, learner, learner.own_state(), 0)?;
            folder.clear()?;
        }
        Self::open(job, folder, run, observer)
    }

    /// For a training that begins or goes on, as its checkpoint has it.
    pub(crate) fn open(
        job: &TrainJob,
        folder: Option<LockedFolder>,
        run: SavedRun,
        observer: &dyn Observer,
    ) -> Result<Self, Error> {
        let open = |folder: LockedFolder| folder.open(&run.files, &job.config.to_toml()?, observer);
        let files = folder.map(open).transpose()?;
        Ok(Self { config: job.config.clone(), files, run, folder: job.out.clone() })
    }

    /// Writes down what steps measured.
    pub(crate) fn step(&mut self, report: &StepReport) -> Result<(), Error> {
        let Some(files) = &mut self.files else { return Ok(()) };
        let mut line = json!({
            "event": "step", "step": report.step, "epoch": report.epoch, "loss": report.loss,
            "main": report.main, "gradient-norm": report.gradient_norm, "lr": report.lr,
            "samples-per-second": report.rate, "waiting": report.waiting,
        });
        let mut scalars = vec![
            ("loss/total", report.loss),
            ("loss/main", report.main),
            ("train/gradient-norm", report.gradient_norm),
            ("train/learning-rate", report.lr),
            ("train/samples-per-second", report.rate),
            ("train/waiting", report.waiting),
        ];
        for (key, tag, value) in [
            ("aux", "loss/aux", report.aux),
            ("cpc", "loss/cpc", report.cpc),
            ("dice", "loss/dice", report.dice),
            ("communication", "train/communication", report.communication),
        ] {
            if let (Some(value), Value::Object(line)) = (value, &mut line) {
                line.insert(key.to_owned(), value.into());
                scalars.push((tag, value));
            }
        }
        files.log(&line)?;
        let scalars: Vec<_> = scalars.into_iter().map(|(tag, value)| (tag, value as f32)).collect();
        files.events.scalars(report.step, &scalars)?;
        Ok(files.events.show()?)
    }

    /// Writes down how good the network is.
    pub(crate) fn validated(
        &mut self,
        step: u64,
        validation: &Validation,
        scores: &Scores,
        legend: &Legend,
    ) -> Result<(), Error> {
        let ious =
            legend.names().zip(&scores.classes).map(|(name, score)| (name.to_owned(), json!(score.iou)));
        let classes: Map<String, Value> = ious.collect();
        let metrics = json!({"step": step, "miou": scores.miou, "oa": scores.oa, "iou": classes});
        let confusion: Vec<Vec<u64>> =
            validation.matrix.counts().rows().into_iter().map(|row| row.to_vec()).collect();
        let mut line = json!({"event": "validation", "confusion": confusion});
        if let (Value::Object(line), Value::Object(metrics)) = (&mut line, metrics) {
            line.extend(metrics.clone());
            self.run.metrics = metrics;
        }
        let Some(files) = &mut self.files else { return Ok(()) };
        files.log(&line)?;
        let events = &mut files.events;
        for (name, score) in legend.names().zip(&scores.classes) {
            if let Some(iou) = score.iou {
                events.scalar(step, &format!("iou/{name}"), iou as f32)?;
            }
        }
        for (tag, value) in [("validation/miou", scores.miou), ("validation/oa", scores.oa)] {
            value.map_or(Ok(()), |value| events.scalar(step, tag, value as f32))?;
        }
        let png = confusion_png(&validation.matrix, legend)?;
        add_picture(events, step, "validation/confusion", &png)?;
        if let Some(picture) = &validation.picture {
            let png =
                sample_png(picture.image.view(), picture.truth.view(), picture.predicted.view(), legend)?;
            add_picture(events, step, "validation/sample", &png)?;
        }
        Ok(events.show()?)
    }

    /// Writes the checkpoint that a resumed training goes on from.
    pub(crate) fn checkpoint(
        &mut self,
        learner: &Learner,
        step: u64,
        spent: Duration,
        sums: Sums,
    ) -> Result<(), Error> {
        self.run.seconds += spent.as_secs_f64();
        self.run.sums = sums;
        // What the others know is a part of it.
        let training = learner.state()?;
        let Some(files) = &mut self.files else { return Ok(()) };
        self.run.files = files.marks()?;
        save_for_resuming(&last(&self.folder), &self.config, &self.run, learner, training, step)
    }

    /// Writes the checkpoint of the best validation, which is for inference.
    pub(crate) fn best(&self, learner: &Learner, step: u64) -> Result<(), Error> {
        if self.files.is_none() {
            return Ok(());
        }
        let contents = contents(&self.config, &self.run, learner, step);
        Ok(save_checkpoint(&best(&self.folder), &contents)?)
    }

    /// Saves the batches of this process that made a number infinite, and says so in the metrics.
    pub(crate) fn not_finite(
        &mut self,
        step: u64,
        what: &str,
        chips: &[String],
        batches: &[Batch],
        rank: usize,
    ) -> Result<PathBuf, Error> {
        if let Some(files) = &mut self.files {
            files.log(&json!({"event": "not-finite", "step": step, "what": what, "chips": chips}))?;
            files.marks()?;
        }
        let path = bad_batch(&self.folder, step, rank);
        let mut tensors = Vec::new();
        for (number, batch) in batches.iter().enumerate() {
            let copy = Error::torch("copy a batch");
            let images = tensor::images(&batch.images, Device::Cpu).and_then(|images| images.f_contiguous());
            let labels = tensor::labels(&batch.labels, Device::Cpu);
            tensors.push((format!("images/{number}"), images.map_err(&copy)?));
            tensors.push((format!("labels/{number}"), labels.map_err(&copy)?));
        }
        let fail = Error::file("write", &path);
        let whole = unfinished(&self.folder).map_err(&fail)?;
        Tensor::write_safetensors(&tensors, whole.path()).map_err(Error::torch("save the batch"))?;
        whole.persist(&path).map_err(|error| fail(error.error))?;
        Ok(path)
    }
}

fn save_for_resuming(
    path: &Path,
    config: &Config,
    run: &SavedRun,
    learner: &Learner,
    training: BTreeMap<String, Tensor>,
    step: u64,
) -> Result<(), Error> {
    let contents = contents(config, run, learner, step);
    Ok(save_checkpoint(path, &CheckpointContents { training, training_state: run.to_map(), ..contents })?)
}

/// What a checkpoint for inference holds.
fn contents<'a>(
    config: &'a Config,
    run: &SavedRun,
    learner: &'a Learner,
    step: u64,
) -> CheckpointContents<'a> {
    let (weights, network) = learner.predictor();
    CheckpointContents {
        config,
        network,
        weights,
        step,
        metrics: run.metrics.clone(),
        provenance: provenance(run),
        precision: StoredPrecision::F32,
        text_tower: StoredTower::Kept,
        training: BTreeMap::new(),
        training_state: Map::new(),
    }
}

/// Where the weights come from.
fn provenance(run: &SavedRun) -> Map<String, Value> {
    let data = run.data.file_name().unwrap_or_default().to_string_lossy();
    let mut provenance = Map::from_iter([
        ("program".to_owned(), json!(concat!("rs-seg ", env!("CARGO_PKG_VERSION")))),
        ("data".to_owned(), json!(data)),
        ("chips-blake3".to_owned(), json!(run.chips)),
        ("training-seconds".to_owned(), json!(run.seconds.round())),
    ]);
    provenance.extend(run.origin.clone());
    provenance
}

/// Adds a PNG to the events; its size stands in its header.
fn add_picture(events: &mut EventFile, step: u64, tag: &str, png: &[u8]) -> Result<(), Error> {
    let side = |at: usize| {
        let bytes = png.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u32::from_be_bytes)
    };
    Ok(events.image_png(step, tag, side(16), side(20), png)?)
}
