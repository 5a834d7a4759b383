//! Checkpoints for inference: small, and averaged where there are several.

use std::path::Path;

use serde_json::{Map, Value, json};
use tch::nn::VarStore;
use tch::{Device, Kind, TchError};

use super::{CheckpointContents, StoredPrecision, StoredTower, save_checkpoint};
use crate::alignment::TextPart;
use crate::bemseg::BemSeg;
use crate::checkpoint::Checkpoint;
use crate::error::Error;

/// How a checkpoint for inference is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packing {
    /// The precision of its weights.
    pub precision: StoredPrecision,
    /// Whether the text tower goes along, which training that begins with it would need.
    pub text_tower: StoredTower,
}

/// Writes one network out of checkpoints of the same structure, without what only training needs: the mean of
/// their weights, which predicts at least as well as each where all come from one training.
///
/// Configuration, metrics and provenance are those of the first; the others are named in its provenance.
///
/// # Errors
/// When there is no checkpoint, their networks or classes differ, the text tower is asked for and missing, or
/// the file cannot be written.
///
/// # Examples
/// ```
/// use seg_nn::{Checkpoint, Config, Packing, StoredPrecision, StoredTower, init_untrained, pack};
///
/// # let folder = tempfile::tempdir()?;
/// # let (large, small) = (folder.path().join("a.safetensors"), folder.path().join("b.safetensors"));
/// # let text = include_str!("../../../../configs/bemseg-small.toml");
/// # init_untrained(&Config::parse(text, "bemseg-small.toml".as_ref())?, 0, &large)?;
/// let packing = Packing { precision: StoredPrecision::F16, text_tower: StoredTower::LeftOut };
/// pack(&[Checkpoint::read(&large)?], packing, &small)?;
/// assert!(std::fs::metadata(&small)?.len() < std::fs::metadata(&large)?.len() / 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # References
/// Wortsman et al.: Model soups. arXiv:2203.05482, section 3.
pub fn pack(checkpoints: &[Checkpoint], packing: Packing, out: &Path) -> Result<(), Error> {
    let Some((first, others)) = checkpoints.split_first() else {
        return Err(Error::Config { key: "model".to_owned(), problem: "there is no checkpoint".to_owned() });
    };
    // The embeddings of a mean of towers are not the mean of their embeddings: towers are left out at the end.
    let all_have_towers = checkpoints.iter().all(|checkpoint| checkpoint.text_part() == TextPart::Tower);
    let text = match packing.text_tower {
        StoredTower::LeftOut if !all_have_towers => TextPart::Embeddings,
        StoredTower::Kept | StoredTower::LeftOut => TextPart::Tower,
    };
    let read = |checkpoint: &Checkpoint| -> Result<(VarStore, BemSeg), Error> {
        let vs = VarStore::new(Device::Cpu);
        let network = BemSeg::new(&vs.root(), &first.config, text)?;
        checkpoint.fill(&vs)?;
        Ok((vs, network))
    };
    let (weights, network) = read(first)?;
    for (count, other) in others.iter().enumerate() {
        check_same(first, other)?;
        let (added, _) = read(other)?;
        average(&weights, &added, count + 1).map_err(Error::compute("average the weights"))?;
    }
    let contents = CheckpointContents {
        config: &first.config,
        network: &network,
        weights: &weights,
        step: first.step,
        metrics: first.metrics.clone(),
        provenance: provenance(first, others),
        training: std::collections::BTreeMap::new(),
        training_state: Map::new(),
        precision: packing.precision,
        text_tower: packing.text_tower,
    };
    save_checkpoint(out, &contents)
}

/// Checkpoints can only be averaged where every number means the same.
fn check_same(first: &Checkpoint, other: &Checkpoint) -> Result<(), Error> {
    let differs = if first.config.model != other.config.model {
        "model"
    } else if first.config.class != other.config.class {
        "class"
    } else if first.config.input != other.config.input {
        "input"
    } else {
        return Ok(());
    };
    let problem = format!("differs between {} and {}", first.path().display(), other.path().display());
    Err(Error::Config { key: differs.to_owned(), problem })
}

/// Adds one more to a mean of `count` weights; whole numbers stay those of the first.
fn average(mean: &VarStore, added: &VarStore, count: usize) -> Result<(), TchError> {
    let _no_grad = tch::no_grad_guard();
    let added = added.variables();
    let share = 1.0 / (count as f64 + 1.0);
    for (name, mut mean) in mean.variables() {
        if let Some(added) = added.get(&name).filter(|added| added.kind() == Kind::Float) {
            let _mean = mean.f_lerp_(added, share)?;
        }
    }
    Ok(())
}

fn provenance(first: &Checkpoint, others: &[Checkpoint]) -> Map<String, Value> {
    let mut provenance = first.provenance.clone();
    if !others.is_empty() {
        let parts = std::iter::once(first).chain(others);
        let parts: Vec<_> =
            parts.map(|part| json!({"step": part.step, "fingerprint": part.fingerprint})).collect();
        provenance.insert("averaged".to_owned(), parts.into());
    }
    provenance
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::init_untrained;

    fn checkpoints(folder: &Path, seeds: &[u64]) -> Vec<Checkpoint> {
        let text = include_str!("../../../../configs/bemseg-small.toml");
        let config = Config::parse(text, "bemseg-small.toml".as_ref()).unwrap();
        let write = |&seed: &u64| {
            let path = folder.join(format!("{seed}.safetensors"));
            init_untrained(&config, seed, &path).unwrap();
            Checkpoint::read(&path).unwrap()
        };
        seeds.iter().map(write).collect()
    }

    fn weight(checkpoint: &Checkpoint, name: &str) -> tch::Tensor {
        let vs = VarStore::new(Device::Cpu);
        let _network = BemSeg::new(&vs.root(), &checkpoint.config, checkpoint.text_part()).unwrap();
        checkpoint.fill(&vs).unwrap();
        vs.variables()[name].copy()
    }

    #[test]
    fn weights_are_averaged() {
        let folder = tempfile::tempdir().unwrap();
        let parts = checkpoints(folder.path(), &[1, 2, 3]);
        let out = folder.path().join("mean.safetensors");
        let packing = Packing { precision: StoredPrecision::F32, text_tower: StoredTower::Kept };
        pack(&parts, packing, &out).unwrap();
        let name = "head.classify.weight";
        let sum = parts.iter().map(|part| weight(part, name)).reduce(|a, b| a + b).unwrap();
        let mean = Checkpoint::read(&out).unwrap();
        let difference = (weight(&mean, name) - sum / 3.0).abs().max();
        assert!(difference.double_value(&[]) < 1e-6);
        assert_eq!(mean.provenance["averaged"].as_array().unwrap().len(), 3);
    }

    #[test]
    fn networks_of_other_structure_or_classes_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut parts = checkpoints(folder.path(), &[1, 2]);
        parts[1].config.class[0].name = "tent".to_owned();
        let packing = Packing { precision: StoredPrecision::F16, text_tower: StoredTower::LeftOut };
        let out = folder.path().join("mean.safetensors");
        let error = pack(&parts, packing, &out).unwrap_err();
        assert!(error.to_string().contains("class: differs between"), "{error}");
        assert!(pack(&[], packing, &out).is_err() && !out.exists());
    }
}
