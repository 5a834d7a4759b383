//! `rs-seg train` from chips to weights.

mod fit;
pub(crate) mod fixture;
mod refused;
mod resumed;
mod variants;
