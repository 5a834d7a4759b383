//! BEMSeg and its family: CLIP's image encoder, aligned with class texts, in a feature pyramid.
//!
//! # References
//! Liu and Wang: Bidirectional feature fusion and enhanced alignment based multimodal semantic segmentation
//! for remote sensing images. Remote Sens. 2024, 16, 2289.

use seg_torch::Interpolation;
use tch::nn::Path;
use tch::{Device, Kind, Tensor};

use crate::alignment::{Alignment, TextPart};
use crate::config::{Config, INPUT_MULTIPLE};
use crate::decoder::{Decoded, Decoder};
use crate::error::Error;
use crate::groups::ParameterGroup;
use crate::layers::{Forward, Mode, upsample_bilinear, upsample_like};
use crate::model::{Logits, Scores, SegModel, check_input};
use crate::resnet::ResNet;
use crate::tap::Tap;

/// A network of the BEMSeg family; a clone shares its weights' memory.
///
/// It takes images of any size whose sides are multiples of 32.
///
/// # Examples
/// ```
/// use seg_nn::{BemSeg, Config, Mode, TextPart, initialize};
/// use tch::{Device, Kind, Tensor, nn::VarStore};
///
/// let text = include_str!("../../../configs/bemseg-small.toml");
/// let config = Config::parse(text, "bemseg-small.toml".as_ref())?;
/// let vs = VarStore::new(Device::Cpu);
/// let network = BemSeg::new(&vs.root(), &config, TextPart::Tower)?;
/// initialize(&vs, 0)?;
/// let image = Tensor::zeros([1, 3, 64, 96], (Kind::Float, Device::Cpu));
/// let output = network.forward_with(&image, Mode::Eval, &mut ())?;
/// assert_eq!(output.logits4.size(), [1, 5, 16, 24]);
/// assert_eq!(output.score.unwrap().size(), [1, 5, 2, 3]);
/// # Ok::<(), seg_nn::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct BemSeg {
    pub(crate) visual: ResNet,
    pub(crate) alignment: Option<Alignment>,
    pub(crate) decoder: Decoder,
    pub(crate) bands: usize,
    pub(crate) classes: usize,
    device: Device,
    /// What it computes in.
    kind: Kind,
}

/// The precision that a prepared network computes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InferencePrecision {
    /// float32.
    F32,
    /// bfloat16: half the memory, and quicker on processors that multiply it.
    Bf16,
}

/// What a network computes of an image.
#[derive(Debug)]
pub struct BemSegOutput {
    /// Logits at stride 4, (B, K, H/4, W/4); those of `PSPNet` are at stride 8.
    pub logits4: Tensor,
    /// Cosines between places and class texts, (B, K, H/32, W/32), where the network has texts.
    pub score: Option<Tensor>,
    /// Logits of an auxiliary head, (B, K, H/8, W/8), in training and where the network has one.
    pub aux: Option<Tensor>,
}

impl BemSeg {
    /// Builds a network, all of its weights zero; fill them from a checkpoint or with
    /// [`initialize`](crate::initialize).
    ///
    /// # Errors
    /// When the configuration contradicts itself or a prompt is too long.
    pub fn new(vs: &Path, config: &Config, text: TextPart) -> Result<Self, Error> {
        config.check()?;
        let (model, bands, classes) = (&config.model, config.input.bands, config.class.len());
        let backbone = vs.set_group(ParameterGroup::Backbone.index());
        let mut channels = model.stage_channels();
        let alignment = match (&model.pool, &model.text) {
            (Some(pool), Some(section)) => {
                // The score map is concatenated to the last stage.
                channels[3] += classes as i64;
                Some(Alignment::new(vs, config, (pool, section), text)?)
            }
            _ => None,
        };
        Ok(Self {
            visual: ResNet::new(&(&backbone / "visual"), bands as i64, &model.encoder),
            alignment,
            decoder: Decoder::new(vs, channels, classes as i64, &model.decoder),
            bands,
            classes,
            device: vs.device(),
            kind: Kind::Float,
        })
    }

    /// Computes an image's logits at stride 4 and its score map, showing all that is between to `tap`.
    ///
    /// # Errors
    /// When the image's shape, type or device is not the network's, or libtorch fails.
    pub fn forward_with(&self, xs: &Tensor, mode: Mode, tap: &mut dyn Tap) -> Result<BemSegOutput, Error> {
        check_input(xs, self)?;
        self.compute(xs, mode, tap).map_err(Error::compute("run the network"))
    }

    fn compute(&self, xs: &Tensor, mode: Mode, tap: &mut dyn Tap) -> Forward<BemSegOutput> {
        let [x1, x2, x3, x4] = self.visual.forward(xs, mode)?; // strides 4, 8, 16, 32, or 4, 8, 8, 8
        for (name, map) in ["layer1", "layer2", "layer3", "layer4"].into_iter().zip([&x1, &x2, &x3, &x4]) {
            tap.record(name, map);
        }
        let (x4, score) = match &self.alignment {
            Some(alignment) => {
                let score = alignment.forward(&x4, mode, tap)?; // (B, K, H/32, W/32)
                (Tensor::f_cat(&[&x4, &score], 1)?, Some(score)) // (B, C4 + K, H/32, W/32)
            }
            None => (x4, None),
        };
        let Decoded { logits, aux } = self.decoder.forward(&[x1, x2, x3, x4], mode, tap)?; // (B, K, H/4, W/4)
        tap.record("logits4", &logits);
        Ok(BemSegOutput { logits4: logits, score, aux })
    }

