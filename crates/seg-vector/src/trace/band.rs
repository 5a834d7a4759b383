use crate::NO_CLASS;
use ndarray::Array2;
use std::ops::Range;

/// Some rows of a class raster and the row above them, with a border of [`NO_CLASS`] to both sides.
///
/// A band settles what happens at the corners of its own rows' upper edges, and the last band also at the lower edge
/// of the raster; so each corner belongs to one band, and all four pixels around it are at hand.
#[derive(Debug)]
pub(crate) struct Band {
    /// Its own rows.
    pub rows: Range<usize>,
    pub width: usize,
    /// (1 + rows, 1 + W + 1), and one row more below the raster's last.
    cells: Vec<u8>,
    is_last: bool,
}

impl Band {
    /// From the band's rows with the one above, which the first band lacks; `height` is the raster's.
    pub(crate) fn new(classes: &Array2<u8>, rows: Range<usize>, height: usize) -> Self {
        let width = classes.ncols();
        let stride = width + 2;
        let is_last = rows.end == height;
        let count = rows.len() + 1 + usize::from(is_last);
        let mut cells = vec![NO_CLASS; stride * count];
        let missing = usize::from(rows.start == 0);
        for (line, row) in cells.chunks_exact_mut(stride).skip(missing).zip(classes.rows()) {
            match row.as_slice() {
                Some(row) => line[1..=width].copy_from_slice(row),
                None => line[1..=width].iter_mut().zip(row).for_each(|(cell, class)| *cell = *class),
            }
        }
        Self { rows, width, cells, is_last }
    }

    /// The rows to read for a band: its own and the one above.
    pub(crate) fn to_read(rows: &Range<usize>) -> Range<usize> {
        rows.start.saturating_sub(1)..rows.end
    }

    /// The rows of corners that it settles.
    pub(crate) const fn corner_rows(&self) -> Range<usize> {
        self.rows.start..self.rows.end + self.is_last as usize
    }

    pub(crate) const fn stride(&self) -> usize {
        self.width + 2
    }

    /// A row of pixels with the border to both sides; `row` counts from the row above the band.
    pub(crate) fn line(&self, row: usize) -> &[u8] {
        let stride = self.stride();
        &self.cells[row * stride..(row + 1) * stride]
    }

    /// The class of the pixel whose upper left corner is at a column of one of the band's rows of corners; `column`
    /// counts from the border, so that the pixel to the left of column x is `x` and the one to the right `x + 1`.
    pub(crate) fn cell(&self, row: usize, column: usize) -> u8 {
        self.cells[row * self.stride() + column]
    }

    /// Gives pixels other classes.
    pub(crate) fn recode(&mut self, row: usize, columns: Range<usize>, class: u8) {
        let start = row * self.stride() + 1;
        self.cells[start + columns.start..start + columns.end].fill(class);
    }
}

/// Pixels of one row that lie side by side and have one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub start: u32,
    pub end: u32,
    pub class: u8,
}

/// Pixels that are compared at once.
const STEP: usize = 32;

/// Adds the columns at which the class changes along a row; `line` has the border to both sides.
fn changes(line: &[u8], columns: &mut Vec<u32>) {
    let count = line.len() - 1;
    let mut x = 0;
    while x < count {
        let end = (x + STEP).min(count);
        // Most pixels are like their neighbors; many at once are found to be so.
        if line[x..end] != line[x + 1..=end] {
            columns.extend((x..end).filter(|&x| line[x] != line[x + 1]).map(|x| x as u32));
        }
        x = end;
    }
}

/// The columns at which the class changes along each row of a band.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    columns: Vec<u32>,
    /// Where each row's columns end.
    ends: Vec<usize>,
}

impl Changes {
    /// Of the row above the band, its own rows, and the one below where there is one.
    pub(crate) fn of(band: &Band) -> Self {
        let mut all = Self::default();
        for line in band.cells.chunks_exact(band.stride()) {
            changes(line, &mut all.columns);
            all.ends.push(all.columns.len());
        }
        all
    }

    /// Those of one row, counted from the row above the band.
    pub(crate) fn row(&self, row: usize) -> &[u32] {
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.columns[start..self.ends[row]]
    }
}

/// The runs between changes, without those of no class.
pub(crate) fn runs<'a>(line: &'a [u8], changes: &'a [u32]) -> impl Iterator<Item = Run> + 'a {
    let start = |start: &u32| (*start, line[*start as usize + 1]);
    let ends = changes.iter().skip(1).copied();
    changes
        .iter()
        .map(start)
        .zip(ends)
        .filter_map(|((start, class), end)| (class != NO_CLASS).then_some(Run { start, end, class }))
}

/// The rows of a raster in bands of so many.
pub(crate) fn bands(height: usize, rows: usize) -> impl Iterator<Item = Range<usize>> {
    (0..height).step_by(rows.max(1)).map(move |start| start..(start + rows.max(1)).min(height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_lie_between_changes() {
        let mut classes = vec![NO_CLASS, 3, 3, NO_CLASS, 1];
        classes.extend([2; 70]);
        let width = classes.len();
        let array = Array2::from_shape_vec((1, width), classes).expect("a row");
        let band = Band::new(&array, 0..1, 1);
        let changes = Changes::of(&band);
        let columns = changes.row(1);
        assert_eq!(columns, [1, 3, 4, 5, 75]);
        let found: Vec<_> = runs(band.line(1), columns).map(|r| (r.start, r.end, r.class)).collect();
        assert_eq!(found, [(1, 3, 3), (4, 5, 1), (5, 75, 2)]);
        assert!(changes.row(0).is_empty() && changes.row(2).is_empty());
        assert_eq!(band.corner_rows(), 0..2, "the only band settles the lower edge too");
    }
}
