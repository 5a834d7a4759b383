//! Writing checkpoints.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};
use tch::nn::VarStore;
use tch::{Device, Kind, Tensor};

use super::{EMBEDDINGS_KEY, METADATA_KEY, Metadata, SCHEMA, TRAINING_PREFIX, is_text_tower};
use crate::alignment::TextPart;
use crate::bemseg::BemSeg;
use crate::config::Config;
use crate::error::Error;
use crate::init::initialize;
use crate::safetensors_file::{self, Entry};

/// What is written into a checkpoint.
#[derive(Debug)]
pub struct CheckpointContents<'a> {
    /// The configuration that the network was built from.
    pub config: &'a Config,
    /// The network, for the embeddings of its classes.
    pub network: &'a BemSeg,
    /// Its weights.
    pub weights: &'a VarStore,
    /// How many steps it was trained.
    pub step: u64,
    /// How good it is.
    pub metrics: Map<String, Value>,
    /// Where it comes from: data, program version, seed.
    pub provenance: Map<String, Value>,
    /// Tensors that training needs to go on, such as an optimizer's; empty where it is over. They are stored as
    /// they are, whatever the precision of the weights.
    pub training: BTreeMap<String, Tensor>,
    /// What else training needs to go on.
    pub training_state: Map<String, Value>,
    /// The precision of stored weights.
    pub precision: StoredPrecision,
    /// Whether the text tower goes along.
    pub text_tower: StoredTower,
}

/// The precision in which a checkpoint holds matrices and convolutions; the rest is always float32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredPrecision {
    /// As they are trained.
    F32,
    /// Half the size, enough for inference; read back to float32.
    F16,
}

/// Whether a checkpoint holds the text tower, which only training needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredTower {
    /// It does.
    Kept,
    /// The embeddings of the classes stand in for it.
    LeftOut,
}

/// Writes a checkpoint; under its final name it appears only when it is whole.
///
/// Tensors go to the file piece by piece, so that a large network needs hardly more memory.
///
/// # Errors
/// When the class names cannot be embedded or the file cannot be written.
///
/// # Examples
/// ```
/// use seg_nn::{
///     BemSeg, CheckpointContents, Config, StoredPrecision, StoredTower, TextPart, initialize,
///     save_checkpoint,
/// };
/// use tch::{Device, nn::VarStore};
///
/// let text = include_str!("../../../../configs/bemseg-small.toml");
/// let config = Config::parse(text, "bemseg-small.toml".as_ref())?;
/// let vs = VarStore::new(Device::Cpu);
/// let network = BemSeg::new(&vs.root(), &config, TextPart::Tower)?;
/// initialize(&vs, 0)?;
/// let folder = tempfile::tempdir()?;
/// let contents = CheckpointContents {
///     config: &config,
///     network: &network,
///     weights: &vs,
///     step: 0,
///     metrics: serde_json::Map::new(),
///     provenance: serde_json::Map::new(),
///     training: std::collections::BTreeMap::new(),
///     training_state: serde_json::Map::new(),
///     precision: StoredPrecision::F16,
///     text_tower: StoredTower::LeftOut,
/// };
/// let path = folder.path().join("small.safetensors");
/// save_checkpoint(&path, &contents)?;
/// assert!(std::fs::metadata(path)?.len() < 12_000_000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn save_checkpoint(path: &Path, contents: &CheckpointContents) -> Result<(), Error> {
    let _no_grad = tch::no_grad_guard();
    let metadata = Metadata {
        schema: SCHEMA,
        name: contents.config.model.name.clone(),
        config: contents.config.to_toml()?,
        step: contents.step,
        metrics: contents.metrics.clone(),
        provenance: contents.provenance.clone(),
        training_state: contents.training_state.clone(),
    };
    let metadata = serde_json::to_string(&metadata).map_err(|error| Error::Metadata {
        path: path.to_owned(),
        entry: METADATA_KEY,
        reason: error.to_string(),
    })?;
    let mut weights = contents.weights.variables().into_iter().collect::<BTreeMap<_, _>>();
    if contents.text_tower == StoredTower::LeftOut {
        weights.retain(|key, _| !is_text_tower(key));
    }
    if let Some(embeddings) = contents.network.class_embeddings()? {
        weights.insert(EMBEDDINGS_KEY.to_owned(), embeddings);
    }
    let half = |tensor: &Tensor| contents.precision == StoredPrecision::F16 && tensor.dim() >= 2;
    let weights = weights.into_iter().map(|(name, tensor)| {
        let kind = if half(&tensor) { Kind::Half } else { tensor.kind() };
        Entry { name, tensor, kind }
    });
    let training = contents.training.iter().map(|(name, tensor)| Entry {
        name: format!("{TRAINING_PREFIX}{name}"),
        tensor: tensor.shallow_clone(),
        kind: tensor.kind(),
    });
    safetensors_file::write(path, weights.chain(training).collect(), (METADATA_KEY, metadata))
}

/// Writes a network that has not been trained, the same for the same seed.
///
/// # Errors
/// When the network cannot be built or the file cannot be written.
pub fn init_untrained(config: &Config, seed: u64, path: &Path) -> Result<(), Error> {
    let vs = VarStore::new(Device::Cpu);
    let network = BemSeg::new(&vs.root(), config, TextPart::Tower)?;
    initialize(&vs, seed)?;
    let provenance = Map::from_iter([("untrained-seed".to_owned(), Value::from(seed))]);
    let contents = CheckpointContents {
        config,
        network: &network,
        weights: &vs,
        step: 0,
        metrics: Map::new(),
        provenance,
        training: BTreeMap::new(),
        training_state: Map::new(),
        precision: StoredPrecision::F32,
        text_tower: StoredTower::Kept,
    };
    save_checkpoint(path, &contents)
}
