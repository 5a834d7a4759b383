//! The optimizer over all weights that learn, with state that goes into a checkpoint.

use std::collections::BTreeMap;
use std::path::Path;

use seg_nn::ParameterGroup;
use seg_torch::{AdamWSlot, AdamWStep, fused_adamw};
use tch::{Kind, TchError, Tensor};

use crate::Error;
use crate::settings::{OptimizerKind, OptimizerSettings};

/// A weight and what is remembered of its gradients.
#[derive(Debug)]
struct Slot {
    name: String,
    group: ParameterGroup,
    weight: Tensor,
    memory: Memory,
}

/// What an optimizer remembers of a weight's gradients.
#[derive(Debug)]
enum Memory {
    /// The running mean and that of the squares.
    AdamW { first: Tensor, second: Tensor },
    /// The velocity.
    Sgd { momentum: Tensor },
}

/// An optimizer with one learning rate and weight decay a group.
#[derive(Debug)]
pub(crate) struct Optimizer {
    settings: OptimizerSettings,
    slots: Vec<Slot>,
}

const GROUPS: [ParameterGroup; 4] =
    [ParameterGroup::Rest, ParameterGroup::Backbone, ParameterGroup::Text, ParameterGroup::FusionNorm];
const FIRST: &str = "adamw/first/";
const SECOND: &str = "adamw/second/";
const MOMENTUM: &str = "sgd/momentum/";

impl Optimizer {
    /// One that remembers nothing yet.
    pub(crate) fn new(
        weights: Vec<(String, Tensor, ParameterGroup)>,
        settings: &OptimizerSettings,
    ) -> Result<Self, Error> {
        let slot = |(name, weight, group): (String, Tensor, ParameterGroup)| {
            let memory = match settings.kind {
                OptimizerKind::AdamW => {
                    Memory::AdamW { first: weight.f_zeros_like()?, second: weight.f_zeros_like()? }
                }
                OptimizerKind::Sgd => Memory::Sgd { momentum: weight.f_zeros_like()? },
            };
            Ok(Slot { name, group, weight, memory })
        };
        let slots = tch::no_grad(|| weights.into_iter().map(slot).collect::<Result<_, TchError>>());
        Ok(Self { settings: settings.clone(), slots: slots.map_err(Error::torch("make the optimizer"))? })
    }

    /// The weights that learn, in the order of gradients.
    pub(crate) fn weights(&self) -> Vec<&Tensor> {
        self.slots.iter().map(|slot| &slot.weight).collect()
    }

    /// What a group's learning rate starts from.
    pub(crate) fn base_rate(&self, group: ParameterGroup) -> f64 {
        let factor = match group {
            ParameterGroup::Rest | ParameterGroup::FusionNorm => 1.0,
            ParameterGroup::Backbone => self.settings.backbone_lr_factor,
            ParameterGroup::Text => self.settings.text_lr_factor,
        };
        self.settings.lr * factor
    }

    /// Changes the weights: step `step` from 1, gradients in the order of [`weights`](Self::weights).
    ///
    /// A weight whose gradient is undefined, because nothing depends on it, stays as it is.
    pub(crate) fn step(
        &self,
        gradients: &[Tensor],
        step: u64,
        rate: impl Fn(ParameterGroup) -> f64,
    ) -> Result<(), Error> {
        for group in GROUPS {
            let pairs = self.slots.iter().zip(gradients);
            let pairs = pairs.filter(|(slot, gradient)| slot.group == group && gradient.defined());
            let weight_decay = match group {
                ParameterGroup::FusionNorm => 0.0,
                _ => self.settings.weight_decay,
            };
            let (mut slots, rate) = (Vec::new(), rate(group));
            for (Slot { weight, memory, .. }, gradient) in pairs {
                match memory {
                    Memory::AdamW { first, second } => {
                        slots.push(AdamWSlot { weight, gradient, first, second });
                    }
                    Memory::Sgd { momentum } => {
                        let step = SgdStep { rate, momentum: self.settings.momentum, weight_decay };
                        tch::no_grad(|| step.on(weight, gradient, momentum))
                            .map_err(Error::torch("do a step of the optimizer"))?;
                    }
                }
            }
            let [beta1, beta2] = self.settings.betas;
            let step = AdamWStep { step, rate, betas: (beta1, beta2), weight_decay, eps: self.settings.eps };
            fused_adamw(&slots, &step).map_err(|source| Error::Torch { source })?;
        }
        Ok(())
    }

