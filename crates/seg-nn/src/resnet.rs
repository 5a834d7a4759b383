//! The image encoder: a residual network with three convolutions as stem, CLIP's or V1c.
//!
//! # References
//! He et al.: Deep residual learning. CVPR 2016, arXiv:1512.03385. CLIP's changes: Radford et al.,
//! arXiv:2103.00020, section 2.4. V1c's stem: He et al.: Bag of tricks. arXiv:1812.01187, section 4. Dilated last
//! stages: Chen et al., arXiv:1706.05587, section 3.

use tch::nn::Path;
use tch::{Kind, Tensor};

use crate::config::{EncoderConfig, EncoderKind, Stage};
use crate::layers::{ConvNorm, ConvShape, Forward, Mode, average_pool};

/// An encoder without a pool: an image becomes features at strides 4, 8, 16 and 32, or 4, 8, 8 and 8.
#[derive(Debug, Clone)]
pub(crate) struct ResNet {
    kind: EncoderKind,
    pub(crate) conv1: ConvNorm,
    pub(crate) conv2: ConvNorm,
    pub(crate) conv3: ConvNorm,
    pub(crate) layer1: Vec<Bottleneck>,
    pub(crate) layer2: Vec<Bottleneck>,
    pub(crate) layer3: Vec<Bottleneck>,
    pub(crate) layer4: Vec<Bottleneck>,
}

/// A residual block: 1×1, 3×3 and 1×1 convolutions.
///
/// Where it halves the size, CLIP's averages before the last convolution and beside it; V1c's has the stride in
/// the middle one and beside it.
#[derive(Debug, Clone)]
pub(crate) struct Bottleneck {
    pub(crate) conv1: ConvNorm,
    pub(crate) conv2: ConvNorm,
    pub(crate) conv3: ConvNorm,
    pub(crate) downsample: Option<ConvNorm>,
    /// The side of what is averaged.
    pub(crate) pool: i64,
}

/// How many times more channels a block puts out than it has inside.
const EXPANSION: i64 = 4;

impl ResNet {
    pub(crate) fn new(vs: &Path, bands: i64, config: &EncoderConfig) -> Self {
        let stem = config.stem_width as i64;
        let unit = |index: usize, input, output, stride| {
            let (conv, norm) = (vs / format!("conv{index}"), vs / format!("bn{index}"));
            ConvNorm::new(&conv, &norm, ConvShape::new(input, output, 3).stride(stride))
        };
        let mut channels = stem;
        let stages = config.stages();
        let mut stage = |index: usize| {
            let (width, depth) = (config.widths[index] as i64, config.depths[index]);
            let vs = vs / format!("layer{}", index + 1);
            let blocks = (0..depth).map(|block| {
                let input = std::mem::replace(&mut channels, width * EXPANSION);
                Bottleneck::new(&(&vs / block), input, width, (config.kind, stages[index].of_block(block)))
            });
            blocks.collect::<Vec<_>>()
        };
        Self {
            kind: config.kind,
            conv1: unit(1, bands, stem / 2, 2),
            conv2: unit(2, stem / 2, stem / 2, 1),
            conv3: unit(3, stem / 2, stem, 1),
            layer1: stage(0),
            layer2: stage(1),
            layer3: stage(2),
            layer4: stage(3),
        }
    }

    /// (B, bands, H, W) → four maps: (B, C1, H/4, W/4), (B, C2, H/8, W/8), (B, C3, H/16, W/16) and
    /// (B, C4, H/32, W/32); the last two have stride 8 where the output stride is 8.
    pub(crate) fn forward(&self, xs: &Tensor, mode: Mode) -> Forward<[Tensor; 4]> {
        let xs = self.conv1.forward(xs, mode)?.f_relu_()?; // (B, S/2, H/2, W/2)
        let xs = self.conv2.forward(&xs, mode)?.f_relu_()?;
        let xs = self.conv3.forward(&xs, mode)?.f_relu_()?; // (B, S, H/2, W/2)
        let xs = match self.kind {
            EncoderKind::Clip => average_pool(&xs, 2)?, // (B, S, H/4, W/4)
            EncoderKind::V1c => xs.f_max_pool2d([3, 3], [2, 2], [1, 1], [1, 1], false)?, // (B, S, H/4, W/4)
        };
        let x1 = run(&self.layer1, &xs, mode)?; // (B, C1, H/4, W/4)
        let x2 = run(&self.layer2, &x1, mode)?; // (B, C2, H/8, W/8)
        let x3 = run(&self.layer3, &x2, mode)?; // (B, C3, H/16, W/16)
        let x4 = run(&self.layer4, &x3, mode)?; // (B, C4, H/32, W/32)
        Ok([x1, x2, x3, x4])
    }

