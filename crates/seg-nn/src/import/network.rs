//! A whole network out of weights that come from elsewhere.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, json};
use tch::Device;
use tch::nn::VarStore;

use super::fill::{Demand, Filled, TEXT_TABLE, fill};
use super::from_shapes::config_of;
use super::names::is_part_of_network;
use super::problem::ImportProblem;
use super::weights::{Weights, WeightsKind};
use crate::alignment::TextPart;
use crate::bemseg::BemSeg;
use crate::checkpoint::{CheckpointContents, StoredPrecision, StoredTower, save_checkpoint};
use crate::config::Config;
use crate::error::Error;
use crate::init::initialize_where;

/// How a network is imported.
#[derive(Debug, Clone, Copy)]
pub struct Import<'a> {
    /// Its configuration; where it is not told, the weights' shapes tell it.
    pub config: Option<&'a Config>,
    /// What becomes of weights that are missing.
    pub missing: MissingWeights,
    /// The precision of the weights in the checkpoint.
    pub precision: StoredPrecision,
}

/// What becomes of weights that are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingWeights {
    /// The network is refused.
    Refused,
    /// They take the values that a training begins with.
    Drawn,
}

/// Writes a checkpoint of a whole network; under its final name it appears only when it is whole.
///
/// # Errors
/// When the weights are no whole network, their configuration is not told, its image encoder is of another kind, a
/// weight is missing, has another shape or belongs to a part that the configuration's network has not, or the file
/// cannot be written.
pub fn import_network(weights: &Weights, import: Import, path: &Path) -> Result<Filled, Error> {
    let refused = |problem| Error::Import { path: weights.path.clone(), problem };
    if weights.kind != WeightsKind::Network {
        return Err(refused(ImportProblem::NoNetwork(weights.kind.text())));
    }
    let config = import.config.cloned().map_or_else(|| config_of(weights), Ok)?;
    let configured = config.model.encoder.kind;
    if let Some(found) = weights.encoder_kind().filter(|found| *found != configured) {
        return Err(refused(ImportProblem::EncoderKind { found, configured }));
    }
    let vs = VarStore::new(Device::Cpu);
    let network = BemSeg::new(&vs.root(), &config, TextPart::Tower)?;
    let variables = vs.variables();
    let mut left_over =
        weights.tensors.keys().filter(|key| is_part_of_network(key) && !variables.contains_key(*key));
    if let Some(example) = left_over.next().cloned() {
        return Err(refused(ImportProblem::LeftOver { count: left_over.count() + 1, example }));
    }
    let demand = match import.missing {
        MissingWeights::Refused => Demand::All,
        MissingWeights::Drawn => Demand::Nothing,
    };
    // Those that keep rows of their own, and those that are missing.
    initialize_where(&vs, 0, |key| key == TEXT_TABLE || !weights.tensors.contains_key(key))?;
    let filled = fill(weights, &config, &vs, demand)?;
    let provenance = json!({"file": weights.source, "sha256": weights.sha256});
    let contents = CheckpointContents {
        config: &config,
        network: &network,
        weights: &vs,
        step: 0,
        metrics: Map::new(),
        provenance: Map::from_iter([("imported-from".to_owned(), provenance)]),
        training: BTreeMap::new(),
        training_state: Map::new(),
        precision: import.precision,
        text_tower: StoredTower::Kept,
    };
    save_checkpoint(path, &contents)?;
    Ok(filled)
}
