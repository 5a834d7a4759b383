//! Comparing a network with the tensors that a reference program left behind.
//!
//! A reference file holds an image, labels and every tensor that the reference computed of them, in eval and in
//! train mode, with losses and gradients. Its metadata tells the network and the seed of its weights, which are
//! a closed form ([`hash_fill`](crate::hash_fill)); a file may hold the weights too.

mod contrast;
mod file;
mod network;
mod passes;
mod report;

use std::collections::BTreeMap;
use std::path::Path;

use tch::{Device, Tensor};

use crate::device::check_device;
use crate::error::Error;
use file::GoldenFile;
pub use report::{GoldenReport, TensorCheck};

/// Tensors by the names that they have in a reference file.
type Tensors = BTreeMap<String, Tensor>;

/// Computes everything that a reference file holds, and compares tensor by tensor.
///
/// Weights are rebuilt from the closed form, or taken from the file where the reference drew them at random;
/// dropout is off.
///
/// # Errors
/// When the file cannot be read or is no reference, its network cannot be built, or libtorch fails.
///
/// # Examples
/// ```
/// use seg_nn::check_golden;
/// use tch::Device;
///
/// let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/parity/bemseg.safetensors");
/// let report = check_golden(path.as_ref(), Device::Cpu)?;
/// assert!(report.above(1e-4).next().is_none());
/// # Ok::<(), seg_nn::Error>(())
/// ```
pub fn check_golden(path: &Path, device: Device) -> Result<GoldenReport, Error> {
    check_device(device)?;
    let golden = GoldenFile::read(path)?;
    let network = golden.network(device)?;
    let mut computed = golden.inputs()?;
    let unused = golden.weights(&network, &mut computed)?;
    passes::eval(&golden, &network, &mut computed)?;
    if golden.contrasts {
        contrast::unit(&golden, &mut computed)?;
        contrast::of_network(&golden, &mut computed)?;
    }
    // Last, since it changes the running statistics.
    passes::train(&golden, &network, &mut computed)?;
    GoldenReport::new(&golden.tensors, &computed, unused)
}
