//! What this libtorch is and which devices it can use.

use std::ffi::{CStr, c_int};
use std::fs;

use tch::{Device, Kind, TchError, Tensor};

use crate::cuda::CudaLoad;
use crate::ffi;

/// How libtorch was built and what it found of this processor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildInfo {
    /// The version that runs, such as `2.13.0`.
    pub version: String,
    /// The version that the program was compiled for; another one that runs need not fit.
    pub compiled_for: String,
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

/// Why no device is counted, where libtorch gives no reason.
const NO_DEVICE: &str = "libtorch finds no CUDA device";

/// How libtorch was built and what it found of this processor; to be called after [`load_cuda`](crate::load_cuda).
pub fn build_info() -> BuildInfo {
    // SAFETY: the three texts are static strings of the shim, and the flags are constants of the build.
    unsafe {
        BuildInfo {
            version: running_version(),
            compiled_for: compiled_for(),
            cpu_capability: ffi::owned(ffi::seg_torch_cpu_capability()),
            mkl: ffi::seg_torch_has_mkl() != 0,
            mkldnn: ffi::seg_torch_has_mkldnn() != 0,
            openmp: ffi::seg_torch_has_openmp() != 0,
            config: ffi::owned(ffi::seg_torch_config()),
        }
    }
}

/// The processor and every CUDA device; where there is none, one entry that says why.
pub fn devices(load: &CudaLoad) -> Vec<DeviceInfo> {
    let mut devices =
        vec![DeviceInfo { id: "cpu".to_owned(), name: processor_name(), usable: true, why: None }];
    let unusable =
        |why| DeviceInfo { id: "cuda:0".to_owned(), name: "CUDA".to_owned(), usable: false, why: Some(why) };
    match load.why_not() {
        Some(why) => devices.push(unusable(why)),
        None => match cuda_device_count() {
            // Asked for a tensor, libtorch says what is missing.
            0 => devices.push(unusable(cuda_fault(0).unwrap_or_else(|| NO_DEVICE.to_owned()))),
            count => devices.extend((0..count).map(cuda_device)),
        },
    }
    devices
}

/// CUDA devices that libtorch can count; 0 where its CUDA part is not loaded.
pub fn cuda_device_count() -> usize {
    // SAFETY: asks what registered itself with libtorch, and catches its exceptions.
    usize::try_from(unsafe { ffi::seg_torch_cuda_count() }).unwrap_or(0)
}

/// Why a CUDA device computes nothing, in libtorch's first sentence; `None` where it does.
pub fn cuda_fault(index: usize) -> Option<String> {
    let tried = Tensor::f_ones([1], (Kind::Float, Device::Cuda(index)))
        .and_then(|one| one.f_add(&one))
        .and_then(|two| two.f_double_value(&[0]));
    let text = match tried.err()? {
        TchError::Torch(text) => text,
        other => other.to_string(),
    };
    Some(first_sentence(&text).to_owned())
}

/// Whether a device multiplies bfloat16 itself: processors with AVX-512 BF16, and GPUs since Ampere.
///
/// A GPU whose kind cannot be told is taken for one that does.
pub fn multiplies_bf16(device: Device) -> bool {
    match device {
        Device::Cuda(index) => card(index).is_none_or(|card| card.major >= 8),
        _ => has_native_bf16(),
    }
}

/// Whether this processor multiplies bfloat16 itself; where it doesn't, libtorch's bfloat16 is many times slower
/// than its float32.
pub fn has_native_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

/// The version of the libtorch that runs; unlike [`build_info`] it asks nothing that has to do with CUDA.
pub(crate) fn running_version() -> String {
    // SAFETY: the text is a static string of the shim.
    unsafe { ffi::owned(ffi::seg_torch_version()) }
}

/// The version that this program was compiled for.
pub(crate) fn compiled_for() -> String {
    // SAFETY: the text is a static string of the shim.
    unsafe { ffi::owned(ffi::seg_torch_compiled_for()) }
}

/// What the driver knows of a GPU.
struct Card {
    name: String,
    major: c_int,
    minor: c_int,
    memory: u64,
}

fn card(index: usize) -> Option<Card> {
    let (mut name, mut major, mut minor, mut memory) = ([0_u8; 256], 0, 0, 0);
    // SAFETY: all places live during the call, and the length is that of the name's, which the driver ends in NUL.
    let status = unsafe {
        ffi::seg_torch_cuda_device(
            index as c_int,
            name.as_mut_ptr().cast(),
            name.len() as c_int,
            &raw mut major,
            &raw mut minor,
            &raw mut memory,
        )
    };
    let text = CStr::from_bytes_until_nul(&name).map(|name| name.to_string_lossy().into_owned());
    (status == ffi::OK).then(|| Card { name: text.unwrap_or_default(), major, minor, memory })
}

fn cuda_device(index: usize) -> DeviceInfo {
    let name = card(index).map_or_else(
        || format!("CUDA device {index}"),
        |card| {
            let gib = card.memory as f64 / f64::from(1 << 30);
            format!("{}, {gib:.1} GiB, compute capability {}.{}", card.name, card.major, card.minor)
        },
    );
    let why = cuda_fault(index);
    DeviceInfo { id: format!("cuda:{index}"), name, usable: why.is_none(), why }
}

fn first_sentence(text: &str) -> &str {
    let line = text.lines().next().unwrap_or_default();
    // A dot within a number or an address ends no sentence.
    line.split(". ").next().unwrap_or_default().trim_end_matches('.')
}

fn processor_name() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find(|line| line.starts_with("model name"));
    let name = model.and_then(|line| line.split_once(':')).map(|(_, name)| name.trim());
    name.unwrap_or(std::env::consts::ARCH).to_owned()
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::{build_info, cuda_device_count, devices, first_sentence, has_native_bf16, multiplies_bf16};
    use crate::{CudaLoad, Gpu};

    #[test]
    fn tells_the_version_and_the_processor() {
        let info = build_info();
        assert!(info.version.starts_with("2."), "{info:?}");
        assert_eq!(info.version, info.compiled_for);
        assert!(info.config.contains(&format!("TORCH_VERSION={}", info.version)), "{info:?}");
        assert!(!info.cpu_capability.is_empty() && info.config.contains("PyTorch"), "{info:?}");
        let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        assert_eq!(has_native_bf16(), cpuinfo.contains("avx512_bf16"));
        assert_eq!(multiplies_bf16(Device::Cpu), has_native_bf16());
        assert!(multiplies_bf16(Device::Cuda(100)));
    }

    #[test]
    fn where_nothing_was_loaded_the_processor_is_all_there_is() {
        let devices = devices(&CudaLoad::NotNeeded(Gpu::None));
        assert!(devices[0].usable && devices[0].id == "cpu");
        assert!(devices.iter().all(|device| device.usable == device.why.is_none()), "{devices:?}");
        assert_eq!(devices[1].why.as_deref(), Some("this machine has no NVIDIA GPU"));
    }

    #[test]
    fn counting_devices_that_are_not_there_is_no_failure() {
        assert!(cuda_device_count() < 100);
    }

    #[test]
    fn long_reasons_are_cut_to_their_first_sentence() {
        let text = "The driver is too old (found version 12.4). Please update it.\nException raised from";
        assert_eq!(first_sentence(text), "The driver is too old (found version 12.4)");
        assert_eq!(first_sentence("No driver."), "No driver");
    }
}
