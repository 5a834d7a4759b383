//! Channels-last memory order, which convolutions on processors prefer.

use std::ptr;

use tch::Tensor;

use crate::error::Error;
use crate::ffi;

/// A tensor of the same values with its channels innermost in memory: (B, C, H, W) stored as (B, H, W, C).
///
/// Shares memory with the input where that is channels-last already.
///
/// # Errors
/// When the tensor does not have four dimensions or there is no memory for the copy.
///
/// # Examples
/// ```
/// use tch::{Device, Kind, Tensor};
///
/// let image = Tensor::zeros([1, 3, 4, 4], (Kind::Float, Device::Cpu));
/// assert!(seg_torch::is_channels_last(&seg_torch::channels_last(&image)?));
/// # Ok::<(), seg_torch::Error>(())
/// ```
pub fn channels_last(tensor: &Tensor) -> Result<Tensor, Error> {
    let mut out = ptr::null_mut();
    // SAFETY: the tensor outlives the call, `out` is written only on success.
    let status = unsafe { ffi::seg_torch_channels_last(tensor.as_ptr(), &raw mut out) };
    if status == ffi::OK {
        // SAFETY: on success `out` is a new tensor that nobody else owns.
        Ok(unsafe { Tensor::from_ptr(out) })
    } else {
        Err(Error::ChannelsLast { shape: tensor.size(), reason: ffi::last_error() })
    }
}

/// Whether a tensor of four dimensions has its channels innermost in memory.
pub fn is_channels_last(tensor: &Tensor) -> bool {
    // SAFETY: the tensor outlives the call, which only reads its strides.
    unsafe { ffi::seg_torch_is_channels_last(tensor.as_ptr()) != 0 }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Tensor};

    use super::{channels_last, is_channels_last};

    #[test]
    fn keeps_the_values() {
        let image = Tensor::arange(2 * 3 * 4 * 5, (Kind::Float, Device::Cpu)).view([2, 3, 4, 5]);
        assert!(!is_channels_last(&image));
        let moved = channels_last(&image).unwrap();
        assert!(is_channels_last(&moved));
        assert_eq!(moved, image);
    }

    #[test]
    fn a_matrix_has_no_channels() {
        let error = channels_last(&Tensor::zeros([2, 2], (Kind::Float, Device::Cpu))).unwrap_err();
        assert!(error.to_string().contains("shape [2, 2]"), "{error}");
    }
}
