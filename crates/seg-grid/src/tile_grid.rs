use crate::{Error, Size, TileAxis, Window};
use serde::{Deserialize, Serialize};

/// What happens where tiles of one size do not divide a raster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EdgePolicy {
    /// The last row and column shift inward to end with the raster (mmseg's `slide_inference` and
    /// BEMSeg's reference do this); a raster smaller than a tile gives one padded tile.
    Shift,
    /// Tiles stay on the stride, and those at the right and bottom are padded.
    Pad,
    /// For networks: like `Shift`, but every origin is a multiple of the network's output stride, so
    /// the last tile can need up to `multiple - 1` pixels of padding; a raster smaller than a tile
    /// shrinks the tile to its own size, rounded up to the multiple.
    Fit {
        /// The network's output stride in pixels.
        multiple: usize,
    },
}

/// One tile: the unit of processing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tile {
    /// Position in row-major order.
    pub index: u64,
    /// Tile column.
    pub column: usize,
    /// Tile row.
    pub row: usize,
    /// The pixels it reads, halo included; can reach beyond the right and bottom edge (padding).
    pub read: Window,
    /// The pixels it owns; cores partition the raster, and read minus core is the halo.
    pub core: Window,
}

/// The tiles that cover a raster, in row-major order.
///
/// ```
/// use seg_grid::{EdgePolicy, Size, TileGrid};
/// let potsdam = TileGrid::new(Size::square(6000), Size::square(512), 0, EdgePolicy::Shift)?;
/// assert_eq!(potsdam.len(), 144);
/// assert_eq!(potsdam.tile(143).read.right(), 6000);
/// # Ok::<(), seg_grid::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TileGrid {
    raster: Size,
    x: TileAxis,
    y: TileAxis,
}

impl TileGrid {
    /// Tiles of `tile` pixels that overlap by at least `overlap` pixels.
    ///
    /// # Errors
    /// If a side is zero, the overlap leaves no step, or (`EdgePolicy::Fit`) the tile is no multiple.
    pub fn new(raster: Size, tile: Size, overlap: usize, edge: EdgePolicy) -> Result<Self, Error> {
        if raster.is_empty() || tile.is_empty() {
            return Err(Error::EmptySide { raster, tile });
        }
        Ok(Self {
            raster,
            x: axis(raster.width, tile.width, overlap, edge)?,
            y: axis(raster.height, tile.height, overlap, edge)?,
        })
    }

    /// The raster that is covered.
    pub const fn raster(&self) -> Size {
        self.raster
    }

    /// The tile's size; smaller than asked for where the raster is (`EdgePolicy::Fit`).
    pub const fn tile_size(&self) -> Size {
        Size { width: self.x.tile(), height: self.y.tile() }
    }

    /// Tile columns.
    pub const fn x(&self) -> &TileAxis {
        &self.x
    }

    /// Tile rows.
    pub const fn y(&self) -> &TileAxis {
        &self.y
    }

    /// The number of tiles.
    pub const fn len(&self) -> u64 {
        self.x.count() as u64 * self.y.count() as u64
    }

    /// Never true: a grid has at least one tile.
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// The tile at a tile column and row.
    pub fn at(&self, column: usize, row: usize) -> Tile {
        let (cx, cy) = (self.x.core(column), self.y.core(row));
        Tile {
            index: row as u64 * self.x.count() as u64 + column as u64,
            column,
            row,
            read: Window {
                x: self.x.origin(column),
                y: self.y.origin(row),
                width: self.x.tile(),
                height: self.y.tile(),
            },
            core: Window { x: cx.start, y: cy.start, width: cx.len(), height: cy.len() },
        }
    }

    /// The tile of an index.
    pub fn tile(&self, index: u64) -> Tile {
        let columns = self.x.count() as u64;
        self.at((index % columns) as usize, (index / columns) as usize)
    }

    /// All tiles in row-major order.
    pub fn iter(&self) -> impl Iterator<Item = Tile> + '_ {
        (0..self.len()).map(|index| self.tile(index))
    }
}

