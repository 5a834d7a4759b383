use crate::{Blend, Error, Tile, TileGrid, Window};
use ndarray::{Array3, ArrayView3, Zip, s};
use std::ops::Range;

/// A window whose scores will not change any more.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    /// Where it lies on the raster; empty (width 0) outside of the strip's columns.
    pub window: Window,
    /// Blended scores, (C, H, W).
    pub scores: Array3<f32>,
}

/// Adds up the weighted scores of overlapping tiles and hands back what is final.
///
/// Tiles come in index order. Memory is one tile plus `classes x overlap x width` floats: rows that the
/// next row of tiles does not touch are handed back at once, only the overlap is carried on. Every pixel's
/// sum is formed in tile order, whatever part of the raster is stitched, so results are equal to the bit.
#[derive(Debug)]
pub struct Stitcher {
    grid: TileGrid,
    blend: Blend,
    classes: usize,
    /// Pixel columns that are handed back.
    pixels: Range<usize>,
    /// Tile columns that touch them.
    columns: Range<usize>,
    /// Tile column and row due next.
    next: (usize, usize),
    first_row: usize,
    /// Sums of the rows that reach into the next row of tiles, (C, overlap, W).
    carry: Array3<f32>,
    /// Sums under the current tile, (C, tile, tile).
    active: Array3<f32>,
    row_weights: Vec<f32>,
}

impl Stitcher {
    /// For a whole raster.
    pub fn new(grid: &TileGrid, blend: Blend, classes: usize) -> Self {
        Self::for_strip(grid, blend, classes, 0..grid.raster().width, 0)
    }

    /// For the pixel columns `pixels` only, beginning with tile row `first_row`.
    ///
    /// The tiles to push are, row by row, those of [`Stitcher::columns`]. Rows that tile rows before
    /// `first_row` reach into are handed back incomplete: the caller does not use them.
    pub fn for_strip(
        grid: &TileGrid,
        blend: Blend,
        classes: usize,
        pixels: Range<usize>,
        first_row: usize,
    ) -> Self {
        let columns = grid.x().touching(pixels.clone());
        let width = columns.last_end(grid) - columns.first_origin(grid);
        let tile = grid.tile_size();
        Self {
            grid: *grid,
            blend,
            classes,
            next: (columns.start, first_row),
            first_row,
            carry: Array3::zeros((classes, carried_rows(grid), width)),
            active: Array3::zeros((classes, tile.height, tile.width)),
            row_weights: Vec::new(),
            pixels,
            columns,
        }
    }

    /// The tile columns to push in every tile row.
    pub fn columns(&self) -> Range<usize> {
        self.columns.clone()
    }

    /// Bytes of sums that stitching `pixels` columns keeps in memory.
    pub fn bytes(grid: &TileGrid, classes: usize, pixels: Range<usize>) -> u64 {
        let columns = grid.x().touching(pixels);
        let width = columns.last_end(grid) - columns.first_origin(grid);
        let carried = carried_rows(grid) as u64 * width as u64;
        4 * classes as u64 * (carried + 2 * grid.tile_size().area())
    }

    /// Adds a tile's scores (C, H, W), or nothing for a tile without a valid pixel, and returns what became final.
    ///
    /// # Errors
    /// If the tile is not the one that is due, or the scores do not fit it.
    pub fn push(&mut self, tile: &Tile, scores: Option<ArrayView3<'_, f32>>) -> Result<Finished, Error> {
        let due = self.grid.at(self.next.0, self.next.1);
        if due.index != tile.index {
            return Err(Error::OutOfOrder { expected: due.index, got: tile.index });
        }
        if let Some(scores) = &scores
            && scores.dim() != (self.classes, tile.read.height, tile.read.width)
        {
            return Err(Error::ScoreShape {
                got: scores.shape().to_vec(),
                classes: self.classes,
                read: tile.read,
            });
        }
        self.load(tile);
        if let Some(scores) = scores {
            self.add(tile, &scores);
        }
        let finished = self.hand_back(tile);
        self.advance(tile);
        Ok(finished)
    }

