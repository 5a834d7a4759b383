//! `rs-seg train` from chips to weights.

pub(crate) mod fixture;
mod refused;
mod resumed;
mod variants;
