//! The C interface of `c10d.cpp`.

use std::ffi::{c_char, c_int};

use torch_sys::C_tensor;

/// Processes that found each other, on the C++ side.
#[repr(C)]
pub(super) struct RawGroup {
    _opaque: [u8; 0],
}

/// DDP's reducer, on the C++ side.
#[repr(C)]
pub(super) struct RawReducer {
    _opaque: [u8; 0],
}

/// Not all processes came; the message lists those that did not.
pub(super) const MISSING: c_int = 3;

unsafe extern "C" {
    pub(super) fn seg_torch_launch_name(
        host: *const c_char,
        port: u16,
        prefix: *const c_char,
        offered: *const c_char,
        timeout_ms: i64,
        out: *mut c_char,
        size: usize,
    ) -> c_int;
    pub(super) fn seg_torch_group_meet(
        host: *const c_char,
        port: u16,
        serves: c_int,
        rank: c_int,
        world: c_int,
        prefix: *const c_char,
        timeout_ms: i64,
        out: *mut *mut RawGroup,
    ) -> c_int;
    pub(super) fn seg_torch_group_connect(
        group: *mut RawGroup,
        interface: *const c_char,
        address: *const c_char,
    ) -> c_int;
    pub(super) fn seg_torch_group_connect_cuda(
        group: *mut RawGroup,
        library: *const c_char,
        device: c_int,
    ) -> c_int;
    pub(super) fn seg_torch_group_free(group: *mut RawGroup) -> c_int;
    pub(super) fn seg_torch_group_all_reduce(
        group: *mut RawGroup,
        tensor: *mut C_tensor,
        operation: c_int,
    ) -> c_int;
    pub(super) fn seg_torch_group_broadcast(
        group: *mut RawGroup,
        tensor: *mut C_tensor,
        from: c_int,
    ) -> c_int;
    pub(super) fn seg_torch_group_all_gather(
        group: *mut RawGroup,
        tensor: *const C_tensor,
        out: *mut *mut C_tensor,
    ) -> c_int;
    pub(super) fn seg_torch_group_barrier(group: *mut RawGroup) -> c_int;
    pub(super) fn seg_torch_reducer_new(
        group: *mut RawGroup,
        weights: *const *mut C_tensor,
        count: usize,
        out: *mut *mut RawReducer,
    ) -> c_int;
    pub(super) fn seg_torch_reducer_prepare(reducer: *mut RawReducer, loss: *const C_tensor) -> c_int;
    pub(super) fn seg_torch_reducer_waited(reducer: *const RawReducer) -> i64;
    pub(super) fn seg_torch_reducer_free(reducer: *mut RawReducer) -> c_int;
    pub(super) fn seg_torch_backward(loss: *const C_tensor) -> c_int;
    pub(super) fn seg_torch_clear_gradients(weights: *const *mut C_tensor, count: usize) -> c_int;
    pub(super) fn seg_torch_joint_batch_norm(
        group: *mut RawGroup,
        input: *const C_tensor,
        weight: *const C_tensor,
        bias: *const C_tensor,
        running_mean: *mut C_tensor,
        running_var: *mut C_tensor,
        momentum: f64,
        eps: f64,
        out: *mut *mut C_tensor,
    ) -> c_int;
}
