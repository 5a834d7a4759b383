//! Weights out of other programs' files.
//!
//! * [`StateDict`] is what a file holds: tensors by the names that the file gives them. It reads archives of
//!   `torch.save` and TorchScript, and safetensors; no code of a file is run.
//! * [`Weights`] are the same by this crate's names: a whole network, or encoders to begin a training with.
//! * [`Origin`] is whatever a training can begin with.

mod archive;
mod encoders;
mod fill;
mod flatten;
mod from_shapes;
mod names;
mod network;
mod origin;
mod pickle;
mod problem;
mod state_dict;
mod weights;
mod weights_file;

pub use encoders::missing_of_encoders;
pub use fill::Filled;
pub use from_shapes::config_of;
pub use names::Naming;
pub use network::{Import, MissingWeights, import_network};
pub use origin::Origin;
pub use problem::ImportProblem;
pub use state_dict::{FileKind, StateDict};
pub(crate) use weights::check_finite;
pub use weights::{CLIP_RN50_SHA256, Weights, WeightsKind};
pub(crate) use weights_file::METADATA_KEY;
pub use weights_file::{WeightsFacts, save_weights};