fn axis(length: usize, tile: usize, overlap: usize, edge: EdgePolicy) -> Result<TileAxis, Error> {
    if overlap >= tile {
        return Err(Error::OverlapTooLarge { overlap, tile });
    }
    let stride = tile - overlap;
    match edge {
        EdgePolicy::Shift => Ok(TileAxis::new(length, tile, stride, length.saturating_sub(tile))),
        EdgePolicy::Pad => {
            let steps = length.saturating_sub(tile).div_ceil(stride);
            Ok(TileAxis::new(length, tile, stride, steps * stride))
        }
        EdgePolicy::Fit { multiple } => {
            if multiple == 0 || !tile.is_multiple_of(multiple) {
                return Err(Error::NotAMultiple { tile, multiple });
            }
            let tile = tile.min(length.next_multiple_of(multiple));
            // Rounding the stride down keeps origins on the multiple and only adds overlap.
            let stride = (stride - stride % multiple).max(multiple);
            let last = length.saturating_sub(tile).next_multiple_of(multiple);
            Ok(TileAxis::new(length, tile, stride, last))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, s};
    use proptest::prelude::*;

    fn policies() -> impl Strategy<Value = EdgePolicy> {
        prop_oneof![
            Just(EdgePolicy::Shift),
            Just(EdgePolicy::Pad),
            (1_usize..5).prop_map(|multiple| EdgePolicy::Fit { multiple }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(600))]

        /// Every pixel of any W x H from 1 x 1 to 3 tiles + 1 is read, and owned exactly once,
        /// for every overlap and stride (torchgeo's bug of four issues).
        #[test]
        fn every_pixel_is_covered_and_owned_once(
            tile in 1_usize..24, overlap in 0_usize..24, w in 1_usize..74, h in 1_usize..74, edge in policies(),
        ) {
            let tile = match edge { EdgePolicy::Fit { multiple } => tile.next_multiple_of(multiple), _ => tile };
            let overlap = overlap % tile;
            let raster = Size { width: w.min(3 * tile + 1), height: h.min(3 * tile + 1) };
            let grid = TileGrid::new(raster, Size::square(tile), overlap, edge).expect("valid layout");
            let mut read = Array2::<u32>::zeros((raster.height, raster.width));
            let mut owned = read.clone();
            for t in grid.iter() {
                let seen = t.read.clip(raster).expect("a tile touches the raster");
                read.slice_mut(s![seen.y..seen.bottom(), seen.x..seen.right()]).mapv_inplace(|n| n + 1);
                prop_assert!(t.read.contains(t.core));
                owned.slice_mut(s![t.core.y..t.core.bottom(), t.core.x..t.core.right()]).mapv_inplace(|n| n + 1);
                if let EdgePolicy::Fit { multiple } = edge {
                    prop_assert!(t.read.x % multiple == 0 && t.read.y % multiple == 0);
                }
                if edge == EdgePolicy::Shift && raster.width >= tile {
                    prop_assert!(t.read.right() <= raster.width);
                }
            }
            prop_assert!(read.iter().all(|&n| n > 0));
            prop_assert!(owned.iter().all(|&n| n == 1));
        }

        #[test]
        fn neighbors_overlap_by_at_least_what_was_asked(
            tile in 2_usize..40, overlap in 0_usize..40, length in 1_usize..200, edge in policies(),
        ) {
            let tile = match edge { EdgePolicy::Fit { multiple } => tile.next_multiple_of(multiple), _ => tile };
            let overlap = overlap % tile;
            let grid = TileGrid::new(Size::square(length), Size::square(tile), overlap, edge).expect("valid");
            for i in 1..grid.x().count() {
                prop_assert!(grid.x().origin(i) > grid.x().origin(i - 1));
                let fit_rounding = matches!(edge, EdgePolicy::Fit { multiple } if tile - overlap < multiple);
                prop_assert!(fit_rounding || grid.x().end(i - 1) - grid.x().origin(i) >= overlap);
            }
        }

        #[test]
        fn touching_finds_exactly_the_tiles_that_touch(
            tile in 1_usize..20, overlap in 0_usize..19, length in 1_usize..100, from in 0_usize..100, n in 1_usize..40,
            edge in policies(),
        ) {
            let tile = match edge { EdgePolicy::Fit { multiple } => tile.next_multiple_of(multiple), _ => tile };
            let (overlap, from) = (overlap % tile, from % length);
            let grid = TileGrid::new(Size::square(length), Size::square(tile), overlap, edge).expect("valid");
            let pixels = from..(from + n).min(length);
            let expected: Vec<usize> = (0..grid.x().count())
                .filter(|&i| grid.x().origin(i) < pixels.end && grid.x().end(i) > pixels.start)
                .collect();
            prop_assert_eq!(grid.x().touching(pixels).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn small_rasters_shrink_the_tile_to_the_network_s_multiple() {
        let grid = TileGrid::new(
            Size { width: 300, height: 2000 },
            Size::square(512),
            128,
            EdgePolicy::Fit { multiple: 32 },
        )
        .expect("valid");
        assert_eq!(grid.tile_size(), Size { width: 320, height: 512 });
        assert_eq!(grid.x().count(), 1);
    }

    #[test]
    fn an_overlap_of_a_whole_tile_is_refused() {
        let error =
            TileGrid::new(Size::square(100), Size::square(10), 10, EdgePolicy::Shift).expect_err("no step");
        assert_eq!(error, Error::OverlapTooLarge { overlap: 10, tile: 10 });
    }

    #[test]
    fn the_paper_s_patch_counts() {
        let count = |w, h| {
            TileGrid::new(Size { width: w, height: h }, Size::square(512), 0, EdgePolicy::Shift)
                .expect("valid")
                .len()
        };
        assert_eq!(24 * count(6000, 6000), 3456);
        assert_eq!(14 * count(6000, 6000), 2016);
    }
}
