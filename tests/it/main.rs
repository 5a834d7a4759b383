//! Tests of the built program, and of the house rules that no compiler knows.

mod architecture;
mod cli;
mod fetch;
mod import;
mod infer;
mod odd_rasters;
mod program;
mod scene;
mod stopping;
mod train;
mod transcripts;
