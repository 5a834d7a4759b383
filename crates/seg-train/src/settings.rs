//! The sections of a configuration file that only training reads, with every default written out.

use std::path::Path;

use seg_data::{AugmentSettings, DataSettings};
use seg_nn::{Config, LossSettings};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tch::Device;

use crate::{Error, classes};

/// Everything that decides what a training does, besides network, classes and input.
///
/// # Examples
/// ```
/// use seg_nn::Config;
/// use seg_train::TrainSettings;
///
/// let path = std::path::Path::new("bemseg-small.toml");
/// let config = Config::parse(include_str!("../../../configs/bemseg-small.toml"), path)?;
/// let settings = TrainSettings::of(&config, path)?;
/// assert!(settings.train.steps > 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TrainSettings {
    /// Which samples.
    pub data: DataSettings,
    /// How they are varied.
    pub augment: AugmentSettings,
    /// What is minimized.
    pub loss: LossSettings,
    /// How weights are changed.
    pub optimizer: OptimizerSettings,
    /// How the learning rate changes.
    pub schedule: ScheduleSettings,
    /// How long and how often.
    pub train: LoopSettings,
}

/// The `[optimizer]` section, with the paper's groups of weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct OptimizerSettings {
    /// How a gradient becomes a step.
    pub kind: OptimizerKind,
    /// The learning rate that the schedule starts from.
    pub lr: f64,
    /// What the image encoder's learning rate is multiplied by.
    pub backbone_lr_factor: f64,
    /// What a trained text tower's learning rate is multiplied by.
    pub text_lr_factor: f64,
    /// Weight decay; the layer norms inside fusion have none.
    pub weight_decay: f64,
    /// What share of a step the next one keeps; for `sgd`.
    pub momentum: f64,
    /// Decay of the first and the second moment; for `adamw`.
    pub betas: [f64; 2],
    /// What keeps the division from zero; for `adamw`.
    pub eps: f64,
    /// Gradients whose norm over all weights is larger are scaled down to it; 0 is never.
    pub clip_norm: f64,
}

/// How a gradient becomes a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// Adam with decoupled weight decay.
    AdamW,
    /// Stochastic gradient descent with momentum.
    Sgd,
}

/// The `[schedule]` section.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct ScheduleSettings {
    /// The curve after the warm-up.
    pub curve: Curve,
    /// The exponent of the polynomial.
    pub power: f64,
    /// The learning rate at the end, the same for all groups.
    pub min_lr: f64,
    /// Steps in which the learning rate rises.
    pub warmup_steps: u64,
    /// What share of the learning rate the first step has.
    pub warmup_ratio: f64,
}

/// How the learning rate falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Curve {
    /// By a power of the share of steps that is left.
    Poly,
    /// By half a cosine.
    Cosine,
    /// Not at all.
    Constant,
}

/// Pixels of a batch, a thousand samples of 512 x 512: more is a slip of the finger.
const MOST_PIXELS: usize = 1 << 28;
/// Threads, waiting batches and batches of a step beyond which is a slip of the finger too.
const MOST_THREADS: usize = 1024;

/// The `[train]` section.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct LoopSettings {
    /// Steps of the optimizer.
    pub steps: u64,
    /// Samples that go through the network at once, in each process.
    pub batch: usize,
    /// Batches whose gradients are averaged for one step, in each process.
    pub accumulate: usize,
    /// Side of a sample in pixels; 0 is the network's tile.
    pub crop_px: usize,
    /// Where all random numbers begin.
    pub seed: u64,
    /// The precision of the forward pass; weights are always float32.
    pub precision: Precision,
    /// How slowly the averaged weights follow, which are validated and stored; 0 stores the weights themselves.
    pub ema: f64,
    /// Steps between two validations; 0 is never.
    pub validate_every: u64,
    /// Steps between two checkpoints.
    pub checkpoint_every: u64,
    /// Steps between two lines of metrics.
    pub log_every: u64,
    /// Stop after so many validations without a better mean `IoU`; 0 is never.
    pub early_stop: u64,
    /// Threads that prepare samples.
    pub workers: usize,
    /// Batches that wait for the network at most.
    pub queue: usize,
    /// Batch norms learn from the batches of all processes, each of which has few samples of its own.
    pub sync_batch_norm: bool,
    /// Steps after which the weights of all processes are compared; 0 is never.
    pub check_ranks_every: u64,
}

