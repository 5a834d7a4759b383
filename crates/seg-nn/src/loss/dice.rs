//! The Dice loss: how far soft overlaps of prediction and truth are from perfect.
//!
//! # References
//! Milletari et al.: V-Net. 3DV 2016, arXiv:1606.04797, section 3 (without squares, for several classes).

use tch::Tensor;

use super::cross_entropy::IGNORED;
use crate::layers::Forward;

/// 1 minus the mean of 2 Σ p g / (Σ p + Σ g) over the classes that `labels` has; 0 where it has none.
///
/// **Shapes**: logits (B, K, H, W), labels (B, H, W) → ().
pub(crate) fn dice_loss(logits: &Tensor, labels: &Tensor) -> Forward {
    let (classes, kind) = (logits.size()[1], logits.kind());
    let valid = labels.f_ne(IGNORED)?.f_to_kind(kind)?.f_unsqueeze(1)?; // (B, H, W) -> (B, 1, H, W)
    let truth = labels.f_clamp(0, classes - 1)?.f_unsqueeze(1)?; // (B, H, W) -> (B, 1, H, W)
    let probabilities = logits.f_softmax(1, None)?.f_mul(&valid)?; // (B, K, H, W)
    let hits = probabilities.f_gather(1, &truth, false)?.f_flatten(0, -1)?; // (B, K, H, W) -> (B H W)
    let per_class = |values: &Tensor| {
        // (B H W) -> (K)
        Tensor::f_zeros([classes], (kind, logits.device()))?.f_index_add(0, &truth.f_flatten(0, -1)?, values)
    };
    let common = per_class(&hits)?;
    let actual = per_class(&valid.f_flatten(0, -1)?)?;
    let predicted = probabilities.f_sum_dim_intlist([0i64, 2, 3].as_slice(), false, None)?; // -> (K)
    let present = actual.f_gt(0.0)?.f_to_kind(kind)?; // (K)
    let extent = predicted.f_add(&actual)?.f_clamp_min(f64::from(f32::MIN_POSITIVE))?;
    let miss = common.f_mul_scalar(-2.0)?.f_div(&extent)?.f_add_scalar(1.0)?.f_mul(&present)?; // (K)
    miss.f_sum(kind)?.f_div(&present.f_sum(kind)?.f_clamp_min(1.0)?)
}
