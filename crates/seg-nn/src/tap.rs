//! Looking at a network's intermediate tensors.

use std::collections::BTreeMap;

use tch::Tensor;

/// Something that is shown the tensors inside a network while it computes.
pub trait Tap {
    /// Takes note of a tensor; names are those of the reference implementation, such as `layer1` or `score`.
    fn record(&mut self, name: &'static str, tensor: &Tensor);
}

/// Takes note of nothing.
impl Tap for () {
    fn record(&mut self, _name: &'static str, _tensor: &Tensor) {}
}

/// Keeps every tensor.
impl Tap for BTreeMap<&'static str, Tensor> {
    fn record(&mut self, name: &'static str, tensor: &Tensor) {
        self.insert(name, tensor.shallow_clone());
    }
}
