use crate::plan::{seen_columns, seen_rows, touching};
use crate::strip_rows::STRIP_ROWS;
use seg_grid::{Regrid, Size, SourceProfile, TileGrid, Window};
use std::cmp::Reverse;
use std::ops::Range;

/// Where a raster can be cut: both sides of a cut through a block decode it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cuts {
    /// Anywhere: its blocks are narrow.
    Anywhere,
    /// Between rows only: its blocks span it.
    BetweenRows,
}

impl Cuts {
    /// Of a raster that is read.
    pub const fn through(raster: &SourceProfile) -> Self {
        if raster.block.width * 2 > raster.size.width { Self::BetweenRows } else { Self::Anywhere }
    }
}

/// Cuts a result into `count` windows that machines can compute apart, with few tiles computed twice.
///
/// A tile that touches two windows is computed for both, so windows are as square as they can be. They begin with
/// multiples of the strips' rows and columns, and depend on nothing but the tiles, where cuts can be and `count`, so
/// that every machine cuts alike. Where there are fewer blocks than windows, the last ones are
/// empty. `regrid` tells how scores get to the result where that has another grid.
///
/// ```
/// use seg_grid::{EdgePolicy, Size, TileGrid};
/// let size = Size::square(8192);
/// let grid = TileGrid::new(size, Size::square(512), 128, EdgePolicy::Shift)?;
/// let windows = seg_run::shards(&grid, None, size, seg_run::Cuts::Anywhere, 8);
/// assert_eq!(windows.iter().map(|window| window.area()).sum::<u64>(), size.area());
/// # Ok::<(), seg_grid::Error>(())
/// ```
pub fn shards(
    grid: &TileGrid,
    regrid: Option<&Regrid>,
    result: Size,
    cuts: Cuts,
    count: usize,
) -> Vec<Window> {
    let tiles = |window: &Window| tiles_of(grid, regrid, *window);
    let cost = |windows: &[Window]| {
        // All that is computed, and what the last one waits for.
        windows.iter().map(tiles).sum::<u64>() + windows.iter().map(tiles).max().unwrap_or(0)
    };
    let most = count.min(result.height.div_ceil(STRIP_ROWS)).max(1);
    let least = if cuts == Cuts::BetweenRows { most } else { 1 };
    let ways = (least..=most).rev().map(|bands| in_bands(result, count, bands));
    // No machine waits while another has two blocks.
    let mut best = ways.min_by_key(|way| (Reverse(way.len()), cost(way))).unwrap_or_default();
    best.resize(count, Window { x: 0, y: 0, width: 0, height: 0 });
    best
}

/// The tiles that a window of a result is made of.
pub fn tiles_of(grid: &TileGrid, regrid: Option<&Regrid>, window: Window) -> u64 {
    let columns = touching(grid.x(), seen_columns(regrid, window.columns()));
    let rows = touching(grid.y(), seen_rows(regrid, window.rows()));
    columns.len() as u64 * rows.len() as u64
}

/// Cuts into so many bands of rows, and those into columns, `count` windows together or fewer.
fn in_bands(result: Size, count: usize, bands: usize) -> Vec<Window> {
    let first_of = |band: usize| count * band / bands;
    let rows = cut(result.height, (0..=bands).map(first_of));
    let mut windows = Vec::with_capacity(count);
    for (band, rows) in rows.into_iter().enumerate() {
        let across = (first_of(band + 1) - first_of(band)).min(result.width.div_ceil(STRIP_ROWS));
        for columns in cut(result.width, 0..=across) {
            let (x, y) = (columns.start, rows.start);
            windows.push(Window { x, y, width: columns.len(), height: rows.len() });
        }
    }
    windows
}