    /// Fills the part of `active` that the tile is the first of its row to touch.
    fn load(&mut self, tile: &Tile) {
        let first = tile.column == self.columns.start;
        if first {
            self.row_weights = self.blend.axis_weights(self.grid.y(), tile.row);
        }
        let fresh = if first { 0 } else { self.grid.x().end(tile.column - 1) - tile.read.x };
        let offset = tile.read.x - self.columns.first_origin(&self.grid);
        let Window { y, width, .. } = tile.read;
        self.active.slice_mut(s![.., .., fresh..]).fill(0.0);
        if tile.row > self.first_row {
            let carried = self.grid.y().start(tile.row) - y..self.grid.y().end(tile.row - 1) - y;
            let count = carried.len();
            self.active.slice_mut(s![.., carried, fresh..]).assign(&self.carry.slice(s![
                ..,
                ..count,
                offset + fresh..offset + width
            ]));
        }
    }

    fn add(&mut self, tile: &Tile, scores: &ArrayView3<'_, f32>) {
        let across = self.blend.axis_weights(self.grid.x(), tile.column);
        for (mut sums, scores) in self.active.outer_iter_mut().zip(scores.outer_iter()) {
            for ((mut sums, scores), &down) in
                sums.outer_iter_mut().zip(scores.outer_iter()).zip(&self.row_weights)
            {
                Zip::from(&mut sums)
                    .and(&scores)
                    .and(&across[..])
                    .for_each(|sum, &score, &weight| *sum += down * weight * score);
            }
        }
    }

    /// Hands back the columns and rows that no later tile counts in, and carries on those that the next row will.
    fn hand_back(&mut self, tile: &Tile) -> Finished {
        let (x, y) = (self.grid.x(), self.grid.y());
        let end_x =
            if tile.column + 1 == self.columns.end { tile.read.right() } else { x.start(tile.column + 1) };
        let last_row = tile.row + 1 == y.count();
        let end_y = if last_row { tile.read.bottom() } else { y.start(tile.row + 1) };
        if !last_row {
            let offset = tile.read.x - self.columns.first_origin(&self.grid);
            let (width, from) = (end_x - tile.read.x, end_y - tile.read.y);
            let kept = tile.read.height - from;
            self.carry.slice_mut(s![.., ..kept, offset..offset + width]).assign(&self.active.slice(s![
                ..,
                from..,
                ..width
            ]));
        }
        let (left, top) = (x.start(tile.column).max(self.pixels.start), y.start(tile.row));
        let (right, bottom) = (end_x.min(self.pixels.end), end_y.min(self.grid.raster().height));
        let (width, height) = (right.saturating_sub(left), bottom.saturating_sub(top));
        let window = Window { x: left, y: top, width, height };
        let (rows, columns) = window.relative_to(tile.read).ranges();
        Finished { scores: self.active.slice(s![.., rows, columns]).to_owned(), window }
    }

    /// Slides `active` to the next tile.
    fn advance(&mut self, tile: &Tile) {
        if tile.column + 1 < self.columns.end {
            let step = self.grid.x().origin(tile.column + 1) - tile.read.x;
            let width = tile.read.width;
            if step < width {
                for mut plane in self.active.outer_iter_mut() {
                    for mut row in plane.outer_iter_mut() {
                        if let Some(row) = row.as_slice_mut() {
                            row.copy_within(step..width, 0);
                        }
                    }
                }
            }
            self.next = (tile.column + 1, tile.row);
        } else {
            self.next = (self.columns.start, tile.row + 1);
            if self.next.1 == self.grid.y().count() {
                // Nothing is due any more: an index that no tile has makes a further push an error.
                self.next = (0, self.grid.y().count() - 1);
            }
        }
    }
}

/// Where a range of tile columns begins and ends in pixels.
trait TileColumns {
    fn first_origin(&self, grid: &TileGrid) -> usize;
    fn last_end(&self, grid: &TileGrid) -> usize;
}

impl TileColumns for Range<usize> {
    fn first_origin(&self, grid: &TileGrid) -> usize {
        grid.x().origin(self.start)
    }

    fn last_end(&self, grid: &TileGrid) -> usize {
        grid.x().end(self.end - 1)
    }
}

