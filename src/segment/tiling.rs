//! Tiles, how far they overlap and how they are blended.

use super::Job;
use crate::diagnostic::Advice;
use seg_grid::{Blend, Observer, RasterSource, SourceProfile, TileGrid};
use seg_nn::ModelCard;
use seg_run::{Network, Overlap, Plan, Reach};

/// How far tiles overlap.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum OverlapChoice {
    /// 128 pixels, or a quarter of tiles that are smaller than 512.
    Usual,
    /// As far as the user says.
    Told(Overlap),
    /// As far as the network looks.
    Auto,
}

/// The tiles of a run.
pub(super) struct Tiling {
    pub grid: TileGrid,
    pub blend: Blend,
    /// How far the network looks, where that was measured.
    pub reach: Option<Reach>,
}

/// Pixels by which tiles overlap where the user does not say.
const USUAL: usize = 128;

/// The side of tiles before it is rounded up to the network's multiple.
pub(super) fn side(job: &Job, card: &ModelCard) -> usize {
    job.tile.unwrap_or_else(|| card.tile_side())
}

/// Bytes of the decoded blocks that a row of tiles touches: with room for them, each is decoded once for the row.
pub(super) fn cache(raster: &SourceProfile, side: usize) -> u64 {
    let rows = side.div_ceil(raster.block.height.max(1)) + 1;
    let columns = raster.size.width.div_ceil(raster.block.width.max(1));
    // Each band's block, and one for a mask, or the block that all bands share.
    let bands = raster.block.area() * (raster.dtype.bytes() * (raster.bands + 1)) as u64;
    (rows * columns) as u64 * bands.max(raster.block_bytes)
}

/// Refuses flags that make no sense together.
pub(super) fn check(job: &Job) -> Result<(), Advice> {
    if job.margin.is_some() && job.blend != Blend::Hann {
        let what = "--margin: only the blend hann has a ramp that can begin later";
        return Err(Advice::new(what, "leave out --margin or --blend"));
    }
    Ok(())
}

/// How far the network looks.
pub(super) fn reach(
    job: &Job,
    card: &ModelCard,
    network: &Network,
    source: &mut dyn RasterSource,
    observer: &dyn Observer,
) -> Result<Reach, seg_run::Error> {
    let (side, multiple) = (side(job, card), multiple(card));
    let tile = Plan::lay_tiles(source.profile(), side, Overlap::Pixels(0), multiple)?.tile_size();
    Reach::measure(network, tile, multiple, source, observer)
}

/// Lays tiles; they overlap as far as the network looks, where that was measured.
pub(super) fn lay(
    job: &Job,
    card: &ModelCard,
    reach: Option<Reach>,
    raster: &SourceProfile,
) -> Result<Tiling, seg_run::Error> {
    let (side, multiple) = (side(job, card), multiple(card));
    let overlap = match (job.overlap, reach) {
        (OverlapChoice::Told(overlap), _) => overlap,
        (_, Some(reach)) => Overlap::Pixels(reach.overlap(multiple)),
        (_, None) => Overlap::Pixels(USUAL.min(side / 4)),
    };
    let margin = match (job.margin, reach) {
        (Some(margin), _) => Some(margin),
        // Nothing that was computed without its surroundings may count.
        (None, Some(Reach::Pixels(pixels))) => Some(pixels),
        (None, _) => None,
    };
    let blend = match (job.blend, margin) {
        (Blend::Hann, Some(margin)) => Blend::HannBeyond { margin },
        (blend, _) => blend,
    };
    Ok(Tiling { grid: Plan::lay_tiles(raster, side, overlap, multiple)?, blend, reach })
}

fn multiple(card: &ModelCard) -> usize {
    card.input_multiple.max(1)
}

/// Pixels by which tiles overlap, at least.
pub(super) fn overlap(grid: &TileGrid) -> usize {
    // A raster that is narrower than a tile has tiles of its own size along that axis, and no overlap.
    [grid.x(), grid.y()].map(|axis| axis.tile().saturating_sub(axis.stride())).into_iter().max().unwrap_or(0)
}

/// What was measured, in a line.
pub(super) fn told(reach: Reach, overlap: usize, blend: Blend) -> String {
    match reach {
        Reach::Pixels(pixels) => {
            let seams = match blend {
                Blend::HannBeyond { .. } | Blend::Crop => "no tile can be seen in the result",
                _ => "with another blend than hann or crop tiles can be seen in the result all the same",
            };
            format!("the network looks {pixels} pixels far: tiles overlap by {overlap}, and {seams}")
        }
        Reach::Tile { halo, changed } => {
            let share = changed.map_or_else(
                || "the raster is too small to tell how many classes depend on the tile".to_owned(),
                |share| format!("{:.4} % of the classes compared still depend on the tile", 100.0 * share),
            );
            format!(
                "the network looks at the whole tile, so no overlap makes tiles agree exactly: they overlap by \
                 {overlap}, and {halo} pixels from a tile's edge {share}"
            )
        }
    }
}
