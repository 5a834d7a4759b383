//! The network that comes with the program; `examples/embedded-model.md` is its card.

/// A checkpoint in half precision.
pub(super) static NETWORK: &[u8] = include_bytes!("bemseg-small.safetensors");
