//! Weights by this crate's names, wherever they come from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tch::{Kind, TchError, Tensor};

use super::names::{Naming, rename};
use super::problem::ImportProblem;
use super::state_dict::{FileKind, StateDict};
use crate::checkpoint::is_text_tower;
use crate::config::EncoderKind;
use crate::error::Error;

/// Weights by this crate's names, as float32.
#[derive(Debug)]
pub struct Weights {
    /// What they are the weights of.
    pub kind: WeightsKind,
    /// The name of the file that they come from, without its folders.
    pub source: String,
    /// That file's sha256, in hexadecimal digits.
    pub sha256: String,
    /// What they were called there; none where this crate wrote them.
    pub naming: Option<Naming>,
    /// Names of tensors in the file that are not known, and so not used.
    pub unknown: Vec<String>,
    pub(super) tensors: BTreeMap<String, Tensor>,
    pub(super) path: PathBuf,
}

/// What weights are the weights of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WeightsKind {
    /// A whole network.
    Network,
    /// CLIP's encoders, or one of them.
    Clip,
    /// An image encoder that was trained on `ImageNet`.
    Resnet,
}

impl WeightsKind {
    /// For messages.
    pub fn text(self) -> &'static str {
        match self {
            Self::Network => "a whole network",
            Self::Clip => "CLIP's encoders",
            Self::Resnet => "a ResNet trained on ImageNet",
        }
    }
}

/// The sha256 of `OpenAI`'s `RN50.pt`, which is also part of its address.
pub const CLIP_RN50_SHA256: &str = "afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762";

/// The weight that only a whole network has.
pub(super) const CLASSIFIER: &str = "head.classify.weight";

impl Weights {
    /// The weights of a file by this crate's names.
    ///
    /// # Errors
    /// When its names are not known, two of them would be the same here, or a weight is not finite.
    pub fn of(state: StateDict) -> Result<Self, Error> {
        let path = state.path.clone();
        let problem = |problem| Error::Import { path: path.clone(), problem };
        let naming = Naming::of(&state.tensors.keys()).ok_or_else(|| {
            let example = state.tensors.keys().next().cloned().unwrap_or_default();
            problem(ImportProblem::UnknownNames { count: state.tensors.len(), example })
        })?;
        let (tensors, unknown) =
            rename(naming, state.tensors).map_err(|own| problem(ImportProblem::SameName(own)))?;
        let encoder = |key: &String| key.starts_with("visual.") || is_text_tower(key);
        if !tensors.keys().any(encoder) {
            let example = tensors.into_keys().next().unwrap_or_default();
            return Err(problem(ImportProblem::UnknownNames { count: unknown.len() + 1, example }));
        }
        let kind = if tensors.contains_key(CLASSIFIER) {
            WeightsKind::Network
        } else if naming.is_resnet() {
            WeightsKind::Resnet
        } else {
            WeightsKind::Clip
        };
        let source = state.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        tensors.iter().try_for_each(|(name, tensor)| check_finite(name, tensor, &path))?;
        let (naming, sha256) = (Some(naming), state.sha256);
        Ok(Self { kind, source, sha256, naming, unknown, tensors, path: state.path })
    }

    /// How many tensors there are.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// What the image encoder computes, which its weights' names and shapes alone do not tell; none where it is not
    /// known, or there is no image encoder.
    pub(super) fn encoder_kind(&self) -> Option<EncoderKind> {
        let is_resnet = self.naming.is_some_and(Naming::is_resnet);
        let kind = match (self.kind, self.naming) {
            (WeightsKind::Resnet, _) => EncoderKind::V1c,
            (WeightsKind::Network, _) if is_resnet => EncoderKind::V1c,
            (WeightsKind::Clip, _) | (WeightsKind::Network, Some(Naming::Mmseg)) => EncoderKind::Clip,
            // Networks of this crate have one or the other.
            (WeightsKind::Network, _) => return None,
        };
        self.tensors.keys().any(|key| key.starts_with("visual.")).then_some(kind)
    }

    /// Whether there is something of a text tower.
    pub(super) fn has_text_tower(&self) -> bool {
        self.tensors.keys().any(|key| is_text_tower(key))
    }

    /// Where they come from, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is to be said of a file that has `OpenAI`'s format and names: whether it is theirs.
    pub fn is_clip_rn50(&self, file: FileKind) -> Option<bool> {
        let theirs = file == FileKind::TorchScript && self.kind == WeightsKind::Clip;
        theirs.then(|| self.sha256 == CLIP_RN50_SHA256)
    }
}

/// Refuses a weight that is infinite or no number somewhere, with which a network computes nothing.
pub(crate) fn check_finite(name: &str, tensor: &Tensor, path: &Path) -> Result<(), Error> {
    let count = not_finite(tensor).map_err(Error::compute("look at weights"))?;
    if count == 0 {
        return Ok(());
    }
    let problem = ImportProblem::NotFinite { name: name.to_owned(), count };
    Err(Error::Import { path: path.to_owned(), problem })
}

/// How many values of a tensor are infinite or no numbers.
fn not_finite(tensor: &Tensor) -> Result<i64, TchError> {
    if !tensor.is_floating_point() {
        return Ok(0);
    }
    let finite = tensor.f_isfinite()?.f_sum(Kind::Int64)?.f_int64_value(&[])?;
    Ok(tensor.numel() as i64 - finite)
}
