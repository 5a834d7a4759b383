//! The category-based pixel-level contrastive loss of the score map.
//!
//! Every place of the map is a vector of K scores. It shall be like the mean vectors of its own category, in all
//! images of the batch, and unlike those of the others.
//!
//! # References
//! Liu and Wang, Remote Sens. 2024, 16, 2289, section 3.4, equations (5) and (6).

use tch::{Kind, TchError, Tensor};

use super::cross_entropy::IGNORED;
use super::memory::ContrastMemory;
use super::settings::{CpcAbsent, CpcCategory, CpcReduce, LossSettings};
use crate::alignment::unit_length;
use crate::layers::Forward;

/// What an exponent is where its sample does not count.
const NEVER: f64 = -1e30;

/// What places are compared with, for whom looks at it.
#[derive(Debug)]
pub(crate) struct ContrastSamples {
    /// The mean vector of every image and category, zero where there is none, (B, K, K).
    pub(crate) mean: Tensor,
    /// Whether there is one, (B, K).
    pub(crate) valid: Tensor,
    /// The category of every place, 255 where there is none, (B, h, w).
    pub(crate) categories: Tensor,
}

/// The category of every place.
struct Categories {
    /// Indices, 0 where there is none, (B, N).
    index: Tensor,
    /// One at the category and zero elsewhere, all zero where there is none, (B, N, K).
    hot: Tensor,
}

/// The mean vectors that places are compared with.
struct Samples {
    /// One for every image and category, (B, K, K).
    mean: Tensor,
    /// Whether there is one, (B, K).
    valid: Tensor,
}

/// The contrastive loss of a score map (B, K, h, w); labels (B, H, W) are only looked at where they decide the
/// category, and `memory` is renewed where absent categories are remembered.
pub(crate) fn contrastive_loss(
    score: &Tensor,
    labels: &Tensor,
    settings: &LossSettings,
    memory: &mut Option<ContrastMemory>,
) -> Forward {
    let (batch, classes, _, _) = score.size4()?;
    let kind = score.kind();
    let places = score.f_flatten(2, -1)?.f_transpose(1, 2)?; // (B, K, h, w) -> (B, N, K)
    let categories = Categories::new(score, &places, labels, settings.cpc_category)?;
    let samples = Samples::new(&categories, &places, settings, memory)?;
    let (a, m) = if settings.cpc_normalize {
        (unit_length(&places)?, unit_length(&samples.mean)?)
    } else {
        (places, samples.mean)
    };
    let m = m.f_reshape([batch * classes, classes])?; // (B, K, K) -> (B K, K)
    let similar = a.f_matmul(&m.f_transpose(0, 1)?)?.f_div_scalar(settings.eta)?; // (B, N, B K)
    let similar = similar.f_reshape([batch, -1, batch, classes])?; // (B, N, B K) -> (B, N, B, K)

    let own = categories.hot.f_unsqueeze(2)?.f_to_kind(Kind::Bool)?; // (B, N, K) -> (B, N, 1, K)
    let skipped = own.f_logical_or(&samples.valid.f_logical_not()?)?; // (B, N, B, K)
    let others = similar.f_masked_fill(&skipped, NEVER)?.f_flatten(2, -1)?; // (B, N, B K)
    let others = others.f_logsumexp([-1i64].as_slice(), true)?; // (B, N, B K) -> (B, N, 1)
    let at = categories.index.f_unsqueeze(-1)?.f_unsqueeze(-1)?; // (B, N) -> (B, N, 1, 1)
    let at = at.f_expand([-1, -1, batch, 1], false)?; // (B, N, B, 1)
    let like = similar.f_gather(3, &at, false)?.f_squeeze_dim(-1)?; // (B, N, B, K) -> (B, N, B)

    // -log(e^like / (e^like + Σ e^others)) for every sample of the place's own category, equation (5).
    let valid = samples.valid.f_to_kind(kind)?.f_transpose(0, 1)?; // (B, K) -> (K, B)
    let counts = categories.hot.f_matmul(&valid)?; // (B, N, K) -> (B, N, B)
    let terms = others.f_sub(&like)?.f_softplus()?.f_mul(&counts)?; // (B, N, B)
    let last = [-1i64];
    let positives = counts.f_sum_dim_intlist(last.as_slice(), false, None)?.f_clamp_min(1.0)?; // (B, N)
    let total = terms.f_sum_dim_intlist(last.as_slice(), false, None)?.f_div(&positives)?.f_sum(kind)?; // ()
    match settings.cpc_reduce {
        CpcReduce::Sum => total.f_div_scalar(batch),
        CpcReduce::Mean => total.f_div(&categories.hot.f_sum(kind)?.f_clamp_min(1.0)?),
    }
}

