//! A reference's network in eval and in train mode: its tensors, losses and gradients.

use std::collections::BTreeMap;

use tch::{TchError, Tensor};

use super::Tensors;
use super::file::{GoldenFile, GoldenNetwork};
use crate::bemseg::BemSegOutput;
use crate::error::Error;
use crate::layers::Mode;
use crate::loss::{CpcAbsent, Criterion, Denominator, LossSettings};

/// Adds the tensors of eval mode and the losses.
pub(super) fn eval(
    golden: &GoldenFile,
    network: &GoldenNetwork,
    computed: &mut Tensors,
) -> Result<(), Error> {
    let _no_grad = tch::no_grad_guard();
    run(golden, network, Mode::Eval, computed)?;
    Ok(())
}

/// Adds the tensors of train mode, the losses, their gradients and the statistics afterwards.
pub(super) fn train(
    golden: &GoldenFile,
    network: &GoldenNetwork,
    computed: &mut Tensors,
) -> Result<(), Error> {
    if let Some(total) = run(golden, network, Mode::Train, computed)? {
        total.f_backward().map_err(Error::compute("compute gradients"))?;
    }
    for (key, variable) in network.weights.variables() {
        computed.insert(format!("train/after/{key}"), variable.detach());
        let gradient = variable.grad();
        if gradient.defined() {
            let norm = gradient.f_norm().map_err(Error::compute("measure gradients"))?;
            computed.insert(format!("train/gradnorm/{key}"), norm);
            computed.insert(format!("train/grad/{key}"), gradient);
        }
    }
    Ok(())
}

/// Computes once, and returns the loss where there are labels.
fn run(
    golden: &GoldenFile,
    network: &GoldenNetwork,
    mode: Mode,
    computed: &mut Tensors,
) -> Result<Option<Tensor>, Error> {
    let prefix = if mode == Mode::Train { "train" } else { "eval" };
    let moved = |tensor: &Tensor| {
        tensor.f_to_device(network.device).map_err(Error::compute("move the reference's input"))
    };
    let image = moved(golden.tensor("input")?)?; // (B, bands, H, W)
    let mut tap = BTreeMap::new();
    let output = network.network.forward_with(&image, mode, &mut tap)?;
    let (_, _, height, width) = image.size4().map_err(Error::compute("measure the reference's input"))?;
    computed.insert(format!("{prefix}/logits"), output.logits(height, width)?);
    computed.extend(tap.into_iter().map(|(name, tensor)| (format!("{prefix}/{name}"), tensor)));
    let Some(labels) = golden.tensors.get("label") else { return Ok(None) };
    losses(golden, &output, &moved(labels)?, prefix, computed).map(Some)
}

/// Adds the losses, and returns what training minimizes.
fn losses(
    golden: &GoldenFile,
    output: &BemSegOutput,
    labels: &Tensor,
    prefix: &str,
    computed: &mut Tensors,
) -> Result<Tensor, Error> {
    // The memory of earlier steps is empty in the first one.
    let settings = LossSettings { cpc_absent: CpcAbsent::Mask, ..LossSettings::default() };
    let cpc_weight = if golden.contrasts { settings.cpc_weight } else { 0.0 };
    let settings = LossSettings { cpc_weight, ..settings };
    let classes = golden.config.class.len();
    let losses = Criterion::new(&settings, classes)?.losses(output, labels, &mut None)?;
    let valid = LossSettings { denominator: Denominator::Valid, ..settings };
    let valid = Criterion::new(&valid, classes)?.losses(output, labels, &mut None)?;
    let named = [
        ("main", Some(losses.main)),
        ("main_validmean", Some(valid.main)),
        ("aux", losses.aux),
        ("cpc", losses.cpc),
        ("total", Some(losses.total.shallow_clone())),
    ];
    for (name, loss) in named {
        if let Some(loss) = loss {
            computed.insert(format!("{prefix}/loss_{name}"), loss);
        }
    }
    Ok(losses.total)
}

/// For `map_err`.
pub(super) fn failed(error: TchError) -> Error {
    Error::compute("compute the reference's losses")(error)
}
