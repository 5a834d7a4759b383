//! Checkpoints: a safetensors file that alone suffices to run a network.
//!
//! Its metadata has one entry, `rs-seg`, a JSON object: the schema, the whole configuration as TOML (network,
//! input, classes), the training step, metrics and provenance. One entry, because safetensors writes several
//! in random order and equal networks shall make equal files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tch::nn::VarStore;
use tch::{Device, Kind};

use crate::alignment::TextPart;
use crate::bemseg::BemSeg;
use crate::config::Config;
use crate::error::Error;
use crate::init::initialize;
use crate::model::LoadedModel;
use crate::safetensors_file::{self, TensorFile};

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

/// A checkpoint that was read.
///
/// # Examples
/// ```
/// use seg_nn::{BemSeg, Checkpoint, Config, init_untrained};
/// use tch::{Device, nn::VarStore};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("small.safetensors");
/// # let text = include_str!("../../../configs/bemseg-small.toml");
/// # init_untrained(&Config::parse(text, "bemseg-small.toml".as_ref())?, 0, &path)?;
/// let checkpoint = Checkpoint::read(&path)?;
/// let vs = VarStore::new(Device::Cpu);
/// let network = BemSeg::new(&vs.root(), &checkpoint.config, checkpoint.text_part())?;
/// checkpoint.fill(&vs)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Checkpoint {
    /// The configuration of its network.
    pub config: Config,
    /// How many steps it was trained.
    pub step: u64,
    /// How good it is.
    pub metrics: Map<String, Value>,
    /// Where it comes from.
    pub provenance: Map<String, Value>,
    /// A hash of the file, in hexadecimal digits.
    pub fingerprint: String,
    path: PathBuf,
    file: TensorFile,
    text_part: TextPart,
}

/// The metadata entry.
#[derive(Debug, Serialize, Deserialize)]
struct Metadata {
    schema: u32,
    name: String,
    config: String,
    step: u64,
    #[serde(default)]
    metrics: Map<String, Value>,
    #[serde(default)]
    provenance: Map<String, Value>,
}

/// The schema that this program writes and reads.
const SCHEMA: u32 = 1;
const METADATA_KEY: &str = "rs-seg";
const EMBEDDINGS_KEY: &str = "class_embeddings";

/// Writes a checkpoint; under its final name it appears only when it is whole.
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
/// let text = include_str!("../../../configs/bemseg-small.toml");
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
    };
    let metadata = serde_json::to_string(&metadata).map_err(|error| Error::Metadata {
        path: path.to_owned(),
        entry: METADATA_KEY,
        reason: error.to_string(),
    })?;
    let mut tensors = contents.weights.variables().into_iter().collect::<BTreeMap<_, _>>();
    if contents.text_tower == StoredTower::LeftOut {
        tensors.retain(|key, _| !is_text_tower(key));
    }
    if let Some(embeddings) = contents.network.class_embeddings()? {
        tensors.insert(EMBEDDINGS_KEY.to_owned(), embeddings);
    }
    if contents.precision == StoredPrecision::F16 {
        for tensor in tensors.values_mut().filter(|tensor| tensor.dim() >= 2) {
            *tensor = tensor.f_to_kind(Kind::Half).map_err(Error::compute("convert weights to float16"))?;
        }
    }
    safetensors_file::write(path, &tensors, (METADATA_KEY, metadata))
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
        precision: StoredPrecision::F32,
        text_tower: StoredTower::Kept,
    };
    save_checkpoint(path, &contents)
}

/// Reads a checkpoint's network ready for inference.
pub(crate) fn load_for_inference(path: &Path, device: Device) -> Result<LoadedModel, Error> {
    let checkpoint = Checkpoint::read(path)?;
    let vs = VarStore::new(device);
    let network = BemSeg::new(&vs.root(), &checkpoint.config, checkpoint.text_part())?;
    checkpoint.fill(&vs)?;
    let network = Box::new(network.prepare()?);
    Ok(LoadedModel { card: checkpoint.config.card(), network, fingerprint: checkpoint.fingerprint })
}

