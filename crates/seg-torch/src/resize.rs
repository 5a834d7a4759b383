//! Maps brought to the size of others.

use std::ffi::c_int;
use std::ptr;

use tch::Tensor;

use crate::error::Error;
use crate::ffi;

/// How values between pixels are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interpolation {
    /// Linear in both directions, with pixel centers as corners (`align_corners=False`).
    Bilinear,
    /// The nearest pixel's.
    Nearest,
}

/// A map (B, C, h, w) brought to `factor` times the height and width of `like`, (B, …, H, W).
///
/// In a trace the size stays that of `like`, whatever image the traced module is given.
///
/// # Errors
/// When one does not have four dimensions, or there is no memory.
///
/// # Examples
/// ```
/// use seg_torch::{Interpolation, resize_like};
/// use tch::{Device, Kind, Tensor};
///
/// let zeros = |size: [i64; 4]| Tensor::zeros(size, (Kind::Float, Device::Cpu));
/// let map = resize_like(&zeros([1, 8, 2, 3]), &zeros([1, 3, 16, 24]), 2, Interpolation::Bilinear)?;
/// assert_eq!(map.size(), [1, 8, 32, 48]);
/// # Ok::<(), seg_torch::Error>(())
/// ```
pub fn resize_like(map: &Tensor, like: &Tensor, factor: i64, how: Interpolation) -> Result<Tensor, Error> {
    let bilinear = c_int::from(how == Interpolation::Bilinear);
    let mut out = ptr::null_mut();
    // SAFETY: both tensors outlive the call, `out` is written only on success.
    let status =
        unsafe { ffi::seg_torch_resize_like(map.as_ptr(), like.as_ptr(), factor, bilinear, &raw mut out) };
    if status == ffi::OK {
        // SAFETY: on success `out` is a new tensor that nobody else owns.
        Ok(unsafe { Tensor::from_ptr(out) })
    } else {
        Err(Error::Resize { shape: map.size(), reason: ffi::last_error() })
    }
}

#[cfg(test)]
mod tests {
    use tch::{CModule, Device, Kind, Tensor};

    use super::{Interpolation, resize_like};
    use crate::ScriptModule;

    fn image(height: i64, width: i64) -> Tensor {
        Tensor::arange(2 * height * width, (Kind::Float, Device::Cpu)).sin().view([1, 2, height, width])
    }

    fn function(xs: &Tensor) -> Tensor {
        let small = xs.avg_pool2d([4, 4], [4, 4], [0, 0], false, true, None); // (B, C, H/4, W/4)
        let near = resize_like(&small, xs, 1, Interpolation::Nearest).unwrap(); // (B, C, H, W)
        near + resize_like(&small, &small, 4, Interpolation::Bilinear).unwrap() // (B, C, H, W)
    }

    #[test]
    fn a_trace_follows_the_size_of_its_input() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("net.pt");
        let mut traced = |xs: &[Tensor]| vec![function(&xs[0])];
        CModule::create_by_tracing("net", "forward", &[image(8, 12)], &mut traced)
            .unwrap()
            .save(&path)
            .unwrap();
        let module = ScriptModule::load(&path, Device::Cpu).unwrap();
        for (height, width) in [(8, 12), (16, 4), (40, 44)] {
            let image = image(height, width);
            assert_eq!(module.forward(&image).unwrap(), function(&image));
        }
    }

    #[test]
    fn sizes_are_computed_as_told() {
        let expected = image(3, 5).upsample_bilinear2d([12, 8], false, None, None);
        let found = resize_like(&image(3, 5), &image(6, 4), 2, Interpolation::Bilinear).unwrap();
        assert_eq!(found, expected);
        let flat = Tensor::zeros([3, 3], (Kind::Float, Device::Cpu));
        let error = resize_like(&flat, &image(6, 4), 1, Interpolation::Nearest).unwrap_err();
        assert!(error.to_string().contains("four dimensions"), "{error}");
    }
}
