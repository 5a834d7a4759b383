//! Settings of libtorch: determinism, threads, mixed precision on the processor.

use std::ffi::c_int;
use std::marker::PhantomData;

use tch::Device;

use crate::error::Error;
use crate::ffi;

/// Whether operators without a deterministic implementation may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Determinism {
    /// They fail instead, and cuDNN chooses only reproducible algorithms.
    Required,
    /// They run.
    NotRequired,
}

/// Sets for the whole process whether every result must be reproducible.
///
/// # Errors
/// When libtorch refuses the setting.
pub fn set_deterministic(determinism: Determinism) -> Result<(), Error> {
    let on = c_int::from(determinism == Determinism::Required);
    // SAFETY: a plain setter that catches its exceptions.
    match unsafe { ffi::seg_torch_set_deterministic(on) } {
        ffi::OK => Ok(()),
        _ => Err(Error::Setting { action: "set determinism", reason: ffi::last_error() }),
    }
}

/// Sets how many threads an operator called from *this* thread may use.
///
/// Other threads keep their own number: set it at the start of every worker.
pub fn set_intra_op_threads(threads: u16) {
    tch::set_num_threads(i32::from(threads.max(1)));
}

/// Makes the process keep the memory that it frees, for the rest of its life; says whether the system's
/// allocator can.
///
/// Steps of a training, and tiles, free and take the same memory again and again: kept, its pages need not be cleared
/// anew. Where memory is planned, what a trial takes is measured after this call, and [`trim_heap`] gives back what
/// is too much.
pub fn keep_freed_memory() -> bool {
    // SAFETY: sets numbers of the C library's allocator, which it may be told at any time.
    unsafe { ffi::seg_torch_keep_freed_memory() != 0 }
}

/// Makes threads that are started from now on share two heaps instead of one each; says whether the system's
/// allocator can.
///
/// A pipeline takes buffers in one thread and frees them in another, and every heap keeps some.
pub fn share_heap() -> bool {
    // SAFETY: sets a number of the C library's allocator, which it may be told at any time.
    unsafe { ffi::seg_torch_share_heap() != 0 }
}

/// Gives memory that was freed back to the system, as far as its allocator can; says whether there was any.
pub fn trim_heap() -> bool {
    // SAFETY: the C library may be asked for it at any time.
    unsafe { ffi::seg_torch_trim_heap() != 0 }
}

/// Prepares a device for networks: on CUDA float32 is computed as such, without TensorFloat-32, and cuDNN tries its
/// algorithms for each new shape, so that shapes should be few; on the processor nothing is done.
///
/// # Errors
/// When libtorch refuses the setting.
pub fn prepare_device(device: Device) -> Result<(), Error> {
    if !device.is_cuda() {
        return Ok(());
    }
    // SAFETY: sets flags of libtorch, which it reads before each operator, and catches its exceptions.
    match unsafe { ffi::seg_torch_prepare_cuda() } {
        ffi::OK => Ok(()),
        _ => Err(Error::Setting { action: "prepare CUDA", reason: ffi::last_error() }),
    }
}

/// Runs operators of this thread that profit in bfloat16 while it lives (mixed precision).
///
/// # Examples
/// ```
/// use tch::{Device, Kind, Tensor};
///
/// let a = Tensor::ones([4, 4], (Kind::Float, Device::Cpu));
/// let guard = seg_torch::Autocast::bf16(Device::Cpu)?;
/// assert_eq!(a.matmul(&a).kind(), Kind::BFloat16);
/// drop(guard);
/// assert_eq!(a.matmul(&a).kind(), Kind::Float);
/// # Ok::<(), seg_torch::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "mixed precision ends when the guard is dropped"]
pub struct Autocast {
    cuda: c_int,
    was_on: c_int,
    /// The setting belongs to the thread, so the guard must not leave it.
    _this_thread: PhantomData<*const ()>,
}

impl Autocast {
    /// Starts mixed precision with bfloat16 on this thread, for operators on the device.
    ///
    /// # Errors
    /// When libtorch refuses the setting.
    pub fn bf16(device: Device) -> Result<Self, Error> {
        let cuda = c_int::from(device.is_cuda());
        // SAFETY: reads a flag of this thread.
        let was_on = unsafe { ffi::seg_torch_autocast(cuda) };
        // SAFETY: a plain setter that catches its exceptions.
        match unsafe { ffi::seg_torch_set_autocast(cuda, 1) } {
            ffi::OK => Ok(Self { cuda, was_on, _this_thread: PhantomData }),
            _ => Err(Error::Setting { action: "run in bfloat16", reason: ffi::last_error() }),
        }
    }
}

impl Drop for Autocast {
    fn drop(&mut self) {
        // SAFETY: a plain setter that catches its exceptions; a failure leaves the flag as it was.
        unsafe { ffi::seg_torch_set_autocast(self.cuda, self.was_on) };
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::{Determinism, prepare_device, set_deterministic, set_intra_op_threads};
    use crate::ffi;

    #[test]
    fn only_cuda_is_prepared() {
        // SAFETY: both read flags of libtorch.
        let flags = || unsafe { (ffi::seg_torch_allows_tf32(), ffi::seg_torch_benchmarks()) };
        prepare_device(Device::Cpu).unwrap();
        assert_eq!(flags(), (1, 0));
        prepare_device(Device::Cuda(0)).unwrap();
        assert_eq!(flags(), (0, 1));
    }

    #[test]
    fn threads_are_set_for_the_calling_thread() {
        set_intra_op_threads(1);
        assert_eq!(tch::get_num_threads(), 1);
        set_intra_op_threads(0);
        assert_eq!(tch::get_num_threads(), 1);
    }

    #[test]
    fn determinism_can_be_switched() {
        set_deterministic(Determinism::Required).unwrap();
        set_deterministic(Determinism::NotRequired).unwrap();
    }
}
