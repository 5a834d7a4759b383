//! Reading checkpoints.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use safetensors::tensor::TensorView;
use serde_json::{Map, Value};
use tch::nn::VarStore;
use tch::{Device, Tensor};

use super::{EMBEDDINGS_KEY, METADATA_KEY, Metadata, SCHEMA, TRAINING_PREFIX, is_text_tower};
use crate::alignment::TextPart;
use crate::bemseg::{BemSeg, InferencePrecision};
use crate::card::ModelCard;
use crate::config::Config;
use crate::error::Error;
use crate::import::WeightsFacts;
use crate::model::SegModel;
use crate::safetensors_file::{self, TensorFile};
use crate::seen::SeenBand;

/// A checkpoint that was read.
///
/// # Examples
/// ```
/// use seg_nn::{BemSeg, Checkpoint, Config, init_untrained};
/// use tch::{Device, nn::VarStore};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("small.safetensors");
/// # let text = include_str!("../../../../configs/bemseg-small.toml");
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
    /// What training needs to go on besides its tensors; empty where it is over.
    pub training_state: Map<String, Value>,
    /// A hash of the file, in hexadecimal digits.
    pub fingerprint: String,
    path: PathBuf,
    file: TensorFile,
    text_part: TextPart,
}

/// Makes a checkpoint's network ready for inference; the embeddings of its classes are the stored ones where
/// there are some, even if the file has the tower too.
pub(crate) fn build_for_inference(
    checkpoint: &Checkpoint,
    device: Device,
) -> Result<Box<dyn SegModel>, Error> {
    let vs = VarStore::new(device);
    let network = BemSeg::new(&vs.root(), &checkpoint.config, checkpoint.text_part())?;
    checkpoint.fill(&vs)?;
    Ok(Box::new(network.prepare(InferencePrecision::F32)?))
}

impl Checkpoint {
    /// Reads a checkpoint; [`fill`](Self::fill) then gives its weights to a network.
    ///
    /// # Errors
    /// When the file cannot be read, is damaged, is no checkpoint or one of another schema.
    pub fn read(path: &Path) -> Result<Self, Error> {
        Self::parse(fs::read(path).map_err(Error::read(path))?.into(), path)
    }

    /// Reads a checkpoint that is in memory already; `name` stands for its path in messages.
    ///
    /// # Errors
    /// When the bytes are damaged, no checkpoint or one of another schema.
    pub fn from_bytes(bytes: impl Into<Cow<'static, [u8]>>, name: &str) -> Result<Self, Error> {
        Self::parse(bytes.into(), Path::new(name))
    }

    fn parse(bytes: Cow<'static, [u8]>, path: &Path) -> Result<Self, Error> {
        Self::of_file(TensorFile::new(bytes, path)?, path)
    }

    /// The same of a file that was looked at already.
    pub(crate) fn of_file(file: TensorFile, path: &Path) -> Result<Self, Error> {
        let Some(text) = file.metadata.get(METADATA_KEY) else {
            return Err(match WeightsFacts::of(&file, path)? {
                Some(facts) => Error::WeightsOnly { path: path.to_owned(), what: facts.kind.text() },
                None => Error::NotACheckpoint { path: path.to_owned() },
            });
        };
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
            training_state: metadata.training_state,
            fingerprint: blake3::hash(file.bytes()).to_hex().to_string(),
            path: path.to_owned(),
            text_part,
            file,
        })
    }

    /// What the user of its network must know.
    pub(crate) fn card(&self) -> ModelCard {
        ModelCard { seen: SeenBand::of(&self.provenance), ..self.config.card() }
    }

    /// What its network takes the embeddings of its classes from: stored ones where there are some.
    pub fn text_part(&self) -> TextPart {
        self.text_part
    }

    /// Gives the weights to a network that was built from [`config`](Self::config), with either
    /// [`TextPart`] that the file has.
    ///
    /// # Errors
    /// When the file lacks a weight, has one that the network lacks, or one of another shape. A text tower
    /// or class embeddings that the network was built without are left aside.
    pub fn fill(&self, vs: &VarStore) -> Result<(), Error> {
        let _no_grad = tch::no_grad_guard();
        let stored = self.weights()?;
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
            let tensor = safetensors_file::to_weight(&key, view, &self.path)?;
            variable.f_copy_(&tensor).map_err(Error::compute("set the network's weights"))?;
        }
        Ok(())
    }

    /// The tensors that training needs to go on, as they were given; empty where it is over.
    ///
    /// # Errors
    /// When one is of a type that is not read, or there is no memory for it.
    pub fn training_tensors(&self) -> Result<BTreeMap<String, Tensor>, Error> {
        let stored = self.file.tensors(&self.path)?;
        let stored = stored.iter().filter_map(|(key, view)| Some((key.strip_prefix(TRAINING_PREFIX)?, view)));
        let tensors = stored
            .map(|(key, view)| Ok((key.to_owned(), safetensors_file::to_tensor(key, view, &self.path)?)));
        tensors.collect()
    }

    /// The stored weights by key, the embeddings of the classes among them.
    pub(super) fn weights(&self) -> Result<BTreeMap<String, TensorView<'_>>, Error> {
        let mut tensors = self.file.tensors(&self.path)?;
        tensors.retain(|key, _| !key.starts_with(TRAINING_PREFIX));
        Ok(tensors)
    }

    /// Where it came from, for messages.
    pub fn path(&self) -> &Path {
        &self.path
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
