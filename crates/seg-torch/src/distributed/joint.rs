//! Batch norms over the batches of all processes.

use std::cell::RefCell;
use std::ptr;
use std::sync::Arc;

use tch::Tensor;
use torch_sys::C_tensor;

use super::ffi;
use super::group::Group;
use crate::error::Error;

thread_local! {
    static JOINED: RefCell<Option<Arc<Group>>> = const { RefCell::new(None) };
}

/// As long as it lives, [`joint_batch_norm`] on this thread is one of all processes.
#[derive(Debug)]
pub struct JointStatistics {
    before: Option<Arc<Group>>,
}

impl JointStatistics {
    /// Begins with the processes of a group.
    #[must_use]
    pub fn of(group: &Arc<Group>) -> Self {
        Self { before: JOINED.with(|joined| joined.replace(Some(Arc::clone(group)))) }
    }
}

impl Drop for JointStatistics {
    fn drop(&mut self) {
        JOINED.with(|joined| *joined.borrow_mut() = self.before.take());
    }
}

/// A batch norm that learns from the batches of all processes, where [`JointStatistics`] ask for it: (B, C, H, W) to the
/// same. The mean comes first and the squares of what differs from it then, so that large values cost no digits; gradients
/// go through both sums.
///
/// `running` are mean and variance, which follow as in a batch norm over the joined batch.
///
/// # Errors
/// When a process was lost.
pub fn joint_batch_norm(
    input: &Tensor,
    scale: (&Tensor, &Tensor),
    running: (&Tensor, &Tensor),
    momentum: f64,
    eps: f64,
) -> Result<Option<Tensor>, Error> {
    let Some(group) = JOINED.with(|joined| joined.borrow().clone()) else { return Ok(None) };
    let mut out: *mut C_tensor = ptr::null_mut();
    // SAFETY: the group outlives this call and, with the learner that holds it, the backward pass; the tensors outlive the
    // call, which writes `out` on success alone.
    let status = unsafe {
        ffi::seg_torch_joint_batch_norm(
            group.raw(),
            input.as_ptr(),
            scale.0.as_ptr(),
            scale.1.as_ptr(),
            running.0.as_ptr().cast_mut(),
            running.1.as_ptr().cast_mut(),
            momentum,
            eps,
            &raw mut out,
        )
    };
    group.told(status, "adding up a batch norm")?;
    // SAFETY: on success `out` is a new tensor that nobody else owns.
    Ok(Some(unsafe { Tensor::from_ptr(out) }))
}
