//! A small head on the third map, whose loss helps the encoder to learn.
//!
//! # References
//! Zhao et al.: Pyramid scene parsing network. CVPR 2017, arXiv:1612.01105, section 3.3.

use tch::Tensor;
use tch::nn::Path;

use super::units::ConvUnit;
use crate::layers::{Bias, Conv2d, ConvShape, Forward, Mode};

/// One convolution and a classifier.
#[derive(Debug, Clone)]
pub(crate) struct AuxHead {
    pub(crate) unit: ConvUnit,
    pub(crate) classify: Conv2d,
    dropout: f64,
}

impl AuxHead {
    pub(crate) fn new(vs: &Path, channels: i64, width: i64, classes: i64, dropout: f64) -> Self {
        Self {
            unit: ConvUnit::new(vs, ConvShape::new(channels, width, 3)),
            classify: Conv2d::new(&(vs / "classify"), ConvShape::new(width, classes, 1), Bias::With),
            dropout,
        }
    }

    pub(crate) fn forward(&self, xs: &Tensor, mode: Mode) -> Forward {
        let ys = self.unit.forward(xs, mode)?; // (B, C, h, w) -> (B, width, h, w)
        let ys = if mode.is_train() { ys.f_feature_dropout(self.dropout, true)? } else { ys };
        self.classify.forward(&ys) // (B, width, h, w) -> (B, K, h, w)
    }
}
