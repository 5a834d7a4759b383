//! Weights that come from elsewhere go into a network.

use std::collections::{BTreeMap, BTreeSet};

use tch::nn::VarStore;
use tch::{TchError, Tensor};

use super::names::is_not_needed;
use super::weights::Weights;
use crate::checkpoint::is_text_tower;
use crate::config::Config;
use crate::error::Error;
use crate::layers::upsample_bilinear;

/// What a network took from weights, and what not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filled {
    /// How many of the network's weights came from there.
    pub taken: usize,
    /// Weights that the network computes with and that kept their first values, in alphabetical order.
    pub kept: Vec<String>,
    /// Others that did, such as counters that nothing reads.
    pub not_needed: Vec<String>,
    /// Weights from there that the network does not have.
    pub unused: Vec<String>,
    /// Tables of positions that were brought to the network's size.
    pub resized: Vec<String>,
}

/// Which weights of a network must come from a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Demand {
    /// All that it computes with.
    All,
    /// All of those parts of which the file has something.
    PartsHeld,
    /// None in particular.
    Nothing,
}

/// The pool's table of positions: a row for the whole image, then the places of a square grid.
const GRID_TABLE: &str = "visual.attnpool.positional_embedding";
/// The text tower's table of positions, of which only the first are used.
pub(super) const TEXT_TABLE: &str = "positional_embedding";

/// Gives weights to a network that was built from `config` and initialized. Nothing is changed when an error is
/// returned before the first weight is set.
///
/// # Errors
/// When one that is demanded is missing, or one has another shape than the network's.
pub(super) fn fill(
    weights: &Weights,
    config: &Config,
    vs: &VarStore,
    demand: Demand,
) -> Result<Filled, Error> {
    let _no_grad = tch::no_grad_guard();
    let variables = vs.variables().into_iter().collect::<BTreeMap<_, _>>();
    let missing = missing(weights, variables.keys(), demand);
    if !missing.is_empty() {
        return Err(Error::MissingWeights { path: weights.path.clone(), missing });
    }
    let (mut fitted, mut kept, mut resized) = (Vec::new(), Vec::new(), Vec::new());
    for (key, variable) in &variables {
        let Some(tensor) = weights.tensors.get(key) else {
            kept.push(key.clone());
            continue;
        };
        let fit =
            fit(key, tensor, variable, config).map_err(Error::compute("resize a table of positions"))?;
        let Some(tensor) = fit else {
            let (expected, found) = (variable.size(), tensor.size());
            return Err(Error::Shape { path: weights.path.clone(), key: key.clone(), expected, found });
        };
        if weights.tensors[key].size() != variable.size() {
            resized.push(key.clone());
        }
        fitted.push((variable.shallow_clone(), tensor));
    }
    let taken = fitted.len();
    for (variable, tensor) in fitted {
        // A shorter table of positions fills the first rows.
        let mut target = match (variable.size().first(), tensor.size().first()) {
            (Some(rows), Some(given)) if given < rows => {
                variable.f_narrow(0, 0, *given).map_err(Error::compute("set weights"))?
            }
            _ => variable,
        };
        target.f_copy_(&tensor).map_err(Error::compute("set weights"))?;
    }
    let (not_needed, kept) = kept.into_iter().partition(|key| is_not_needed(key));
    let unused = weights.tensors.keys().filter(|key| !variables.contains_key(*key)).cloned();
    Ok(Filled { taken, kept, not_needed, unused: unused.collect(), resized })
}

/// Weights that a network lacks and that were demanded.
pub(super) fn missing<'a>(
    weights: &Weights,
    keys: impl Iterator<Item = &'a String>,
    demand: Demand,
) -> Vec<String> {
    let held = weights.tensors.keys().map(|key| part(key)).collect::<BTreeSet<_>>();
    let demanded = |key: &str| match demand {
        Demand::All => true,
        Demand::PartsHeld => held.contains(part(key)),
        Demand::Nothing => false,
    };
    let missing =
        keys.filter(|key| demanded(key) && !is_not_needed(key) && !weights.tensors.contains_key(*key));
    missing.cloned().collect()
}

/// The part of a network that a weight belongs to, which is there as a whole or not at all.
fn part(key: &str) -> &str {
    match key.split('.').next().unwrap_or(key) {
        "visual" if key.starts_with("visual.attnpool.") => "attention pool",
        // Contexts are learned on top of a text tower, which comes without them.
        "contexts" => "contexts",
        _ if is_text_tower(key) => "text tower",
        first => first,
    }
}

/// Whether a weight has the network's shape, or one that can be brought to it.
pub(super) fn fits(key: &str, tensor: &Tensor, variable: &Tensor, config: &Config) -> Result<bool, Error> {
    let fit = fit(key, tensor, variable, config);
    Ok(fit.map_err(Error::compute("resize a table of positions"))?.is_some())
}

/// A weight in the network's shape; none if it has another one that cannot be meant.
fn fit(key: &str, tensor: &Tensor, variable: &Tensor, config: &Config) -> Result<Option<Tensor>, TchError> {
    let (wanted, given) = (variable.size(), tensor.size());
    match (key, &wanted[..], &given[..]) {
        _ if wanted == given => Ok(Some(tensor.shallow_clone())),
        (GRID_TABLE, [rows, width], [given_rows, given_width]) if width == given_width => {
            match (grid_side(*rows), grid_side(*given_rows)) {
                (Some(side), Some(given_side)) => resize_grid(tensor, given_side, side).map(Some),
                _ => Ok(None),
            }
        }
        (TEXT_TABLE, [rows, width], [given_rows, given_width]) if width == given_width => {
            let needed = config.model.text.as_ref().map_or(*rows, |text| (text.n_tok + text.n_ctx) as i64);
            let enough = *given_rows >= needed.min(*rows);
            enough.then(|| tensor.f_narrow(0, 0, *rows.min(given_rows))).transpose()
        }
        _ => Ok(None),
    }
}

/// The side of the square grid in a table of positions.
pub(super) fn grid_side(rows: i64) -> Option<i64> {
    let side = ((rows - 1).max(0) as f64).sqrt().round() as i64;
    (side > 0 && side * side == rows - 1).then_some(side)
}

/// A table of positions for another grid, as the authors resize it when they load CLIP: (1 + g g, C) -> (1 + G G, C).
fn resize_grid(table: &Tensor, from: i64, to: i64) -> Result<Tensor, TchError> {
    let places = table.f_slice(0, 1, None::<i64>, 1)?; // (g g, C)
    let map = places.f_transpose(0, 1)?.f_reshape([1, -1, from, from])?; // (1, C, g, g)
    let map = upsample_bilinear(&map, [to, to])?; // (1, C, G, G)
    let places = map.f_flatten(2, -1)?.f_squeeze_dim(0)?.f_transpose(0, 1)?; // (G G, C)
    Tensor::f_cat(&[table.f_slice(0, 0, 1, 1)?, places], 0) // (1 + G G, C)
}
