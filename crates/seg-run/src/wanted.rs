use crate::plan::{seen_columns, seen_rows, touching};
use crate::{Error, Plan};
use ndarray::Array2;
use seg_grid::{Observer, RasterSource, Regrid, Selection, TileAxis, TileGrid, Window};
use std::ops::Range;

/// Which tiles of a grid hold a pixel that the user wants, as far as one coarse look at the raster tells.
///
/// Where a raster has more than some million tiles, neighbors count as one.
#[derive(Debug, Clone)]
pub struct WantedTiles {
    grid: TileGrid,
    /// The tiles of a side of those that count as one.
    group: usize,
    /// Wanted tiles in each of the groups; nothing where all are wanted.
    groups: Option<Sums>,
}

/// Sums of numbers over rectangles of a table, each found at once.
#[derive(Debug, Clone)]
struct Sums(
    /// Those above and to the left, (H + 1, W + 1).
    Array2<u64>,
);

/// Squares of a coarse look, and groups of tiles.
const MOST: f64 = 4e6;

/// How many of a plan's tiles hold a pixel that the user wants; the others are neither read nor computed.
///
/// Tiles that column strips share count once for each, as they are computed.
///
/// # Errors
/// If it cannot be told, or the observer cancels.
pub fn wanted_tiles(
    plan: &Plan,
    source: &mut dyn RasterSource,
    observer: &dyn Observer,
) -> Result<u64, Error> {
    let mut count = 0;
    for columns in &plan.columns {
        for row in plan.tile_rows(plan.part.rows()) {
            for column in plan.tile_columns(columns.clone()) {
                if observer.cancelled() {
                    return Err(Error::Cancelled);
                }
                let tile = plan.grid.at(column, row);
                count += u64::from(source.selection(tile.read)? != Selection::Nothing);
            }
        }
    }
    Ok(count)
}

/// The tiles that a window of a result is made of.
pub fn tiles_of(grid: &TileGrid, regrid: Option<&Regrid>, window: Window) -> u64 {
    let (columns, rows) = tiles_touching(grid, regrid, window);
    columns.len() as u64 * rows.len() as u64
}

/// The columns and rows of the tiles that a window of a result is made of.
fn tiles_touching(grid: &TileGrid, regrid: Option<&Regrid>, window: Window) -> (Range<usize>, Range<usize>) {
    let columns = touching(grid.x(), seen_columns(regrid, window.columns()));
    let rows = touching(grid.y(), seen_rows(regrid, window.rows()));
    (columns, rows)
}

impl WantedTiles {
    /// All tiles of a grid.
    pub const fn all(grid: TileGrid) -> Self {
        Self { grid, group: 1, groups: None }
    }

    /// Those of a grid over a raster: a pure function of the grid and of what of the raster is wanted.
    ///
    /// # Errors
    /// If it cannot be told.
    pub fn of(grid: TileGrid, source: &mut dyn RasterSource) -> Result<Self, Error> {
        Self::looked_at(grid, source, MOST)
    }

    /// The same with so many squares and groups of tiles.
    pub(crate) fn looked_at(grid: TileGrid, source: &mut dyn RasterSource, most: f64) -> Result<Self, Error> {
        let one_of = |width: usize, height: usize| {
            let (width, height) = (width as f64, height as f64);
            // Also of what is long and narrow there are not many more.
            (width * height / most).sqrt().max((width + height) / most).ceil().max(1.0) as usize
        };
        let side = one_of(grid.raster().width, grid.raster().height);
        let Some(squares) = source.wanted_squares(side)? else { return Ok(Self::all(grid)) };
        let squares = Sums::of(squares.dim(), |at| u64::from(squares[at])); // (H + 1, W + 1)
        let (x, y) = (grid.x(), grid.y());
        let group = one_of(x.count(), y.count());
        let groups = |axis: &TileAxis| axis.count().div_ceil(group);
        let tiles = |axis: &TileAxis, number: usize| number * group..((number + 1) * group).min(axis.count());
        let seen = |axis: &TileAxis, tiles: &Range<usize>| {
            let end = axis.end(tiles.end - 1).min(axis.length());
            axis.origin(tiles.start) / side..end.div_ceil(side)
        };
        let sums = Sums::of((groups(y), groups(x)), |(row, column)| {
            let (rows, columns) = (tiles(y, row), tiles(x, column));
            let wanted = squares.over(seen(y, &rows), seen(x, &columns)) > 0;
            if wanted { rows.len() as u64 * columns.len() as u64 } else { 0 }
        });
        Ok(Self { grid, group, groups: Some(sums) })
    }

    /// The tiles, wanted or not.
    pub(crate) const fn grid(&self) -> &TileGrid {
        &self.grid
    }

