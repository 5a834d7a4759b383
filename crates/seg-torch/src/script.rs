//! TorchScript modules, frozen for inference.

use std::ffi::{CString, c_int};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::ptr::{self, NonNull};

use tch::{Device, Tensor};

use crate::error::Error;
use crate::ffi::{self, RawModule};

/// A TorchScript module in eval mode, frozen where libtorch can, that only computes.
///
/// Profiling and fusing are switched off for the whole process before the first module is loaded, so that
/// the first call gives the same bits as every later one. One module may run on many threads at once:
/// share it with [`std::sync::Arc`].
///
/// # Examples
/// ```no_run
/// use seg_torch::ScriptModule;
/// use tch::{Device, Kind, Tensor};
///
/// let module = ScriptModule::load("net.pt".as_ref(), Device::Cpu)?;
/// let scores = module.forward(&Tensor::zeros([1, 3, 64, 64], (Kind::Float, Device::Cpu)))?;
/// assert_eq!(scores.dim(), 4);
/// # Ok::<(), seg_torch::Error>(())
/// ```
#[derive(Debug)]
pub struct ScriptModule {
    raw: NonNull<RawModule>,
    path: PathBuf,
}

// SAFETY: the module owns its C++ object and nothing in it is bound to a thread.
unsafe impl Send for ScriptModule {}
// SAFETY: the only operation on a shared module is `forward`, which reads parameters of an eval-mode module
// and makes its intermediate values per call; libtorch's graph executor, the one thing it changes, guards
// its compiled plans with a mutex, as running one module on several threads is a documented use.
unsafe impl Sync for ScriptModule {}

impl ScriptModule {
    /// Reads a module from a file onto a device.
    ///
    /// # Errors
    /// When the file is no TorchScript archive, is cut short or cannot be read, and when the device is
    /// neither the processor nor CUDA.
    pub fn load(path: &Path, device: Device) -> Result<Self, Error> {
        let name = CString::new(path.as_os_str().as_bytes())
            .map_err(|_| Error::ScriptPath { path: path.to_owned() })?;
        let index = match device {
            Device::Cpu => -1,
            Device::Cuda(index) => index as c_int,
            Device::Mps | Device::Vulkan => return Err(Error::Device { device: format!("{device:?}") }),
        };
        let mut raw = ptr::null_mut();
        // SAFETY: `name` is a C string that outlives the call, `raw` is written only on success.
        let status = unsafe { ffi::seg_torch_script_load(name.as_ptr(), index, &raw mut raw) };
        match NonNull::new(raw) {
            Some(raw) if status == ffi::OK => Ok(Self { raw, path: path.to_owned() }),
            _ => Err(Error::LoadScript { path: path.to_owned(), reason: ffi::last_error() }),
        }
    }

    /// The file that the module came from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs the module on one tensor, without tracking gradients.
    ///
    /// # Errors
    /// When the module fails on this input or returns anything but one tensor.
    pub fn forward(&self, input: &Tensor) -> Result<Tensor, Error> {
        let mut out = ptr::null_mut();
        // SAFETY: the module lives as long as `self`, the input as long as its reference; `out` is written
        // only on success.
        let status =
            unsafe { ffi::seg_torch_script_forward(self.raw.as_ptr(), input.as_ptr(), &raw mut out) };
        match status {
            // SAFETY: on success `out` is a new tensor that nobody else owns.
            ffi::OK => Ok(unsafe { Tensor::from_ptr(out) }),
            ffi::NOT_A_TENSOR => Err(Error::NotATensor { path: self.path.clone(), found: ffi::last_error() }),
            _ => Err(Error::RunScript {
                path: self.path.clone(),
                input: input.size(),
                reason: ffi::last_error(),
            }),
        }
    }
}

impl Drop for ScriptModule {
    fn drop(&mut self) {
        // SAFETY: `raw` came from `seg_torch_script_load` and is freed only here.
        unsafe { ffi::seg_torch_script_free(self.raw.as_ptr()) }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use tch::{CModule, Device, Kind, Tensor};

    use super::ScriptModule;

    fn image() -> Tensor {
        Tensor::arange(3 * 16 * 16, (Kind::Float, Device::Cpu)).sin().view([1, 3, 16, 16])
    }

    fn function(xs: &Tensor) -> Tensor {
        (xs.sigmoid() * 3.0).tanh() + xs.relu()
    }

    #[test]
    fn one_module_runs_on_many_threads_with_the_same_bits() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("net.pt");
        let mut traced = |xs: &[Tensor]| vec![function(&xs[0])];
        CModule::create_by_tracing("net", "forward", &[image()], &mut traced).unwrap().save(&path).unwrap();
        let module = Arc::new(ScriptModule::load(&path, Device::Cpu).unwrap());
        let expected = module.forward(&image()).unwrap();
        assert_eq!(expected, function(&image()));
        let workers = (0..4).map(|_| {
            let module = Arc::clone(&module);
            std::thread::spawn(move || (0..5).map(|_| module.forward(&image()).unwrap()).collect::<Vec<_>>())
        });
        for worker in workers.collect::<Vec<_>>() {
            assert!(worker.join().unwrap().iter().all(|output| *output == expected));
        }
    }

    #[test]
    fn what_is_no_module_is_told_in_one_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("net.pt");
        fs::write(&path, "weights").unwrap();
        let error = ScriptModule::load(&path, Device::Cpu).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("net.pt as TorchScript: ") && !text.contains('\n'), "{text}");
        assert!(error.hint().is_some());
        assert!(ScriptModule::load(&path, Device::Mps).is_err());
    }
}
