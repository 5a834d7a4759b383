//! Areas and borders out of bands, in the order of the bands.

mod areas;
mod border;
mod chains;
mod rings;

pub(crate) use areas::{Joiner, Place};
pub(crate) use border::Border;
