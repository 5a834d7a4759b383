//! The values that weights start from when a network is trained from nothing.
//!
//! Values follow from the seed and the weight's key alone, so that a network starts the same with every
//! version of libtorch and whatever else it holds.
//!
//! # References
//! The image and text towers start as CLIP's do (arXiv:2103.00020), fusion as the authors' code has it
//! (truncated normal of 0.02), the neck as Semantic FPN's (Xavier), convolutions before a batch norm as He et
//! al. propose (arXiv:1502.01852, fan-out).

use std::f64::consts::TAU;

use tch::nn::VarStore;
use tch::{Device, Kind, TchError, Tensor};

use crate::error::Error;
use crate::hash_fill::hash_uniform;

/// How the values of one weight are drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Start {
    Constant(f64),
    Normal {
        std: f64,
    },
    /// Values whose size is above `cut` are drawn again.
    TruncatedNormal {
        std: f64,
        cut: f64,
    },
    Uniform {
        bound: f64,
    },
}

/// Gives every weight of a network the value that it starts from.
///
/// # Errors
/// When there is no memory for one of them.
pub fn initialize(vs: &VarStore, seed: u64) -> Result<(), Error> {
    initialize_where(vs, seed, |_| true)
}

/// The same for some of the weights.
pub(crate) fn initialize_where(
    vs: &VarStore,
    seed: u64,
    wanted: impl Fn(&String) -> bool,
) -> Result<(), Error> {
    let _no_grad = tch::no_grad_guard();
    for (key, mut variable) in vs.variables().into_iter().filter(|(key, _)| wanted(key)) {
        let values = draw(&key, &variable.size(), seed).map_err(Error::compute("compute first weights"))?;
        variable.f_copy_(&values).map_err(Error::compute("set first weights"))?;
    }
    Ok(())
}

fn draw(key: &str, shape: &[i64], seed: u64) -> Result<Tensor, TchError> {
    let count = shape.iter().product::<i64>() as usize;
    let values: Vec<f32> = match start(key, shape) {
        Start::Constant(value) => return Tensor::f_full(shape, value, (Kind::Float, Device::Cpu)),
        Start::Normal { std } => normal(key, seed).take(count).map(|z| (std * z) as f32).collect(),
        Start::TruncatedNormal { std, cut } => {
            let within = normal(key, seed).map(|z| std * z).filter(|value| value.abs() <= cut);
            within.take(count).map(|value| value as f32).collect()
        }
        Start::Uniform { bound } => {
            hash_uniform(key, seed).take(count).map(|u| (bound * f64::from(u)) as f32).collect()
        }
    };
    Tensor::f_from_slice(&values)?.f_reshape(shape)
}

/// Standard normal numbers by Box and Muller's transform.
fn normal(key: &str, seed: u64) -> impl Iterator<Item = f64> + use<> {
    let mut numbers = hash_uniform(key, seed).map(|u| f64::midpoint(f64::from(u), 1.0));
    std::iter::from_fn(move || {
        let (u, (sin, cos)) = (numbers.next()?, (numbers.next()? * TAU).sin_cos());
        let radius = (-2.0 * (1.0 - u).ln()).sqrt();
        Some([radius * cos, radius * sin])
    })
    .flatten()
}

