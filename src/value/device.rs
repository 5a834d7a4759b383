//! `--device auto|cpu|cuda[:N]`.

use std::fmt;

/// Where networks run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeviceArg {
    /// CUDA where libtorch finds it, else the processor.
    Auto,
    /// The processor.
    Cpu,
    /// A CUDA device, counted from 0.
    Cuda(usize),
}

impl From<tch::Device> for DeviceArg {
    fn from(device: tch::Device) -> Self {
        match device {
            tch::Device::Cuda(index) => Self::Cuda(index),
            // Networks run on no third kind.
            _ => Self::Cpu,
        }
    }
}

impl fmt::Display for DeviceArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

/// Reads a device's name; whether this machine has it is found out when it is used.
pub(crate) fn device(text: &str) -> Result<DeviceArg, String> {
    let cuda = || text.strip_prefix("cuda:").and_then(|index| index.parse().ok()).map(DeviceArg::Cuda);
    match text {
        "auto" => Ok(DeviceArg::Auto),
        "cpu" => Ok(DeviceArg::Cpu),
        "cuda" => Ok(DeviceArg::Cuda(0)),
        _ => cuda().ok_or_else(|| "devices are auto, cpu, cuda and cuda:N, N counted from 0".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written_alike() {
        for name in ["auto", "cpu", "cuda:0", "cuda:3"] {
            assert_eq!(device(name).unwrap().to_string(), name);
        }
        assert_eq!(device("cuda").unwrap(), DeviceArg::Cuda(0));
        assert_eq!(DeviceArg::from(tch::Device::Cuda(3)).to_string(), "cuda:3");
        assert_eq!(DeviceArg::from(tch::Device::Cpu).to_string(), "cpu");
        for wrong in ["", "gpu", "cuda:", "cuda:-1", "CPU"] {
            assert!(device(wrong).unwrap_err().contains("cuda:N"), "{wrong}");
        }
    }
}
