//! What a plan is made from.

use super::cut::{Scene, Storage, Tiles};

/// All that decides a plan, in pixels, seconds and bytes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Question {
    pub scene: Scene,
    pub storage: Storage,
    pub tiles: Tiles,
    /// What a worker takes for a tile.
    pub tile_seconds: f64,
    pub size: FleetSize,
    /// Shards, if the user says how many.
    pub shards: Option<u64>,
    pub machine: Machine,
    pub bytes: Bytes,
    pub prices: Prices,
    pub trials: Trials,
}

/// How many workers there are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum FleetSize {
    /// So many; with a time until which all should be done, in seconds.
    Workers(usize, Option<f64>),
    /// As many as are needed to be done after so many seconds.
    Deadline(f64),
}

/// What a worker is and how it fails; times are seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Machine {
    pub startup: f64,
    pub restart_delay: f64,
    pub failures_per_hour: f64,
    pub spread: f64,
    pub cores: u64,
    pub gpus: u64,
}

/// What is read and written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bytes {
    /// Of a pixel at the source, as it is stored.
    pub stored: f64,
    /// Of a pixel in memory, all bands.
    pub decoded: f64,
    /// Of a pixel of the results.
    pub result: f64,
    /// The side of the stored blocks in pixels.
    pub block: usize,
    /// GDAL's cache of decoded blocks.
    pub cache: u64,
}

/// What things cost.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Prices {
    /// Of an hour of a worker.
    pub hour: Option<f64>,
    /// Of a gigabyte that is read.
    pub gigabyte: Option<f64>,
}

/// How often the run is simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trials {
    pub runs: usize,
    pub seed: u64,
}
