//! Convolutions with batch norm and `ReLU`, which the heads are built of.

use tch::nn::Path;
use tch::{Kind, Tensor};

use crate::layers::{ConvNorm, ConvShape, Forward, Mode};

/// Convolution, batch norm, `ReLU`.
#[derive(Debug, Clone)]
pub(crate) struct ConvUnit(pub(crate) ConvNorm);

/// A 3×3 convolution of each channel alone, then one of all channels at one place.
///
/// # References
/// Chollet: Xception. CVPR 2017, arXiv:1610.02357.
#[derive(Debug, Clone)]
pub(crate) struct SeparableUnit {
    pub(crate) depthwise: ConvUnit,
    pub(crate) pointwise: ConvUnit,
}

impl ConvUnit {
    pub(crate) fn new(vs: &Path, shape: ConvShape) -> Self {
        Self(ConvNorm::new(&(vs / "conv"), &(vs / "bn"), shape))
    }

    pub(crate) fn forward(&self, xs: &Tensor, mode: Mode) -> Forward {
        self.0.forward(xs, mode)?.f_relu_()
    }

    pub(crate) fn for_inference(&self, kind: Kind) -> Forward<Self> {
        Ok(Self(self.0.for_inference(kind)?))
    }
}

impl SeparableUnit {
    pub(crate) fn new(vs: &Path, input: i64, output: i64, dilation: i64) -> Self {
        Self {
            depthwise: ConvUnit::new(&(vs / "depthwise"), ConvShape::depthwise(input).dilation(dilation)),
            pointwise: ConvUnit::new(&(vs / "pointwise"), ConvShape::new(input, output, 1)),
        }
    }

    pub(crate) fn forward(&self, xs: &Tensor, mode: Mode) -> Forward {
        self.pointwise.forward(&self.depthwise.forward(xs, mode)?, mode) // (B, C, H, W) -> (B, O, H, W)
    }

    pub(crate) fn for_inference(&self, kind: Kind) -> Forward<Self> {
        Ok(Self {
            depthwise: self.depthwise.for_inference(kind)?,
            pointwise: self.pointwise.for_inference(kind)?,
        })
    }
}

/// What a classifier sees: in training without a share of the channels, otherwise in float32.
pub(super) fn dropped(xs: &Tensor, share: f64, mode: Mode) -> Forward {
    match mode {
        Mode::Train => xs.f_feature_dropout(share, true),
        Mode::Eval => xs.f_to_kind(Kind::Float),
    }
}