impl ContrastSamples {
    /// Those of a score map (B, K, h, w) and labels (B, H, W), without memory.
    pub(crate) fn of(score: &Tensor, labels: &Tensor, settings: &LossSettings) -> Forward<Self> {
        let (batch, _, height, width) = score.size4()?;
        let places = score.f_flatten(2, -1)?.f_transpose(1, 2)?; // (B, K, h, w) -> (B, N, K)
        let categories = Categories::new(score, &places, labels, settings.cpc_category)?;
        let Samples { mean, valid } = Samples::new(&categories, &places, settings, &mut None)?;
        let none = categories.hot.f_sum_dim_intlist([-1i64].as_slice(), false, None)?.f_eq(0.0)?; // (B, N, K) -> (B, N)
        let categories = categories.index.f_masked_fill(&none, IGNORED)?; // (B, N)
        Ok(Self { mean, valid, categories: categories.f_reshape([batch, height, width])? })
    }
}

impl Categories {
    /// Of a score map (B, K, h, w), its places (B, N, K) and labels (B, H, W).
    fn new(score: &Tensor, places: &Tensor, labels: &Tensor, category: CpcCategory) -> Forward<Self> {
        let (batch, classes, height, width) = score.size4()?;
        let (index, counts) = match category {
            CpcCategory::Predicted => (places.f_argmax(-1, false)?, None), // (B, N, K) -> (B, N)
            CpcCategory::Label => {
                let labels = labels.f_unsqueeze(1)?.f_to_kind(Kind::Float)?; // (B, H, W) -> (B, 1, H, W)
                let nearest = labels.f_upsample_nearest2d([height, width], None, None)?; // (B, 1, h, w)
                let nearest = nearest.f_to_kind(Kind::Int64)?.f_reshape([batch, -1])?; // (B, 1, h, w) -> (B, N)
                let counts = nearest.f_ge(0)?.f_logical_and(&nearest.f_lt(classes)?)?; // (B, N)
                (nearest.f_mul(&counts)?, Some(counts))
            }
        };
        let hot = index.f_one_hot(classes)?.f_to_kind(places.kind())?; // (B, N) -> (B, N, K)
        let hot = match counts {
            Some(counts) => hot.f_mul(&counts.f_unsqueeze(-1)?)?, // (B, N) -> (B, N, 1)
            None => hot,
        };
        Ok(Self { index, hot })
    }
}

impl Samples {
    fn new(
        categories: &Categories,
        places: &Tensor,
        settings: &LossSettings,
        memory: &mut Option<ContrastMemory>,
    ) -> Result<Self, TchError> {
        let counts = categories.hot.f_sum_dim_intlist([1i64].as_slice(), false, None)?; // (B, N, K) -> (B, K)
        let here = counts.f_gt(0.0)?; // (B, K)
        let sums = categories.hot.f_transpose(1, 2)?.f_matmul(places)?; // (B, K, N) x (B, N, K) -> (B, K, K)
        let mean = sums.f_div(&counts.f_clamp_min(1.0)?.f_unsqueeze(-1)?)?; // (B, K, K)
        let mean = if settings.cpc_detach { mean.f_detach()? } else { mean };
        match settings.cpc_absent {
            CpcAbsent::Mask => Ok(Self { mean, valid: here }),
            CpcAbsent::Memory => {
                let (mean, valid) = ContrastMemory::complete(memory, &mean, &here)?;
                Ok(Self { mean, valid })
            }
        }
    }
}