/// Cuts a side into parts of whole strips: `shares` has the first share of each part, and the number of all.
///
/// No part is empty, as long as there are no more parts than strips.
fn cut(side: usize, shares: impl Iterator<Item = usize>) -> Vec<Range<usize>> {
    let strips = side.div_ceil(STRIP_ROWS);
    let shares: Vec<usize> = shares.collect();
    let (parts, all) = (shares.len().saturating_sub(1), shares.last().copied().unwrap_or(0).max(1));
    let mut start = 0;
    let part = |(number, share): (usize, &usize)| {
        let nearest = (strips * share + all / 2) / all;
        // Those that come after want a strip each.
        let end = nearest.min(strips - (parts - number)).max(start + 1);
        let part = start * STRIP_ROWS..(end * STRIP_ROWS).min(side);
        start = end;
        part
    };
    shares.iter().enumerate().skip(1).map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Overlap, Plan, Strips};
    use proptest::prelude::*;
    use seg_grid::{EdgePolicy, MemoryRaster, RasterSource as _, SourceProfile};

    fn profile(size: Size) -> SourceProfile {
        let raster = MemoryRaster::new(ndarray::Array3::zeros((3, 1, 1)));
        SourceProfile { size, ..raster.profile().clone() }
    }

    fn usual(size: Size) -> TileGrid {
        Plan::lay_tiles(&profile(size), 512, Overlap::Pixels(128), 32).unwrap()
    }

    fn tiles(grid: &TileGrid, windows: &[Window]) -> Vec<u64> {
        windows.iter().map(|window| tiles_of(grid, None, *window)).collect()
    }

    #[test]
    fn few_tiles_are_computed_twice_and_no_window_has_most_of_them() {
        for (side, count, most) in [(8192, 8, 1.2), (16384, 8, 1.1), (16384, 7, 1.12), (40960, 64, 1.15)] {
            let size = Size::square(side);
            let grid = usual(size);
            let tiles = tiles(&grid, &shards(&grid, None, size, Cuts::Anywhere, count));
            let (sum, largest) = (tiles.iter().sum::<u64>(), *tiles.iter().max().unwrap());
            let repeated = sum as f64 / grid.len() as f64;
            assert!(repeated <= most, "{side} in {count}: {repeated}");
            assert!(largest as f64 <= 1.3 * sum as f64 / count as f64, "{side} in {count}: {tiles:?}");
        }
    }

    #[test]
    fn blocks_that_span_the_raster_are_not_cut_through() {
        let size = Size::square(9000);
        let rows = SourceProfile { block: Size { width: 9000, height: 1 }, ..profile(size) };
        assert_eq!(Cuts::through(&profile(size)), Cuts::Anywhere);
        let windows = shards(&usual(size), None, size, Cuts::through(&rows), 6);
        assert!(windows.iter().all(|window| window.width == 9000));
        assert_eq!(windows.len(), 6);
    }

    proptest! {
        #[test]
        fn windows_cover_every_result_once(
            width in 1_usize..9000,
            height in 1_usize..9000,
            count in 1_usize..40,
            magnification in prop::option::of(0.3..3.0),
            spans in any::<bool>(),
        ) {
            let result = Size { width, height };
            let seen = |side: usize, m: f64| ((side as f64 / m).ceil() as usize).max(1);
            let regrid = magnification.map(|m| {
                Regrid::new(Size { width: seen(width, m), height: seen(height, m) }, result, 1.0 / m, 1.0 / m)
            });
            let size = regrid.map_or(result, |_| {
                let m = magnification.unwrap_or(1.0);
                Size { width: seen(width, m), height: seen(height, m) }
            });
            let grid = TileGrid::new(size, Size::square(64), 16, EdgePolicy::Fit { multiple: 1 }).unwrap();
            let cuts = if spans { Cuts::BetweenRows } else { Cuts::Anywhere };
            let windows = shards(&grid, regrid.as_ref(), result, cuts, count);
            prop_assert_eq!(windows.len(), count);
            let pieces = windows.iter().map(|&window| crate::Piece {
                folder: std::path::PathBuf::new(),
                window,
                columns: vec![window.columns()],
            });
            prop_assert!(Strips::of_parts(result, pieces.collect()).is_ok());
            let area: u64 = windows.iter().map(|window| window.area()).sum();
            prop_assert_eq!(area, result.area());
        }
    }
}
