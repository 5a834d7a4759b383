//! Devices by name.

use tch::{Cuda, Device};

use crate::error::Error;

/// The device of a name: `cpu`, `cuda`, `cuda:N`, or `auto` for CUDA where there is one.
///
/// # Errors
/// When the name is none of these, or the device cannot be used here.
///
/// # Examples
/// ```
/// assert_eq!(seg_nn::parse_device("cpu")?, tch::Device::Cpu);
/// assert!(seg_nn::parse_device("gpu").is_err());
/// # Ok::<(), seg_nn::Error>(())
/// ```
pub fn parse_device(name: &str) -> Result<Device, Error> {
    let device = match name {
        "auto" => return Ok(Device::cuda_if_available()),
        "cpu" => Device::Cpu,
        "cuda" => Device::Cuda(0),
        other => match other.strip_prefix("cuda:").and_then(|index| index.parse().ok()) {
            Some(index) => Device::Cuda(index),
            None => {
                return Err(Error::Device {
                    device: name.to_owned(),
                    why: "the names are auto, cpu, cuda and cuda:N".to_owned(),
                });
            }
        },
    };
    check_device(device)?;
    Ok(device)
}

/// Checks that tensors can be made on a device.
pub(crate) fn check_device(device: Device) -> Result<(), Error> {
    let why = match device {
        Device::Cpu => return Ok(()),
        Device::Cuda(index) => match usize::try_from(Cuda::device_count()).unwrap_or(0) {
            0 => "libtorch finds no CUDA device".to_owned(),
            count if index >= count => format!("there are {count} CUDA devices"),
            _ => return Ok(()),
        },
        Device::Mps | Device::Vulkan => "networks run on cpu and cuda".to_owned(),
    };
    let device = match device {
        Device::Cuda(index) => format!("cuda:{index}"),
        other => format!("{other:?}").to_lowercase(),
    };
    Err(Error::Device { device, why })
}
