use crate::memory::Rss;
use crate::{Error, Network};
use seg_grid::Size;
use std::time::{Duration, Instant};

/// What one forward pass costs, measured on an empty tile before anything is promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Footprint {
    /// Bytes that the process holds with the network loaded, libtorch included.
    pub resident: u64,
    /// Bytes that one worker adds while it computes.
    pub worker: u64,
    /// How long a pass takes: the median of those timed.
    pub seconds: Duration,
}

/// How a network is tried before a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trial {
    /// One pass, whose time holds preparations.
    Once,
    /// One pass that prepares, and so many that are timed.
    Timed(usize),
}

/// Room for what a trial on one tile does not show: allocator slack, other code paths.
const SLACK: u64 = 16 << 20;

impl Footprint {
    /// Runs the network on an empty tile.
    ///
    /// # Errors
    /// If the network fails on a tile of this size.
    pub fn measure(network: &Network, tile: Size, how: Trial) -> Result<Self, Error> {
        let trial = network.fork();
        if network.device().is_cuda() {
            // What the first pass on a device loads is the program's for all its life, not a worker's.
            trial.one(&trial.blank(tile))?;
        }
        // What was needed to open and look through the raster is not part of the run.
        seg_torch::trim_heap();
        let before = Rss::read();
        Rss::reset_peak();
        // In a thread of its own, as the workers will be: its memory is theirs afterwards.
        let seconds = std::thread::scope(|scope| {
            let pass = scope.spawn(move || {
                seg_torch::set_intra_op_threads(1);
                let blank = trial.blank(tile);
                let timed = || {
                    let start = Instant::now();
                    trial.one(&blank).map(|_| start.elapsed())
                };
                let first = timed()?;
                let passes = match how {
                    Trial::Once => return Ok(first),
                    Trial::Timed(passes) => passes.max(1),
                };
                let mut times = (0..passes).map(|_| timed()).collect::<Result<Vec<_>, Error>>()?;
                times.sort_unstable();
                Ok::<_, Error>(times[times.len() / 2])
            });
            pass.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })?;
        let worker = Rss::read().peak.saturating_sub(before.now) + SLACK;
        Ok(Self { resident: before.now, worker, seconds })
    }
}
