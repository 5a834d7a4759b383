//! Whether this machine has an NVIDIA GPU: read from the system, for libtorch cannot be asked before its CUDA part
//! is loaded, which takes half a gigabyte.

use std::ffi::OsStr;
use std::path::Path;
use std::{env, fs};

/// What this machine has of NVIDIA's GPUs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gpu {
    /// Nothing.
    None,
    /// The user keeps GPUs from programs, by an empty `CUDA_VISIBLE_DEVICES` or one of -1.
    Hidden,
    /// A card without NVIDIA's driver.
    NoDriver,
    /// The driver is loaded, and there is no device to open: a container that was given none.
    OutOfReach {
        /// The driver's version.
        driver: String,
    },
    /// A device that can be opened.
    Present {
        /// The driver's version, where the system tells it.
        driver: Option<String>,
    },
}

impl Gpu {
    /// Looks at this machine.
    pub fn of_this_machine() -> Self {
        Self::under(Path::new("/"), env::var_os("CUDA_VISIBLE_DEVICES").as_deref())
    }

    /// Whether there is one that can be opened.
    pub fn is_present(&self) -> bool {
        matches!(self, Self::Present { .. })
    }

    /// What there is below a root folder.
    fn under(root: &Path, visible: Option<&OsStr>) -> Self {
        let version = fs::read_to_string(root.join("proc/driver/nvidia/version"));
        let driver = version.ok().map(|text| driver_version(&text));
        let here = match driver {
            driver if has_device(root) => Self::Present { driver },
            Some(driver) => Self::OutOfReach { driver },
            None if has_card(root) => Self::NoDriver,
            None => Self::None,
        };
        let hidden = visible.and_then(OsStr::to_str).map(str::trim);
        let hidden = hidden.is_some_and(|list| list.is_empty() || list.starts_with("-1"));
        if hidden && here != Self::None { Self::Hidden } else { here }
    }
}

/// Whether a device of the driver is there: `/dev/nvidia0` and so on, or that of Windows' Linux.
fn has_device(root: &Path) -> bool {
    let Ok(entries) = fs::read_dir(root.join("dev")) else { return false };
    let numbered = |name: &str| {
        name.strip_prefix("nvidia").is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    };
    entries.flatten().any(|entry| entry.file_name().to_str().is_some_and(numbered))
        || (root.join("dev/dxg").exists() && root.join("usr/lib/wsl/lib/libcuda.so.1").exists())
}

/// Whether a display or 3D controller of NVIDIA is on the bus.
fn has_card(root: &Path) -> bool {
    let Ok(entries) = fs::read_dir(root.join("sys/bus/pci/devices")) else { return false };
    let starts = |path: &Path, file: &str, with: &str| {
        fs::read_to_string(path.join(file)).is_ok_and(|text| text.starts_with(with))
    };
    entries
        .flatten()
        .map(|entry| entry.path())
        .any(|card| starts(&card, "vendor", "0x10de") && starts(&card, "class", "0x03"))
}

/// The number in `NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  ...`.
fn driver_version(text: &str) -> String {
    let number = |word: &&str| word.contains('.') && word.starts_with(|c: char| c.is_ascii_digit());
    text.split_whitespace().find(number).unwrap_or("of an unknown version").to_owned()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::fs;

    use super::Gpu;

    #[test]
    fn devices_and_driver_are_found_where_the_system_shows_them() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        assert_eq!(Gpu::under(root.path(), None), Gpu::None);
        fs::create_dir_all(at("dev")).unwrap();
        // The driver's other nodes are no devices.
        for node in ["nvidiactl", "nvidia-uvm", "dxg"] {
            fs::write(at("dev").join(node), "").unwrap();
        }
        assert_eq!(Gpu::under(root.path(), None), Gpu::None);
        fs::create_dir_all(at("proc/driver/nvidia")).unwrap();
        let version = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build\n\
                       GCC version:  gcc version 12.2.0\n";
        fs::write(at("proc/driver/nvidia/version"), version).unwrap();
        let driver = "580.65.06".to_owned();
        assert_eq!(Gpu::under(root.path(), None), Gpu::OutOfReach { driver: driver.clone() });
        fs::write(at("dev/nvidia3"), "").unwrap();
        assert_eq!(Gpu::under(root.path(), None), Gpu::Present { driver: Some(driver) });
    }

    #[test]
    fn a_card_without_driver_is_seen_on_the_bus() {
        let root = tempfile::tempdir().unwrap();
        let add = |name: &str, vendor: &str, class: &str| {
            let folder = root.path().join("sys/bus/pci/devices").join(name);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("vendor"), vendor).unwrap();
            fs::write(folder.join("class"), class).unwrap();
        };
        // Another maker's card, and the sound of one of NVIDIA's.
        add("0000:00:02.0", "0x8086\n", "0x030000\n");
        add("0000:01:00.1", "0x10de\n", "0x040300\n");
        assert_eq!(Gpu::under(root.path(), None), Gpu::None);
        add("0000:01:00.0", "0x10de\n", "0x030200\n");
        assert_eq!(Gpu::under(root.path(), None), Gpu::NoDriver);
    }

    #[test]
    fn windows_linux_has_a_node_and_a_library() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("usr/lib/wsl/lib")).unwrap();
        fs::create_dir_all(root.path().join("dev")).unwrap();
        fs::write(root.path().join("dev/dxg"), "").unwrap();
        assert!(!Gpu::under(root.path(), None).is_present());
        fs::write(root.path().join("usr/lib/wsl/lib/libcuda.so.1"), "").unwrap();
        assert_eq!(Gpu::under(root.path(), None), Gpu::Present { driver: None });
    }

    #[test]
    fn the_user_can_hide_devices() {
        let root = tempfile::tempdir().unwrap();
        let under = |visible| Gpu::under(root.path(), Some(OsStr::new(visible)));
        // Where there is nothing, nothing is hidden.
        assert_eq!(under("-1"), Gpu::None);
        fs::create_dir_all(root.path().join("dev")).unwrap();
        fs::write(root.path().join("dev/nvidia0"), "").unwrap();
        for hidden in ["", " ", "-1", "-1,0"] {
            assert_eq!(under(hidden), Gpu::Hidden, "{hidden:?}");
        }
        for seen in ["0", "1,-1", "GPU-5a1c"] {
            assert!(under(seen).is_present(), "{seen:?}");
        }
    }
}
