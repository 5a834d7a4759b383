//! The only crate of the workspace with `unsafe` code and C++: what libtorch can do and tch does not reach,
//! as a safe API.
//!
//! * [`ScriptModule`] runs a TorchScript file, frozen, the same bits on every call and from many threads.
//! * [`channels_last`] lays tensors out as convolutions on processors like them.
//! * [`fused_adamw`] is libtorch's own optimizer step, one call for many weights.
//! * [`set_deterministic`], [`set_intra_op_threads`] and [`Autocast`] are libtorch's settings.
//! * [`build_info`], [`devices`] and [`has_native_bf16`] tell what this libtorch is and where it can compute.
//!
//! ```
//! let info = seg_torch::build_info();
//! assert!(info.version.starts_with("2."));
//! assert_eq!(seg_torch::devices()[0].id, "cpu");
//! ```

mod adamw;
mod error;
mod ffi;
mod info;
mod memory_format;
mod script;
mod settings;

pub use adamw::{AdamWSlot, AdamWStep, fused_adamw};
pub use error::Error;
pub use info::{BuildInfo, DeviceInfo, build_info, devices, has_native_bf16};
pub use memory_format::{channels_last, is_channels_last};
pub use script::ScriptModule;
pub use settings::{Autocast, Determinism, keep_freed_memory, set_deterministic, set_intra_op_threads};
