//! Where arrays meet tensors: plans, predicts, stitches, assembles.
//!
//! A prediction is four steps, each with its own type:
//!
//! 1. [`Footprint::measure`] runs the network once on an empty tile: what it returns and what it costs.
//! 2. [`Plan::new`] decides tiles, workers, queue and column strips so that the memory budget holds.
//! 3. [`predict`] computes finished strips into a [`WorkFolder`]; whatever happens, what is there is whole.
//! 4. [`assemble`] puts the strips of one layer, in order, into a [`seg_grid::RasterSink`].
//!
//! One tile is the unit of computation: batch dimension 1 and one thread inside operators on the CPU, tiles
//! added up in index order. So the result is the same to the byte for any number of threads, tiles in flight,
//! memory budget and resume.

mod agreement;
mod assemble;
mod error;
mod finish;
mod footprint;
mod journal;
mod memory;
mod network;
mod normalize;
mod passes;
mod pipeline;
mod plan;
mod reach;
mod recompute;
mod scratch;
mod shards;
mod strip;
mod strip_rows;
mod strips;
mod tensor;
#[cfg(test)]
mod testing;
mod wanted;

pub use agreement::{Agreement, agreement, made_up_scene};
pub use assemble::assemble;
pub use error::Error;
pub use finish::{CONFIDENCE_BANDS, NODATA, Output, ProbabilityType, Values, values};
pub use footprint::{Footprint, Trial};
pub use journal::{Fresh, RunKey, WorkFolder};
pub use memory::{Rss, total_memory};
pub use network::Network;
pub use normalize::{Normalizer, Scaling};
pub use passes::{BadPasses, PassError, Passes, SlidingWindow, Turns, scaled};
pub use pipeline::{Outcome, predict};
pub use plan::{Batch, BudgetLine, Overlap, Plan, PlanRequest};
pub use reach::Reach;
pub use recompute::{Claim, Comparison, Difference, check_all, check_tiles, read_ids, sample_tiles};
pub use shards::{Cuts, shards};
pub use strips::{Piece, Strips};
pub use wanted::{WantedTiles, tiles_of, wanted_tiles};
