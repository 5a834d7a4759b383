//! Copies between the processor and CUDA devices that neither waits for longer than it must.

use std::ffi::c_int;
use std::ptr;

use tch::{Device, Tensor};
use torch_sys::C_tensor;

use crate::error::Error;
use crate::ffi;

/// A tensor of the processor on a device; on the processor it is the tensor itself.
///
/// To CUDA it goes through page-locked memory, and the call returns before the copy has ended: what is computed on
/// the device afterwards waits for it.
///
/// # Errors
/// When the device is neither the processor nor CUDA, or libtorch has no memory for the copy.
pub fn upload(tensor: &Tensor, device: Device) -> Result<Tensor, Error> {
    let index = match device {
        Device::Cpu => return Ok(tensor.shallow_clone()),
        Device::Cuda(index) => index as c_int,
        other => return Err(Error::Device { device: format!("{other:?}").to_lowercase() }),
    };
    let mut out = ptr::null_mut();
    // SAFETY: the tensor outlives the call, which copies its values before it returns; `out` is written only on
    // success.
    let status = unsafe { ffi::seg_torch_upload(tensor.as_ptr(), index, &raw mut out) };
    finish(status, out, "copy a tensor to the device")
}

/// A tensor of any device on the processor; one that is there is the tensor itself.
///
/// # Errors
/// When what was computed on the device failed, or libtorch has no memory for the copy.
pub fn download(tensor: &Tensor) -> Result<Tensor, Error> {
    if !tensor.device().is_cuda() {
        return Ok(tensor.shallow_clone());
    }
    let mut out = ptr::null_mut();
    // SAFETY: the tensor outlives the call, which waits for the copy; `out` is written only on success.
    let status = unsafe { ffi::seg_torch_download(tensor.as_ptr(), &raw mut out) };
    finish(status, out, "copy a tensor from the device")
}

fn finish(status: c_int, out: *mut C_tensor, action: &'static str) -> Result<Tensor, Error> {
    match status {
        // SAFETY: on success `out` is a new tensor that nobody else owns.
        ffi::OK => Ok(unsafe { Tensor::from_ptr(out) }),
        _ => Err(Error::Copy { action, reason: ffi::last_error() }),
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Tensor};

    use super::{download, upload};

    #[test]
    fn on_the_processor_nothing_is_copied() {
        let tensor = Tensor::arange(6, (Kind::Float, Device::Cpu)).view([2, 3]);
        for same in [upload(&tensor, Device::Cpu).unwrap(), download(&tensor).unwrap()] {
            assert_eq!((same.data_ptr(), same.size()), (tensor.data_ptr(), vec![2, 3]));
        }
    }

    #[test]
    fn a_device_that_is_not_there_is_an_error() {
        let tensor = Tensor::zeros([1], (Kind::Float, Device::Cpu));
        // No machine has this one.
        let error = upload(&tensor, Device::Cuda(100)).unwrap_err();
        assert!(error.to_string().starts_with("cannot copy a tensor to the device: "), "{error}");
        assert!(upload(&tensor, Device::Vulkan).is_err());
    }

    #[test]
    fn a_round_trip_keeps_the_bits_where_there_is_a_device() {
        let device = Device::cuda_if_available();
        let tensor = Tensor::rand([3, 5], (Kind::Float, Device::Cpu));
        let back = download(&upload(&tensor, device).unwrap()).unwrap();
        assert_eq!(back, tensor);
    }
}
