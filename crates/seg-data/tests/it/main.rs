//! What the crate makes of real files.

mod comparing;
mod data_sets;
mod fixture;
mod tiling;