/// Rows that a row of tiles shares with the next one.
fn carried_rows(grid: &TileGrid) -> usize {
    let y = grid.y();
    if y.count() == 1 { 0 } else { y.end(0) - y.start(1) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EdgePolicy, Size};
    use proptest::prelude::*;

    const BLENDS: [Blend; 6] = [
        Blend::Hann,
        Blend::HannBeyond { margin: 1 },
        Blend::Gaussian { sigma: 0.2 },
        Blend::Average,
        Blend::Crop,
        Blend::None,
    ];

    /// A score that depends on the place and, a little, on the tile it is seen from.
    fn scores(tile: &Tile, seen_from: f32) -> Array3<f32> {
        Array3::from_shape_fn((2, tile.read.height, tile.read.width), |(c, y, x)| {
            ((tile.read.x + x) * 7 + (tile.read.y + y) * 13 + c) as f32 + seen_from * (tile.index % 5) as f32
        })
    }

    fn stitch(
        grid: &TileGrid,
        blend: Blend,
        pixels: Range<usize>,
        first_row: usize,
        seen_from: f32,
    ) -> Array3<f32> {
        let size = grid.raster();
        let mut out = Array3::from_elem((2, size.height, size.width), f32::NAN);
        let mut stitcher = Stitcher::for_strip(grid, blend, 2, pixels, first_row);
        for row in first_row..grid.y().count() {
            for column in stitcher.columns() {
                let tile = grid.at(column, row);
                let done = stitcher.push(&tile, Some(scores(&tile, seen_from).view())).expect("in order");
                let (rows, columns) = done.window.ranges();
                out.slice_mut(s![.., rows, columns]).assign(&done.scores);
            }
        }
        out
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// Tiles that agree where they overlap give back the raster itself, for every grid and blend.
        #[test]
        fn stitching_the_identity_returns_the_input(
            tile in 1_usize..14, overlap in 0_usize..13, w in 1_usize..44, h in 1_usize..44, multiple in 1_usize..4,
        ) {
            let tile = tile.next_multiple_of(multiple);
            let overlap = overlap % tile;
            let raster = Size { width: w, height: h };
            let grid = TileGrid::new(raster, Size::square(tile), overlap, EdgePolicy::Fit { multiple }).expect("valid");
            for blend in BLENDS {
                let out = stitch(&grid, blend, 0..w, 0, 0.0);
                for ((c, y, x), &v) in out.indexed_iter() {
                    let expected = (x * 7 + y * 13 + c) as f32;
                    prop_assert!((v - expected).abs() <= expected * 1e-5, "{blend:?} at {x}, {y}: {v} for {expected}");
                }
            }
        }

        /// Any column strip and any later start give the same bits as the whole raster.
        #[test]
        fn a_part_equals_the_whole_to_the_bit(
            tile in 2_usize..14, overlap in 0_usize..13, w in 1_usize..44, h in 1_usize..44,
            from in 0_usize..44, n in 1_usize..30, start in 0_usize..10,
        ) {
            let (overlap, from) = (overlap % tile, from % w);
            let raster = Size { width: w, height: h };
            let grid = TileGrid::new(raster, Size::square(tile), overlap, EdgePolicy::Shift).expect("valid");
            let (pixels, start) = (from..(from + n).min(w), start.min(grid.y().count() - 1));
            let whole = stitch(&grid, Blend::Hann, 0..w, 0, 0.1);
            let part = stitch(&grid, Blend::Hann, pixels.clone(), start, 0.1);
            // Rows that the tile row before the start reaches into are incomplete.
            let clean = if start == 0 { 0 } else { grid.y().end(start - 1).min(h) };
            for y in clean..h {
                for x in 0..w {
                    let (a, b) = (whole[[0, y, x]], part[[0, y, x]]);
                    let as_due = if pixels.contains(&x) { a.to_bits() == b.to_bits() } else { b.is_nan() };
                    prop_assert!(as_due, "{} for {} at {}, {}", b, a, x, y);
                }
            }
        }
    }

    #[test]
    fn a_skipped_tile_adds_nothing_and_order_is_kept() {
        let grid = TileGrid::new(Size::square(20), Size::square(8), 2, EdgePolicy::Shift).expect("valid");
        let mut stitcher = Stitcher::new(&grid, Blend::Hann, 2);
        let second = grid.tile(1);
        assert_eq!(stitcher.push(&second, None), Err(Error::OutOfOrder { expected: 0, got: 1 }));
        let done = stitcher.push(&grid.tile(0), None).expect("in order");
        assert!(done.scores.iter().all(|&v| v == 0.0));
        let wrong = Array3::zeros((3, 8, 8));
        assert!(matches!(stitcher.push(&second, Some(wrong.view())), Err(Error::ScoreShape { .. })));
    }
}
