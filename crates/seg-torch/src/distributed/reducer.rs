//! Gradients averaged over all processes while they are computed.

use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use tch::Tensor;
use torch_sys::C_tensor;

use super::ffi::{self, RawReducer};
use super::group::Group;
use crate::error::Error;
use crate::ffi::{OK, last_error};

/// DDP's bucketed reducer: buckets of gradients are averaged as soon as they are ready, while the rest of the backward
/// pass goes on.
///
/// Gradients of passes before [`prepare`](Self::prepare) gather in the weights, as in DDP's `no_sync`; the pass after it
/// leaves the average over all processes of what was gathered. A weight without a gradient in all processes stays so.
///
/// # References
/// Li et al.: `PyTorch` distributed: experiences on accelerating data parallel training. PVLDB 2020, 13, 3005
/// (`doi:10.14778/3415478.3415530`).
#[derive(Debug)]
pub struct Reducer {
    raw: *mut RawReducer,
    weights: Vec<Tensor>,
    group: Arc<Group>,
}

// SAFETY: the reducer locks what its hooks change, and nothing in it belongs to a thread.
unsafe impl Send for Reducer {}

impl Reducer {
    /// For these weights, in an order that is the same in all processes; their values become those of the first.
    ///
    /// # Errors
    /// When shapes differ between the processes, or one was lost.
    pub fn new(group: &Arc<Group>, weights: &[&Tensor]) -> Result<Self, Error> {
        let weights: Vec<_> = weights.iter().map(|weight| weight.shallow_clone()).collect();
        let pointers = pointers(&weights);
        let mut raw = ptr::null_mut();
        // SAFETY: the group and as many tensors as told outlive the call, which writes `raw` on success alone.
        let status = unsafe {
            ffi::seg_torch_reducer_new(group.raw(), pointers.as_ptr(), pointers.len(), &raw mut raw)
        };
        group.told(status, "comparing weights")?;
        Ok(Self { raw, weights, group: Arc::clone(group) })
    }

    /// Announces that the backward pass of this loss is the one to average.
    ///
    /// # Errors
    /// When the pass before did not end.
    pub fn prepare(&self, loss: &Tensor) -> Result<(), Error> {
        // SAFETY: reducer and tensor outlive the call.
        let status = unsafe { ffi::seg_torch_reducer_prepare(self.raw, loss.as_ptr()) };
        self.group.told(status, "averaging gradients")
    }

    /// The backward pass of a loss: adds to the gradients of the weights.
    ///
    /// # Errors
    /// When there is no memory, or a process was lost while the gradients were averaged.
    pub fn backward(&self, loss: &Tensor) -> Result<(), Error> {
        // SAFETY: the tensor outlives the call.
        let status = unsafe { ffi::seg_torch_backward(loss.as_ptr()) };
        match self.group.told(status, "averaging gradients") {
            Err(Error::PeerLost { reason, .. }) if !is_of_the_network(&reason) => {
                Err(Error::Setting { action: "compute gradients", reason })
            }
            told => told,
        }
    }

    /// How long the last averaging pass waited for the others after this process was done with its part; on GPUs, whose
    /// work is not waited for, less than it is.
    pub fn waited(&self) -> Duration {
        // SAFETY: the reducer outlives the call.
        let nanoseconds = unsafe { ffi::seg_torch_reducer_waited(self.raw) };
        Duration::from_nanos(nanoseconds.max(0).cast_unsigned())
    }

    /// The gradients, which the weights do not have any more then; undefined ones where there are none.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn take_gradients(&self) -> Result<Vec<Tensor>, Error> {
        let refused = |reason| Error::Setting { action: "take gradients", reason };
        let gradients: Result<_, _> = self.weights.iter().map(Tensor::f_grad).collect();
        let gradients = gradients.map_err(|error| refused(error.to_string()))?;
        let pointers = pointers(&self.weights);
        // SAFETY: as many tensors as told outlive the call.
        match unsafe { ffi::seg_torch_clear_gradients(pointers.as_ptr(), pointers.len()) } {
            OK => Ok(gradients),
            _ => Err(refused(last_error())),
        }
    }
}

impl Drop for Reducer {
    fn drop(&mut self) {
        // SAFETY: made by the shim, freed once, before the group that it holds. What it throws is caught.
        let _status = unsafe { ffi::seg_torch_reducer_free(self.raw) };
    }
}

/// Whether a failure of a backward pass is one between the processes.
fn is_of_the_network(reason: &str) -> bool {
    ["onnection", "imed out", "imeout", "peer", "gloo", "NCCL", "ocket", "roken pipe"]
        .iter()
        .any(|word| reason.contains(word))
}

fn pointers(tensors: &[Tensor]) -> Vec<*mut C_tensor> {
    tensors.iter().map(|tensor| tensor.as_ptr().cast_mut()).collect()
}
