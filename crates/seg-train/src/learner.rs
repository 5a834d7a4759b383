//! A network that learns: one step of the optimizer, and all that has to be kept to go on exactly.

use std::collections::BTreeMap;
use std::sync::Arc;

use seg_data::Batch;
use seg_nn::import::Origin;
use seg_nn::{
    BemSeg, Checkpoint, Config, ContrastMemory, Criterion, Losses, Mode, ParameterGroup, TextPart,
    initialize, trainable,
};
use seg_torch::Autocast;
use serde::{Deserialize, Serialize};
use tch::nn::VarStore;
use tch::{Device, TchError, Tensor};

use crate::average::Average;
use crate::crew::Crew;
use crate::optimizer::{self, Optimizer, StoredState};
use crate::schedule::learning_rate;
use crate::settings::{Precision, TrainSettings};
use crate::together::{Place, Together};
use crate::{Error, tensor};

/// A network, its optimizer, and what both need to remember.
#[derive(Debug)]
pub(crate) struct Learner {
    vs: VarStore,
    network: BemSeg,
    average: Option<Average>,
    optimizer: Optimizer,
    criterion: Criterion,
    /// One for each batch of a step.
    memories: Vec<Option<ContrastMemory>>,
    settings: TrainSettings,
    precision: Precision,
    device: Device,
    /// The other processes, where there are some.
    together: Option<Together>,
}

/// What a step measured.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct StepLosses {
    pub(crate) total: f64,
    pub(crate) main: f64,
    pub(crate) aux: Option<f64>,
    pub(crate) cpc: Option<f64>,
    #[serde(default)]
    pub(crate) dice: Option<f64>,
    pub(crate) gradient_norm: f64,
    /// Of the weights after the step.
    pub(crate) weight_norm: f64,
}

