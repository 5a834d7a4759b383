use ndarray::ArrayView2;
use seg_grid::{TileGrid, Window};
use seg_run::NODATA;
use std::collections::BTreeMap;

/// How many tiles of a grid have data.
///
/// Counted on the class raster, so that it is the same however the raster was cut into strips or resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tiles {
    /// Tiles with a class somewhere.
    pub computed: u64,
    /// Tiles without.
    pub skipped: u64,
}

/// Finds tiles without data while the class raster goes by, a row of blocks after the other.
pub(crate) struct TileTally<'a> {
    grid: &'a TileGrid,
    /// Rows of tiles that later blocks may touch; whether each tile has data.
    open: BTreeMap<usize, Vec<bool>>,
    tiles: Tiles,
}

impl<'a> TileTally<'a> {
    pub(crate) fn new(grid: &'a TileGrid) -> Self {
        Self { grid, open: BTreeMap::new(), tiles: Tiles::default() }
    }

    /// Adds a window's ids (H, W); windows come top to bottom.
    pub(crate) fn add(&mut self, window: Window, ids: &ArrayView2<'_, u8>) {
        let (x, y) = (self.grid.x(), self.grid.y());
        let rows = y.touching(window.y..window.bottom());
        let still_open = self.open.split_off(&rows.start);
        let closed = std::mem::replace(&mut self.open, still_open);
        for row in closed.into_values() {
            self.close(&row);
        }
        for row in rows {
            let tiles = self.open.entry(row).or_insert_with(|| vec![false; x.count()]);
            for column in x.touching(window.x..window.right()) {
                if tiles[column] {
                    continue;
                }
                let shared = self.grid.at(column, row).read.intersect(window);
                tiles[column] = shared.is_some_and(|shared| {
                    let (rows, columns) = shared.relative_to(window).ranges();
                    ids.slice(ndarray::s![rows, columns]).iter().any(|&id| id != NODATA)
                });
            }
        }
    }

    /// The counts, once all windows were added.
    pub(crate) fn finish(mut self) -> Tiles {
        let rest = std::mem::take(&mut self.open);
        for row in rest.into_values() {
            self.close(&row);
        }
        self.tiles
    }

    fn close(&mut self, row: &[bool]) {
        let computed = row.iter().filter(|&&has_data| has_data).count() as u64;
        self.tiles.computed += computed;
        self.tiles.skipped += row.len() as u64 - computed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, s};
    use seg_grid::{EdgePolicy, Size};

    #[test]
    fn a_tile_has_data_where_any_of_its_pixels_has_whatever_block_it_comes_in() {
        let size = Size { width: 25, height: 31 };
        let grid = TileGrid::new(size, Size::square(8), 2, EdgePolicy::Fit { multiple: 2 }).unwrap();
        let mut ids = Array2::from_elem((31, 25), NODATA);
        ids[[7, 7]] = 3;
        ids[[30, 24]] = 0;
        let has_data = |window: Window| {
            let (rows, columns) = window.clip(size).unwrap().ranges();
            ids.slice(s![rows, columns]).iter().any(|&id| id != NODATA)
        };
        let computed = grid.iter().filter(|tile| has_data(tile.read)).count() as u64;
        assert_eq!(computed, 5, "four around (7, 7), and the last");
        for block in [1, 4, 16, 64] {
            let mut tally = TileTally::new(&grid);
            for y in (0..31).step_by(block) {
                for x in (0..25).step_by(block) {
                    let window = Window { x, y, width: block, height: block }.clip(size).unwrap();
                    let (rows, columns) = window.ranges();
                    tally.add(window, &ids.slice(s![rows, columns]));
                }
            }
            assert_eq!(tally.finish(), Tiles { computed, skipped: grid.len() - computed }, "{block}");
        }
    }
}
