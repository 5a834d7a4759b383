//! Files of weights that trainings begin with: safetensors whose one metadata entry tells where they come from.

use std::path::Path;

use serde::{Deserialize, Serialize};
use tch::Kind;

use super::weights::{Weights, WeightsKind, check_finite};
use crate::checkpoint::StoredPrecision;
use crate::error::Error;
use crate::safetensors_file::{self, Entry, TensorFile};

/// The metadata entry.
pub(crate) const METADATA_KEY: &str = "rs-seg-weights";

/// The schema that this program writes and reads.
const SCHEMA: u32 = 1;

/// What a file of weights says of itself.
///
/// # Examples
/// ```
/// use seg_nn::import::{StateDict, Weights, WeightsFacts, WeightsKind, save_weights};
/// use seg_nn::StoredPrecision;
///
/// # let folder = tempfile::tempdir()?;
/// # let (theirs, ours) = (folder.path().join("clip.safetensors"), folder.path().join("ours.safetensors"));
/// # let bias = tch::Tensor::zeros([8], (tch::Kind::Float, tch::Device::Cpu));
/// # tch::Tensor::write_safetensors(&[("ln_final.bias", bias)], &theirs)?;
/// let weights = Weights::of(StateDict::read(&theirs)?)?;
/// save_weights(&weights, StoredPrecision::F32, &ours)?;
/// let facts = WeightsFacts::read(&ours)?.expect("it is a file of weights");
/// assert_eq!((facts.kind, facts.source.as_str(), facts.parameters), (WeightsKind::Clip, "clip.safetensors", 8));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeightsFacts {
    schema: u32,
    /// What they are the weights of.
    pub kind: WeightsKind,
    /// The name of the file that they come from.
    pub source: String,
    /// That file's sha256, in hexadecimal digits.
    pub sha256: String,
    /// How many tensors there are.
    pub tensors: usize,
    /// How many numbers they have together.
    pub parameters: u64,
}

/// Writes a file of weights; under its final name it appears only when it is whole.
///
/// # Errors
/// When the file cannot be written.
pub fn save_weights(weights: &Weights, precision: StoredPrecision, path: &Path) -> Result<(), Error> {
    let facts = WeightsFacts {
        schema: SCHEMA,
        kind: weights.kind,
        source: weights.source.clone(),
        sha256: weights.sha256.clone(),
        tensors: weights.tensors.len(),
        parameters: weights.tensors.values().map(|tensor| tensor.numel() as u64).sum(),
    };
    let metadata = serde_json::to_string(&facts).map_err(|error| metadata_error(path, error.to_string()))?;
    let entries = weights.tensors.iter().map(|(name, tensor)| {
        let half = precision == StoredPrecision::F16 && tensor.dim() >= 2 && tensor.is_floating_point();
        let kind = if half { Kind::Half } else { tensor.kind() };
        Entry { name: name.clone(), tensor: tensor.shallow_clone(), kind }
    });
    safetensors_file::write(path, entries.collect(), (METADATA_KEY, metadata))
}

impl WeightsFacts {
    /// What a file says of itself; none if it is no file of weights.
    ///
    /// # Errors
    /// When it cannot be read, is damaged, or of another schema.
    pub fn read(path: &Path) -> Result<Option<Self>, Error> {
        let bytes = std::fs::read(path).map_err(Error::read(path))?;
        Self::of(&TensorFile::new(bytes.into(), path)?, path)
    }

    pub(crate) fn of(file: &TensorFile, path: &Path) -> Result<Option<Self>, Error> {
        let Some(text) = file.metadata.get(METADATA_KEY) else { return Ok(None) };
        let wrong = |reason: String| metadata_error(path, reason);
        let value: serde_json::Value =
            serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        match value.get("schema") {
            Some(schema) if *schema == SCHEMA => {}
            Some(schema) => {
                let (path, found) = (path.to_owned(), schema.to_string());
                return Err(Error::Schema { path, found, supported: SCHEMA });
            }
            None => return Err(wrong("it has no schema".to_owned())),
        }
        serde_json::from_value(value).map(Some).map_err(|error| wrong(error.to_string()))
    }
}

impl Weights {
    /// The weights of a file of weights; none if it is something else.
    pub(super) fn from_file(file: &TensorFile, path: &Path) -> Result<Option<Self>, Error> {
        let Some(facts) = WeightsFacts::of(file, path)? else { return Ok(None) };
        let tensors = file.tensors(path)?;
        let read = |(name, view): (&String, &_)| {
            let tensor = safetensors_file::to_weight(name, view, path)?;
            check_finite(name, &tensor, path)?;
            Ok((name.clone(), tensor))
        };
        let tensors = tensors.iter().map(read).collect::<Result<_, Error>>()?;
        Ok(Some(Self {
            kind: facts.kind,
            source: facts.source,
            sha256: facts.sha256,
            naming: None,
            unknown: Vec::new(),
            tensors,
            path: path.to_owned(),
        }))
    }
}

fn metadata_error(path: &Path, reason: String) -> Error {
    Error::Metadata { path: path.to_owned(), entry: METADATA_KEY, reason }
}
