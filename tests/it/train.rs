//! `rs-seg train` from chips to weights.

mod fixture;
mod refused;
mod resumed;
mod variants;
