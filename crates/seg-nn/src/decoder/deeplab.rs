//! `DeepLabV3+`: the last map seen through convolutions of several dilations, refined by the first map.
//!
//! # References
//! Chen et al.: Encoder-decoder with atrous separable convolution for semantic image segmentation. ECCV 2018,
//! arXiv:1802.02611.

use seg_torch::Interpolation;
use tch::nn::Path;
use tch::{Kind, Tensor};

use super::aux_head::AuxHead;
use super::units::{ConvUnit, SeparableUnit, dropped};
use crate::config::AtrousPoolingConfig;
use crate::layers::{Bias, Conv2d, ConvShape, Forward, Mode, upsample_like};

/// The image's mean, one map for each dilation, and a head on all of them and the first map.
#[derive(Debug, Clone)]
pub(crate) struct AtrousPooling {
    pub(crate) image: ConvUnit,
    /// The map of dilation 1.
    pub(crate) near: ConvUnit,
    /// The maps of the other dilations.
    pub(crate) far: Vec<SeparableUnit>,
    pub(crate) bottleneck: ConvUnit,
    pub(crate) fine: ConvUnit,
    pub(crate) refine: [SeparableUnit; 2],
    pub(crate) classify: Conv2d,
    pub(crate) aux: Option<AuxHead>,
    dropout: f64,
}

impl AtrousPooling {
    pub(crate) fn new(vs: &Path, channels: [i64; 4], classes: i64, config: &AtrousPoolingConfig) -> Self {
        let (input, width, fine) = (channels[3], config.head_width as i64, config.fine_width as i64);
        let (aspp, head) = (vs / "aspp", vs / "head");
        let maps = config.dilations.len() as i64 + 1;
        let far = config.dilations.iter().enumerate().skip(1);
        Self {
            image: ConvUnit::new(&(&aspp / "image"), ConvShape::new(input, width, 1)),
            near: ConvUnit::new(&(&aspp / 0), ConvShape::new(input, width, 1)),
            far: far
                .map(|(index, dilation)| SeparableUnit::new(&(&aspp / index), input, width, *dilation as i64))
                .collect(),
            bottleneck: ConvUnit::new(&(&head / "bottleneck"), ConvShape::new(maps * width, width, 3)),
            fine: ConvUnit::new(&(&head / "fine"), ConvShape::new(channels[0], fine, 1)),
            refine: [
                SeparableUnit::new(&(&head / "refine" / 0), width + fine, width, 1),
                SeparableUnit::new(&(&head / "refine" / 1), width, width, 1),
            ],
            classify: Conv2d::new(&(&head / "classify"), ConvShape::new(width, classes, 1), Bias::With),
            aux: (config.aux_width > 0).then(|| {
                AuxHead::new(&(vs / "aux"), channels[2], config.aux_width as i64, classes, config.dropout)
            }),
            dropout: config.dropout,
        }
    }

    /// Maps (B, C1, H/4, W/4) to (B, C4, H/8, W/8) → logits (B, K, H/4, W/4).
    pub(crate) fn forward(&self, maps: &[Tensor; 4], mode: Mode) -> Forward {
        let xs = &maps[3];
        let mean = xs.f_adaptive_avg_pool2d([1, 1])?; // (B, C4, H/8, W/8) -> (B, C4, 1, 1)
        let image = self.image.forward(&mean, mode)?; // (B, width, 1, 1)
        let image = upsample_like(&image, xs, 1, Interpolation::Bilinear)?; // (B, width, H/8, W/8)
        let mut seen = vec![image, self.near.forward(xs, mode)?];
        for unit in &self.far {
            seen.push(unit.forward(xs, mode)?); // (B, width, H/8, W/8)
        }
        let ys = self.bottleneck.forward(&Tensor::f_cat(&seen, 1)?, mode)?; // (B, maps width, …) -> (B, width, …)
        let fine = self.fine.forward(&maps[0], mode)?; // (B, fine, H/4, W/4)
        let ys = upsample_like(&ys, &fine, 1, Interpolation::Bilinear)?; // (B, width, H/8, W/8) -> (B, width, H/4, W/4)
        let ys = Tensor::f_cat(&[ys, fine], 1)?; // (B, width + fine, H/4, W/4)
        let ys = self.refine.iter().try_fold(ys, |ys, unit| unit.forward(&ys, mode))?; // (B, width, H/4, W/4)
        let ys = dropped(&ys, self.dropout, mode)?;
        self.classify.forward(&ys) // (B, K, H/4, W/4)
    }

    /// The same without the auxiliary head, which only training has.
    pub(crate) fn for_inference(&self, kind: Kind) -> Forward<Self> {
        Ok(Self {
            image: self.image.for_inference(kind)?,
            near: self.near.for_inference(kind)?,
            far: self.far.iter().map(|unit| unit.for_inference(kind)).collect::<Forward<Vec<_>>>()?,
            bottleneck: self.bottleneck.for_inference(kind)?,
            fine: self.fine.for_inference(kind)?,
            refine: [self.refine[0].for_inference(kind)?, self.refine[1].for_inference(kind)?],
            // Close decisions need the digits that a lower precision lacks.
            classify: self.classify.for_inference(Kind::Float)?,
            aux: None,
            dropout: self.dropout,
        })
    }
}
