//! Tests of the built program, and of the house rules that no compiler knows.

mod architecture;
mod areas;
mod cli;
mod configs;
mod cuda;
mod data_sets;
mod eval;
mod export;
mod fetch;
mod import;
mod infer;
mod install;
mod looks;
mod manifest;
mod miniature;
mod mosaics;
mod odd_rasters;
mod program;
mod report;
mod resampling;
mod scene;
mod shards;
mod stopping;
mod train;
mod transcripts;
mod vectorize;
