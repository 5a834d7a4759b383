//! How far a network looks, and the overlap that follows from it.

use crate::finish::Best;
use crate::{Error, Network};
use ndarray::{Array2, Array3, Axis, s};
use seg_grid::{Observer, Patch, RasterSource, Size, Window};

/// How far around a pixel a network's answer depends on the image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reach {
    /// So many pixels in every direction, and not one more.
    Pixels(usize),
    /// The whole tile, so that no overlap makes tiles agree exactly.
    Tile {
        /// Distance from a tile's edge from which on few classes depend on the tile.
        halo: usize,
        /// Share of sampled pixels that far from the edge whose class another tile sees differently; `None` where
        /// the raster is too small to compare tiles.
        changed: Option<f64>,
    },
}

/// Share of classes that may change from tile to tile beyond the halo.
const FEW: f64 = 1e-4;
/// Pairs of tiles that are compared for it.
const PAIRS: usize = 4;
/// How much a pixel is changed, in deviations of the training's pixels.
const NUDGE: f32 = 3.0;
/// Differences below this share of the largest one are rounding.
const ROUNDING: f32 = 1e-6;

impl Reach {
    /// Measures a network in tiles of `tile` pixels, on noise and, where that does not settle it, on the raster.
    ///
    /// # Errors
    /// If the network or the raster fails, or the observer cancels.
    pub fn measure(
        network: &Network,
        tile: Size,
        multiple: usize,
        source: &mut dyn RasterSource,
        observer: &dyn Observer,
    ) -> Result<Self, Error> {
        // A reach of a quarter of the tile takes half of it as overlap, which is the most that is sensible.
        let quarter = tile.width.min(tile.height) / 4;
        if let Some(pixels) = field(network, tile, multiple)?.filter(|&pixels| pixels < quarter) {
            return Ok(Self::Pixels(pixels));
        }
        disagreement(network, tile, multiple, source, observer)
    }

    /// The overlap of tiles that serves it: twice the halo, and a ramp of at least two pixels.
    pub fn overlap(self, multiple: usize) -> usize {
        let (Self::Pixels(halo) | Self::Tile { halo, .. }) = self;
        (2 * halo + 2).next_multiple_of(multiple.max(1))
    }
}

/// The receptive field: changes single pixels and looks how far the scores change; `None` if up to the tile's edge.
fn field(network: &Network, tile: Size, multiple: usize) -> Result<Option<usize>, Error> {
    let Size { width, height } = tile;
    let mut farthest = 0;
    for seed in [1, 2] {
        let image = noise(network.bands(), tile, seed);
        let before = network.scores(&image)?;
        // Where a pixel lies within the network's stride makes a difference.
        for shift in [0, multiple / 2, multiple.saturating_sub(1)] {
            let (x, y) = ((width / 2 + shift).min(width - 1), (height / 2 + shift).min(height - 1));
            let mut nudged = image.clone();
            nudged.slice_mut(s![.., y, x]).mapv_inplace(|v| v + NUDGE);
            let after = network.scores(&nudged)?;
            let change = (after - &before).mapv(f32::abs).fold_axis(Axis(0), 0.0_f32, |a, b| a.max(*b)); // (H, W)
            let level = change.iter().copied().fold(0.0_f32, f32::max);
            let size = before.iter().fold(0.0_f32, |a, b| a.max(b.abs()));
            let floor = (ROUNDING * level).max(4.0 * f32::EPSILON * size);
            for ((row, column), _) in change.indexed_iter().filter(|(_, change)| **change > floor) {
                if row == 0 || column == 0 || row + 1 == height || column + 1 == width {
                    return Ok(None);
                }
                farthest = farthest.max(row.abs_diff(y)).max(column.abs_diff(x));
            }
        }
    }
    Ok(Some(farthest))
}

/// Compares classes of tiles that overlap by half, and finds how far from a tile's edge they agree.
fn disagreement(
    network: &Network,
    tile: Size,
    multiple: usize,
    source: &mut dyn RasterSource,
    observer: &dyn Observer,
) -> Result<Reach, Error> {
    let quarter = tile.width.min(tile.height) / 4;
    let halo = (quarter.saturating_sub(1) / multiple * multiple).max(1);
    let raster = source.profile().size;
    let step = tile.width / 2 / multiple * multiple;
    if step == 0 || raster.width < tile.width + step || raster.height < tile.height {
        return Ok(Reach::Tile { halo, changed: None });
    }
    // By distance from the first tile's right edge: pixels compared and pixels that differ.
    let (mut compared, mut differ) = (vec![0_u64; step], vec![0_u64; step]);
    for pair in 0..PAIRS {
        if observer.cancelled() {
            return Err(Error::Cancelled);
        }
        let place = |room: usize| room * (2 * pair + 1) / (2 * PAIRS) / multiple * multiple;
        let first = Window {
            x: place(raster.width - tile.width - step),
            y: place(raster.height - tile.height),
            width: tile.width,
            height: tile.height,
        };
        let second = Window { x: first.x + step, ..first };
        let (Some(a), Some(b)) = (source.read(first)?, source.read(second)?) else { continue };
        let valid = a.valid.clone();
        let (a, b) = (classes(network, a)?, classes(network, b)?); // (H, W)
        // The second tile's left part, near its own edge, is what the first tile is not compared with.
        for distance in 0..tile.width - step {
            if distance >= step || tile.width - step - 1 - distance < halo {
                continue;
            }
            let (x, there) = (tile.width - 1 - distance, tile.width - 1 - distance - step);
            for y in (0..tile.height).filter(|&y| valid[[y, x]]) {
                compared[distance] += 1;
                differ[distance] += u64::from(a[[y, x]] != b[[y, there]]);
            }
        }
    }
    let beyond = |halo: usize| {
        let (all, other): (u64, u64) = (compared[halo..].iter().sum(), differ[halo..].iter().sum());
        (all > 0).then(|| other as f64 / all as f64)
    };
    let small = (0..=halo).find(|&halo| beyond(halo).is_some_and(|share| share < FEW));
    let halo = small.map_or(halo, |small| small.next_multiple_of(multiple).min(halo));
    Ok(Reach::Tile { halo, changed: beyond(halo) })
}

fn classes(network: &Network, mut patch: Patch) -> Result<Array2<u8>, Error> {
    network.normalize(&mut patch);
    let scores = network.one(&patch)?; // (K, H, W)
    Ok(Best::of(&scores.view()).index) // (K, H, W) -> (H, W)
}

/// Noise from -1 to 1, the same for the same seed.
fn noise(bands: usize, size: Size, seed: u64) -> Array3<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Array3::from_shape_fn((bands, size.height, size.width), |_| {
        // SplitMix64 (Steele, Lea and Flood 2014, doi:10.1145/2714064.2660195).
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1_u32 << 23) as f32 - 1.0
    })
}

#[cfg(test)]
mod tests;