    /// What is remembered by name, for a checkpoint.
    pub(crate) fn tensors(&self) -> BTreeMap<String, Tensor> {
        let named = |slot: &Slot| -> Vec<_> {
            let parts = slot.memory.parts().into_iter();
            parts.map(|(prefix, part)| (format!("{prefix}{}", slot.name), part)).collect()
        };
        self.slots.iter().flat_map(named).collect()
    }

    /// Takes what is remembered from a checkpoint.
    pub(crate) fn restore(&mut self, stored: &StoredState) -> Result<(), Error> {
        let _no_grad = tch::no_grad_guard();
        for slot in &mut self.slots {
            for (prefix, mut part) in slot.memory.parts() {
                stored.restore(&format!("{prefix}{}", slot.name), &mut part)?;
            }
        }
        Ok(())
    }
}

impl Memory {
    /// Its tensors, which share their memory with it, with the beginnings of their names.
    fn parts(&self) -> Vec<(&'static str, Tensor)> {
        match self {
            Self::AdamW { first, second } => {
                vec![(FIRST, first.shallow_clone()), (SECOND, second.shallow_clone())]
            }
            Self::Sgd { momentum } => vec![(MOMENTUM, momentum.shallow_clone())],
        }
    }
}

/// The numbers of a step of stochastic gradient descent.
#[derive(Debug, Clone, Copy)]
struct SgdStep {
    rate: f64,
    momentum: f64,
    weight_decay: f64,
}

impl SgdStep {
    /// v ← μ v + g + λ w, then w ← w - η v, as `PyTorch` and mmsegmentation do it; g stays as it is.
    fn on(self, weight: &Tensor, gradient: &Tensor, velocity: &Tensor) -> Result<(), TchError> {
        let (mut weight, mut velocity) = (weight.shallow_clone(), velocity.shallow_clone());
        let _scaled = velocity.f_mul_scalar_(self.momentum)?;
        let _added = velocity.f_add_(gradient)?;
        if self.weight_decay > 0.0 {
            let _decayed = velocity.f_add_(&weight.f_mul_scalar(self.weight_decay)?)?;
        }
        let _stepped = weight.f_sub_(&velocity.f_mul_scalar(self.rate)?)?;
        Ok(())
    }
}

/// The tensors of a training's checkpoint, and where they stand.
#[derive(Debug)]
pub(crate) struct StoredState<'a> {
    pub(crate) tensors: BTreeMap<String, Tensor>,
    pub(crate) path: &'a Path,
}

impl StoredState<'_> {
    /// Copies a stored tensor into one that exists; layout and device are those of the latter.
    pub(crate) fn restore(&self, name: &str, into: &mut Tensor) -> Result<(), Error> {
        let missing = || Error::State { path: self.path.to_owned(), problem: format!("it lacks {name}") };
        let stored = self.tensors.get(name).filter(|stored| stored.size() == into.size());
        into.f_copy_(stored.ok_or_else(missing)?).map_err(Error::torch("take over the state of the training"))
    }
}

/// The Euclidean norm over all numbers of these tensors that are defined.
pub(crate) fn norm<'a>(tensors: impl Iterator<Item = &'a Tensor>) -> Result<f64, TchError> {
    let squares = tensors
        .filter(|tensor| tensor.defined())
        .map(|tensor| tensor.f_to_kind(Kind::Float)?.f_norm()?.f_square())
        .collect::<Result<Vec<_>, _>>()?;
    if squares.is_empty() {
        return Ok(0.0);
    }
    let sum = Tensor::f_stack(&squares, 0)?.f_sum(Kind::Double)?; // (N) -> ()
    Ok(sum.f_double_value(&[])?.sqrt())
}

