//! What the crate makes of real files.

mod chip_sets;
mod comparing;
mod data_sets;
mod fixture;
mod loading;
mod predictions;
mod tiling;
mod training_fixture;
