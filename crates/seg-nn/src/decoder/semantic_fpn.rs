//! Semantic FPN: every level of a feature pyramid is brought to stride 4, and their sum is classified.
//!
//! # References
//! Kirillov et al.: Panoptic feature pyramid networks. CVPR 2019, arXiv:1901.02446, section 3 (Semantic FPN).

use seg_torch::Interpolation;
use tch::nn::Path;
use tch::{Kind, Tensor};

use super::fpn::Fpn;
use super::units::{ConvUnit, dropped};
use crate::config::SemanticFpnConfig;
use crate::layers::{Bias, Conv2d, ConvShape, Forward, Mode, upsample_like};
use crate::tap::Tap;

/// Feature pyramid and head: the encoder's maps → logits at stride 4.
#[derive(Debug, Clone)]
pub(crate) struct SemanticFpn {
    pub(crate) fpn: Fpn,
    pub(crate) head: SemanticFpnHead,
}

/// Semantic FPN's head: maps at strides 4, 8, 16, 32 → logits at stride 4.
#[derive(Debug, Clone)]
pub(crate) struct SemanticFpnHead {
    pub(crate) scale: [Vec<ConvUnit>; 4],
    pub(crate) classify: Conv2d,
    dropout: f64,
}

impl SemanticFpn {
    /// Of maps with these channels at strides 4, 8, 16, 32.
    pub(crate) fn new(vs: &Path, channels: [i64; 4], classes: i64, config: &SemanticFpnConfig) -> Self {
        Self {
            fpn: Fpn::new(&(vs / "fpn"), channels, config.fpn_width as i64),
            head: SemanticFpnHead::new(&(vs / "head"), classes, config),
        }
    }

    /// Maps (B, C, H/4, W/4) to (B, C, H/32, W/32) → logits (B, K, H/4, W/4).
    pub(crate) fn forward(&self, maps: &[Tensor; 4], mode: Mode, tap: &mut dyn Tap) -> Forward {
        let maps = self.fpn.forward(maps)?;
        for (name, map) in ["p2", "p3", "p4", "p5"].into_iter().zip(&maps) {
            tap.record(name, map);
        }
        self.head.forward(&maps, mode)
    }

    pub(crate) fn for_inference(&self, kind: Kind) -> Forward<Self> {
        Ok(Self { fpn: self.fpn.for_inference(kind)?, head: self.head.for_inference(kind)? })
    }
}

impl SemanticFpnHead {
    fn new(vs: &Path, classes: i64, config: &SemanticFpnConfig) -> Self {
        let (input, width) = (config.fpn_width as i64, config.head_width as i64);
        let scales = vs / "scale";
        let scale = std::array::from_fn(|level| {
            let vs = &scales / level;
            let unit = |index| {
                ConvUnit::new(
                    &(&vs / index),
                    ConvShape::new(if index == 0 { input } else { width }, width, 3),
                )
            };
            (0..level.max(1)).map(unit).collect()
        });
        let classify = Conv2d::new(&(vs / "classify"), ConvShape::new(width, classes, 1), Bias::With);
        Self { scale, classify, dropout: config.dropout }
    }

    fn forward(&self, maps: &[Tensor; 4], mode: Mode) -> Forward {
        let mut total = self.scale[0][0].forward(&maps[0], mode)?; // (B, width, H/4, W/4)
        for (units, map) in self.scale.iter().zip(maps).skip(1) {
            let ys = units.iter().try_fold(map.shallow_clone(), |ys, unit| {
                let ys = unit.forward(&ys, mode)?;
                upsample_like(&ys, &ys, 2, Interpolation::Bilinear) // (B, C, h, w) -> (B, C, 2 h, 2 w)
            })?;
            total = total.f_add(&ys)?;
        }
        let total = dropped(&total, self.dropout, mode)?;
        self.classify.forward(&total) // (B, width, H/4, W/4) -> (B, K, H/4, W/4)
    }

    fn for_inference(&self, kind: Kind) -> Forward<Self> {
        let level = |units: &[ConvUnit]| {
            units.iter().map(|unit| unit.for_inference(kind)).collect::<Forward<Vec<_>>>()
        };
        let [a, b, c, d] = &self.scale;
        Ok(Self {
            scale: [level(a)?, level(b)?, level(c)?, level(d)?],
            // Close decisions need the digits that a lower precision lacks.
            classify: self.classify.for_inference(Kind::Float)?,
            dropout: self.dropout,
        })
    }
}