/// Scales gradients down so that their norm over all weights is at most `limit`.
pub(crate) fn clip(gradients: &mut [Tensor], norm: f64, limit: f64) -> Result<(), TchError> {
    if limit > 0.0 && norm > limit {
        let factor = limit / (norm + 1e-6);
        for gradient in gradients.iter_mut().filter(|gradient| gradient.defined()) {
            let _scaled = gradient.f_mul_scalar_(factor)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_same;
    use tch::Device;

    #[test]
    fn clipping_keeps_the_direction() {
        let mut gradients = [Tensor::from_slice(&[3.0_f32]), Tensor::from_slice(&[4.0_f32])];
        let before = norm(gradients.iter()).unwrap();
        assert!((before - 5.0).abs() < 1e-6);
        clip(&mut gradients, before, 10.0).unwrap();
        assert!((norm(gradients.iter()).unwrap() - 5.0).abs() < 1e-6);
        clip(&mut gradients, before, 1.0).unwrap();
        assert!((norm(gradients.iter()).unwrap() - 1.0).abs() < 1e-5);
        assert!((gradients[0].double_value(&[0]) - 0.6).abs() < 1e-5);
    }

    #[test]
    fn state_is_stored_and_restored() {
        let weights = |value: f64| {
            let weight = Tensor::full([3], value, (Kind::Float, Device::Cpu));
            vec![("a.weight".to_owned(), weight, ParameterGroup::Backbone)]
        };
        let settings = OptimizerSettings { lr: 0.1, ..OptimizerSettings::default() };
        let one = Optimizer::new(weights(1.0), &settings).unwrap();
        let gradient = [Tensor::from_slice(&[0.5_f32, -1.0, 2.0])];
        one.step(&gradient, 1, |group| one.base_rate(group)).unwrap();
        let mut two = Optimizer::new(weights(0.0), &settings).unwrap();
        let stored = |tensors| StoredState { tensors, path: Path::new("last.safetensors") };
        two.restore(&stored(one.tensors())).unwrap();
        assert_same(&two.tensors(), &one.tensors());
        let nothing = two.restore(&stored(BTreeMap::new())).unwrap_err().to_string();
        assert_eq!(nothing, "last.safetensors cannot be resumed: it lacks adamw/first/a.weight");
        // The encoder's factor of 0.1 on 0.1, one step of size 1 in the gradient's direction.
        assert!((one.slots[0].weight.double_value(&[1]) - 1.01).abs() < 1e-5);
    }

    #[test]
    fn momentum_gathers_gradients_and_is_stored() {
        let weights = |value: f64| {
            let weight = Tensor::full([1], value, (Kind::Float, Device::Cpu));
            vec![("a.weight".to_owned(), weight, ParameterGroup::Rest)]
        };
        let settings = OptimizerSettings {
            kind: OptimizerKind::Sgd,
            lr: 0.1,
            momentum: 0.9,
            weight_decay: 0.01,
            ..OptimizerSettings::default()
        };
        let one = Optimizer::new(weights(1.0), &settings).unwrap();
        let gradient = [Tensor::from_slice(&[0.5_f32])];
        let (mut weight, mut velocity) = (1.0, 0.0);
        for step in 1..4 {
            one.step(&gradient, step, |group| one.base_rate(group)).unwrap();
            velocity = 0.9 * velocity + 0.5 + 0.01 * weight;
            weight -= 0.1 * velocity;
        }
        let found = one.slots[0].weight.double_value(&[0]);
        assert!((found - weight).abs() < 1e-6, "{found}, not {weight}");
        let mut two = Optimizer::new(weights(found), &settings).unwrap();
        two.restore(&StoredState { tensors: one.tensors(), path: Path::new("a") }).unwrap();
        assert_eq!(one.tensors().keys().collect::<Vec<_>>(), ["sgd/momentum/a.weight"]);
        for optimizer in [&one, &two] {
            optimizer.step(&gradient, 4, |group| optimizer.base_rate(group)).unwrap();
        }
        assert_eq!(one.slots[0].weight, two.slots[0].weight);
    }
}