fn start(key: &str, shape: &[i64]) -> Start {
    let last = key.rsplit('.').next().unwrap_or(key);
    let part = key.split('.').next().unwrap_or(key);
    let inverse_root = |n: i64| (n as f64).powf(-0.5);
    match (part, last) {
        (_, "running_mean" | "num_batches_tracked" | "class_embeddings") => Start::Constant(0.0),
        (_, "running_var") => Start::Constant(1.0),
        ("gamma_t" | "gamma_v", _) => Start::Constant(1e-4),
        ("contexts", _) => Start::TruncatedNormal { std: 1.0, cut: 2.0 },
        ("logit_scale", _) => Start::Constant((1.0f64 / 0.07).ln()),
        ("text_projection", _) => Start::Normal { std: inverse_root(shape[0]) },
        ("token_embedding", _) => Start::Normal { std: 0.02 },
        ("positional_embedding", _) => Start::Normal { std: 0.01 },
        (_, "positional_embedding") => Start::Normal { std: inverse_root(shape[1]) },
        (_, "bias" | "in_proj_bias") => Start::Constant(0.0),
        // CLIP lets every residual block start as the identity.
        ("visual", "weight") if shape.len() == 1 && key.ends_with(".bn3.weight") && key.contains("layer") => {
            Start::Constant(0.0)
        }
        (_, "weight") if shape.len() == 1 => Start::Constant(1.0),
        ("transformer", _) => transformer(key, shape),
        ("bff_text" | "bff_image", _) => Start::TruncatedNormal { std: 0.02, cut: 2.0 },
        ("fpn", _) => {
            let area = shape[2] * shape[3];
            Start::Uniform { bound: (6.0 / ((shape[0] + shape[1]) * area) as f64).sqrt() }
        }
        ("head" | "aux", _) if key.ends_with(".classify.weight") => Start::Normal { std: 0.01 },
        _ if shape.len() == 4 => {
            Start::Normal { std: (2.0 / (shape[0] * shape[2] * shape[3]) as f64).sqrt() }
        }
        _ => Start::Normal { std: inverse_root(shape[1]) },
    }
}

/// CLIP scales the maps that end a residual branch; the depth that it divides by is left out here, as towers
/// trained from nothing have few layers.
fn transformer(key: &str, shape: &[i64]) -> Start {
    let width = if key.ends_with("c_proj.weight") { shape[0] } else { shape[1] };
    let scale = if key.ends_with("c_fc.weight") || key.ends_with("c_proj.weight") { 2.0 } else { 1.0 };
    Start::Normal { std: (scale * width as f64).powf(-0.5) }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::{Start, draw, start};

    #[test]
    fn values_have_the_wanted_spread() {
        let spread = |key: &str, shape: &[i64]| {
            let values = draw(key, shape, 1).unwrap().to_kind(Kind::Double);
            (values.mean(Kind::Double).double_value(&[]), values.std(true).double_value(&[]))
        };
        let (mean, std) = spread("visual.layer1.0.conv2.weight", &[64, 64, 3, 3]);
        assert!(mean.abs() < 1e-3 && (std - (2.0f64 / 576.0).sqrt()).abs() < 1e-3, "{mean} {std}");
        let contexts = draw("contexts", &[1, 8, 512], 1).unwrap();
        assert!(contexts.abs().max().double_value(&[]) <= 2.0);
        let (_, std) = spread("contexts", &[1, 8, 512]);
        assert!((std - 0.88).abs() < 0.02, "{std}");
    }

    #[test]
    fn seed_and_key_decide() {
        let values = |key: &str, seed| draw(key, &[4, 4, 1, 1], seed).unwrap();
        assert_eq!(values("fpn.lateral.0.weight", 3), values("fpn.lateral.0.weight", 3));
        assert_ne!(values("fpn.lateral.0.weight", 3), values("fpn.lateral.0.weight", 4));
        assert_ne!(values("fpn.lateral.0.weight", 3), values("fpn.lateral.1.weight", 3));
    }

    #[test]
    fn norms_and_scales_are_constants() {
        assert_eq!(start("visual.bn1.weight", &[32]), Start::Constant(1.0));
        assert_eq!(start("visual.layer2.1.bn3.weight", &[32]), Start::Constant(0.0));
        assert_eq!(start("visual.layer2.0.downsample.1.weight", &[32]), Start::Constant(1.0));
        assert_eq!(start("gamma_v", &[32]), Start::Constant(1e-4));
        assert_eq!(start("bff_text.layers.0.norm1.weight", &[32]), Start::Constant(1.0));
    }
}
