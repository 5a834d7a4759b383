//! The variants of the contrastive loss that a reference computes.

use tch::{Kind, TchError, Tensor};

use super::Tensors;
use super::file::{GoldenFile, label_blocks, uniform};
use super::passes::failed;
use crate::error::Error;
use crate::loss::{
    ContrastMemory, ContrastSamples, CpcAbsent, CpcCategory, CpcReduce, LossSettings, contrastive_loss,
};

/// A variant by its name in reference files.
type Variant = (&'static str, LossSettings);

/// The side of the labels beside the made-up score map, and how many images it has.
const UNIT_LABEL_SIDE: i64 = 256;
const UNIT_BATCH: i64 = 3;

/// Adds values and gradients for a made-up score map.
pub(super) fn unit(golden: &GoldenFile, computed: &mut Tensors) -> Result<(), Error> {
    let classes = golden.config.class.len() as i64;
    let score = uniform("cpc_unit", golden.seed, &[UNIT_BATCH, classes, 8, 8]).map_err(failed)?; // (B, K, 8, 8)
    let score = score.f_mul_scalar(0.3).map_err(failed)?;
    let side = UNIT_LABEL_SIDE;
    let labels = label_blocks(golden.seed, classes, [UNIT_BATCH, side, side]).map_err(failed)?;
    let detach = LossSettings { cpc_detach: true, ..masked() };
    let [plain, unit_length, sum, label] = variants();
    for (name, settings) in [plain, unit_length, ("pred_mask_detach", detach), sum, label] {
        let leaf = score.copy().set_requires_grad(true);
        let loss = contrastive_loss(&leaf, &labels, &settings, &mut None).map_err(failed)?;
        loss.f_backward().map_err(failed)?;
        computed.insert(format!("cpc_unit/{name}_grad"), leaf.grad());
        computed.insert(format!("cpc_unit/{name}"), loss);
    }
    let settings = LossSettings { cpc_absent: CpcAbsent::Memory, ..masked() };
    // The first class is never the largest in the second step.
    let shifted = shift_first_class(&score).map_err(failed)?;
    remembered(computed, "cpc_unit/memory", &settings, [(&score, &labels), (&shifted, &labels)])?;
    computed.insert("cpc_unit/score".to_owned(), score);
    computed.insert("cpc_unit/label".to_owned(), labels);
    Ok(())
}

/// Adds values for the network's own score map in eval mode.
pub(super) fn of_network(golden: &GoldenFile, computed: &mut Tensors) -> Result<(), Error> {
    let _no_grad = tch::no_grad_guard();
    let Some(score) = computed.get("eval/score").map(Tensor::shallow_clone) else { return Ok(()) };
    // Of eval mode alone there may be tensors without labels.
    let Some(labels) = golden.tensors.get("label") else { return Ok(()) };
    let labels = labels.f_to_device(score.device()).map_err(failed)?;
    for (name, settings) in variants() {
        let loss = contrastive_loss(&score, &labels, &settings, &mut None).map_err(failed)?;
        computed.insert(format!("eval/cpc_{name}"), loss);
        let ContrastSamples { mean, valid, categories } =
            ContrastSamples::of(&score, &labels, &settings).map_err(failed)?;
        let valid = valid.f_to_kind(Kind::Uint8).map_err(failed)?;
        for (what, tensor) in [("samples", mean), ("valid", valid), ("map", categories)] {
            computed.insert(format!("eval/cpc_{name}_{what}"), tensor);
        }
    }
    let (absent, category) = (CpcAbsent::Memory, CpcCategory::Label);
    let settings = LossSettings { cpc_absent: absent, cpc_category: category, ..masked() };
    let (mirrored, without_first) = second_step(&score, &labels).map_err(failed)?;
    let steps = [(&score, &labels), (&mirrored, &without_first)];
    remembered(computed, "eval/cpc_memory", &settings, steps)
}

/// The defaults without memory.
fn masked() -> LossSettings {
    LossSettings { cpc_absent: CpcAbsent::Mask, ..LossSettings::default() }
}

fn variants() -> [Variant; 4] {
    [
        ("pred_mask", masked()),
        ("pred_mask_l2", LossSettings { cpc_normalize: true, ..masked() }),
        ("pred_mask_sum", LossSettings { cpc_reduce: CpcReduce::Sum, ..masked() }),
        ("label_mask", LossSettings { cpc_category: CpcCategory::Label, ..masked() }),
    ]
}

/// Adds two steps of which the second remembers the first.
fn remembered(
    computed: &mut Tensors,
    name: &str,
    settings: &LossSettings,
    steps: [(&Tensor, &Tensor); 2],
) -> Result<(), Error> {
    let mut memory: Option<ContrastMemory> = None;
    for (step, (score, labels)) in steps.into_iter().enumerate() {
        let loss = contrastive_loss(score, labels, settings, &mut memory).map_err(failed)?;
        computed.insert(format!("{name}_step{}", step + 1), loss);
    }
    Ok(())
}

fn shift_first_class(score: &Tensor) -> Result<Tensor, TchError> {
    let shifted = score.copy();
    let _changed = shifted.f_narrow(1, 0, 1)?.f_sub_scalar_(1.0)?; // (B, 1, h, w)
    Ok(shifted)
}

/// Score map and labels mirrored, and the first class taken for the second.
fn second_step(score: &Tensor, labels: &Tensor) -> Result<(Tensor, Tensor), TchError> {
    let labels = labels.f_masked_fill(&labels.f_eq(0)?, 1)?;
    Ok((score.f_flip([3])?, labels.f_flip([2])?))
}
