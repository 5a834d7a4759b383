//! Devices by name.

use seg_torch::{CudaLoad, CudaWish, Gpu};
use tch::Device;

use crate::error::Error;

/// A device, and what its user should know of the choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChosenDevice {
    /// Where networks run.
    pub device: Device,
    /// Why that is not the GPU that this machine has.
    pub warning: Option<String>,
}

/// The device of a name: `cpu`, `cuda`, `cuda:N`, or `auto` for the first CUDA device that computes, else the
/// processor.
///
/// Where the name may mean CUDA, libtorch's CUDA part is looked for and loaded; it is to be called before the first
/// tensor is made.
///
/// # Errors
/// When the name is none of these, the device cannot be used here, or `RS_SEG_LIBTORCH` names something that does
/// not fit.
///
/// # Examples
/// ```
/// let chosen = seg_nn::choose_device("cpu")?;
/// assert_eq!((chosen.device, chosen.warning), (tch::Device::Cpu, None));
/// # Ok::<(), seg_nn::Error>(())
/// ```
pub fn choose_device(name: &str) -> Result<ChosenDevice, Error> {
    let device = match name {
        "auto" => return best_device(),
        "cpu" => Device::Cpu,
        "cuda" => Device::Cuda(0),
        other => {
            let index = other.strip_prefix("cuda:").and_then(|index| index.parse().ok());
            Device::Cuda(index.ok_or_else(|| Error::Device {
                device: name.to_owned(),
                why: "the names are auto, cpu, cuda and cuda:N".to_owned(),
                help: None,
            })?)
        }
    };
    check_device(device)?;
    Ok(ChosenDevice { device, warning: None })
}

/// The device of a name, as [`choose_device`] finds it.
///
/// # Errors
/// As those of [`choose_device`].
///
/// # Examples
/// ```
/// assert_eq!(seg_nn::parse_device("cpu")?, tch::Device::Cpu);
/// assert!(seg_nn::parse_device("gpu").is_err());
/// # Ok::<(), seg_nn::Error>(())
/// ```
pub fn parse_device(name: &str) -> Result<Device, Error> {
    Ok(choose_device(name)?.device)
}

/// Makes a device ready for tensors and checks that it computes.
pub(crate) fn check_device(device: Device) -> Result<(), Error> {
    let (name, why, help) = match device {
        Device::Cpu => return Ok(()),
        Device::Cuda(index) => {
            let load = seg_torch::load_cuda(CudaWish::Always)?;
            match load.why_not().or_else(|| fault(index)) {
                Some(why) => (format!("cuda:{index}"), why, load.hint()),
                None => return Ok(seg_torch::prepare_device(device)?),
            }
        }
        Device::Mps | Device::Vulkan => {
            (format!("{device:?}").to_lowercase(), "networks run on cpu and cuda".to_owned(), None)
        }
    };
    Err(Error::Device { device: name, why, help })
}

/// The first CUDA device that computes, else the processor.
fn best_device() -> Result<ChosenDevice, Error> {
    let load = seg_torch::load_cuda(CudaWish::WithGpu)?;
    let first = (0..seg_torch::cuda_device_count()).find(|&index| fault(index).is_none());
    let Some(index) = first else {
        let reason = load.why_not().or_else(|| fault(0));
        return Ok(ChosenDevice { device: Device::Cpu, warning: warning(&load, reason) });
    };
    let device = Device::Cuda(index);
    seg_torch::prepare_device(device)?;
    Ok(ChosenDevice { device, warning: None })
}

/// Why a CUDA device computes nothing, the CUDA part being loaded.
fn fault(index: usize) -> Option<String> {
    match seg_torch::cuda_device_count() {
        count if count > 0 && index >= count => {
            Some(format!("the CUDA devices here are cuda:0 to cuda:{}", count - 1))
        }
        // Asked for a tensor where there is no device, libtorch says why there is none.
        _ => seg_torch::cuda_fault(index),
    }
}

/// What is told where the processor computes and a GPU could.
fn warning(load: &CudaLoad, reason: Option<String>) -> Option<String> {
    if matches!(load, CudaLoad::NotAsked | CudaLoad::NotNeeded(Gpu::None | Gpu::Hidden)) {
        return None;
    }
    let reason = reason.unwrap_or_else(|| "libtorch gave no reason".to_owned());
    let hint = load.hint().map_or(String::new(), |hint| format!("; {hint}"));
    Some(format!(
        "the NVIDIA GPU is NOT used, all runs on the processor: {reason}{hint}; --device cpu is without this warning"
    ))
}

#[cfg(test)]
mod tests {
    use seg_torch::CudaSearch;

    use super::*;

    #[test]
    fn a_gpu_that_is_not_used_is_told_and_one_that_is_not_there_is_not() {
        let told = |load: CudaLoad| warning(&load, load.why_not());
        assert_eq!(told(CudaLoad::NotNeeded(Gpu::None)), None);
        assert_eq!(told(CudaLoad::NotNeeded(Gpu::Hidden)), None);
        let text = told(CudaLoad::NotFound(CudaSearch::default())).unwrap();
        assert!(text.contains("NOT used") && text.contains("make setup-cuda"), "{text}");
        let text = told(CudaLoad::NotNeeded(Gpu::OutOfReach { driver: "580.1".to_owned() })).unwrap();
        assert!(text.contains("580.1") && text.contains("--gpus all"), "{text}");
    }

    #[test]
    fn auto_is_a_device_that_computes() {
        let chosen = choose_device("auto").unwrap();
        let ones = tch::Tensor::ones([2], (tch::Kind::Float, chosen.device));
        assert_eq!(i64::try_from(ones.sum(tch::Kind::Int64)).unwrap(), 2);
        let none = matches!(Gpu::of_this_machine(), Gpu::None | Gpu::Hidden);
        assert_eq!(chosen.device == Device::Cpu && chosen.warning.is_none(), none);
    }

    #[test]
    fn a_device_that_is_not_there_is_an_error_with_a_reason() {
        for name in ["gpu", "cuda:x", "cuda:100"] {
            let error = choose_device(name).unwrap_err();
            assert!(matches!(&error, Error::Device { device, .. } if device == name), "{error}");
            assert!(error.hint().is_some());
        }
    }
}