/// The precision of a forward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// float32 throughout.
    F32,
    /// bfloat16 where libtorch's autocast has it: quicker where the processor multiplies it.
    Bf16,
    /// The quicker of both on the device.
    Auto,
}

impl Precision {
    /// What it is on a device, never [`Precision::Auto`].
    #[must_use]
    pub fn on(self, device: Device) -> Self {
        match self {
            Self::Auto if seg_torch::multiplies_bf16(device) => Self::Bf16,
            Self::Auto => Self::F32,
            told => told,
        }
    }
}

/// The paper's numbers (section 4.2 and the authors' configuration).
impl Default for OptimizerSettings {
    fn default() -> Self {
        Self {
            kind: OptimizerKind::AdamW,
            lr: 1e-4,
            backbone_lr_factor: 0.1,
            text_lr_factor: 1.0,
            weight_decay: 1e-4,
            momentum: 0.9,
            betas: [0.9, 0.999],
            eps: 1e-8,
            clip_norm: 0.0,
        }
    }
}

/// The paper's numbers; power and warm-up are those of the authors' configuration.
impl Default for ScheduleSettings {
    fn default() -> Self {
        Self { curve: Curve::Poly, power: 0.9, min_lr: 1e-6, warmup_steps: 1500, warmup_ratio: 1e-6 }
    }
}

/// The paper's batch and steps.
impl Default for LoopSettings {
    fn default() -> Self {
        Self {
            steps: 80_000,
            batch: 4,
            accumulate: 1,
            crop_px: 0,
            seed: 0,
            precision: Precision::F32,
            ema: 0.0,
            validate_every: 2000,
            checkpoint_every: 500,
            log_every: 50,
            early_stop: 0,
            workers: 2,
            queue: 4,
            sync_batch_norm: false,
            check_ranks_every: 500,
        }
    }
}

impl TrainSettings {
    /// Reads the sections of a configuration; `path` is only for messages.
    ///
    /// # Errors
    /// When a section has an unknown key or a value that cannot be meant.
    pub fn of(config: &Config, path: &Path) -> Result<Self, Error> {
        let settings = Self {
            data: section(config.data.as_ref(), "data", path)?,
            augment: section(config.augment.as_ref(), "augment", path)?,
            loss: section(config.loss.as_ref(), "loss", path)?,
            optimizer: section(config.optimizer.as_ref(), "optimizer", path)?,
            schedule: section(config.schedule.as_ref(), "schedule", path)?,
            train: section(config.train.as_ref(), "train", path)?,
        };
        let wrong = |key: String, problem| Error::Setting { path: path.to_owned(), key, problem };
        classes::legend(config).map_err(|error| wrong("class".to_owned(), error.to_string()))?;
        if let Some((key, problem)) = settings.complaint(config) {
            return Err(wrong(key.to_owned(), problem));
        }
        let told = |section: &str, error| match error {
            seg_data::Error::Setting { key, must, got } => {
                wrong(format!("{section}.{key}"), format!("{got} is not {must}"))
            }
            other => other.into(),
        };
        settings.data.check().map_err(|error| told("data", error))?;
        settings.augment.check(config.input.bands).map_err(|error| told("augment", error))?;
        settings.loss.check(config.class.len()).map_err(|error| match error {
            seg_nn::Error::Loss { key, problem } => wrong(key, problem),
            other => other.into(),
        })?;
        Ok(settings)
    }

    /// The configuration with every default of these sections written out.
    ///
    /// # Errors
    /// When a number cannot be written as TOML.
    pub fn effective(&self, config: &Config) -> Result<Config, Error> {
        Ok(Config {
            data: Some(table(&self.data)?),
            augment: Some(table(&self.augment)?),
            loss: Some(table(&self.loss)?),
            optimizer: Some(table(&self.optimizer)?),
            schedule: Some(table(&self.schedule)?),
            train: Some(table(&self.train)?),
            ..config.clone()
        })
    }

