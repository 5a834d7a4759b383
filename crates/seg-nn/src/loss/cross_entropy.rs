//! Cross-entropy of upsampled logits, with ignored pixels.

use tch::{Reduction, Tensor};

use super::settings::Denominator;
use crate::layers::Forward;

/// The label of pixels that no loss looks at.
pub(crate) const IGNORED: i64 = 255;

/// How pixels and classes are weighted.
#[derive(Debug)]
pub(crate) struct CrossEntropy {
    /// Weights of the classes, (K), where there are some.
    pub(crate) class_weights: Option<Tensor>,
    pub(crate) label_smoothing: f64,
    pub(crate) denominator: Denominator,
}

impl CrossEntropy {
    /// The loss of logits (B, K, H, W) for labels (B, H, W); 0 where every pixel is ignored.
    pub(crate) fn loss(&self, logits: &Tensor, labels: &Tensor) -> Forward {
        let weights = self.class_weights.as_ref().map(|weights| weights.f_to_device(logits.device()));
        let weights = weights.transpose()?;
        // Summed apart, as libtorch's own reduction is not the same on every run on graphics processors.
        let pixels = logits.f_cross_entropy_loss(
            labels,
            weights.as_ref(),
            Reduction::None,
            IGNORED,
            self.label_smoothing,
        )?; // (B, K, H, W) -> (B, H, W)
        let total = pixels.f_sum(pixels.kind())?; // (B, H, W) -> ()
        match self.denominator {
            Denominator::All => total.f_div_scalar(labels.numel() as f64),
            Denominator::Valid => {
                let valid = labels.f_ne(IGNORED)?; // (B, H, W)
                let valid = valid.f_to_kind(pixels.kind())?; // (B, H, W)
                let counted = match &weights {
                    None => valid,
                    Some(weights) => {
                        let classes = labels.f_clamp(0, logits.size()[1] - 1)?.f_flatten(0, -1)?; // (B H W)
                        let weights = weights.f_index_select(0, &classes)?; // (B H W)
                        weights.f_mul(&valid.f_flatten(0, -1)?)? // (B H W)
                    }
                };
                let count = counted.f_sum(pixels.kind())?.f_clamp_min(f64::EPSILON)?;
                total.f_div(&count)
            }
        }
    }
}