/// Where weights come from.
#[derive(Debug)]
pub(crate) enum Weights<'a> {
    /// From the seed.
    Drawn,
    /// From another network, as far as they fit.
    Transferred(&'a Origin),
    /// From the run's own checkpoint, with all that the optimizer knew.
    Resumed(&'a Checkpoint),
}

const RAW: &str = "raw/";
const MEMORY: &str = "contrast/";

impl Learner {
    /// Builds the network; what was transferred is told in the second value.
    pub(crate) fn new(
        config: &Config,
        settings: &TrainSettings,
        weights: &Weights,
        place: &Place,
    ) -> Result<(Self, Option<seg_nn::Transfer>), Error> {
        let device = place.device;
        let vs = VarStore::new(device);
        let network = BemSeg::new(&vs.root(), config, TextPart::Tower)?;
        initialize(&vs, settings.train.seed)?;
        let transfer = match weights {
            Weights::Transferred(origin) => Some(origin.transfer(config, &vs)?),
            Weights::Drawn | Weights::Resumed(_) => None,
        };
        lay_out(&vs).map_err(Error::torch("lay weights out for training"))?;
        let average = (settings.train.ema > 0.0)
            .then(|| Average::new(config, &vs, settings.train.ema, device))
            .transpose()?;
        let mut learner = Self {
            optimizer: Optimizer::new(trainable(&vs), &settings.optimizer)?,
            criterion: Criterion::new(&settings.loss, config.class.len())?,
            memories: (0..settings.train.accumulate).map(|_| None).collect(),
            settings: settings.clone(),
            precision: settings.train.precision.on(device),
            average,
            network,
            vs,
            device,
            together: None,
        };
        if let Weights::Resumed(checkpoint) = weights {
            learner.resume(checkpoint, place)?;
        }
        Ok((learner, transfer))
    }

    /// Learns together with the other processes from now on.
    pub(crate) fn join(&mut self, crew: &Arc<Crew>) -> Result<(), Error> {
        self.together = Some(Together::new(crew, &self.optimizer.weights(), &self.settings.train)?);
        Ok(())
    }

    /// The weights that predict: averaged ones where there are some.
    pub(crate) fn predictor(&self) -> (&VarStore, &BemSeg) {
        self.average.as_ref().map_or((&self.vs, &self.network), |average| (&average.vs, &average.network))
    }

    /// One step on `accumulate` batches; `step` counts from 0.
    ///
    /// No weight is changed where the loss or the gradients are not finite: the caller decides by the values.
    pub(crate) fn step(&mut self, batches: &[Batch], step: u64) -> Result<StepLosses, Error> {
        let (mut sum, mut gradients) = match self.together.take() {
            None => self.gradients(batches, step)?,
            Some(together) => {
                let learned = together.gradients(self, batches, step);
                self.together = Some(together);
                learned?
            }
        };
        if !sum.total.is_finite() {
            return Ok(sum);
        }
        let norm = optimizer::norm(gradients.iter()).map_err(Error::torch("measure gradients"))?;
        sum.gradient_norm = norm;
        if !norm.is_finite() {
            return Ok(sum);
        }
        let limit = self.settings.optimizer.clip_norm;
        tch::no_grad(|| optimizer::clip(&mut gradients, norm, limit))
            .map_err(Error::torch("clip gradients"))?;
        let (schedule, steps) = (&self.settings.schedule, self.settings.train.steps);
        self.optimizer.step(&gradients, step + 1, |group| {
            learning_rate(schedule, self.optimizer.base_rate(group), step, steps)
        })?;
        let weights = tch::no_grad(|| optimizer::norm(self.optimizer.weights().into_iter()));
        sum.weight_norm = weights.map_err(Error::torch("measure weights"))?;
        self.average.as_mut().map_or(Ok(()), |average| average.follow(step + 1))?;
        Ok(sum)
    }

    /// Losses and gradients of a step of one process alone; no gradients where a loss is not finite.
    fn gradients(&mut self, batches: &[Batch], step: u64) -> Result<(StepLosses, Vec<Tensor>), Error> {
        let mut sum = StepLosses::default();
        let mut gradients: Vec<Tensor> = Vec::new();
        for (number, batch) in batches.iter().enumerate() {
            // Dropout draws the same numbers whether or not the training was interrupted before.
            tch::manual_seed(step_seed(self.settings.train.seed, step, number));
            let losses = self.losses(batch, number)?;
            let share = 1.0 / batches.len() as f64;
            sum.add(&losses, share).map_err(Error::torch("read the losses"))?;
            if !sum.total.is_finite() {
                break;
            }
            self.backward(&losses.total, share, &mut gradients).map_err(Error::torch("compute gradients"))?;
        }
        Ok((sum, gradients))
    }

    /// Losses of one batch of a step among other processes, whose number in the step is not that in this process.
    pub(crate) fn losses_among(
        &mut self,
        batch: &Batch,
        own: usize,
        step: u64,
        number: usize,
    ) -> Result<Losses, Error> {
        tch::manual_seed(step_seed(self.settings.train.seed, step, number));
        self.losses(batch, own)
    }

    /// Refuses weights that are not those of the other processes.
    pub(crate) fn compare(&self, crew: &Crew, step: u64) -> Result<(), Error> {
        crew.compare_weights(&self.optimizer.weights(), step)
    }

    /// The learning rate of the new parts in a step.
    pub(crate) fn rate(&self, step: u64) -> f64 {
        let base = self.optimizer.base_rate(ParameterGroup::Rest);
        learning_rate(&self.settings.schedule, base, step, self.settings.train.steps)
    }

    fn losses(&mut self, batch: &Batch, number: usize) -> Result<Losses, Error> {
        let copy = Error::torch("copy a batch");
        let images = tensor::images(&batch.images, self.device).map_err(&copy)?; // (B, C, H, W)
        let labels = tensor::labels(&batch.labels, self.device).map_err(&copy)?; // (B, H, W)
        let autocast =
            (self.precision == Precision::Bf16).then(|| Autocast::bf16(self.device)).transpose()?;
        let output = self.network.forward_with(&images, Mode::Train, &mut ())?;
        // Losses are computed in float32.
        drop(autocast);
        Ok(self.criterion.losses(&output, &labels, &mut self.memories[number])?)
    }

    fn backward(&self, loss: &Tensor, share: f64, sum: &mut Vec<Tensor>) -> Result<(), TchError> {
        let scaled = loss.f_mul_scalar(share)?;
        let gradients = Tensor::f_run_backward(&[scaled], &self.optimizer.weights(), false, false)?;
        if sum.is_empty() {
            *sum = gradients;
            return Ok(());
        }
        let _no_grad = tch::no_grad_guard();
        for (sum, gradient) in sum.iter_mut().zip(gradients) {
            match (sum.defined(), gradient.defined()) {
                (true, true) => drop(sum.f_add_(&gradient)?),
                (false, true) => *sum = gradient,
                (_, false) => {}
            }
        }
        Ok(())
    }

    /// All that the next step depends on, besides the predicting weights, in all processes.
    pub(crate) fn state(&self) -> Result<BTreeMap<String, Tensor>, Error> {
        let mut tensors = self.own_state();
        let own =
            |(number, memory): (usize, &Option<ContrastMemory>)| Some((number, memory.as_ref()?.tensors()));
        let memories = match &self.together {
            Some(together) => together.crew().gather_memories(&self.memories)?,
            None => self.memories.iter().enumerate().filter_map(own).collect(),
        };
        for (number, named) in memories {
            tensors
                .extend(named.into_iter().map(|(name, tensor)| (format!("{MEMORY}{number}/{name}"), tensor)));
        }
        Ok(tensors)
    }

    /// The same before the first step, when no process has anything of its own to remember.
    pub(crate) fn own_state(&self) -> BTreeMap<String, Tensor> {
        let mut tensors = self.optimizer.tensors();
        if self.average.is_some() {
            tensors.extend(
                self.vs.variables().into_iter().map(|(name, weight)| (format!("{RAW}{name}"), weight)),
            );
        }
        tensors
    }

    fn resume(&mut self, checkpoint: &Checkpoint, place: &Place) -> Result<(), Error> {
        let stored = StoredState { tensors: checkpoint.training_tensors()?, path: checkpoint.path() };
        let _no_grad = tch::no_grad_guard();
        checkpoint.fill(self.predictor().0)?;
        if self.average.is_some() {
            for (name, mut weight) in self.vs.variables() {
                stored.restore(&format!("{RAW}{name}"), &mut weight)?;
            }
        }
        self.optimizer.restore(&stored)?;
        for (number, memory) in self.memories.iter_mut().enumerate() {
            let prefix = format!("{MEMORY}{}/", place.number(number));
            let own = stored.tensors.iter().filter_map(|(name, tensor)| {
                Some((name.strip_prefix(&prefix)?.to_owned(), tensor.shallow_clone()))
            });
            *memory = ContrastMemory::from_tensors(&own.collect(), self.device)?;
        }
        Ok(())
    }
}

impl StepLosses {
    /// What is summed over processes: which of the last three are there, and the losses.
    pub(crate) fn parts(&self) -> [f64; 6] {
        let optional = [self.aux, self.cpc, self.dice];
        let there: u8 =
            optional.iter().zip([1, 2, 4]).map(|(part, bit)| u8::from(part.is_some()) * bit).sum();
        let [aux, cpc, dice] = optional.map(|part| part.unwrap_or(0.0));
        [f64::from(there), self.total, self.main, aux, cpc, dice]
    }

    /// The reverse; a part that is there in some processes alone is there.
    pub(crate) fn of_parts([there, total, main, aux, cpc, dice]: [f64; 6]) -> Self {
        // The mean of equal numbers is one of them; of different ones, a part that is nowhere is 0.
        let bits = there.round() as u8;
        let exact = (there - there.round()).abs() < 1e-9;
        let part = |bit: u8, value: f64| (bits & bit != 0 || (!exact && value != 0.0)).then_some(value);
        Self { total, main, aux: part(1, aux), cpc: part(2, cpc), dice: part(4, dice), ..Self::default() }
    }

    pub(crate) fn add(&mut self, losses: &Losses, share: f64) -> Result<(), TchError> {
        let value = |tensor: &Tensor| Ok::<_, TchError>(tensor.f_double_value(&[])? * share);
        let optional = |sum: Option<f64>, tensor: Option<&Tensor>| {
            tensor.map(|tensor| Ok::<_, TchError>(sum.unwrap_or(0.0) + value(tensor)?)).transpose()
        };
        self.total += value(&losses.total)?;
        self.main += value(&losses.main)?;
        self.aux = optional(self.aux, losses.aux.as_ref())?;
        self.cpc = optional(self.cpc, losses.cpc.as_ref())?;
        self.dice = optional(self.dice, losses.dice.as_ref())?;
        Ok(())
    }
}

/// Convolution weights channels-last, so that no step has to lay them out anew.
fn lay_out(vs: &VarStore) -> Result<(), TchError> {
    for mut variable in vs.variables().into_values().filter(|variable| variable.dim() == 4) {
        let laid_out = seg_torch::channels_last(&variable.detach());
        variable.f_set_data(&laid_out.map_err(|error| TchError::Torch(error.to_string()))?)?;
    }
    Ok(())
}

/// The seed of libtorch's random numbers for a batch of a step: splitmix64's finalizer over all three.
fn step_seed(seed: u64, step: u64, batch: usize) -> i64 {
    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut z = [seed, step, batch as u64]
        .iter()
        .fold(0_u64, |z, part| (z ^ part).wrapping_add(1).wrapping_mul(GOLDEN));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (z ^ (z >> 31)).cast_signed()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::testing::{alone, assert_same, batch, tiny};

    fn fresh(train: &str) -> Learner {
        let (config, settings) = tiny(train);
        Learner::new(&config, &settings, &Weights::Drawn, &Place::alone(Device::Cpu)).unwrap().0
    }

    /// All that a learner knows, its predicting weights included.
    fn everything(learner: &Learner) -> BTreeMap<String, Tensor> {
        let mut all = learner.state().unwrap();
        all.extend(learner.predictor().0.variables());
        all.into_iter().map(|(name, tensor)| (name, tensor.detach().copy())).collect()
    }

    /// Steps from `from` up to `to`, each with batches of its own.
    fn walk(learner: &mut Learner, from: u64, to: u64) {
        let accumulate = learner.settings.train.accumulate;
        for step in from..to {
            let batches: Vec<_> = (0..accumulate).map(|i| batch(step as usize * accumulate + i)).collect();
            let losses = learner.step(&batches, step).unwrap();
            assert!(losses.total.is_finite() && losses.gradient_norm > 0.0 && losses.weight_norm > 0.0);
        }
    }

    fn resumed(learner: &Learner, train: &str) -> Learner {
        let (config, settings) = tiny(train);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last.safetensors");
        let (weights, network) = learner.predictor();
        let contents = seg_nn::CheckpointContents {
            config: &config,
            network,
            weights,
            step: 3,
            metrics: serde_json::Map::new(),
            provenance: serde_json::Map::new(),
            training: learner.state().unwrap(),
            training_state: serde_json::Map::new(),
            precision: seg_nn::StoredPrecision::F32,
            text_tower: seg_nn::StoredTower::Kept,
        };
        seg_nn::save_checkpoint(&path, &contents).unwrap();
        let checkpoint = Checkpoint::read(&path).unwrap();
        let weights = Weights::Resumed(&checkpoint);
        Learner::new(&config, &settings, &weights, &Place::alone(Device::Cpu)).unwrap().0
    }

    #[test]
    fn a_resumed_learner_goes_on_as_if_nothing_had_been() {
        let _turn = alone();
        for train in ["", "ema = 0.9", "accumulate = 2\nema = 0.5", "precision = \"bf16\""] {
            let mut whole = fresh(train);
            walk(&mut whole, 0, 3);
            let mut resumed = resumed(&whole, train);
            assert_same(&everything(&whole), &everything(&resumed));
            // Whatever was drawn in between changes nothing.
            let _drawn = Tensor::rand([7], (tch::Kind::Float, Device::Cpu));
            walk(&mut whole, 3, 5);
            walk(&mut resumed, 3, 5);
            assert_same(&everything(&whole), &everything(&resumed));
            let kept = everything(&whole);
            assert!(kept.contains_key("contrast/0/cpc.bank") && kept.contains_key("adamw/first/contexts"));
            assert!(kept.keys().any(|name| name.ends_with("num_batches_tracked")));
        }
    }

    #[test]
    fn averages_leave_the_learning_weights_alone() {
        let _turn = alone();
        let (mut plain, mut averaged) = (fresh(""), fresh("ema = 0.9"));
        walk(&mut plain, 0, 3);
        walk(&mut averaged, 0, 3);
        let variables = |vs: &VarStore| vs.variables().into_iter().collect::<BTreeMap<_, _>>();
        assert_same(&variables(&plain.vs), &variables(&averaged.vs));
        let (average, _) = averaged.predictor();
        assert_ne!(average.variables()["head.classify.weight"], plain.vs.variables()["head.classify.weight"]);
    }

    #[test]
    fn gradients_share_no_memory() {
        // They are added up and clipped in place.
        let _turn = alone();
        let mut learner = fresh("");
        let losses = learner.losses(&batch(0), 0).unwrap();
        let mut gradients = Vec::new();
        learner.backward(&losses.total, 1.0, &mut gradients).unwrap();
        let defined: Vec<_> = gradients.iter().filter(|gradient| gradient.defined()).collect();
        let places: BTreeSet<_> = defined.iter().map(|gradient| gradient.data_ptr() as usize).collect();
        assert_eq!(places.len(), defined.len());
        assert!(defined.len() + 1 >= learner.optimizer.weights().len(), "only logit_scale has no gradient");
    }

    #[test]
    fn one_batch_in_two_halves_has_the_same_gradient() {
        let _turn = alone();
        let mut learner = fresh("");
        let gradients = |learner: &mut Learner, shares: &[f64]| {
            let mut sum = Vec::new();
            for share in shares {
                tch::manual_seed(1);
                learner.memories[0] = None;
                let losses = learner.losses(&batch(0), 0).unwrap();
                learner.backward(&losses.total, *share, &mut sum).unwrap();
            }
            sum
        };
        let (once, twice) = (gradients(&mut learner, &[1.0]), gradients(&mut learner, &[0.5, 0.5]));
        for (once, twice) in once.iter().zip(&twice).filter(|(once, _)| once.defined()) {
            assert!(once.allclose(twice, 1e-5, 1e-7, false));
        }
    }

    #[test]
    fn a_loss_that_is_not_finite_changes_no_weight() {
        let _turn = alone();
        let mut learner = fresh("");
        let weights = |learner: &Learner| {
            let weights = trainable(&learner.vs).into_iter();
            weights.map(|(name, weight, _)| (name, weight.detach().copy())).collect()
        };
        let before = weights(&learner);
        let mut batch = batch(0);
        batch.images[[0, 0, 0, 0]] = f32::NAN;
        assert!(!learner.step(&[batch], 0).unwrap().total.is_finite());
        assert_same(&before, &weights(&learner));
    }

    #[test]
    fn every_batch_of_every_step_has_its_own_random_numbers() {
        let numbers =
            (0..3).flat_map(|seed| (0..50).flat_map(move |step| (0..4).map(move |b| (seed, step, b))));
        let seeds: BTreeSet<_> = numbers.map(|(seed, step, b)| step_seed(seed, step, b)).collect();
        assert_eq!(seeds.len(), 3 * 50 * 4);
    }
}
