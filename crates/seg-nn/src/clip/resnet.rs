//! CLIP's image encoder: a `ResNet` with three convolutions as stem and average pooling instead of strides.

use tch::Tensor;
use tch::nn::Path;

use crate::config::EncoderConfig;
use crate::layers::{ConvNorm, ConvShape, Forward, Mode, average_pool};

/// The encoder without its pool: an image becomes features at strides 4, 8, 16 and 32.
#[derive(Debug, Clone)]
pub(crate) struct ModifiedResNet {
    pub(crate) conv1: ConvNorm,
    pub(crate) conv2: ConvNorm,
    pub(crate) conv3: ConvNorm,
    pub(crate) layer1: Vec<Bottleneck>,
    pub(crate) layer2: Vec<Bottleneck>,
    pub(crate) layer3: Vec<Bottleneck>,
    pub(crate) layer4: Vec<Bottleneck>,
}

/// A residual block: 1×1, 3×3 and 1×1 convolutions, pooled before the last where it halves the size.
#[derive(Debug, Clone)]
pub(crate) struct Bottleneck {
    pub(crate) conv1: ConvNorm,
    pub(crate) conv2: ConvNorm,
    pub(crate) conv3: ConvNorm,
    pub(crate) downsample: Option<ConvNorm>,
    pub(crate) stride: i64,
}

/// How many times more channels a block puts out than it has inside.
const EXPANSION: i64 = 4;

impl ModifiedResNet {
    pub(crate) fn new(vs: &Path, bands: i64, config: &EncoderConfig) -> Self {
        let stem = config.stem_width as i64;
        let unit = |index: usize, input, output, stride| {
            let (conv, norm) = (vs / format!("conv{index}"), vs / format!("bn{index}"));
            ConvNorm::new(&conv, &norm, ConvShape { input, output, kernel: 3, stride })
        };
        let mut channels = stem;
        let mut stage = |index: usize| {
            let (width, depth) = (config.widths[index] as i64, config.depths[index]);
            let vs = vs / format!("layer{}", index + 1);
            let first_stride = if index == 0 { 1 } else { 2 };
            let blocks = (0..depth).map(|block| {
                let stride = if block == 0 { first_stride } else { 1 };
                let input = std::mem::replace(&mut channels, width * EXPANSION);
                Bottleneck::new(&(&vs / block), input, width, stride)
            });
            blocks.collect::<Vec<_>>()
        };
        Self {
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
    /// (B, C4, H/32, W/32).
    pub(crate) fn forward(&self, xs: &Tensor, mode: Mode) -> Forward<[Tensor; 4]> {
        let xs = self.conv1.forward(xs, mode)?.f_relu_()?; // (B, S/2, H/2, W/2)
        let xs = self.conv2.forward(&xs, mode)?.f_relu_()?;
        let xs = self.conv3.forward(&xs, mode)?.f_relu_()?; // (B, S, H/2, W/2)
        let xs = average_pool(&xs, 2)?; // (B, S, H/4, W/4)
        let x1 = run(&self.layer1, &xs, mode)?; // (B, C1, H/4, W/4)
        let x2 = run(&self.layer2, &x1, mode)?; // (B, C2, H/8, W/8)
        let x3 = run(&self.layer3, &x2, mode)?; // (B, C3, H/16, W/16)
        let x4 = run(&self.layer4, &x3, mode)?; // (B, C4, H/32, W/32)
        Ok([x1, x2, x3, x4])
    }

    pub(crate) fn for_inference(&self) -> Forward<Self> {
        let stage =
            |blocks: &[Bottleneck]| blocks.iter().map(Bottleneck::for_inference).collect::<Forward<Vec<_>>>();
        Ok(Self {
            conv1: self.conv1.for_inference()?,
            conv2: self.conv2.for_inference()?,
            conv3: self.conv3.for_inference()?,
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

impl Bottleneck {
    fn new(vs: &Path, input: i64, width: i64, stride: i64) -> Self {
        let output = width * EXPANSION;
        let unit = |index: usize, input, output, kernel| {
            let (conv, norm) = (vs / format!("conv{index}"), vs / format!("bn{index}"));
            ConvNorm::new(&conv, &norm, ConvShape { input, output, kernel, stride: 1 })
        };
        let downsample = (stride > 1 || input != output).then(|| {
            let vs = vs / "downsample";
            ConvNorm::new(&(&vs / 0), &(&vs / 1), ConvShape { input, output, kernel: 1, stride: 1 })
        });
        Self {
            conv1: unit(1, input, width, 1),
            conv2: unit(2, width, width, 3),
            conv3: unit(3, width, output, 1),
            downsample,
            stride,
        }
    }

    fn forward(&self, xs: &Tensor, mode: Mode) -> Forward {
        let ys = self.conv1.forward(xs, mode)?.f_relu_()?; // (B, width, H, W)
        let ys = self.conv2.forward(&ys, mode)?.f_relu_()?;
        let ys = average_pool(&ys, self.stride)?; // (B, width, H / stride, W / stride)
        let mut ys = self.conv3.forward(&ys, mode)?; // (B, 4 width, H / stride, W / stride)
        let identity = match &self.downsample {
            Some(unit) => unit.forward(&average_pool(xs, self.stride)?, mode)?,
            None => xs.shallow_clone(),
        };
        ys.f_add_(&identity)?.f_relu_()
    }

    fn for_inference(&self) -> Forward<Self> {
        Ok(Self {
            conv1: self.conv1.for_inference()?,
            conv2: self.conv2.for_inference()?,
            conv3: self.conv3.for_inference()?,
            downsample: self.downsample.as_ref().map(ConvNorm::for_inference).transpose()?,
            stride: self.stride,
        })
    }
}
