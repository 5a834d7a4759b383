//! What this libtorch is and which devices it can use.

use std::fs;

use tch::{Cuda, Device, Kind, Tensor};

use crate::ffi;

/// How libtorch was built and what it found of this processor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildInfo {
    /// The version, such as `2.13.0`.
    pub version: String,
    /// The instruction set in use, such as `AVX512`.
    pub cpu_capability: String,
    /// Whether matrix products go to MKL.
    pub mkl: bool,
    /// Whether convolutions go to oneDNN.
    pub mkldnn: bool,
    /// Whether operators use OpenMP threads.
    pub openmp: bool,
    /// libtorch's own description, several lines.
    pub config: String,
}

/// A device and whether networks can run on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceInfo {
    /// `cpu` or `cuda:0`.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// Whether a tensor could be made on it.
    pub usable: bool,
    /// Why not, where it is not usable.
    pub why: Option<String>,
}

/// How libtorch was built and what it found of this processor.
pub fn build_info() -> BuildInfo {
    // SAFETY: the three texts are static strings of the shim, and the flags are constants of the build.
    unsafe {
        BuildInfo {
            version: ffi::owned(ffi::seg_torch_version()),
            cpu_capability: ffi::owned(ffi::seg_torch_cpu_capability()),
            mkl: ffi::seg_torch_has_mkl() != 0,
            mkldnn: ffi::seg_torch_has_mkldnn() != 0,
            openmp: ffi::seg_torch_has_openmp() != 0,
            config: ffi::owned(ffi::seg_torch_config()),
        }
    }
}

/// The processor and every CUDA device; where there is none, one entry that says why.
pub fn devices() -> Vec<DeviceInfo> {
    let mut devices =
        vec![DeviceInfo { id: "cpu".to_owned(), name: processor_name(), usable: true, why: None }];
    let count = usize::try_from(Cuda::device_count()).unwrap_or(0);
    if count == 0 {
        // SAFETY: reads a constant of the loaded libraries.
        let built = unsafe { ffi::seg_torch_has_cuda() != 0 };
        let why =
            if built { "no NVIDIA driver or device was found" } else { "this libtorch has no CUDA part" };
        devices.push(DeviceInfo {
            id: "cuda:0".to_owned(),
            name: "CUDA".to_owned(),
            usable: false,
            why: Some(why.to_owned()),
        });
    }
    devices.extend((0..count).map(cuda_device));
    devices
}

/// Whether this processor multiplies bfloat16 itself; where it doesn't, libtorch's bfloat16 is many times slower
/// than its float32.
pub fn has_native_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

fn cuda_device(index: usize) -> DeviceInfo {
    let tried = Tensor::f_zeros([1], (Kind::Float, Device::Cuda(index)));
    DeviceInfo {
        id: format!("cuda:{index}"),
        name: format!("CUDA device {index}"),
        usable: tried.is_ok(),
        why: tried.err().map(|e| e.to_string().lines().next().unwrap_or_default().to_owned()),
    }
}

fn processor_name() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find(|line| line.starts_with("model name"));
    let name = model.and_then(|line| line.split_once(':')).map(|(_, name)| name.trim());
    name.unwrap_or(std::env::consts::ARCH).to_owned()
}

#[cfg(test)]
mod tests {
    use super::{build_info, devices, has_native_bf16};

    #[test]
    fn tells_the_version_and_the_processor() {
        let info = build_info();
        assert!(info.version.starts_with("2."), "{info:?}");
        assert!(!info.cpu_capability.is_empty() && info.config.contains("PyTorch"), "{info:?}");
        let devices = devices();
        assert!(devices[0].usable && devices[0].id == "cpu");
        let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        assert_eq!(has_native_bf16(), cpuinfo.contains("avx512_bf16"));
        assert!(devices.iter().all(|device| device.usable == device.why.is_none()), "{devices:?}");
    }
}
