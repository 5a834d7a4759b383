//! The one interface of all networks, and how a file becomes one.

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

use tch::{Device, Kind, Tensor};

use crate::bemseg::InferencePrecision;
use crate::card::ModelCard;
use crate::checkpoint::Checkpoint;
use crate::device::check_device;
use crate::error::Error;
use crate::{checkpoint, torchscript};

/// A network that scores every pixel of a tile for every class.
///
/// A network stays on one thread; [`fork`](Self::fork) makes another one for another thread, of the same
/// weights in the same memory.
pub trait SegModel: Send {
    /// Scores a tile: (B, bands, H, W), normalized float32 → (B, K, H, W).
    ///
    /// # Errors
    /// When the input's shape, type or device is not the network's, or libtorch fails.
    fn forward(&self, xs: &Tensor) -> Result<Scores, Error>;
    /// The number of classes K.
    fn num_classes(&self) -> usize;
    /// The number of bands of an input.
    fn bands(&self) -> usize;
    /// What the sides of an input must be multiples of.
    fn input_multiple(&self) -> usize;
    /// The same network for another thread, sharing the weights' memory.
    fn fork(&self) -> Box<dyn SegModel>;
    /// Where the network computes and its inputs must be.
    fn device(&self) -> Device;
    /// The same network, computing in another precision; inputs and scores stay float32.
    ///
    /// # Errors
    /// When libtorch fails.
    fn at_precision(&self, precision: InferencePrecision) -> Result<Box<dyn SegModel>, Error>;
}

/// The scores of a tile's pixels.
#[derive(Debug)]
pub enum Scores {
    /// Values whose soft-max is the probability.
    Logits(Logits),
    /// Probabilities, (B, K, H, W).
    Probabilities(Tensor),
}

/// Scores before the soft-max, (B, K, H, W): a type of its own, so that they are not taken for probabilities.
#[derive(Debug)]
pub struct Logits(pub Tensor);

/// A network and what its user must know of it.
pub struct LoadedModel {
    /// What its user must know.
    pub card: ModelCard,
    /// The network, ready for inference.
    pub network: Box<dyn SegModel>,
    /// A hash of the files that it came from, in hexadecimal digits.
    pub fingerprint: String,
}

/// A network's file that was read, before the network is built: what its user must know of it is known.
#[derive(Debug)]
pub struct NetworkFile {
    /// What its user must know.
    pub card: ModelCard,
    /// A hash of the files that it came from, in hexadecimal digits.
    pub fingerprint: String,
    contents: Contents,
}

/// What a network is built from.
#[derive(Debug)]
enum Contents {
    Checkpoint(Box<Checkpoint>),
    TorchScript(PathBuf),
}

impl Scores {
    /// Probabilities, (B, K, H, W): the soft-max over the classes where they are not probabilities already.
    ///
    /// # Errors
    /// When there is no memory for them.
    ///
    /// # Examples
    /// ```
    /// use seg_nn::{Logits, Scores};
    /// use tch::{Device, Kind, Tensor};
    ///
    /// let logits = Tensor::zeros([1, 4, 2, 2], (Kind::Float, Device::Cpu));
    /// let probabilities = Scores::Logits(Logits(logits)).into_probabilities()?;
    /// assert_eq!(probabilities.double_value(&[0, 3, 1, 1]), 0.25);
    /// # Ok::<(), seg_nn::Error>(())
    /// ```
    pub fn into_probabilities(self) -> Result<Tensor, Error> {
        match self {
            Self::Probabilities(probabilities) => Ok(probabilities),
            Self::Logits(Logits(logits)) => {
                logits.f_softmax(1, None::<Kind>).map_err(Error::compute("turn logits into probabilities"))
            }
        }
    }

    /// The tensor, whichever it is.
    pub fn tensor(&self) -> &Tensor {
        match self {
            Self::Probabilities(tensor) | Self::Logits(Logits(tensor)) => tensor,
        }
    }
}

impl std::fmt::Debug for LoadedModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoadedModel")
            .field("card", &self.card)
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

