//! Whether a training can begin with encoders.

use tch::Device;
use tch::nn::VarStore;

use super::fill::{Demand, fits, missing};
use super::from_shapes::encoders_of;
use super::problem::ImportProblem;
use super::weights::Weights;
use crate::clip::{AttentionPool, TextTower};
use crate::config::Config;
use crate::error::Error;
use crate::resnet::ResNet;

/// What a vision transformer has and a residual network has not.
const TRANSFORMER: [&str; 3] = ["visual.class_embedding", "visual.transformer.", "visual.ln_pre."];

/// Weights that are missing of the encoders that a file has something of, in alphabetical order.
///
/// # Errors
/// When no training takes them: they are of another architecture, or one has a shape that does not go with the
/// others.
pub fn missing_of_encoders(weights: &Weights) -> Result<Vec<String>, Error> {
    let problem = |problem| Error::Import { path: weights.path.clone(), problem };
    architecture(weights).map_err(problem)?;
    let lacking = lacking_sizes(weights);
    if !lacking.is_empty() {
        return Ok(lacking);
    }
    let config = encoders_of(weights)?;
    let vs = VarStore::new(Device::Cpu);
    build(&vs, weights, &config);
    let variables = vs.variables();
    let mut missing = missing(weights, variables.keys(), Demand::PartsHeld);
    missing.sort_unstable();
    let held =
        variables.iter().filter_map(|(key, variable)| Some((key, variable, weights.tensors.get(key)?)));
    for (key, variable, tensor) in held {
        if !fits(key, tensor, variable, &config)? {
            let (expected, found) = (variable.size(), tensor.size());
            let sizes = format!("{key} has shape {found:?}, and goes with the others as {expected:?}");
            return Err(problem(ImportProblem::Sizes(sizes)));
        }
    }
    Ok(missing)
}

/// Refuses what names tell to be of another architecture.
fn architecture(weights: &Weights) -> Result<(), ImportProblem> {
    let has = |start: &str| weights.tensors.keys().any(|key| key.starts_with(start));
    if TRANSFORMER.iter().any(|start| has(start)) {
        return Err(ImportProblem::Architecture("CLIP's vision transformer (ViT)"));
    }
    // Torchvision's names are those of mmclassification but for the stem.
    let one_convolution = weights.unknown.iter().any(|name| name == "conv1.weight");
    if one_convolution && !has("visual.conv2.") {
        return Err(ImportProblem::Architecture("a ResNet with one convolution of 7 x 7 as stem"));
    }
    Ok(())
}

/// Which of the weights are missing that the sizes of all others follow from.
fn lacking_sizes(weights: &Weights) -> Vec<String> {
    let has = |key: &str| weights.tensors.contains_key(key);
    let any = |start: &str| weights.tensors.keys().any(|key| key.starts_with(start));
    let mut needed = Vec::new();
    if any("visual.") {
        needed.extend(["visual.conv1.weight", "visual.conv3.weight"].map(str::to_owned));
        needed.extend((1..=4).map(|stage| format!("visual.layer{stage}.0.conv1.weight")));
    }
    if any("visual.attnpool.") {
        let pool = ["positional_embedding", "q_proj.weight", "c_proj.weight"];
        needed.extend(pool.map(|name| format!("visual.attnpool.{name}")));
    }
    if weights.has_text_tower() {
        let text = ["token_embedding.weight", "positional_embedding", "text_projection"];
        needed.extend(text.map(str::to_owned));
    }
    needed.retain(|key| !has(key));
    needed.sort_unstable();
    needed
}

/// The parts of which there is something.
fn build(vs: &VarStore, weights: &Weights, config: &Config) {
    let (root, model) = (vs.root(), &config.model);
    let (visual, channels) = (&root / "visual", model.stage_channels()[3]);
    if weights.tensors.keys().any(|key| key.starts_with("visual.")) {
        ResNet::new(&visual, config.input.bands as i64, &model.encoder);
    }
    if let Some(pool) = &model.pool {
        AttentionPool::new(&(&visual / "attnpool"), channels, pool);
    }
    if let Some(text) = &model.text {
        let embed_dim =
            weights.tensors.get("text_projection").and_then(|tensor| tensor.size().get(1).copied());
        TextTower::new(&root, embed_dim.unwrap_or(1), text, &[vec![0; text.n_tok]]);
    }
}
