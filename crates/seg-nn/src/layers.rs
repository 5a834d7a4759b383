//! The layers that all networks here are built of, with `PyTorch`'s names for their weights.
//!
//! A layer starts with zeros: weights come from a checkpoint or from [`initialize`](crate::initialize).
//! Forward passes return what libtorch says when it fails, so that running out of memory is an error.

use std::ops::Deref;

use seg_torch::Interpolation;
use seg_torch::distributed::joint_batch_norm;
use tch::nn::Path;
use tch::{Kind, TchError, Tensor};

/// What a forward pass returns.
pub(crate) type Forward<T = Tensor> = Result<T, TchError>;

/// Whether a network learns or computes: batch norm and dropout differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Batch statistics are used and remembered, dropout drops.
    Train,
    /// Remembered statistics are used, dropout does nothing.
    Eval,
}

/// A tensor of weights; a clone shares its memory.
#[derive(Debug)]
pub(crate) struct Weight(Tensor);

/// Whether a layer adds a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bias {
    With,
    Without,
}

/// A convolution that keeps the size at stride 1.
#[derive(Debug, Clone)]
pub(crate) struct Conv2d {
    pub(crate) weight: Weight,
    pub(crate) bias: Option<Weight>,
    pub(crate) stride: i64,
    dilation: i64,
    groups: i64,
}

/// The sizes of a convolution.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConvShape {
    pub(crate) input: i64,
    pub(crate) output: i64,
    kernel: i64,
    stride: i64,
    dilation: i64,
    groups: i64,
}

/// Batch normalization over (B, H, W).
#[derive(Debug, Clone)]
pub(crate) struct BatchNorm2d {
    pub(crate) weight: Weight,
    pub(crate) bias: Weight,
    pub(crate) running_mean: Weight,
    pub(crate) running_var: Weight,
    pub(crate) num_batches_tracked: Weight,
}

/// A convolution without bias and its batch norm, which folding merges into a convolution with bias.
#[derive(Debug, Clone)]
pub(crate) struct ConvNorm {
    pub(crate) conv: Conv2d,
    pub(crate) norm: Option<BatchNorm2d>,
}

/// An affine map of the last dimension.
#[derive(Debug, Clone)]
pub(crate) struct Linear {
    pub(crate) weight: Weight,
    pub(crate) bias: Option<Weight>,
}

/// Layer normalization of the last dimension.
#[derive(Debug, Clone)]
pub(crate) struct LayerNorm {
    pub(crate) weight: Weight,
    pub(crate) bias: Weight,
}

const NORM_EPS: f64 = 1e-5;
const BATCH_NORM_MOMENTUM: f64 = 0.1;

impl Mode {
    pub(crate) fn is_train(self) -> bool {
        self == Self::Train
    }
}

impl Weight {
    pub(crate) fn new(tensor: Tensor) -> Self {
        Self(tensor)
    }

    /// The same weight without gradient, of the kind, and laid out channels-last where it is a convolution's.
    pub(crate) fn for_inference(&self, kind: Kind) -> Forward<Self> {
        let detached = self.0.f_detach()?.f_to_kind(kind)?;
        if detached.dim() != 4 {
            return Ok(Self(detached));
        }
        seg_torch::channels_last(&detached).map(Self).map_err(|error| TchError::Torch(error.to_string()))
    }
}

impl Clone for Weight {
    fn clone(&self) -> Self {
        Self(self.0.shallow_clone())
    }
}

impl Deref for Weight {
    type Target = Tensor;

    fn deref(&self) -> &Tensor {
        &self.0
    }
}

impl ConvShape {
    /// A convolution of `kernel` × `kernel` that sees every pixel.
    pub(crate) fn new(input: i64, output: i64, kernel: i64) -> Self {
        Self { input, output, kernel, stride: 1, dilation: 1, groups: 1 }
    }

    /// A convolution of 3×3 for each channel alone.
    pub(crate) fn depthwise(channels: i64) -> Self {
        Self { groups: channels, ..Self::new(channels, channels, 3) }
    }

    pub(crate) fn stride(self, stride: i64) -> Self {
        Self { stride, ..self }
    }

    pub(crate) fn dilation(self, dilation: i64) -> Self {
        Self { dilation, ..self }
    }
}

impl Conv2d {
    pub(crate) fn new(vs: &Path, shape: ConvShape, bias: Bias) -> Self {
        let ConvShape { input, output, kernel, stride, dilation, groups } = shape;
        let weight = Weight(vs.zeros("weight", &[output, input / groups, kernel, kernel]));
        let bias = (bias == Bias::With).then(|| Weight(vs.zeros("bias", &[output])));
        Self { weight, bias, stride, dilation, groups }
    }

