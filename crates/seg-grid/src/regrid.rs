use crate::{Size, Window};
use ndarray::{Array2, Array3, ArrayView2, ArrayView3, s};
use std::ops::Range;

/// Two grids over the same place that share their upper left corner: scores come on one, the result lies on the
/// other.
///
/// The center of the result's pixel `i` lies at `(i + 1/2) * ratio - 1/2` of the scores' pixels, as everywhere
/// where pixels are areas (PyTorch's `align_corners=False`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Regrid {
    from: Size,
    to: Size,
    across: f64,
    down: f64,
}

/// The two pixels of an axis that a pixel of the result lies between.
#[derive(Debug, Clone, Copy)]
struct Tap {
    first: usize,
    second: usize,
    /// How much the second counts.
    weight: f32,
}

/// Brings finished windows of scores to the result's grid, bilinearly, row by row.
///
/// Only pixels of the scores' grid that are valid count; where none of the four around a pixel is, its scores
/// are NaN. Memory is a row of tiles and two rows, as wide as the strip, whatever the raster's height. A pixel's
/// scores depend on nothing but the four around it, so strips give the same as the whole, to the bit.
///
/// ```
/// use ndarray::{Array2, array};
/// use seg_grid::{Regrid, Regridder, Size, Window};
/// let (from, to) = (Size { width: 2, height: 1 }, Size { width: 4, height: 1 });
/// let regrid = Regrid::new(from, to, 0.5, 0.5);
/// let mut rows = Regridder::new(regrid, 1, 0..4, 0, 1);
/// let valid = Array2::from_elem((1, 2), true);
/// rows.put(Window::whole(from), &array![[[0.0, 1.0]]].view(), &valid.view());
/// assert_eq!(rows.ready(100), 0..1);
/// assert_eq!(rows.scores(Window::whole(to)), array![[[0.0, 0.25, 0.75, 1.0]]]);
/// ```
#[derive(Debug)]
pub struct Regridder {
    regrid: Regrid,
    /// Columns of the scores' grid that are kept.
    columns: Range<usize>,
    /// First row of the scores' grid that is kept.
    base: usize,
    /// One past the last row that is complete.
    complete: usize,
    /// First row of the result that was not given yet.
    next: usize,
    /// (K, rows, W).
    scores: Array3<f32>,
    /// (rows, W).
    valid: Array2<bool>,
}

impl Regrid {
    /// From the size of the scores' grid and the result's, and the result's pixel size in pixels of the scores'.
    pub const fn new(from: Size, to: Size, across: f64, down: f64) -> Self {
        Self { from, to, across, down }
    }

    /// The size of the result.
    pub const fn result(&self) -> Size {
        self.to
    }

    /// The result's pixels in one pixel of the scores', across.
    pub fn magnification(&self) -> f64 {
        1.0 / self.across
    }

    /// The columns of scores that columns of the result lie between.
    pub fn columns(&self, result: Range<usize>) -> Range<usize> {
        span(result, self.across, self.from.width)
    }

    /// The rows of scores that rows of the result lie between.
    pub fn rows(&self, result: Range<usize>) -> Range<usize> {
        span(result, self.down, self.from.height)
    }
}

fn tap(pixel: usize, ratio: f64, length: usize) -> Tap {
    let last = length.saturating_sub(1);
    let place = ((pixel as f64 + 0.5) * ratio - 0.5).clamp(0.0, last as f64);
    let first = place.floor() as usize;
    Tap { first, second: (first + 1).min(last), weight: (place - first as f64) as f32 }
}

fn span(result: Range<usize>, ratio: f64, length: usize) -> Range<usize> {
    if result.is_empty() {
        return 0..0;
    }
    tap(result.start, ratio, length).first..tap(result.end - 1, ratio, length).second + 1
}

impl Regridder {
    /// For the columns `result` of the result, from its row `first_row` on, and tiles of `tile_rows` rows.
    pub fn new(
        regrid: Regrid,
        classes: usize,
        result: Range<usize>,
        first_row: usize,
        tile_rows: usize,
    ) -> Self {
        let columns = regrid.columns(result);
        let rows = Self::rows_kept(&regrid, tile_rows);
        let mut regridder = Self {
            base: 0,
            complete: 0,
            next: first_row,
            scores: Array3::zeros((classes, rows, columns.len())), // (K, rows, W)
            valid: Array2::from_elem((rows, columns.len()), false), // (rows, W)
            columns,
            regrid,
        };
        regridder.base = regridder.first_needed();
        regridder.complete = regridder.base;
        regridder
    }

    /// Bytes that it keeps for columns of the result.
    pub fn bytes(regrid: &Regrid, classes: usize, result: Range<usize>, tile_rows: usize) -> u64 {
        let pixels = (Self::rows_kept(regrid, tile_rows) * regrid.columns(result).len()) as u64;
        pixels * (4 * classes as u64 + 1)
    }

    fn rows_kept(regrid: &Regrid, tile_rows: usize) -> usize {
        (tile_rows + 2).min(regrid.from.height)
    }