    pub(crate) fn for_inference(&self, kind: Kind) -> Forward<Self> {
        let stage = |blocks: &[Bottleneck]| {
            blocks.iter().map(|unit| unit.for_inference(kind)).collect::<Forward<Vec<_>>>()
        };
        Ok(Self {
            kind: self.kind,
            conv1: self.conv1.for_inference(kind)?,
            conv2: self.conv2.for_inference(kind)?,
            conv3: self.conv3.for_inference(kind)?,
            layer1: stage(&self.layer1)?,
            layer2: stage(&self.layer2)?,
            layer3: stage(&self.layer3)?,
            layer4: stage(&self.layer4)?,
        })
    }
}

fn run(blocks: &[Bottleneck], xs: &Tensor, mode: Mode) -> Forward {
    blocks.iter().try_fold(xs.shallow_clone(), |xs, block| block.forward(&xs, mode))
}

impl Stage {
    /// What one of its blocks does: the first halves the size and sees half as far.
    fn of_block(self, block: usize) -> Self {
        match block {
            0 => Self { stride: self.stride, dilation: (self.dilation / 2).max(1) },
            _ => Self { stride: 1, dilation: self.dilation },
        }
    }
}

impl Bottleneck {
    fn new(vs: &Path, input: i64, width: i64, (kind, stage): (EncoderKind, Stage)) -> Self {
        let output = width * EXPANSION;
        let unit = |index: usize, shape| {
            let (conv, norm) = (vs / format!("conv{index}"), vs / format!("bn{index}"));
            ConvNorm::new(&conv, &norm, shape)
        };
        let (pool, stride) = match kind {
            EncoderKind::Clip => (stage.stride, 1),
            EncoderKind::V1c => (1, stage.stride),
        };
        let downsample = (stage.stride > 1 || input != output).then(|| {
            let vs = vs / "downsample";
            ConvNorm::new(&(&vs / 0), &(&vs / 1), ConvShape::new(input, output, 1).stride(stride))
        });
        Self {
            conv1: unit(1, ConvShape::new(input, width, 1)),
            conv2: unit(2, ConvShape::new(width, width, 3).stride(stride).dilation(stage.dilation)),
            conv3: unit(3, ConvShape::new(width, output, 1)),
            downsample,
            pool,
        }
    }

    fn forward(&self, xs: &Tensor, mode: Mode) -> Forward {
        let ys = self.conv1.forward(xs, mode)?.f_relu_()?; // (B, width, H, W)
        let ys = self.conv2.forward(&ys, mode)?.f_relu_()?; // (B, width, H / conv2's stride, W / conv2's stride)
        let ys = average_pool(&ys, self.pool)?; // (B, width, H / stride, W / stride)
        let mut ys = self.conv3.forward(&ys, mode)?; // (B, 4 width, H / stride, W / stride)
        let identity = match &self.downsample {
            Some(unit) => unit.forward(&average_pool(xs, self.pool)?, mode)?,
            None => xs.shallow_clone(),
        };
        ys.f_add_(&identity)?.f_relu_()
    }

    fn for_inference(&self, kind: Kind) -> Forward<Self> {
        Ok(Self {
            conv1: self.conv1.for_inference(kind)?,
            conv2: self.conv2.for_inference(kind)?,
            conv3: self.conv3.for_inference(kind)?,
            downsample: self.downsample.as_ref().map(|unit| unit.for_inference(kind)).transpose()?,
            pool: self.pool,
        })
    }
}
