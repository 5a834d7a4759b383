//! The only crate of the workspace with `unsafe` code and C++: what libtorch can do and tch does not reach,
//! as a safe API.
//!
//! * [`ScriptModule`] runs a TorchScript file, frozen, the same bits on every call and from many threads.
//! * [`channels_last`] lays tensors out as convolutions on processors like them.
//! * [`resize_like`] brings maps to the size of others, also in a trace for images of any size.
//! * [`fused_adamw`] is libtorch's own optimizer step, one call for many weights.
//! * [`set_deterministic`], [`set_intra_op_threads`], [`prepare_device`] and [`Autocast`] are libtorch's settings.
//! * [`load_cuda`] finds libtorch's CUDA part and loads it, where there is a [`Gpu`]; [`upload`] and [`download`] copy.
//! * [`distributed`] is several processes that compute as one.
//! * [`build_info`], [`devices`] and [`has_native_bf16`] tell what this libtorch is and where it can compute.
//!
//! ```
//! let info = seg_torch::build_info();
//! assert!(info.version.starts_with("2."));
//! let load = seg_torch::load_cuda(seg_torch::CudaWish::WithGpu)?;
//! assert_eq!(seg_torch::devices(&load)[0].id, "cpu");
//! # Ok::<(), seg_torch::Error>(())
//! ```

mod adamw;
mod build_id;
mod cuda;
mod cuda_tree;
pub mod distributed;
mod error;
mod ffi;
mod gpu;
mod info;
mod memory_format;
mod resize;
mod script;
mod settings;
mod transfer;

pub use adamw::{AdamWSlot, AdamWStep, fused_adamw};
pub use cuda::{CudaLoad, CudaVersions, CudaWish, cuda_versions, find_cuda, load_cuda};
pub use cuda_tree::{CudaSearch, CudaTree, RefusedTree, TreeFault};
pub use error::Error;
pub use gpu::Gpu;
pub use info::{
    BuildInfo, DeviceInfo, build_info, cuda_device_count, cuda_fault, devices, has_native_bf16,
    multiplies_bf16,
};
pub use memory_format::{channels_last, is_channels_last};
pub use resize::{Interpolation, resize_like};
pub use script::ScriptModule;
pub use settings::{
    Autocast, Determinism, keep_freed_memory, prepare_device, set_deterministic, set_intra_op_threads,
    share_heap, trim_heap,
};
pub use transfer::{download, upload};
