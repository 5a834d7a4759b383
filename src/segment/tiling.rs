//! Tiles, how far they overlap and how they are blended.

use super::Job;
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

/// The side of tiles where neither the user nor the model says one.
pub(super) const TILE: usize = 512;

/// Pixels by which tiles overlap where the user does not say.
const USUAL: usize = 128;

/// The side of tiles before it is rounded up to the network's multiple.
pub(super) fn side(job: &Job, card: &ModelCard) -> usize {
    job.tile.or(card.tile_px).unwrap_or(TILE)
}

/// Bytes of the decoded blocks that a row of tiles touches: with room for them, each is decoded once for the row.
pub(super) fn cache(raster: &SourceProfile, side: usize) -> u64 {
    let rows = side.div_ceil(raster.block.height.max(1)) + 1;
    let columns = raster.size.width.div_ceil(raster.block.width.max(1));
    // Each band's block, and one for a mask, or the block that all bands share.
    let bands = raster.block.area() * (raster.dtype.bytes() * (raster.bands + 1)) as u64;
    (rows * columns) as u64 * bands.max(raster.block_bytes)
}

/// Lays tiles, after a look at how far the network looks where the user leaves that open.
pub(super) fn lay(
    job: &Job,
    card: &ModelCard,
    network: &Network,
    source: &mut dyn RasterSource,
    observer: &dyn Observer,
) -> anyhow::Result<Tiling> {
    let (side, multiple) = (side(job, card), card.input_multiple.max(1));
    let told = match job.overlap {
        OverlapChoice::Usual => Some(Overlap::Pixels(USUAL.min(side / 4))),
        OverlapChoice::Told(overlap) => Some(overlap),
        OverlapChoice::Auto => None,
    };
    match told {
        Some(overlap) => {
            let blend = job.margin.map_or(job.blend, |margin| Blend::HannBeyond { margin });
            let grid = Plan::lay_tiles(source.profile(), side, overlap, multiple)?;
            Ok(Tiling { grid, blend, reach: None })
        }
        None => {
            let tile = Plan::lay_tiles(source.profile(), side, Overlap::Pixels(0), multiple)?.tile_size();
            let reach = Reach::measure(network, tile, multiple, source, observer)?;
            let overlap = Overlap::Pixels(reach.overlap(multiple));
            let blend = match (job.blend, reach, job.margin) {
                (_, _, Some(margin)) => Blend::HannBeyond { margin },
                // Nothing that was computed without its surroundings may count.
                (Blend::Hann, Reach::Pixels(margin), None) => Blend::HannBeyond { margin },
                (blend, _, None) => blend,
            };
            let grid = Plan::lay_tiles(source.profile(), side, overlap, multiple)?;
            Ok(Tiling { grid, blend, reach: Some(reach) })
        }
    }
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