    pub(crate) fn forward(&self, xs: &Tensor) -> Forward {
        let (stride, dilation) = ([self.stride; 2], [self.dilation; 2]);
        let padding = [self.dilation * (self.weight.size()[2] / 2); 2];
        // (B, C, H, W) -> (B, O, H / stride, W / stride)
        xs.f_conv2d(&self.weight, self.bias.as_deref(), stride, padding, dilation, self.groups)
    }

    pub(crate) fn for_inference(&self, kind: Kind) -> Forward<Self> {
        let bias = self.bias.as_ref().map(|bias| bias.for_inference(kind)).transpose()?;
        Ok(Self { weight: self.weight.for_inference(kind)?, bias, ..*self })
    }
}

impl BatchNorm2d {
    pub(crate) fn new(vs: &Path, channels: i64) -> Self {
        let count = Tensor::zeros([] as [i64; 0], (Kind::Int64, vs.device()));
        Self {
            weight: Weight(vs.zeros("weight", &[channels])),
            bias: Weight(vs.zeros("bias", &[channels])),
            running_mean: Weight(vs.zeros_no_train("running_mean", &[channels])),
            running_var: Weight(vs.zeros_no_train("running_var", &[channels])),
            num_batches_tracked: Weight(vs.add("num_batches_tracked", count, false)),
        }
    }

    pub(crate) fn forward(&self, xs: &Tensor, mode: Mode) -> Forward {
        if mode.is_train() {
            let (batch, _, height, width) = xs.size4()?;
            if batch * height * width == 1 {
                let problem =
                    "a batch norm learns from more than one value for each channel: train.batch is too small";
                return Err(TchError::Torch(problem.to_owned()));
            }
            let _same = self.num_batches_tracked.shallow_clone().f_add_scalar_(1)?;
            // Over the batches of all processes, where that was asked for.
            let running = (&*self.running_mean, &*self.running_var);
            let scale = (&*self.weight, &*self.bias);
            let joint = joint_batch_norm(xs, scale, running, BATCH_NORM_MOMENTUM, NORM_EPS);
            if let Some(ys) = joint.map_err(|error| TchError::Torch(error.to_string()))? {
                return Ok(ys);
            }
        }
        xs.f_batch_norm(
            Some(&*self.weight),
            Some(&*self.bias),
            Some(&*self.running_mean),
            Some(&*self.running_var),
            mode.is_train(),
            BATCH_NORM_MOMENTUM,
            NORM_EPS,
            true,
        )
    }
}

impl ConvNorm {
    pub(crate) fn new(conv: &Path, norm: &Path, shape: ConvShape) -> Self {
        Self {
            conv: Conv2d::new(conv, shape, Bias::Without),
            norm: Some(BatchNorm2d::new(norm, shape.output)),
        }
    }

    pub(crate) fn forward(&self, xs: &Tensor, mode: Mode) -> Forward {
        let ys = self.conv.forward(xs)?;
        match &self.norm {
            Some(norm) => norm.forward(&ys, mode),
            None => Ok(ys),
        }
    }

    /// The same map in eval mode as one convolution, computed in double precision.
    pub(crate) fn for_inference(&self, kind: Kind) -> Forward<Self> {
        let Some(norm) = &self.norm else {
            return Ok(Self { conv: self.conv.for_inference(kind)?, norm: None });
        };
        let double = |weight: &Weight| weight.f_detach()?.f_to_kind(Kind::Double);
        let deviation = double(&norm.running_var)?.f_add_scalar(NORM_EPS)?.f_sqrt()?;
        let scale = double(&norm.weight)?.f_div(&deviation)?;
        let bias = double(&norm.bias)?.f_sub(&double(&norm.running_mean)?.f_mul(&scale)?)?;
        let weight = double(&self.conv.weight)?.f_mul(&scale.f_view([-1, 1, 1, 1])?)?;
        let conv = Conv2d {
            weight: Weight(weight).for_inference(kind)?,
            bias: Some(Weight(bias).for_inference(kind)?),
            ..self.conv
        };
        Ok(Self { conv, norm: None })
    }
}

impl Linear {
    pub(crate) fn new(vs: &Path, input: i64, output: i64, bias: Bias) -> Self {
        let weight = Weight(vs.zeros("weight", &[output, input]));
        Self { weight, bias: (bias == Bias::With).then(|| Weight(vs.zeros("bias", &[output]))) }
    }

    pub(crate) fn forward(&self, xs: &Tensor) -> Forward {
        xs.f_linear(&self.weight, self.bias.as_deref())
    }

    pub(crate) fn for_inference(&self, kind: Kind) -> Forward<Self> {
        let bias = self.bias.as_ref().map(|bias| bias.for_inference(kind)).transpose()?;
        Ok(Self { weight: self.weight.for_inference(kind)?, bias })
    }
}

impl LayerNorm {
    pub(crate) fn new(vs: &Path, width: i64) -> Self {
        Self { weight: Weight(vs.zeros("weight", &[width])), bias: Weight(vs.zeros("bias", &[width])) }
    }

