//! `PSPNet`: the last map beside its means over grids of a few cells.
//!
//! # References
//! Zhao et al.: Pyramid scene parsing network. CVPR 2017, arXiv:1612.01105.

use seg_torch::Interpolation;
use tch::nn::Path;
use tch::{Kind, Tensor};

use super::aux_head::AuxHead;
use super::units::{ConvUnit, dropped};
use crate::config::PyramidPoolingConfig;
use crate::layers::{Bias, Conv2d, ConvShape, Forward, Mode, upsample_like};

/// Means over grids, each brought to fewer channels, and a head on all of them.
#[derive(Debug, Clone)]
pub(crate) struct PyramidPooling {
    pub(crate) levels: Vec<Level>,
    pub(crate) bottleneck: ConvUnit,
    pub(crate) classify: Conv2d,
    pub(crate) aux: Option<AuxHead>,
    dropout: f64,
}

/// The means over one grid.
#[derive(Debug, Clone)]
pub(crate) struct Level {
    pub(crate) bins: i64,
    pub(crate) unit: ConvUnit,
}

impl PyramidPooling {
    pub(crate) fn new(vs: &Path, channels: [i64; 4], classes: i64, config: &PyramidPoolingConfig) -> Self {
        let (input, width) = (channels[3], config.head_width as i64);
        let (pyramid, head) = (vs / "psp", vs / "head");
        let level = |(index, bins): (usize, &usize)| Level {
            bins: *bins as i64,
            unit: ConvUnit::new(&(&pyramid / index), ConvShape::new(input, width, 1)),
        };
        let seen = input + width * config.bins.len() as i64;
        Self {
            levels: config.bins.iter().enumerate().map(level).collect(),
            bottleneck: ConvUnit::new(&(&head / "bottleneck"), ConvShape::new(seen, width, 3)),
            classify: Conv2d::new(&(&head / "classify"), ConvShape::new(width, classes, 1), Bias::With),
            aux: (config.aux_width > 0).then(|| {
                AuxHead::new(&(vs / "aux"), channels[2], config.aux_width as i64, classes, config.dropout)
            }),
            dropout: config.dropout,
        }
    }

    /// The last map (B, C4, H/8, W/8) → logits (B, K, H/8, W/8).
    pub(crate) fn forward(&self, xs: &Tensor, mode: Mode) -> Forward {
        let mut maps = vec![xs.shallow_clone()];
        for level in &self.levels {
            let ys = xs.f_adaptive_avg_pool2d([level.bins; 2])?; // (B, C4, H/8, W/8) -> (B, C4, bins, bins)
            let ys = level.unit.forward(&ys, mode)?; // (B, width, bins, bins)
            maps.push(upsample_like(&ys, xs, 1, Interpolation::Bilinear)?); // (B, width, H/8, W/8)
        }
        let ys = Tensor::f_cat(&maps, 1)?; // (B, C4 + levels width, H/8, W/8)
        let ys = self.bottleneck.forward(&ys, mode)?; // (B, width, H/8, W/8)
        let ys = dropped(&ys, self.dropout, mode)?;
        self.classify.forward(&ys) // (B, K, H/8, W/8)
    }

    /// The same without the auxiliary head, which only training has.
    pub(crate) fn for_inference(&self, kind: Kind) -> Forward<Self> {
        let level = |level: &Level| Ok(Level { bins: level.bins, unit: level.unit.for_inference(kind)? });
        Ok(Self {
            levels: self.levels.iter().map(level).collect::<Forward<Vec<_>>>()?,
            bottleneck: self.bottleneck.for_inference(kind)?,
            // Close decisions need the digits that a lower precision lacks.
            classify: self.classify.for_inference(Kind::Float)?,
            aux: None,
            dropout: self.dropout,
        })
    }
}