    /// The columns of the scores' grid that it keeps.
    pub fn columns(&self) -> Range<usize> {
        self.columns.clone()
    }

    /// Puts a finished window (K, H, W) of the scores' grid and its validity (H, W) in its place.
    ///
    /// Rows before those that are needed are dropped. A row is complete when all its windows were put.
    pub fn put(&mut self, window: Window, scores: &ArrayView3<'_, f32>, valid: &ArrayView2<'_, bool>) {
        let skip = self.base.saturating_sub(window.y).min(window.height);
        let all_given = self.next == self.regrid.to.height;
        if window.width == 0 || skip == window.height || all_given {
            return;
        }
        let rows = window.y + skip - self.base..window.bottom() - self.base;
        let columns = window.x - self.columns.start..window.right() - self.columns.start;
        let to = s![.., rows.clone(), columns.clone()];
        self.scores.slice_mut(to).assign(&scores.slice(s![.., skip.., ..]));
        self.valid.slice_mut(s![rows, columns]).assign(&valid.slice(s![skip.., ..]));
        self.complete = self.complete.max(window.bottom());
    }

    /// The next rows of the result whose scores are there, at most `most`; empty if none.
    pub fn ready(&self, most: usize) -> Range<usize> {
        let limit = (self.next + most).min(self.regrid.to.height);
        let there = |row: usize| tap(row, self.regrid.down, self.regrid.from.height).second < self.complete;
        let mut end = self.next;
        while end < limit && there(end) {
            end += 1;
        }
        self.next..end
    }

    /// The scores (K, H, W) of a window of the result that lies in the rows that are ready.
    pub fn scores(&self, window: Window) -> Array3<f32> {
        let (k, ..) = self.scores.dim();
        let Regrid { from, across, down, .. } = self.regrid;
        let taps: Vec<Tap> = (window.x..window.right()).map(|x| tap(x, across, from.width)).collect();
        let mut out = Array3::zeros((k, window.height, window.width)); // (K, H, W)
        let mut weights = vec![[0.0_f32; 4]; window.width];
        for y in 0..window.height {
            let row = tap(window.y + y, down, from.height);
            let (upper, lower) = (row.first - self.base, row.second - self.base);
            for (weights, tap) in weights.iter_mut().zip(&taps) {
                *weights = self.weights(*tap, [upper, lower], row.weight);
            }
            for class in 0..k {
                let above = self.scores.slice(s![class, upper, ..]);
                let below = self.scores.slice(s![class, lower, ..]);
                let mut line = out.slice_mut(s![class, y, ..]);
                for ((to, tap), weights) in line.iter_mut().zip(&taps).zip(&weights) {
                    let (left, right) = (tap.first - self.columns.start, tap.second - self.columns.start);
                    let around = [above[left], above[right], below[left], below[right]];
                    *to = if weights.iter().all(|&weight| weight == 0.0) {
                        f32::NAN
                    } else {
                        // What does not count may be NaN, which times 0 would be NaN.
                        let counts = weights.iter().zip(around).filter(|(weight, _)| **weight > 0.0);
                        counts.map(|(weight, score)| weight * score).sum()
                    };
                }
            }
        }
        out
    }

    /// How much the four pixels around count, upper ones first; the sum is 1, or all are 0 if none is valid.
    fn weights(&self, across: Tap, [upper, lower]: [usize; 2], down: f32) -> [f32; 4] {
        let (left, right) = (across.first - self.columns.start, across.second - self.columns.start);
        let at =
            |row: usize, column: usize, weight: f32| if self.valid[[row, column]] { weight } else { 0.0 };
        let weights = [
            at(upper, left, (1.0 - down) * (1.0 - across.weight)),
            at(upper, right, (1.0 - down) * across.weight),
            at(lower, left, down * (1.0 - across.weight)),
            at(lower, right, down * across.weight),
        ];
        let sum: f32 = weights.iter().sum();
        if sum > 0.0 { weights.map(|weight| weight / sum) } else { [0.0; 4] }
    }

    /// Lets go of rows of the result up to `end`, and of the scores that no later row needs.
    pub fn release(&mut self, end: usize) {
        self.next = end;
        let base = self.first_needed();
        let (gone, kept) = (base - self.base, self.complete.saturating_sub(base));
        if gone > 0 && kept > 0 {
            let width = self.columns.len();
            let rows = gone * width..(gone + kept) * width;
            for mut plane in self.scores.outer_iter_mut() {
                if let Some(values) = plane.as_slice_mut() {
                    values.copy_within(rows.clone(), 0);
                }
            }
            if let Some(values) = self.valid.as_slice_mut() {
                values.copy_within(rows, 0);
            }
        }
        self.base = base;
        self.complete = self.complete.max(base);
    }

    /// The first row of scores that the next row of the result needs.
    fn first_needed(&self) -> usize {
        let last = self.regrid.to.height.saturating_sub(1);
        tap(self.next.min(last), self.regrid.down, self.regrid.from.height).first
    }
}

#[cfg(test)]
#[path = "regrid_tests.rs"]
mod tests;