impl Checkpoint {
    /// Reads a checkpoint; [`fill`](Self::fill) then gives its weights to a network.
    ///
    /// # Errors
    /// When the file cannot be read, is damaged, is no checkpoint or one of another schema.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let file = TensorFile::new(fs::read(path).map_err(Error::read(path))?, path)?;
        let text = file.metadata.get(METADATA_KEY);
        let text = text.ok_or_else(|| Error::NotACheckpoint { path: path.to_owned() })?;
        let metadata = parse_metadata(text, path)?;
        let config = Config::parse(&metadata.config, path).map_err(|error| Error::Metadata {
            path: path.to_owned(),
            entry: "config",
            reason: error.to_string(),
        })?;
        let has_embeddings = file.tensors(path)?.contains_key(EMBEDDINGS_KEY);
        let text_part = if has_embeddings { TextPart::Embeddings } else { TextPart::Tower };
        Ok(Self {
            config,
            step: metadata.step,
            metrics: metadata.metrics,
            provenance: metadata.provenance,
            fingerprint: blake3::hash(file.bytes()).to_hex().to_string(),
            path: path.to_owned(),
            text_part,
            file,
        })
    }

    /// What its network takes the embeddings of its classes from: stored ones where there are some.
    pub fn text_part(&self) -> TextPart {
        self.text_part
    }

    /// Gives the weights to a network that was built from [`config`](Self::config).
    ///
    /// # Errors
    /// When the file lacks a weight, has one that the network lacks, or one of another shape. A text tower
    /// or class embeddings that the network was built without are left aside.
    pub fn fill(&self, vs: &VarStore) -> Result<(), Error> {
        let _no_grad = tch::no_grad_guard();
        let stored = self.file.tensors(&self.path)?;
        let variables = vs.variables().into_iter().collect::<BTreeMap<_, _>>();
        let missing = variables.keys().filter(|key| !stored.contains_key(*key));
        let unexpected = stored
            .keys()
            .filter(|key| !variables.contains_key(*key) && !is_text_tower(key) && *key != EMBEDDINGS_KEY);
        let (missing, unexpected) =
            (missing.cloned().collect::<Vec<_>>(), unexpected.cloned().collect::<Vec<_>>());
        if !(missing.is_empty() && unexpected.is_empty()) {
            return Err(Error::Keys { path: self.path.clone(), missing, unexpected });
        }
        for (key, mut variable) in variables {
            let view = &stored[&key];
            let found = safetensors_file::shape(view);
            if found != variable.size() {
                return Err(Error::Shape { path: self.path.clone(), key, expected: variable.size(), found });
            }
            let tensor = safetensors_file::to_tensor(&key, view, &self.path)?;
            variable.f_copy_(&tensor).map_err(Error::compute("set the network's weights"))?;
        }
        Ok(())
    }
}

fn parse_metadata(text: &str, path: &Path) -> Result<Metadata, Error> {
    let wrong = |reason: String| Error::Metadata { path: path.to_owned(), entry: METADATA_KEY, reason };
    let value: Value = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
    match value.get("schema") {
        Some(schema) if *schema == SCHEMA => {}
        Some(schema) => {
            return Err(Error::Schema {
                path: path.to_owned(),
                found: schema.to_string(),
                supported: SCHEMA,
            });
        }
        None => return Err(wrong("it has no schema".to_owned())),
    }
    serde_json::from_value(value).map_err(|error| wrong(error.to_string()))
}

/// Whether a weight belongs to the text tower or its contexts.
pub(crate) fn is_text_tower(key: &str) -> bool {
    let part = key.split('.').next().unwrap_or(key);
    matches!(
        part,
        "contexts"
            | "token_embedding"
            | "positional_embedding"
            | "transformer"
            | "ln_final"
            | "text_projection"
            | "logit_scale"
    )
}
