//! Weights averaged over the steps, which predict better than those of any step.

use std::collections::BTreeMap;

use seg_nn::{BemSeg, Config, TextPart};
use tch::nn::VarStore;
use tch::{Device, Kind, Tensor};

use crate::Error;

/// A second network whose weights follow those of the first slowly.
///
/// # References
/// Polyak and Juditsky: Acceleration of stochastic approximation by averaging. SIAM J. Control Optim. 1992,
/// 30, 838 (`doi:10.1137/0330046`); the exponential form is that of Tarvainen and Valpola, arXiv:1703.01780.
#[derive(Debug)]
pub(crate) struct Average {
    pub(crate) vs: VarStore,
    pub(crate) network: BemSeg,
    decay: f64,
    /// Averaged weight and weight, by name.
    pairs: BTreeMap<String, (Tensor, Tensor)>,
}

impl Average {
    /// Starts with the weights of `of`.
    pub(crate) fn new(config: &Config, of: &VarStore, decay: f64, device: Device) -> Result<Self, Error> {
        let vs = VarStore::new(device);
        let network = BemSeg::new(&vs.root(), config, TextPart::Tower)?;
        let mut own = vs.variables();
        let pairs = of.variables().into_iter().filter_map(|(name, weight)| {
            let average = own.remove(&name)?;
            Some((name, (average, weight)))
        });
        let mut average = Self { pairs: pairs.collect(), vs, network, decay };
        average.copy()?;
        Ok(average)
    }

    fn copy(&mut self) -> Result<(), Error> {
        let _no_grad = tch::no_grad_guard();
        let mut pairs = self.pairs.values_mut();
        pairs
            .try_for_each(|(average, weight)| average.f_copy_(weight))
            .map_err(Error::torch("start the average of the weights"))
    }

    /// Follows the weights after step `step`, from 1; the first steps are followed faster.
    pub(crate) fn follow(&mut self, step: u64) -> Result<(), Error> {
        let _no_grad = tch::no_grad_guard();
        let decay = self.decay.min((1.0 + step as f64) / (10.0 + step as f64));
        let mut pairs = self.pairs.values_mut();
        pairs
            .try_for_each(|(average, weight)| match average.kind() {
                Kind::Float => average.f_lerp_(weight, 1.0 - decay).map(|_| ()),
                _ => average.f_copy_(weight),
            })
            .map_err(Error::torch("average the weights"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tiny;

    #[test]
    fn the_first_steps_are_followed_faster_and_counts_are_copied() {
        let (config, _) = tiny("");
        let vs = VarStore::new(Device::Cpu);
        let _network = BemSeg::new(&vs.root(), &config, TextPart::Tower).unwrap();
        let set = |value: f64| {
            tch::no_grad(|| vs.variables().into_values().for_each(|mut weight| drop(weight.fill_(value))));
        };
        set(1.0);
        let mut average = Average::new(&config, &vs, 0.9, Device::Cpu).unwrap();
        assert_eq!(average.pairs.len(), vs.len());
        set(0.0);
        let mut expected = 1.0;
        for (step, decay) in [(1, 2.0 / 11.0), (2, 3.0 / 12.0), (1000, 0.9)] {
            average.follow(step).unwrap();
            expected *= decay;
            for (name, tensor) in average.vs.variables() {
                let found = tensor.to_kind(Kind::Double).flatten(0, -1).max().double_value(&[]);
                let wanted = if tensor.kind() == Kind::Float { expected } else { 0.0 };
                assert!((found - wanted).abs() < 1e-6, "{name} at {step}: {found}, not {wanted}");
            }
        }
    }
}
