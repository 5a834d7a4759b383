//! What can go wrong with networks and their files.

mod hint;

pub use hint::is_out_of_memory;

use std::io;
use std::path::{Path, PathBuf};

use tch::TchError;

use crate::import::ImportProblem;

/// What this crate could not do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A model file's ending is none that this crate reads.
    #[error("cannot tell what kind of network {} is by its ending", path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// A TOML text does not parse, or has a key that does not exist.
    #[error("{}, line {line}: {reason}", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A setting has a value that cannot be meant.
    #[error("{}: {key}: {problem}", path.display())]
    Setting {
        /// The file.
        path: PathBuf,
        /// The key, such as `input.std`.
        key: String,
        /// What is wrong with its value.
        problem: String,
    },
    /// A network cannot be built from its configuration.
    #[error("cannot build the network: {key}: {problem}")]
    Config {
        /// The key, such as `model.fusion.heads`.
        key: String,
        /// What is wrong with its value.
        problem: String,
    },
    /// A setting of the loss that cannot be meant, or a memory of it that does not fit.
    #[error("{key}: {problem}")]
    Loss {
        /// The key, such as `loss.tau`.
        key: String,
        /// What is wrong with its value.
        problem: String,
    },
    /// Labels that do not fit a network's output.
    #[error("the loss takes labels {expected}, got {got}")]
    Labels {
        /// Shape, type and device expected.
        expected: String,
        /// Shape, type and device that came.
        got: String,
    },
    /// A TorchScript file has no description beside it.
    #[error("{} needs a description beside it: {} does not exist", model.display(), toml.display())]
    NoDescription {
        /// The TorchScript file.
        model: PathBuf,
        /// Where its description was looked for.
        toml: PathBuf,
    },
    /// A TorchScript file could not be loaded or run, or libtorch's CUDA part could not.
    #[error(transparent)]
    Script(#[from] seg_torch::Error),
    /// A TorchScript network returned scores that do not fit its description.
    #[error("{} returned a tensor of shape {got:?} for an input of shape {input:?}: {problem}", path.display())]
    ScriptOutput {
        /// The TorchScript file.
        path: PathBuf,
        /// The input's shape.
        input: Vec<i64>,
        /// The output's shape.
        got: Vec<i64>,
        /// What was expected.
        problem: String,
    },
    /// A tensor of a wrong shape came to a network.
    #[error("the network takes (B, {bands}, H, W) with sides that are multiples of {multiple}, got {got:?}")]
    InputShape {
        /// Bands that the network takes.
        bands: usize,
        /// What the sides must be multiples of.
        multiple: usize,
        /// The shape that came.
        got: Vec<i64>,
    },
    /// A tensor of a wrong type or on a wrong device came to a network.
    #[error("the network takes {expected}, got {got}")]
    InputPlace {
        /// Type and device expected.
        expected: String,
        /// Type and device that came.
        got: String,
    },
    /// A device that this libtorch cannot use.
    #[error("device {device} is not usable: {why}")]
    Device {
        /// The device.
        device: String,
        /// Why not.
        why: String,
        /// What the user can do, where there is more than choosing another.
        help: Option<String>,
    },
    /// libtorch failed.
    #[error("cannot {action}: {reason}")]
    Compute {
        /// What was being done.
        action: &'static str,
        /// What libtorch says.
        reason: String,
    },
    /// A prompt is too long for the text tower.
    #[error("the prompt \"{prompt}\" is {tokens} tokens long, model.text.n-tok is {limit}")]
    Prompt {
        /// The prompt.
        prompt: String,
        /// Its tokens, start and end included.
        tokens: usize,
        /// Tokens that fit.
        limit: usize,
    },
    /// A file is no safetensors file, or cut short.
    #[error("{} is not a whole safetensors file: {reason}", path.display())]
    NotSafetensors {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A safetensors file was not written as a checkpoint.
    #[error("{} is a safetensors file but no rs-seg checkpoint", path.display())]
    NotACheckpoint {
        /// The file.
        path: PathBuf,
    },
    /// A file of weights that trainings begin with stands where a network is needed.
    #[error("{} holds {what}, no whole network", path.display())]
    WeightsOnly {
        /// The file.
        path: PathBuf,
        /// What it holds.
        what: &'static str,
    },
    /// Weights of another program that cannot be had.
    #[error("cannot take the weights of {}: {problem}", path.display())]
    Import {
        /// The file.
        path: PathBuf,
        /// Why not.
        problem: ImportProblem,
    },
    /// Weights of another program that are not all that a network needs.
    #[error("{} lacks weights: {}", path.display(), list_keys(missing, &[]))]
    MissingWeights {
        /// The file.
        path: PathBuf,
        /// Keys that the network has and the file lacks.
        missing: Vec<String>,
    },
    /// A checkpoint of another schema.
    #[error("{} is a checkpoint of schema {found}, this rs-seg reads schema {supported}", path.display())]
    Schema {
        /// The file.
        path: PathBuf,
        /// The file's schema.
        found: String,
        /// The schema that is read.
        supported: u32,
    },
    /// A checkpoint whose metadata cannot be understood.
    #[error("{}: cannot understand its metadata \"{entry}\": {reason}", path.display())]
    Metadata {
        /// The file.
        path: PathBuf,
        /// The metadata's key.
        entry: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A checkpoint that lacks weights or has others than its network.
    #[error("{} does not hold the weights of its network: {}", path.display(), list_keys(missing, unexpected))]
    Keys {
        /// The file.
        path: PathBuf,
        /// Keys that the network has and the file lacks.
        missing: Vec<String>,
        /// Keys that the file has and the network lacks.
        unexpected: Vec<String>,
    },
    /// A weight of a wrong shape.
    #[error("{}: {key} has shape {found:?}, the network's is {expected:?}", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// The weight.
        key: String,
        /// The network's shape.
        expected: Vec<i64>,
        /// The file's shape.
        found: Vec<i64>,
    },
    /// A network of other bands than the one that its weights shall come from.
    #[error("{} takes {found} bands, the network takes {expected}", path.display())]
    Bands {
        /// The file.
        path: PathBuf,
        /// The network's bands.
        expected: i64,
        /// The file's bands.
        found: i64,
    },
    /// A network whose structure differs where no weight's shape tells it.
    #[error("{}: {key} is {found}, the network's is {expected}", path.display())]
    Structure {
        /// The file.
        path: PathBuf,
        /// The key, such as `model.fusion.heads`.
        key: &'static str,
        /// The network's value.
        expected: String,
        /// The file's value.
        found: String,
    },
    /// A file that holds no tensors of a reference program.
    #[error("{} is no reference to check a network against: {reason}", path.display())]
    NotAGolden {
        /// The file.
        path: PathBuf,
        /// What it lacks.
        reason: String,
    },
    /// A weight of a type that is not read.
    #[error("{}: {key} is stored as {found}, which cannot be read", path.display())]
    StoredKind {
        /// The file.
        path: PathBuf,
        /// The weight.
        key: String,
        /// Its type.
        found: String,
    },
}

impl Error {
    /// For `map_err`: a failure of libtorch while `action` was done.
    pub(crate) fn compute(action: &'static str) -> impl Fn(TchError) -> Self {
        move |error| Self::Compute { action, reason: first_line(&error) }
    }

    /// For `map_err`: a file that could not be read.
    pub(crate) fn read(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::Read { path: path.to_owned(), source }
    }

    /// For `map_err`: a file that could not be written.
    pub(crate) fn write(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::Write { path: path.to_owned(), source }
    }

    /// A TOML text that does not parse.
    pub(crate) fn toml(path: &Path, text: &str, error: &toml::de::Error) -> Self {
        let start = error.span().map_or(0, |span| span.start).min(text.len());
        let line = text.get(..start).unwrap_or_default().matches('\n').count() + 1;
        Self::Toml { path: path.to_owned(), line, reason: error.message().replace('\n', " ") }
    }
}

fn first_line(error: &TchError) -> String {
    let text = match error {
        TchError::Torch(text) => text.clone(),
        other => other.to_string(),
    };
    text.lines().next().unwrap_or_default().trim_end_matches('.').to_owned()
}

/// Keys that are told one by one before the rest becomes a count.
const LISTED_KEYS: usize = 8;

fn list_keys(missing: &[String], unexpected: &[String]) -> String {
    let list = |what: &str, keys: &[String]| {
        let listed = keys[..keys.len().min(LISTED_KEYS)].join(", ");
        match keys.len().saturating_sub(LISTED_KEYS) {
            0 => format!("{what} {listed}"),
            more => format!("{what} {listed} and {more} more"),
        }
    };
    let parts = [("missing", missing), ("unexpected", unexpected)];
    let parts = parts.iter().filter(|(_, keys)| !keys.is_empty()).map(|(what, keys)| list(what, keys));
    parts.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::list_keys;

    #[test]
    fn many_keys_become_a_count() {
        let keys = (0..10).map(|i| format!("k{i}")).collect::<Vec<_>>();
        assert_eq!(
            list_keys(&keys, &["x".to_owned()]),
            "missing k0, k1, k2, k3, k4, k5, k6, k7 and 2 more; unexpected x"
        );
    }
}