    /// The embeddings of the classes, (K, D), where the network has texts.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn class_embeddings(&self) -> Result<Option<Tensor>, Error> {
        let embeddings = self.alignment.as_ref().map(|alignment| alignment.text.embeddings()).transpose();
        embeddings.map_err(Error::compute("embed the class names"))
    }

    /// The same network for inference: batch norms folded into convolutions, weights channels-last and of the
    /// precision, class embeddings computed once.
    ///
    /// Its input and its logits are float32 in both precisions.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn prepare(&self, precision: InferencePrecision) -> Result<Self, Error> {
        let _no_grad = tch::no_grad_guard();
        self.for_inference(precision.kind()).map_err(Error::compute("prepare the network for inference"))
    }

    fn for_inference(&self, kind: Kind) -> Forward<Self> {
        Ok(Self {
            visual: self.visual.for_inference(kind)?,
            alignment: self.alignment.as_ref().map(|alignment| alignment.for_inference(kind)).transpose()?,
            decoder: self.decoder.for_inference(kind)?,
            kind,
            ..self.clone()
        })
    }
}

impl InferencePrecision {
    fn kind(self) -> Kind {
        match self {
            Self::F32 => Kind::Float,
            Self::Bf16 => Kind::BFloat16,
        }
    }
}

impl BemSegOutput {
    /// Logits at the size of an image of `height` × `width` pixels: (B, K, H/4, W/4) → (B, K, H, W).
    ///
    /// # Errors
    /// When there is no memory for them.
    pub fn logits(&self, height: i64, width: i64) -> Result<Tensor, Error> {
        let logits = self.logits4.f_to_kind(Kind::Float);
        logits
            .and_then(|logits| upsample_bilinear(&logits, [height, width])) // (B, K, H/4, W/4) -> (B, K, H, W)
            .map_err(Error::compute("bring logits to the image's size"))
    }

    /// The same at the size of an image (B, …, H, W), which a trace keeps for images of any size.
    fn logits_like(&self, image: &Tensor) -> Result<Tensor, Error> {
        let logits = self.logits4.f_to_kind(Kind::Float);
        logits
            .and_then(|logits| upsample_like(&logits, image, 1, Interpolation::Bilinear)) // -> (B, K, H, W)
            .map_err(Error::compute("bring logits to the image's size"))
    }
}

impl SegModel for BemSeg {
    fn forward(&self, xs: &Tensor) -> Result<Scores, Error> {
        let _no_grad = tch::no_grad_guard();
        check_input(xs, self)?;
        let image = xs;
        let xs = xs.f_to_kind(self.kind).map_err(Error::compute("round the input"))?;
        let output = self.compute(&seg_torch::channels_last(&xs)?, Mode::Eval, &mut ());
        let output = output.map_err(Error::compute("run the network"))?;
        Ok(Scores::Logits(Logits(output.logits_like(image)?)))
    }

    fn num_classes(&self) -> usize {
        self.classes
    }

    fn bands(&self) -> usize {
        self.bands
    }

    fn input_multiple(&self) -> usize {
        INPUT_MULTIPLE
    }

    fn fork(&self) -> Box<dyn SegModel> {
        Box::new(self.clone())
    }

    fn device(&self) -> Device {
        self.device
    }

    fn at_precision(&self, precision: InferencePrecision) -> Result<Box<dyn SegModel>, Error> {
        Ok(Box::new(self.prepare(precision)?))
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;
    use tch::nn::VarStore;

    use super::{BemSeg, InferencePrecision};
    use crate::{Config, TextPart, initialize};

    #[test]
    fn clones_share_memory_and_prepared_convolutions_are_channels_last() {
        let text = include_str!("../../../configs/bemseg-small.toml");
        let config = Config::parse(text, "bemseg-small.toml".as_ref()).unwrap();
        let vs = VarStore::new(Device::Cpu);
        let network = BemSeg::new(&vs.root(), &config, TextPart::Tower).unwrap();
        initialize(&vs, 0).unwrap();
        let prepared = network.prepare(InferencePrecision::F32).unwrap();
        let fork = prepared.clone();
        let weight = |network: &BemSeg| network.visual.conv2.conv.weight.shallow_clone();
        assert_eq!(weight(&prepared).data_ptr(), weight(&fork).data_ptr());
        assert_ne!(weight(&prepared).data_ptr(), weight(&network).data_ptr());
        assert!(seg_torch::is_channels_last(&weight(&prepared)));
        assert!(!weight(&prepared).requires_grad() && weight(&network).requires_grad());
        let embeddings = |network: &BemSeg| network.class_embeddings().unwrap().unwrap();
        assert_eq!(embeddings(&prepared), embeddings(&network));
        assert!(!embeddings(&prepared).requires_grad());
    }
}
