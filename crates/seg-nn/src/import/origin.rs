//! Whatever a training can begin with.

use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use tch::nn::VarStore;

use super::fill::{Demand, fill};
use super::network::{Import, MissingWeights, import_network};
use super::state_dict::{Beginning, StateDict};
use super::weights::{Weights, WeightsKind};
use crate::checkpoint::{self, Checkpoint, StoredPrecision, Transfer, is_text_tower, transfer};
use crate::config::Config;
use crate::error::Error;
use crate::safetensors_file::TensorFile;

/// Whatever a training can begin with.
#[derive(Debug)]
pub enum Origin {
    /// A network of this program.
    Checkpoint(Box<Checkpoint>),
    /// Encoders; libtorch's tensors may not be seen by two threads at once.
    Encoders(Box<Mutex<Weights>>),
}

impl Origin {
    /// Reads a checkpoint, a file of weights, or a file of another program.
    ///
    /// # Errors
    /// When the file cannot be read, is of another kind or damaged, or holds a whole network of which the weights'
    /// shapes do not tell the configuration.
    pub fn read(path: &Path) -> Result<Self, Error> {
        match Beginning::of(path)? {
            Beginning::Zip | Beginning::Pickle => Self::foreign(path),
            Beginning::Safetensors | Beginning::Other => {
                let bytes = fs::read(path).map_err(Error::read(path))?;
                let file = TensorFile::new(bytes.into(), path)?;
                let is_own = file.metadata.contains_key(checkpoint::METADATA_KEY);
                if is_own {
                    return Ok(Checkpoint::of_file(file, path)?.into());
                }
                match Weights::from_file(&file, path)? {
                    Some(weights) => Ok(weights.into()),
                    None => Self::foreign(path),
                }
            }
        }
    }

    fn foreign(path: &Path) -> Result<Self, Error> {
        let weights = Weights::of(StateDict::read(path)?)?;
        if weights.kind != WeightsKind::Network {
            return Ok(weights.into());
        }
        let failed = |source| Error::Write { path: std::env::temp_dir(), source };
        let file = tempfile::NamedTempFile::new().map_err(failed)?;
        let import =
            Import { config: None, missing: MissingWeights::Refused, precision: StoredPrecision::F32 };
        import_network(&weights, import, file.path())?;
        let bytes = fs::read(file.path()).map_err(Error::read(file.path()))?;
        Ok(Checkpoint::from_bytes(bytes, &path.to_string_lossy())?.into())
    }

    /// The network's own configuration; none where there are only encoders.
    pub fn config(&self) -> Option<&Config> {
        match self {
            Self::Checkpoint(checkpoint) => Some(&checkpoint.config),
            Self::Encoders(_) => None,
        }
    }

    /// A hash of the file, in hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        match self {
            Self::Checkpoint(checkpoint) => checkpoint.fingerprint.clone(),
            Self::Encoders(weights) => lock(weights).sha256.clone(),
        }
    }

    /// How many steps it was trained by this program.
    pub fn step(&self) -> u64 {
        match self {
            Self::Checkpoint(checkpoint) => checkpoint.step,
            Self::Encoders(_) => 0,
        }
    }

    /// Gives its weights to a network that was built from `config` and initialized, as far as they fit.
    ///
    /// # Errors
    /// When a checkpoint's network differs in anything but its classes; when encoders lack a weight of the parts
    /// that they have, or have one of another shape.
    pub fn transfer(&self, config: &Config, vs: &VarStore) -> Result<Transfer, Error> {
        match self {
            Self::Checkpoint(checkpoint) => transfer(checkpoint, config, vs),
            Self::Encoders(weights) => {
                let weights = lock(weights);
                check_encoder(&weights, config)?;
                let filled = fill(&weights, config, vs, Demand::PartsHeld)?;
                let missing_text_tower = vs.variables().keys().any(|key| is_text_tower(key))
                    && !weights.tensors.keys().any(|key| is_text_tower(key));
                let mut reinitialized = [filled.kept, filled.not_needed].concat();
                reinitialized.sort_unstable();
                Ok(Transfer {
                    taken: filled.taken,
                    reinitialized,
                    partial: Vec::new(),
                    unused: filled.unused,
                    missing_text_tower,
                    classes_kept: Vec::new(),
                    classes_new: config.class.iter().map(|class| class.name.clone()).collect(),
                })
            }
        }
    }
}

/// CLIP's encoder and V1c have the same names and shapes and compute different things.
fn check_encoder(weights: &Weights, config: &Config) -> Result<(), Error> {
    let configured = config.model.encoder.kind;
    match weights.encoder_kind().filter(|found| *found != configured) {
        Some(found) => Err(Error::Structure {
            path: weights.path.clone(),
            key: "model.encoder.kind",
            expected: configured.to_string(),
            found: found.to_string(),
        }),
        None => Ok(()),
    }
}

fn lock(weights: &Mutex<Weights>) -> std::sync::MutexGuard<'_, Weights> {
    weights.lock().unwrap_or_else(PoisonError::into_inner)
}

impl From<Checkpoint> for Origin {
    fn from(checkpoint: Checkpoint) -> Self {
        Self::Checkpoint(Box::new(checkpoint))
    }
}

impl From<Weights> for Origin {
    fn from(weights: Weights) -> Self {
        Self::Encoders(Box::new(Mutex::new(weights)))
    }
}
