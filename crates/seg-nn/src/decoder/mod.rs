//! What makes logits of an encoder's maps: Semantic FPN, and what it is compared with.

mod aux_head;
mod deeplab;
mod fpn;
mod pspnet;
mod semantic_fpn;
mod units;

use tch::nn::Path;
use tch::{Kind, Tensor};

pub(crate) use deeplab::AtrousPooling;
pub(crate) use fpn::Fpn;
pub(crate) use pspnet::PyramidPooling;
pub(crate) use semantic_fpn::{SemanticFpn, SemanticFpnHead};
pub(crate) use units::{ConvUnit, SeparableUnit};

use crate::config::DecoderConfig;
use crate::layers::{Forward, Mode};
use crate::tap::Tap;

/// A decoder of one of the kinds.
#[derive(Debug, Clone)]
pub(crate) enum Decoder {
    SemanticFpn(Box<SemanticFpn>),
    PyramidPooling(Box<PyramidPooling>),
    AtrousPooling(Box<AtrousPooling>),
}

/// What a decoder makes of an encoder's maps.
#[derive(Debug)]
pub(crate) struct Decoded {
    /// Logits at stride 4, or 8, (B, K, h, w).
    pub(crate) logits: Tensor,
    /// Logits of the third map, (B, K, h, w), which only training has and not every decoder.
    pub(crate) aux: Option<Tensor>,
}

impl Decoder {
    /// Of maps with these channels, for `classes` classes.
    pub(crate) fn new(vs: &Path, channels: [i64; 4], classes: i64, config: &DecoderConfig) -> Self {
        match config {
            DecoderConfig::SemanticFpn(config) => {
                Self::SemanticFpn(Box::new(SemanticFpn::new(vs, channels, classes, config)))
            }
            DecoderConfig::PyramidPooling(config) => {
                Self::PyramidPooling(Box::new(PyramidPooling::new(vs, channels, classes, config)))
            }
            DecoderConfig::AtrousPooling(config) => {
                Self::AtrousPooling(Box::new(AtrousPooling::new(vs, channels, classes, config)))
            }
        }
    }

    pub(crate) fn forward(&self, maps: &[Tensor; 4], mode: Mode, tap: &mut dyn Tap) -> Forward<Decoded> {
        let (logits, aux_head) = match self {
            Self::SemanticFpn(decoder) => (decoder.forward(maps, mode, tap)?, None),
            Self::PyramidPooling(decoder) => (decoder.forward(&maps[3], mode)?, decoder.aux.as_ref()),
            Self::AtrousPooling(decoder) => (decoder.forward(maps, mode)?, decoder.aux.as_ref()),
        };
        let aux = aux_head.filter(|_| mode.is_train()).map(|head| head.forward(&maps[2], mode));
        Ok(Decoded { logits, aux: aux.transpose()? })
    }

    pub(crate) fn for_inference(&self, kind: Kind) -> Forward<Self> {
        Ok(match self {
            Self::SemanticFpn(decoder) => Self::SemanticFpn(Box::new(decoder.for_inference(kind)?)),
            Self::PyramidPooling(decoder) => Self::PyramidPooling(Box::new(decoder.for_inference(kind)?)),
            Self::AtrousPooling(decoder) => Self::AtrousPooling(Box::new(decoder.for_inference(kind)?)),
        })
    }
}
