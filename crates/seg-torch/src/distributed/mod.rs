//! Several processes that compute as one: libtorch's own `torch.distributed`, without Python.
//!
//! [`Rendezvous`] is where they meet, as `torchrun` or Slurm tell by environment variables; a [`Group`] is what they are
//! from then on, and a [`Reducer`] averages their gradients. [`Launcher`] tells one launch from another.

mod ffi;
mod group;
mod joint;
mod launch;
mod patience;
mod reducer;
mod rendezvous;

pub use group::{Group, Reduction};
pub use joint::{JointStatistics, joint_batch_norm};
pub use launch::{Launcher, LauncherStore};
pub use reducer::Reducer;
pub use rendezvous::{Rendezvous, Serves};
