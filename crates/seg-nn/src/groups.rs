//! Which weights may change, and groups of them that an optimizer may treat differently.

use std::collections::BTreeMap;

use tch::Tensor;
use tch::nn::VarStore;

use crate::checkpoint::is_text_tower;

/// The group of a weight in its `VarStore`, for `Optimizer::set_lr_group` and `set_weight_decay_group`.
///
/// # Examples
/// ```
/// assert_eq!(seg_nn::ParameterGroup::Rest.index(), 0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterGroup {
    /// Everything else: contexts, scales, fusion, neck and head.
    Rest,
    /// The image encoder with its attention pool, which starts from trained weights.
    Backbone,
    /// The text tower without its contexts.
    Text,
    /// The layer norms inside fusion, which have no weight decay.
    FusionNorm,
}

impl ParameterGroup {
    /// The group's number.
    pub fn index(self) -> usize {
        match self {
            Self::Rest => 0,
            Self::Backbone => 1,
            Self::Text => 2,
            Self::FusionNorm => 3,
        }
    }

    /// The group of a weight.
    ///
    /// # Examples
    /// ```
    /// use seg_nn::ParameterGroup;
    ///
    /// assert_eq!(ParameterGroup::of("visual.conv1.weight"), ParameterGroup::Backbone);
    /// assert_eq!(ParameterGroup::of("bff_text.layers.0.norm1.bias"), ParameterGroup::FusionNorm);
    /// assert_eq!(ParameterGroup::of("contexts"), ParameterGroup::Rest);
    /// ```
    pub fn of(key: &str) -> Self {
        let parts = key.split('.').collect::<Vec<_>>();
        match parts[..] {
            ["visual", ..] => Self::Backbone,
            ["bff_text" | "bff_image", "layers", _, "norm1" | "norm2" | "norm3", _] => Self::FusionNorm,
            ["contexts"] => Self::Rest,
            _ if is_text_tower(key) => Self::Text,
            _ => Self::Rest,
        }
    }
}

/// The weights that learn, by key in alphabetical order, each with its group.
///
/// One that the network does not compute with (`logit_scale` of a trained tower) never gets a gradient.
///
/// # Examples
/// ```
/// use seg_nn::{BemSeg, Config, ParameterGroup, TextPart, buffers, trainable};
/// use tch::{Device, nn::VarStore};
///
/// let text = include_str!("../../../configs/bemseg-small.toml");
/// let config = Config::parse(text, "bemseg-small.toml".as_ref())?;
/// let vs = VarStore::new(Device::Cpu);
/// let network = BemSeg::new(&vs.root(), &config, TextPart::Tower)?;
/// let weights = trainable(&vs);
/// assert_eq!((weights[0].0.as_str(), weights[0].2), ("bff_image.kv_in_norm.bias", ParameterGroup::Rest));
/// assert_eq!(weights.len() + buffers(&vs).len(), vs.len());
/// # Ok::<(), seg_nn::Error>(())
/// ```
pub fn trainable(vs: &VarStore) -> Vec<(String, Tensor, ParameterGroup)> {
    let with_group = |(key, tensor): (String, Tensor)| {
        let group = ParameterGroup::of(&key);
        (key, tensor, group)
    };
    sorted(vs).filter(|(_, tensor)| tensor.requires_grad()).map(with_group).collect()
}

/// The tensors that do not learn, by key in alphabetical order: statistics of batch norms, and a frozen text
/// tower.
pub fn buffers(vs: &VarStore) -> Vec<(String, Tensor)> {
    sorted(vs).filter(|(_, tensor)| !tensor.requires_grad()).collect()
}

fn sorted(vs: &VarStore) -> impl Iterator<Item = (String, Tensor)> + use<> {
    vs.variables().into_iter().collect::<BTreeMap<_, _>>().into_iter()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tch::Device;
    use tch::nn::VarStore;

    use super::{ParameterGroup, buffers, trainable};
    use crate::config::TowerTraining;
    use crate::{BemSeg, Config, TextPart};

    fn store(tower: TowerTraining) -> VarStore {
        let text = include_str!("../../../configs/bemseg-small.toml");
        let mut config = Config::parse(text, "bemseg-small.toml".as_ref()).unwrap();
        config.model.text.as_mut().unwrap().tower = tower;
        let vs = VarStore::new(Device::Cpu);
        BemSeg::new(&vs.root(), &config, TextPart::Tower).unwrap();
        vs
    }

    #[test]
    fn groups_are_those_of_the_store() {
        let vs = store(TowerTraining::Trained);
        let variables = vs.variables_.lock().unwrap();
        let address = |tensor: &tch::Tensor| tensor.data_ptr() as usize;
        let of_store = variables.trainable_variables.iter().map(|var| (address(&var.tensor), var.group));
        let of_store = of_store.collect::<BTreeMap<_, _>>();
        let mut seen = [0; 4];
        for (key, tensor) in variables.named_variables.iter().filter(|(_, tensor)| tensor.requires_grad()) {
            let group = ParameterGroup::of(key).index();
            assert_eq!(of_store[&address(tensor)], group, "{key}");
            seen[group] += 1;
        }
        assert!(seen.iter().all(|count| *count > 0), "{seen:?}");
        assert_eq!(seen.iter().sum::<usize>(), variables.trainable_variables.len());
    }

    #[test]
    fn a_frozen_tower_is_no_weight_that_learns() {
        let text = |tower| {
            let weights = trainable(&store(tower));
            assert!(weights.is_sorted_by_key(|(key, ..)| key.clone()));
            assert!(
                weights.iter().any(|(key, _, group)| key == "contexts" && *group == ParameterGroup::Rest)
            );
            weights.iter().filter(|(.., group)| *group == ParameterGroup::Text).count()
        };
        assert_eq!(text(TowerTraining::Frozen), 0);
        assert!(text(TowerTraining::Trained) > 20);
        let statistic = |key: &str| {
            ["running_mean", "running_var", "num_batches_tracked"].iter().any(|end| key.ends_with(end))
        };
        assert!(buffers(&store(TowerTraining::Trained)).iter().all(|(key, _)| statistic(key)));
    }
}