    /// The tiles that a window of a result is made of, of which the user wants something; `regrid` tells how scores get
    /// to the result where that has another grid.
    pub fn count(&self, regrid: Option<&Regrid>, window: Window) -> u64 {
        let (columns, rows) = tiles_touching(&self.grid, regrid, window);
        self.over(columns, rows)
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.over(0..self.grid.x().count(), 0..self.grid.y().count())
    }

    /// Those of each row of tiles, or of neighboring rows, that `columns` of the result are made of, with the place of
    /// its middle: 0 is the raster's upper end, 1 the lower; nothing where all are wanted.
    pub(crate) fn by_rows(&self, regrid: Option<&Regrid>, columns: Range<usize>) -> Option<Vec<(f64, u64)>> {
        let columns = touching(self.grid.x(), seen_columns(regrid, columns));
        self.along(self.grid.y(), |rows| self.over(columns.clone(), rows))
    }

    /// The same of each column: 0 is the left end.
    pub(crate) fn by_columns(&self, regrid: Option<&Regrid>, rows: Range<usize>) -> Option<Vec<(f64, u64)>> {
        let rows = touching(self.grid.y(), seen_rows(regrid, rows));
        self.along(self.grid.x(), |columns| self.over(columns, rows.clone()))
    }

    fn along(&self, axis: &TileAxis, count: impl Fn(Range<usize>) -> u64) -> Option<Vec<(f64, u64)>> {
        self.groups.as_ref()?;
        let groups = (0..axis.count()).step_by(self.group).map(|first| {
            let tiles = first..(first + self.group).min(axis.count());
            let middle = (axis.core(first).start + axis.core(tiles.end - 1).end) as f64 / 2.0;
            (middle / axis.length() as f64, count(tiles))
        });
        Some(groups.collect())
    }

    fn over(&self, columns: Range<usize>, rows: Range<usize>) -> u64 {
        match &self.groups {
            None => columns.len() as u64 * rows.len() as u64,
            Some(_) if columns.is_empty() || rows.is_empty() => 0,
            Some(sums) => {
                let groups = |tiles: Range<usize>| tiles.start / self.group..tiles.end.div_ceil(self.group);
                sums.over(groups(rows), groups(columns))
            }
        }
    }
}

impl Sums {
    fn of((height, width): (usize, usize), number: impl Fn((usize, usize)) -> u64) -> Self {
        let mut sums = Array2::zeros((height + 1, width + 1)); // (H + 1, W + 1)
        for row in 0..height {
            let mut line = 0;
            for column in 0..width {
                line += number((row, column));
                sums[[row + 1, column + 1]] = sums[[row, column + 1]] + line;
            }
        }
        Self(sums)
    }

    fn over(&self, rows: Range<usize>, columns: Range<usize>) -> u64 {
        let at = |row: usize, column: usize| self.0[[row, column]];
        at(rows.end, columns.end) + at(rows.start, columns.start)
            - at(rows.start, columns.end)
            - at(rows.end, columns.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Marked;
    use proptest::prelude::*;
    use seg_grid::{EdgePolicy, Size};

    proptest! {
        /// A coarse look finds every wanted tile, and others that are near.
        #[test]
        fn no_wanted_tile_is_overlooked(
            width in 1_usize..400, height in 1_usize..400, tile in 4_usize..64, overlap in 0_usize..40,
            place in (0_usize..400, 0_usize..400, 1_usize..90, 1_usize..90), most in 1.0..5000.0_f64,
            part in (0_usize..400, 0_usize..400, 1_usize..400, 1_usize..400),
        ) {
            let size = Size { width, height };
            let grid = TileGrid::new(size, Size::square(tile), overlap % tile, EdgePolicy::Shift).unwrap();
            let (x, y, w, h) = place;
            let mut source =
                Marked::new(size, &[Window { x: x % width, y: y % height, width: w, height: h }]);
            let (x, y, w, h) = part;
            let part = Window { x: x % width, y: y % height, width: w, height: h }.clip(size).unwrap();
            let touch = |tile: &seg_grid::Tile| tile.read.intersect(part).is_some();
            let exact = grid.iter().filter(|tile| {
                touch(tile) && source.selection(tile.read).unwrap() != Selection::Nothing
            });
            let exact = exact.count() as u64;
            let found = WantedTiles::looked_at(grid, &mut source, most).unwrap();
            prop_assert!(found.count(None, part) >= exact);
            prop_assert!(found.total() <= grid.len());
            let fine = WantedTiles::of(grid, &mut source).unwrap();
            prop_assert_eq!(fine.count(None, part), exact);
        }
    }
}