    pub(crate) fn forward(&self, xs: &Tensor) -> Forward {
        xs.f_layer_norm(self.weight.size(), Some(&*self.weight), Some(&*self.bias), NORM_EPS, true)
    }

    pub(crate) fn for_inference(&self, kind: Kind) -> Forward<Self> {
        Ok(Self { weight: self.weight.for_inference(kind)?, bias: self.bias.for_inference(kind)? })
    }
}

/// Multi-head attention: soft-max(q kᵀ / √d) v for each head.
///
/// **Shapes**: queries (B, N, E), keys and values (B, M, E) → (B, N, E).
pub(crate) fn attention(q: &Tensor, k: &Tensor, v: &Tensor, heads: i64, mask: Mask) -> Forward {
    let (_, _, width) = q.size3()?;
    let split = |xs: &Tensor| {
        // (B, N, E) -> (B, heads, N, E / heads)
        xs.f_unflatten(2, [heads, width / heads])?.f_transpose(1, 2)
    };
    let (q, k, v) = (split(q)?, split(k)?, split(v)?);
    let causal = mask == Mask::Causal;
    Tensor::f_scaled_dot_product_attention(&q, &k, &v, None::<&Tensor>, 0.0, causal, None, false)?
        .f_transpose(1, 2)?
        .f_flatten(2, 3) // (B, heads, N, E / heads) -> (B, N, E)
}

/// Which keys a query sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mask {
    /// All of them.
    None,
    /// Those at its own place and before.
    Causal,
}

/// Average pooling by a whole factor; 1 changes nothing.
pub(crate) fn average_pool(xs: &Tensor, factor: i64) -> Forward {
    if factor == 1 {
        return Ok(xs.shallow_clone());
    }
    // (B, C, H, W) -> (B, C, H / factor, W / factor)
    xs.f_avg_pool2d([factor, factor], [factor, factor], [0, 0], false, true, None)
}

/// Bilinear interpolation with pixel centers as corners (`align_corners=False`): (B, C, H, W) -> (B, C, *size).
pub(crate) fn upsample_bilinear(xs: &Tensor, size: [i64; 2]) -> Forward {
    xs.f_upsample_bilinear2d(size, false, None, None)
}

/// The same to `factor` times the size of another map, which a trace keeps for images of any size:
/// (B, C, h, w) -> (B, C, factor H, factor W).
pub(crate) fn upsample_like(xs: &Tensor, like: &Tensor, factor: i64, how: Interpolation) -> Forward {
    seg_torch::resize_like(xs, like, factor, how).map_err(|error| TchError::Torch(error.to_string()))
}

/// Places in a row as a map again: (B, C, h w) -> (B, C, h, w), the size of `like`, (B, …, h, w).
pub(crate) fn map_like(places: &Tensor, channels: i64, like: &Tensor) -> Forward {
    let like = like.f_narrow(1, 0, 1)?.f_expand([-1, channels, -1, -1], false)?; // (B, …, h, w) -> (B, C, h, w)
    places.f_reshape_as(&like)
}

#[cfg(test)]
mod tests {
    use tch::nn::VarStore;
    use tch::{Device, Kind, Tensor};

    use super::{ConvNorm, ConvShape, Mode};

    #[test]
    fn a_folded_batch_norm_computes_the_same() {
        let vs = VarStore::new(Device::Cpu);
        let root = vs.root();
        let shape = ConvShape::new(3, 5, 3).stride(2);
        let unit = ConvNorm::new(&(&root / "conv"), &(&root / "bn"), shape);
        crate::hash_fill_all(&vs, 1, 0.5).unwrap();
        let xs = Tensor::arange(2 * 3 * 8 * 8, (Kind::Float, Device::Cpu)).sin().view([2, 3, 8, 8]);
        let expected = unit.forward(&xs, Mode::Eval).unwrap();
        let folded = unit.for_inference(Kind::Float).unwrap();
        assert!(folded.norm.is_none());
        let difference = (folded.forward(&xs, Mode::Eval).unwrap() - expected).abs().max();
        assert!(difference.double_value(&[]) < 1e-6, "{difference}");
    }

    #[test]
    fn training_counts_its_batches() {
        let vs = VarStore::new(Device::Cpu);
        let root = vs.root();
        let shape = ConvShape::new(3, 5, 1);
        let unit = ConvNorm::new(&(&root / "conv"), &(&root / "bn"), shape);
        let xs = Tensor::zeros([1, 3, 2, 2], (Kind::Float, Device::Cpu));
        let _evaluated = unit.forward(&xs, Mode::Eval).unwrap();
        let _trained = unit.forward(&xs, Mode::Train).unwrap();
        assert_eq!(vs.variables()["bn.num_batches_tracked"].int64_value(&[]), 1);
    }
}