/// Reads a network ready for inference: a `.safetensors` checkpoint, or a TorchScript file (`.pt`, `.ts`,
/// `.torchscript`) with its description beside it (the same name ending in `.toml`).
///
/// # Errors
/// When a file is missing, damaged or of another kind, when its contents contradict each other, or when the
/// device cannot be used.
///
/// # Examples
/// ```no_run
/// use tch::Device;
///
/// let model = seg_nn::load("bemseg.safetensors".as_ref(), Device::Cpu)?;
/// println!("{} classes", model.card.classes.len());
/// # Ok::<(), seg_nn::Error>(())
/// ```
pub fn load(path: &Path, device: Device) -> Result<LoadedModel, Error> {
    check_device(device)?;
    NetworkFile::read(path)?.load(device)
}

/// Reads a checkpoint that is in memory already, ready for inference; `name` stands for its path in messages.
///
/// # Errors
/// When the bytes are damaged or no checkpoint, or when the device cannot be used.
///
/// # Examples
/// ```
/// use tch::Device;
///
/// let error = seg_nn::load_bytes(b"not a network".as_slice(), "built-in", Device::Cpu).unwrap_err();
/// assert!(error.to_string().starts_with("built-in is not a whole safetensors file"));
/// ```
pub fn load_bytes(
    bytes: impl Into<Cow<'static, [u8]>>,
    name: &str,
    device: Device,
) -> Result<LoadedModel, Error> {
    check_device(device)?;
    NetworkFile::from_bytes(bytes, name)?.load(device)
}

impl NetworkFile {
    /// Reads a file that [`load`] makes a network of.
    ///
    /// # Errors
    /// When a file is missing, damaged or of another kind, or when its description contradicts itself.
    pub fn read(path: &Path) -> Result<Self, Error> {
        fs::metadata(path).map_err(Error::read(path))?;
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("safetensors") => Ok(Self::of_checkpoint(Checkpoint::read(path)?)),
            Some("pt" | "ts" | "torchscript") => {
                let (card, fingerprint) = torchscript::read(path)?;
                Ok(Self { card, fingerprint, contents: Contents::TorchScript(path.to_owned()) })
            }
            _ => Err(Error::UnknownFormat { path: path.to_owned() }),
        }
    }

    /// Reads a checkpoint that is in memory already; `name` stands for its path in messages.
    ///
    /// # Errors
    /// When the bytes are damaged or no checkpoint.
    pub fn from_bytes(bytes: impl Into<Cow<'static, [u8]>>, name: &str) -> Result<Self, Error> {
        Ok(Self::of_checkpoint(Checkpoint::from_bytes(bytes, name)?))
    }

    fn of_checkpoint(checkpoint: Checkpoint) -> Self {
        Self {
            card: checkpoint.card(),
            fingerprint: checkpoint.fingerprint.clone(),
            contents: Contents::Checkpoint(Box::new(checkpoint)),
        }
    }

    /// Builds the network, ready for inference.
    ///
    /// # Errors
    /// When the file's weights are not the network's, it is no network, or the device cannot be used.
    pub fn build(self, device: Device) -> Result<Box<dyn SegModel>, Error> {
        check_device(device)?;
        match self.contents {
            Contents::Checkpoint(checkpoint) => checkpoint::build_for_inference(&checkpoint, device),
            Contents::TorchScript(path) => torchscript::build(path, &self.card, device),
        }
    }

    fn load(self, device: Device) -> Result<LoadedModel, Error> {
        let (card, fingerprint) = (self.card.clone(), self.fingerprint.clone());
        Ok(LoadedModel { card, fingerprint, network: self.build(device)? })
    }
}

/// Checks a tensor at a network's entrance, so that what libtorch would refuse deep inside is told here.
pub(crate) fn check_input(xs: &Tensor, model: &dyn SegModel) -> Result<(), Error> {
    let got = xs.size();
    let multiple = model.input_multiple();
    let side_fits = |side: i64| side > 0 && side % multiple as i64 == 0;
    let fits = matches!(got[..], [batch, bands, height, width]
        if batch > 0 && bands == model.bands() as i64 && side_fits(height) && side_fits(width));
    if !fits {
        return Err(Error::InputShape { bands: model.bands(), multiple, got });
    }
    if xs.kind() != Kind::Float || xs.device() != model.device() {
        return Err(Error::InputPlace {
            expected: format!("{:?} on {:?}", Kind::Float, model.device()),
            got: format!("{:?} on {:?}", xs.kind(), xs.device()),
        });
    }
    Ok(())
}