    /// Side of a sample in pixels.
    pub(crate) fn crop(&self, config: &Config) -> usize {
        if self.train.crop_px == 0 { config.model.tile_px } else { self.train.crop_px }
    }

    /// The first value that cannot be meant.
    fn complaint(&self, config: &Config) -> Option<(&'static str, String)> {
        let (optimizer, schedule, train) = (&self.optimizer, &self.schedule, &self.train);
        let positive = [
            ("optimizer.lr", optimizer.lr),
            ("optimizer.eps", optimizer.eps),
            ("schedule.power", schedule.power),
        ];
        let not_negative = [
            ("optimizer.backbone-lr-factor", optimizer.backbone_lr_factor),
            ("optimizer.text-lr-factor", optimizer.text_lr_factor),
            ("optimizer.weight-decay", optimizer.weight_decay),
            ("optimizer.clip-norm", optimizer.clip_norm),
            ("schedule.min-lr", schedule.min_lr),
        ];
        let below_one = [
            ("optimizer.momentum", optimizer.momentum),
            ("optimizer.betas", optimizer.betas[0]),
            ("optimizer.betas", optimizer.betas[1]),
            ("train.ema", train.ema),
        ];
        let counts = [
            ("train.steps", train.steps),
            ("train.batch", train.batch as u64),
            ("train.accumulate", train.accumulate as u64),
            ("train.checkpoint-every", train.checkpoint_every),
            ("train.log-every", train.log_every),
            ("train.workers", train.workers as u64),
            ("train.queue", train.queue as u64),
        ];
        let crop = self.crop(config);
        let told = |key, value: f64, range: &str| Some((key, format!("{value} is not {range}")));
        let wrong_positive = positive.into_iter().find(|(_, v)| !(v.is_finite() && *v > 0.0));
        let wrong_negative = not_negative.into_iter().find(|(_, v)| !(v.is_finite() && *v >= 0.0));
        let wrong_share = below_one.into_iter().find(|(_, v)| !(0.0..1.0).contains(v));
        let zero = counts.into_iter().find(|(_, count)| *count == 0);
        None.or_else(|| wrong_positive.and_then(|(key, v)| told(key, v, "a number above 0")))
            .or_else(|| wrong_negative.and_then(|(key, v)| told(key, v, "0 or a number above it")))
            .or_else(|| wrong_share.and_then(|(key, v)| told(key, v, "in the range from 0 to below 1")))
            .or_else(|| zero.map(|(key, _)| (key, "0 is too few".to_owned())))
            .or_else(|| {
                let ratio = schedule.warmup_ratio;
                let fits = (0.0..=1.0).contains(&ratio);
                (!fits).then(|| ("schedule.warmup-ratio", format!("{ratio} is not in the range from 0 to 1")))
            })
            .or_else(|| {
                let fits = crop.is_multiple_of(32) && crop > 0;
                (!fits).then(|| ("train.crop-px", format!("{crop} is not a multiple of 32")))
            })
            .or_else(|| {
                let single = train.batch == 1 && crop == 32;
                single.then(|| {
                    ("train.batch", "1 sample of 32 pixels is too little for a batch norm".to_owned())
                })
            })
            .or_else(|| {
                let most = [
                    ("train.accumulate", train.accumulate),
                    ("train.workers", train.workers),
                    ("train.queue", train.queue),
                ];
                let (key, count) = most.into_iter().find(|(_, count)| *count > MOST_THREADS)?;
                Some((key, format!("{count} is more than {MOST_THREADS}")))
            })
            .or_else(|| {
                let pixels = crop.checked_mul(crop).and_then(|area| area.checked_mul(train.batch));
                let fits = pixels.is_some_and(|pixels| pixels <= MOST_PIXELS);
                (!fits).then(|| {
                    let problem =
                        format!("{} samples of {crop} x {crop} pixels are too many at once", train.batch);
                    ("train.batch", format!("{problem}; train.accumulate adds up smaller batches"))
                })
            })
            .or_else(|| {
                let idle = train.early_stop > 0 && train.validate_every == 0;
                idle.then(|| {
                    ("train.early-stop", "nothing is validated: set train.validate-every".to_owned())
                })
            })
    }
}

