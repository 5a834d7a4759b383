//! Weights as a closed form of (seed, key, index), so that a reference needs no weight file.
//!
//! Two programs that agree on the keys and shapes of a network compute the same weights from a seed and can
//! compare activations. The values are numbers of splitmix64 (Steele, Lea and Flood: Fast splittable
//! pseudorandom number generators, 2014) started at the key's FNV-1a hash.

use tch::nn::VarStore;
use tch::{Kind, TchError, Tensor};

use crate::error::Error;

const GOLDEN_RATIO: u64 = 0x9E37_79B9_7F4A_7C15;

/// The 64-bit FNV-1a hash of a text.
///
/// # Examples
/// ```
/// assert_eq!(seg_nn::fnv1a64("contexts"), 0x2f14_85d0_560c_a63d);
/// ```
pub fn fnv1a64(text: &str) -> u64 {
    text.bytes()
        .fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}

/// Endless numbers of [-1, 1), exact in float32, that follow from a key and a seed.
///
/// # Examples
/// ```
/// let first = seg_nn::hash_uniform("contexts", 0).next().unwrap();
/// assert!((first - 0.325_359_46).abs() < 1e-7);
/// ```
pub fn hash_uniform(key: &str, seed: u64) -> impl Iterator<Item = f32> + use<> {
    let mut state = fnv1a64(key).wrapping_add(seed.wrapping_mul(GOLDEN_RATIO));
    std::iter::repeat_with(move || {
        state = state.wrapping_add(GOLDEN_RATIO);
        let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let top = (z ^ (z >> 31)) >> 40;
        (top as f64 / f64::from(1 << 23) - 1.0) as f32
    })
}

/// The closed-form value of one weight; `gamma` is the size of the residual scales `gamma_t` and `gamma_v`.
///
/// # Errors
/// When there is no memory for it.
pub fn hash_fill(key: &str, shape: &[i64], seed: u64, gamma: f64) -> Result<Tensor, Error> {
    filled(key, shape, seed, gamma).map_err(Error::compute("compute closed-form weights"))
}

/// Gives every weight of a network its closed-form value.
///
/// # Errors
/// When there is no memory for one of them.
pub fn hash_fill_all(vs: &VarStore, seed: u64, gamma: f64) -> Result<(), Error> {
    let _no_grad = tch::no_grad_guard();
    for (key, mut variable) in vs.variables() {
        let values = hash_fill(&key, &variable.size(), seed, gamma)?;
        variable.f_copy_(&values).map_err(Error::compute("set closed-form weights"))?;
    }
    Ok(())
}

fn filled(key: &str, shape: &[i64], seed: u64, gamma: f64) -> Result<Tensor, TchError> {
    if key.ends_with("num_batches_tracked") {
        return Tensor::f_zeros(shape, (Kind::Int64, tch::Device::Cpu));
    }
    let count = shape.iter().product::<i64>() as usize;
    let rule = rule(key, shape);
    // Rounded after each operation, as tensors of float32 are: a network's gradients tell the last bit of a weight.
    let value = |u: f32| match rule {
        Rule::Scaled(scale) => scale as f32 * u,
        Rule::AroundOne(spread) => spread as f32 * u + 1.0,
        Rule::AroundGamma(spread) => gamma as f32 * (spread as f32 * u + 1.0),
        Rule::Constant(value) => value as f32,
    };
    let values = hash_uniform(key, seed).take(count).map(value);
    Tensor::f_from_slice(&values.collect::<Vec<_>>())?.f_reshape(shape)
}

/// How a weight follows from a number u of [-1, 1).
#[derive(Debug, Clone, Copy)]
enum Rule {
    /// s u
    Scaled(f64),
    /// 1 + s u
    AroundOne(f64),
    /// γ (1 + s u)
    AroundGamma(f64),
    /// The same for all.
    Constant(f64),
}

/// The first rule that fits a key and shape counts.
fn rule(key: &str, shape: &[i64]) -> Rule {
    let fan = |fan: i64| Rule::Scaled((3.0 / fan as f64).sqrt());
    if key.ends_with("running_mean") || key.ends_with("attnpool.positional_embedding") {
        Rule::Scaled(0.1)
    } else if key.ends_with("running_var") {
        Rule::AroundOne(0.3)
    } else if key.starts_with("gamma_") {
        Rule::AroundGamma(0.1)
    } else if key == "contexts" || key.contains("embedding") {
        Rule::Scaled(0.02)
    } else if key == "logit_scale" {
        Rule::Constant((1.0f64 / 0.07).ln())
    } else if key == "text_projection" {
        fan(shape.first().copied().unwrap_or(1))
    } else if shape.len() == 1 {
        if key.ends_with("bias") { Rule::Scaled(0.05) } else { Rule::AroundOne(0.1) }
    } else {
        fan(shape.get(1..).unwrap_or_default().iter().product())
    }
}

#[cfg(test)]
mod tests {
    use super::{hash_fill, hash_uniform};

    fn check(key: &str, seed: u64, expected: &[f32]) {
        for (got, expected) in hash_uniform(key, seed).zip(expected) {
            assert!((got - expected).abs() < 1e-9, "{key}: {got} instead of {expected}");
        }
    }

    #[test]
    fn numbers_equal_the_reference() {
        check("contexts", 0, &[0.325_359_46, -0.903_161_4, 0.113_040_924, -0.551_869_03]);
        check("gamma_v", 3, &[-0.037_166_595, -0.253_494_62, 0.125_841_26]);
    }

    #[test]
    fn the_rule_depends_on_key_and_shape() {
        let value = |key: &str, shape: &[i64]| hash_fill(key, shape, 0, 0.5).unwrap();
        assert_eq!(value("a.num_batches_tracked", &[]).int64_value(&[]), 0);
        assert!((value("logit_scale", &[]).double_value(&[]) - 2.659_26).abs() < 1e-5);
        assert!(value("gamma_t", &[64]).min().double_value(&[]) > 0.44);
        assert!(value("head.bn.running_var", &[64]).min().double_value(&[]) > 0.69);
        assert!(value("conv.weight", &[4, 3, 2, 2]).abs().max().double_value(&[]) <= 0.5);
    }
}
