//! What training minimizes.
//!
//! # References
//! Liu and Wang, Remote Sens. 2024, 16, 2289, section 3.4, equations (5) to (9).

mod contrast;
mod cross_entropy;
mod dice;
mod memory;
mod settings;
#[cfg(test)]
mod tests;

use tch::{Kind, Tensor};

pub(crate) use contrast::{ContrastSamples, contrastive_loss};
pub use memory::ContrastMemory;
pub use settings::{CpcAbsent, CpcCategory, CpcReduce, Denominator, LossSettings};

use crate::bemseg::BemSegOutput;
use crate::error::Error;
use crate::layers::{Forward, upsample_bilinear};
use cross_entropy::CrossEntropy;
use dice::dice_loss;

/// Computes the losses of a network's output.
///
/// # Examples
/// ```
/// use seg_nn::{BemSegOutput, Criterion, LossSettings};
/// use tch::{Device, Kind, Tensor};
///
/// let criterion = Criterion::new(&LossSettings::default(), 2)?;
/// let logits4 = Tensor::zeros([1, 2, 8, 8], (Kind::Float, Device::Cpu));
/// let labels = Tensor::zeros([1, 32, 32], (Kind::Int64, Device::Cpu));
/// let losses = criterion.losses(&BemSegOutput { logits4, score: None, aux: None }, &labels, &mut None)?;
/// assert!((losses.total.double_value(&[]) - 2f64.ln()).abs() < 1e-6);
/// assert!(losses.aux.is_none() && losses.cpc.is_none());
/// # Ok::<(), seg_nn::Error>(())
/// ```
#[derive(Debug)]
pub struct Criterion {
    settings: LossSettings,
    classes: usize,
    cross_entropy: CrossEntropy,
}

/// The losses of a batch, scalars in float32 before their weights.
#[derive(Debug)]
pub struct Losses {
    /// Cross-entropy of the logits, equation (8).
    pub main: Tensor,
    /// Cross-entropy of the score map, equation (7), or of an auxiliary head's logits, where the network has one
    /// and its weight is above 0.
    pub aux: Option<Tensor>,
    /// Contrastive loss of the score map, equation (6), where the network has one and its weight is above 0.
    pub cpc: Option<Tensor>,
    /// Dice loss of the logits, where its weight is above 0.
    pub dice: Option<Tensor>,
    /// The weighted sum, which training minimizes, equation (9).
    pub total: Tensor,
}

impl Criterion {
    /// A criterion for a network of `classes` classes.
    ///
    /// # Errors
    /// When the settings cannot be meant.
    pub fn new(settings: &LossSettings, classes: usize) -> Result<Self, Error> {
        settings.check(classes)?;
        let weights = settings.class_weights.as_deref();
        let to_tensor = |weights: &[f64]| Tensor::f_from_slice(weights)?.f_to_kind(Kind::Float); // (K)
        let class_weights =
            weights.map(to_tensor).transpose().map_err(Error::compute("weight the classes"))?;
        let cross_entropy = CrossEntropy {
            class_weights,
            label_smoothing: settings.label_smoothing,
            denominator: settings.denominator,
        };
        Ok(Self { settings: settings.clone(), classes, cross_entropy })
    }

    /// The settings that it was made from.
    pub fn settings(&self) -> &LossSettings {
        &self.settings
    }

    /// The losses of a network's output for labels (B, H, W): class indices in int64, 255 where a pixel is
    /// ignored.
    ///
    /// Logits and scores are brought to the labels' size, and to float32 where they are less precise; call it
    /// outside of [`Autocast`](seg_torch::Autocast). `memory` starts as `None`, is carried from step to
    /// step and is begun anew where the batch has another size.
    ///
    /// # Errors
    /// When the labels' shape, type or device is not the output's, or libtorch fails.
    pub fn losses(
        &self,
        output: &BemSegOutput,
        labels: &Tensor,
        memory: &mut Option<ContrastMemory>,
    ) -> Result<Losses, Error> {
        self.check_labels(&output.logits4, labels)?;
        self.compute(output, labels, memory).map_err(Error::compute("compute the loss"))
    }

    fn compute(
        &self,
        output: &BemSegOutput,
        labels: &Tensor,
        memory: &mut Option<ContrastMemory>,
    ) -> Forward<Losses> {
        let settings = &self.settings;
        let size = [labels.size()[1], labels.size()[2]];
        let logits = upsample_bilinear(&precise(&output.logits4)?, size)?; // (B, K, H/4, W/4) -> (B, K, H, W)
        let main = self.cross_entropy.loss(&logits, labels)?; // ()
        let mut total = main.shallow_clone();
        let mut add = |weight: f64, loss: Tensor| -> Forward {
            total = total.f_add(&loss.f_mul_scalar(weight)?)?;
            Ok(loss)
        };
        let (mut aux, mut cpc, mut dice) = (None, None, None);
        if settings.dice_weight > 0.0 {
            dice = Some(add(settings.dice_weight, dice_loss(&logits, labels)?)?);
        }
        drop(logits);
        if let Some(logits) = output.aux.as_ref().filter(|_| settings.aux_weight > 0.0) {
            let logits = upsample_bilinear(&precise(logits)?, size)?; // (B, K, H/8, W/8) -> (B, K, H, W)
            aux = Some(add(settings.aux_weight, self.cross_entropy.loss(&logits, labels)?)?);
        }
        if let Some(score) = &output.score {
            let score = precise(score)?; // (B, K, h, w)
            if settings.aux_weight > 0.0 {
                let logits = upsample_bilinear(&score.f_div_scalar(settings.tau)?, size)?; // -> (B, K, H, W)
                aux = Some(add(settings.aux_weight, self.cross_entropy.loss(&logits, labels)?)?);
            }
            if settings.cpc_weight > 0.0 {
                cpc = Some(add(settings.cpc_weight, contrastive_loss(&score, labels, settings, memory)?)?);
            }
        }
        Ok(Losses { main, aux, cpc, dice, total })
    }

    fn check_labels(&self, logits: &Tensor, labels: &Tensor) -> Result<(), Error> {
        let (shape, got) = (logits.size(), labels.size());
        let batch = shape.first().copied().unwrap_or_default();
        if shape.get(1) != Some(&(self.classes as i64)) {
            let problem = format!("made for {} classes, got logits of shape {shape:?}", self.classes);
            return Err(Error::Loss { key: "loss".to_owned(), problem });
        }
        let fits = matches!(got[..], [b, h, w] if b == batch && h > 0 && w > 0);
        if !fits || labels.kind() != Kind::Int64 || labels.device() != logits.device() {
            return Err(Error::Labels {
                expected: format!("({batch}, H, W), {:?} on {:?}", Kind::Int64, logits.device()),
                got: format!("{got:?}, {:?} on {:?}", labels.kind(), labels.device()),
            });
        }
        Ok(())
    }
}

/// At least float32, which losses need.
fn precise(xs: &Tensor) -> Forward {
    match xs.kind() {
        Kind::Half | Kind::BFloat16 => xs.f_to_kind(Kind::Float),
        _ => Ok(xs.shallow_clone()),
    }
}
