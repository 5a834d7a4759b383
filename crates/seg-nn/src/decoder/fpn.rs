//! The neck: a feature pyramid.
//!
//! # References
//! Lin et al.: Feature pyramid networks for object detection. CVPR 2017, arXiv:1612.03144.

use seg_torch::Interpolation;
use tch::nn::Path;
use tch::{Kind, Tensor};

use crate::layers::{Bias, Conv2d, ConvShape, Forward, upsample_like};

/// Four maps of equal width, each enriched by the coarser ones.
#[derive(Debug, Clone)]
pub(crate) struct Fpn {
    pub(crate) lateral: [Conv2d; 4],
    pub(crate) smooth: [Conv2d; 4],
}

impl Fpn {
    pub(crate) fn new(vs: &Path, channels: [i64; 4], width: i64) -> Self {
        let (laterals, smooths) = (vs / "lateral", vs / "smooth");
        let conv =
            |vs: Path, input, kernel| Conv2d::new(&vs, ConvShape::new(input, width, kernel), Bias::With);
        Self {
            lateral: std::array::from_fn(|level| conv(&laterals / level, channels[level], 1)),
            smooth: std::array::from_fn(|level| conv(&smooths / level, width, 3)),
        }
    }

    /// Maps at strides 4, 8, 16, 32 → maps (B, width, …) at the same strides.
    pub(crate) fn forward(&self, maps: &[Tensor; 4]) -> Forward<[Tensor; 4]> {
        let y5 = self.lateral[3].forward(&maps[3])?; // (B, C4, H/32, W/32) -> (B, width, H/32, W/32)
        let y4 = add_coarser(self.lateral[2].forward(&maps[2])?, &y5)?; // (B, width, H/16, W/16)
        let y3 = add_coarser(self.lateral[1].forward(&maps[1])?, &y4)?; // (B, width, H/8, W/8)
        let y2 = add_coarser(self.lateral[0].forward(&maps[0])?, &y3)?; // (B, width, H/4, W/4)
        let smooth = |level: usize, ys: &Tensor| self.smooth[level].forward(ys);
        Ok([smooth(0, &y2)?, smooth(1, &y3)?, smooth(2, &y4)?, smooth(3, &y5)?])
    }

    pub(crate) fn for_inference(&self, kind: Kind) -> Forward<Self> {
        let all = |[a, b, c, d]: &[Conv2d; 4]| -> Forward<[Conv2d; 4]> {
            Ok([
                a.for_inference(kind)?,
                b.for_inference(kind)?,
                c.for_inference(kind)?,
                d.for_inference(kind)?,
            ])
        };
        Ok(Self { lateral: all(&self.lateral)?, smooth: all(&self.smooth)? })
    }
}

fn add_coarser(mut fine: Tensor, coarse: &Tensor) -> Forward {
    let coarse = upsample_like(coarse, &fine, 1, Interpolation::Nearest)?; // (B, width, h, w) -> (B, width, H, W)
    fine.f_add_(&coarse)
}