fn section<T: DeserializeOwned + Default>(
    table: Option<&toml::Table>,
    name: &'static str,
    path: &Path,
) -> Result<T, Error> {
    table.map_or_else(
        || Ok(T::default()),
        |table| {
            table.clone().try_into().map_err(|source| Error::Section {
                path: path.to_owned(),
                name,
                source: Box::new(source),
            })
        },
    )
}

fn table<T: Serialize>(section: &T) -> Result<toml::Table, Error> {
    toml::Table::try_from(section).map_err(|source| Error::NotToml { source: Box::new(source) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tiny;

    fn refused(section: &str, settings: &str) -> String {
        let (mut config, _) = tiny("");
        let table = Some(settings.parse().unwrap());
        match section {
            "train" => config.train = table,
            "loss" => config.loss = table,
            "augment" => config.augment = table,
            "data" => config.data = table,
            "optimizer" => config.optimizer = table,
            _ => config.schedule = table,
        }
        TrainSettings::of(&config, Path::new("a.toml")).unwrap_err().to_string()
    }

    #[test]
    fn values_that_cannot_be_meant_are_told_by_their_keys() {
        for (section, settings, expected) in [
            ("train", "steps = 0", "train.steps: 0 is too few"),
            ("train", "ema = 1.0", "train.ema: 1 is not in the range from 0 to below 1"),
            (
                "train",
                "batch = 1\ncrop-px = 32",
                "train.batch: 1 sample of 32 pixels is too little for a batch norm",
            ),
            ("train", "workers = 9999", "train.workers: 9999 is more than 1024"),
            (
                "train",
                "early-stop = 2\nvalidate-every = 0",
                "train.early-stop: nothing is validated: set train.validate-every",
            ),
            ("train", "crop-px = 100", "train.crop-px: 100 is not a multiple of 32"),
            ("optimizer", "lr = nan", "optimizer.lr: NaN is not a number above 0"),
            ("optimizer", "clip-norm = -1.0", "optimizer.clip-norm: -1 is not 0 or a number above it"),
            ("optimizer", "momentum = 1.0", "optimizer.momentum: 1 is not in the range from 0 to below 1"),
            ("schedule", "warmup-ratio = 2.0", "schedule.warmup-ratio: 2 is not in the range from 0 to 1"),
            ("data", "source-balance = 2.0", "data.source-balance: 2 is not between 0 and 1"),
            ("augment", "flip = 2.0", "augment.flip: 2 is not between 0 and 1"),
            ("augment", "scale = [2.0, 1.0]", "augment.scale: [2, 1] is not two rising numbers above 0"),
            ("loss", "tau = 0.0", "loss.tau: 0 is not a number above 0"),
            ("loss", "class-weights = [1.0]", "loss.class-weights: 1 weights do not fit 2 classes"),
        ] {
            assert_eq!(refused(section, settings), format!("a.toml: {expected}"));
        }
        assert_eq!(refused("train", "stepz = 1"), "a.toml: section [train] cannot be understood");
    }

    #[test]
    fn the_quicker_precision_is_that_of_the_processor() {
        let quicker = if seg_torch::has_native_bf16() { Precision::Bf16 } else { Precision::F32 };
        assert_eq!(Precision::Auto.on(Device::Cpu), quicker);
        assert_eq!(Precision::Auto.on(Device::Cuda(0)), Precision::Bf16);
        for told in [Precision::F32, Precision::Bf16] {
            assert_eq!(told.on(Device::Cpu), told);
        }
    }

    #[test]
    fn effective_settings_are_read_back_and_do_not_change_again() {
        let (config, settings) = tiny("steps = 7\nprecision = \"bf16\"");
        assert_eq!(TrainSettings::of(&config, Path::new("a.toml")).unwrap(), settings);
        assert_eq!(settings.effective(&config).unwrap(), config);
        assert_eq!(config.train.unwrap().len(), 15);
    }
}
