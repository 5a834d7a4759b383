//! `AdamW`, one call for all weights of a group.

use tch::Tensor;
use torch_sys::C_tensor;

use crate::error::Error;
use crate::ffi;

/// The numbers of one `AdamW` step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamWStep {
    /// The step's number, from 1.
    pub step: u64,
    /// Learning rate.
    pub rate: f64,
    /// Decay of the first and the second moment.
    pub betas: (f64, f64),
    /// Weight decay, which the learning rate multiplies.
    pub weight_decay: f64,
    /// What keeps the division from zero.
    pub eps: f64,
}

/// A weight, its gradient and its two moments, all of one shape.
#[derive(Debug)]
pub struct AdamWSlot<'a> {
    /// Changed by the step.
    pub weight: &'a Tensor,
    /// Only read.
    pub gradient: &'a Tensor,
    /// Running mean of gradients, changed by the step.
    pub first: &'a Tensor,
    /// Running mean of their squares, changed by the step.
    pub second: &'a Tensor,
}

/// Does one `AdamW` step on all weights of a group.
///
/// # Errors
/// When shapes differ or there is no memory.
///
/// # Examples
/// ```
/// use seg_torch::{AdamWSlot, AdamWStep, fused_adamw};
/// use tch::{Device, Kind, Tensor};
///
/// let options = (Kind::Float, Device::Cpu);
/// let (weight, gradient) = (Tensor::ones([2], options), Tensor::ones([2], options));
/// let (first, second) = (Tensor::zeros([2], options), Tensor::zeros([2], options));
/// let slot = AdamWSlot { weight: &weight, gradient: &gradient, first: &first, second: &second };
/// let step = AdamWStep { step: 1, rate: 0.1, betas: (0.9, 0.999), weight_decay: 0.0, eps: 1e-8 };
/// fused_adamw(&[slot], &step)?;
/// assert!((weight.double_value(&[0]) - 0.9).abs() < 1e-6);
/// # Ok::<(), seg_torch::Error>(())
/// ```
///
/// # References
/// Loshchilov and Hutter: Decoupled weight decay regularization. arXiv:1711.05101, algorithm 2.
pub fn fused_adamw(slots: &[AdamWSlot], step: &AdamWStep) -> Result<(), Error> {
    let pointers = |part: fn(&AdamWSlot) -> *mut C_tensor| slots.iter().map(part).collect::<Vec<_>>();
    let weights = pointers(|slot| slot.weight.as_ptr().cast_mut());
    let gradients = pointers(|slot| slot.gradient.as_ptr().cast_mut());
    let first = pointers(|slot| slot.first.as_ptr().cast_mut());
    let second = pointers(|slot| slot.second.as_ptr().cast_mut());
    // SAFETY: all four lists hold `slots.len()` tensors that outlive the call; libtorch tensors are reference
    // counted handles whose values may be changed through any of them, as tch's own in-place operators do.
    let status = unsafe {
        ffi::seg_torch_fused_adamw(
            weights.as_ptr(),
            gradients.as_ptr(),
            first.as_ptr(),
            second.as_ptr(),
            slots.len(),
            step.step as f64,
            step.rate,
            step.betas.0,
            step.betas.1,
            step.weight_decay,
            step.eps,
        )
    };
    match status {
        ffi::OK => Ok(()),
        _ => Err(Error::Setting { action: "do an AdamW step", reason: ffi::last_error() }),
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Tensor};

    use super::{AdamWSlot, AdamWStep, fused_adamw};
    use crate::{channels_last, is_channels_last};

    /// The textbook's formula in double precision.
    fn by_hand(weight: f64, gradients: &[f64], rate: f64, decay: f64) -> f64 {
        let (mut w, mut m, mut v) = (weight, 0.0, 0.0);
        for (t, g) in gradients.iter().enumerate() {
            w -= rate * decay * w;
            m = 0.9 * m + 0.1 * g;
            v = 0.999 * v + 0.001 * g * g;
            let t = t as i32 + 1;
            let (m_hat, v_hat) = (m / (1.0 - 0.9_f64.powi(t)), v / (1.0 - 0.999_f64.powi(t)));
            w -= rate * m_hat / (v_hat.sqrt() + 1e-8);
        }
        w
    }

    #[test]
    fn follows_the_formula_whatever_the_memory_layout() {
        let options = (Kind::Float, Device::Cpu);
        let start = Tensor::arange(24, options).view([2, 3, 2, 2]) * 0.1; // (2, 3, 2, 2)
        for weight in [start.copy(), channels_last(&start).unwrap().copy()] {
            let (first, second) = (weight.zeros_like(), weight.zeros_like());
            let gradients = [0.3, -0.7, 0.05];
            for (t, factor) in gradients.into_iter().enumerate() {
                // Always contiguous, so that one of the two cases has to be laid out anew.
                let gradient = (&start - 1.0) * factor;
                let slot = AdamWSlot { weight: &weight, gradient: &gradient, first: &first, second: &second };
                let step = AdamWStep {
                    step: t as u64 + 1,
                    rate: 0.01,
                    betas: (0.9, 0.999),
                    weight_decay: 0.1,
                    eps: 1e-8,
                };
                fused_adamw(&[slot], &step).unwrap();
            }
            for (index, at) in [[0, 0, 0, 0], [0, 2, 1, 0], [1, 1, 0, 1]].into_iter().enumerate() {
                let w = start.double_value(&at);
                let g: Vec<_> = gradients.iter().map(|factor| factor * (w - 1.0)).collect();
                let difference = (weight.double_value(&at) - by_hand(w, &g, 0.01, 0.1)).abs();
                assert!(difference < 1e-6, "{index}: {difference}");
            }
        }
        assert!(is_channels_last(&channels_last(&start).unwrap()));
    }

    #[test]
    fn shapes_that_differ_are_refused() {
        let options = (Kind::Float, Device::Cpu);
        let (a, b) = (Tensor::zeros([2], options), Tensor::zeros([3], options));
        let slot = AdamWSlot { weight: &a, gradient: &b, first: &a, second: &a };
        let step = AdamWStep { step: 1, rate: 0.1, betas: (0.9, 0.999), weight_decay: 0.0, eps: 1e-8 };
        let error = fused_adamw(&[slot], &step).unwrap_err();
        assert!(error.to_string().contains("shape"), "{error}");
    }
}
