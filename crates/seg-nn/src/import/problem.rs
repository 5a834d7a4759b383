//! Why a file's weights cannot be had.

use std::fmt::Display;

use super::pickle::PickleError;
use crate::config::EncoderKind;

/// Why a file's weights cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportProblem {
    /// It is of no kind that is read.
    #[error("it is neither an archive of PyTorch nor a safetensors file")]
    UnknownKind,
    /// It is damaged or cut short.
    #[error("it is damaged or cut short: {0}")]
    Damaged(String),
    /// It is a zip file, but none of PyTorch.
    #[error("it is a zip file without data.pkl, so PyTorch did not write it")]
    NoDescription,
    /// It is in the format that `torch.save` had before version 1.6.
    #[error("it is in the format that torch.save had before PyTorch 1.6")]
    Legacy,
    /// Its numbers have another byte order.
    #[error("its numbers have their highest byte first")]
    BigEndian,
    /// Its entries were compressed.
    #[error("its entries are compressed, which PyTorch's are not")]
    Compressed,
    /// Its description cannot be understood.
    #[error("{0}")]
    Description(String),
    /// A tensor does not lie within its storage, or too many share one.
    #[error("its tensor {name} {problem}")]
    Tensor {
        /// The tensor.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// There is no tensor in it.
    #[error("there is no tensor in it")]
    NoTensors,
    /// Its tensors have names that are not known.
    #[error("its {count} tensors have names that are not known, such as {example}")]
    UnknownNames {
        /// How many there are.
        count: usize,
        /// One of them.
        example: String,
    },
    /// Two of its tensors would have the same name here.
    #[error("two of its tensors would both be {0}")]
    SameName(String),
    /// Its checksum is another one than expected.
    #[error("its sha256 is {found}, expected {expected}")]
    Checksum {
        /// The file's.
        found: String,
        /// The expected one.
        expected: String,
    },
    /// It holds a whole network whose configuration its weights do not tell.
    #[error("its weights do not tell the network's configuration: {0}")]
    Configuration(String),
    /// It is one of this program's own files.
    #[error("it is {0} of rs-seg already")]
    Own(&'static str),
    /// It holds encoders that no training takes.
    #[error("it holds {0}, which no training takes")]
    Architecture(&'static str),
    /// It holds encoders whose weights do not go together.
    #[error("its weights make no encoder: {0}")]
    Sizes(String),
    /// Its image encoder computes something else than the configuration's, with the same weights.
    #[error("its image encoder is of kind {found}, the configuration's is {configured}")]
    EncoderKind {
        /// The file's.
        found: EncoderKind,
        /// The configuration's.
        configured: EncoderKind,
    },
    /// It holds parts of a network that the configuration's has not.
    #[error("the configuration's network has no place for {count} of its weights, such as {example}")]
    LeftOver {
        /// How many there are.
        count: usize,
        /// One of them.
        example: String,
    },
    /// A weight is not a number in some places.
    #[error("its weight {name} has {count} values that are not finite")]
    NotFinite {
        /// The weight.
        name: String,
        /// How many values.
        count: i64,
    },
    /// It holds encoders only, so there is no network that a configuration could describe.
    #[error("it holds {0}, no whole network")]
    NoNetwork(&'static str),
}

impl ImportProblem {
    /// For `map_err`: a file that is damaged.
    pub(super) fn damaged(error: impl Display) -> Self {
        Self::Damaged(error.to_string())
    }

    /// What the user can do about it.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::UnknownKind | Self::NoDescription => {
                "give an archive of torch.save or TorchScript (.pt, .pth), or a .safetensors file"
            }
            Self::Damaged(_) | Self::Tensor { .. } => "copy or download it again",
            Self::Legacy | Self::BigEndian | Self::Compressed | Self::Description(_) => {
                "load it with current PyTorch and save its state_dict: `torch.save(sd, path)`, or as safetensors"
            }
            Self::NoTensors => "save the network's weights: `torch.save(model.state_dict(), path)`",
            Self::UnknownNames { .. } => {
                "names are known of OpenAI's and open_clip's CLIP ResNets, of BEMSeg and Semantic FPN in mmsegmentation \
                 and of its ResNet-50 V1c, and rs-seg's own"
            }
            Self::SameName(_) => "save one network's state_dict alone",
            Self::Checksum { .. } => "download it again, or leave out --sha256 if another file is meant",
            Self::Configuration(_) => "give --config with the network's configuration",
            Self::Own(_) => "`rs-seg model info` tells what it holds; `train --init` takes it as it is",
            Self::Architecture(_) | Self::Sizes(_) => {
                "trainings begin with CLIP's residual networks (RN50 and larger, by OpenAI or open_clip) or ResNet-50 V1c \
                 (three convolutions of 3 x 3 as stem, by mmclassification)"
            }
            Self::EncoderKind { .. } => {
                "weights of both kinds have equal names and shapes and compute different things: give the --config of \
                 the network that was trained"
            }
            Self::LeftOver { .. } => {
                "give the --config of the network that was trained, or leave it out: shapes tell it where there are 6 or \
                 7 classes"
            }
            Self::NotFinite { .. } => {
                "its training diverged: take an earlier checkpoint, or download it again"
            }
            Self::NoNetwork(_) => "leave out --config: what is written serves `rs-seg train --init`",
        }
    }
}

impl From<PickleError> for ImportProblem {
    fn from(error: PickleError) -> Self {
        Self::Description(error.to_string())
    }
}
