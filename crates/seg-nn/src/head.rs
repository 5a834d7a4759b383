//! The head: every level of the pyramid is brought to stride 4, and their sum is classified.
//!
//! # References
//! Kirillov et al.: Panoptic feature pyramid networks. CVPR 2019, arXiv:1901.02446, section 3 (Semantic FPN).

use tch::Tensor;
use tch::nn::Path;

use crate::config::DecoderConfig;
use crate::layers::{Bias, Conv2d, ConvNorm, ConvShape, Forward, Mode, upsample_bilinear};

/// Semantic FPN's head: maps at strides 4, 8, 16, 32 → logits at stride 4.
#[derive(Debug, Clone)]
pub(crate) struct SemanticFpnHead {
    pub(crate) scale: [Vec<ScaleUnit>; 4],
    pub(crate) classify: Conv2d,
    dropout: f64,
}

/// Convolution, batch norm, `ReLU`; the head doubles the size after it on every level but the finest.
#[derive(Debug, Clone)]
pub(crate) struct ScaleUnit(pub(crate) ConvNorm);

impl SemanticFpnHead {
    pub(crate) fn new(vs: &Path, classes: i64, config: &DecoderConfig) -> Self {
        let (input, width) = (config.fpn_width as i64, config.head_width as i64);
        let scales = vs / "scale";
        let scale = std::array::from_fn(|level| {
            let vs = &scales / level;
            let unit = |index| ScaleUnit::new(&(&vs / index), if index == 0 { input } else { width }, width);
            (0..level.max(1)).map(unit).collect()
        });
        let shape = ConvShape { input: width, output: classes, kernel: 1, stride: 1 };
        let classify = Conv2d::new(&(vs / "classify"), shape, Bias::With);
        Self { scale, classify, dropout: config.dropout }
    }

    pub(crate) fn forward(&self, maps: &[Tensor; 4], mode: Mode) -> Forward {
        let mut total = self.scale[0][0].forward(&maps[0], mode)?; // (B, width, H/4, W/4)
        for (units, map) in self.scale.iter().zip(maps).skip(1) {
            let ys = units.iter().try_fold(map.shallow_clone(), |ys, unit| {
                let ys = unit.forward(&ys, mode)?;
                let (_, _, height, width) = ys.size4()?;
                upsample_bilinear(&ys, [2 * height, 2 * width]) // (B, C, h, w) -> (B, C, 2 h, 2 w)
            })?;
            total = total.f_add(&ys)?;
        }
        if mode.is_train() {
            total = total.f_feature_dropout(self.dropout, true)?;
        }
        self.classify.forward(&total) // (B, width, H/4, W/4) -> (B, K, H/4, W/4)
    }

    pub(crate) fn for_inference(&self) -> Forward<Self> {
        let level = |units: &[ScaleUnit]| {
            units.iter().map(|unit| Ok(ScaleUnit(unit.0.for_inference()?))).collect::<Forward<Vec<_>>>()
        };
        let [a, b, c, d] = &self.scale;
        Ok(Self {
            scale: [level(a)?, level(b)?, level(c)?, level(d)?],
            classify: self.classify.for_inference()?,
            dropout: self.dropout,
        })
    }
}

impl ScaleUnit {
    fn new(vs: &Path, input: i64, output: i64) -> Self {
        let shape = ConvShape { input, output, kernel: 3, stride: 1 };
        Self(ConvNorm::new(&(vs / "conv"), &(vs / "bn"), shape))
    }

    fn forward(&self, xs: &Tensor, mode: Mode) -> Forward {
        self.0.forward(xs, mode)?.f_relu_()
    }
}
