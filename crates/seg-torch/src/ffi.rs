//! The shim's C interface and how its failures become messages.

use std::ffi::{CStr, c_char, c_int};

use torch_sys::C_tensor;

/// A TorchScript module on the C++ side.
#[repr(C)]
pub(crate) struct RawModule {
    _opaque: [u8; 0],
}

/// The call did what was asked.
pub(crate) const OK: c_int = 0;
/// The script returned something that is not one tensor; the message is the name of its type.
pub(crate) const NOT_A_TENSOR: c_int = 2;

unsafe extern "C" {
    fn seg_torch_last_error() -> *const c_char;
    pub(crate) fn seg_torch_channels_last(tensor: *const C_tensor, out: *mut *mut C_tensor) -> c_int;
    pub(crate) fn seg_torch_is_channels_last(tensor: *const C_tensor) -> c_int;
    pub(crate) fn seg_torch_resize_like(
        tensor: *const C_tensor,
        like: *const C_tensor,
        factor: i64,
        bilinear: c_int,
        out: *mut *mut C_tensor,
    ) -> c_int;
    pub(crate) fn seg_torch_script_load(
        path: *const c_char,
        device: c_int,
        out: *mut *mut RawModule,
    ) -> c_int;
    pub(crate) fn seg_torch_script_free(module: *mut RawModule);
    pub(crate) fn seg_torch_script_forward(
        module: *mut RawModule,
        input: *const C_tensor,
        out: *mut *mut C_tensor,
    ) -> c_int;
    pub(crate) fn seg_torch_fused_adamw(
        weights: *const *mut C_tensor,
        gradients: *const *mut C_tensor,
        first: *const *mut C_tensor,
        second: *const *mut C_tensor,
        count: usize,
        step: f64,
        rate: f64,
        beta1: f64,
        beta2: f64,
        decay: f64,
        eps: f64,
    ) -> c_int;
    pub(crate) fn seg_torch_set_deterministic(on: c_int) -> c_int;
    pub(crate) fn seg_torch_autocast(cuda: c_int) -> c_int;
    pub(crate) fn seg_torch_set_autocast(cuda: c_int, on: c_int) -> c_int;
    pub(crate) fn seg_torch_keep_freed_memory() -> c_int;
    pub(crate) fn seg_torch_share_heap() -> c_int;
    pub(crate) fn seg_torch_trim_heap() -> c_int;
    pub(crate) fn seg_torch_has_mkl() -> c_int;
    pub(crate) fn seg_torch_has_mkldnn() -> c_int;
    pub(crate) fn seg_torch_has_openmp() -> c_int;
    pub(crate) fn seg_torch_open_library(path: *const c_char) -> c_int;
    pub(crate) fn seg_torch_library_path(name: *const c_char) -> *const c_char;
    pub(crate) fn seg_torch_has_cuda_part() -> c_int;
    pub(crate) fn seg_torch_cuda_count() -> c_int;
    pub(crate) fn seg_torch_cuda_versions(runtime: *mut i64, cudnn: *mut i64) -> c_int;
    pub(crate) fn seg_torch_cuda_device(
        index: c_int,
        name: *mut c_char,
        length: c_int,
        major: *mut c_int,
        minor: *mut c_int,
        memory: *mut u64,
    ) -> c_int;
    pub(crate) fn seg_torch_prepare_cuda() -> c_int;
    #[cfg(test)]
    pub(crate) fn seg_torch_allows_tf32() -> c_int;
    #[cfg(test)]
    pub(crate) fn seg_torch_benchmarks() -> c_int;
    pub(crate) fn seg_torch_upload(tensor: *const C_tensor, device: c_int, out: *mut *mut C_tensor) -> c_int;
    pub(crate) fn seg_torch_download(tensor: *const C_tensor, out: *mut *mut C_tensor) -> c_int;
    pub(crate) fn seg_torch_compiled_for() -> *const c_char;
    pub(crate) fn seg_torch_version() -> *const c_char;
    pub(crate) fn seg_torch_cpu_capability() -> *const c_char;
    pub(crate) fn seg_torch_config() -> *const c_char;
}

/// The message of this thread's last failed call.
pub(crate) fn last_error() -> String {
    // SAFETY: the shim returns a pointer into a thread-local string that lives as long as the thread, and
    // nothing on this thread changes it before it is copied here.
    let text = unsafe { owned(seg_torch_last_error()) };
    telling_line(&text).to_owned()
}

/// Copies a C string.
///
/// # Safety
/// `text` must point to a string that ends in NUL and is not changed during the call.
pub(crate) unsafe fn owned(text: *const c_char) -> String {
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// The line of a libtorch message that names the cause: the last of a TorchScript trace, else the first.
fn telling_line(text: &str) -> &str {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = if text.contains("Traceback of TorchScript") { lines.next_back() } else { lines.next() };
    line.unwrap_or("libtorch gave no reason").trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::telling_line;

    #[test]
    fn the_cause_of_a_script_trace_is_its_last_line() {
        let trace = "The following operation failed in the TorchScript interpreter.\n\
                     Traceback of TorchScript (most recent call last):\n  File \"x\"\nRuntimeError: wrong size\n";
        assert_eq!(telling_line(trace), "RuntimeError: wrong size");
        assert_eq!(telling_line("not a zip.\nat frame 0"), "not a zip");
        assert_eq!(telling_line(""), "libtorch gave no reason");
    }
}
