use crate::strip::{self, StripId};
use crate::{Error, Output, ProbabilityType};
use ndarray::{Array3, s};
use seg_grid::{Block, Window};
use std::ops::Range;
use std::path::Path;

/// Rows of a strip; a multiple of the output's block, so that the assembler reads each strip once.
pub(crate) const STRIP_ROWS: usize = 512;

/// Collects finished windows of one output until whole strips can be stored.
pub(crate) struct StripRows {
    output: Output,
    columns: Range<usize>,
    /// One past the last row that is stored.
    end: usize,
    /// First row that is not stored yet.
    base: usize,
    /// One past the last row that is complete.
    complete: usize,
    rows: Block,
}

impl StripRows {
    /// For the rows `rows` of a column strip, with room for tiles of `tile_rows`.
    pub(crate) fn new(
        output: Output,
        classes: usize,
        columns: Range<usize>,
        rows: Range<usize>,
        tile_rows: usize,
    ) -> Self {
        let shape = (output.bands(classes), rows_kept(rows.len(), tile_rows), columns.len()); // (C, H, W)
        let Range { start: base, end } = rows;
        let rows = match output {
            Output::Probabilities(ProbabilityType::Float32) => Block::F32(Array3::zeros(shape)),
            _ => Block::U8(Array3::zeros(shape)),
        };
        Self { output, columns, end, base, complete: base, rows }
    }

    /// Bytes that `rows` rows take.
    pub(crate) fn bytes(
        output: Output,
        classes: usize,
        columns: usize,
        rows: usize,
        tile_rows: usize,
    ) -> u64 {
        (output.bands(classes) * output.bytes() * columns) as u64 * rows_kept(rows, tile_rows) as u64
    }

    /// Puts a finished window in its place; rows before `base` were stored by an earlier run and are dropped, and
    /// so are those that another part stores.
    pub(crate) fn put(&mut self, window: Window, block: &Block) {
        let bottom = window.bottom().min(self.end);
        let first = window.y.max(self.base);
        if window.width == 0 || first >= bottom {
            return;
        }
        let from = first - window.y..bottom - window.y;
        let rows = first - self.base..bottom - self.base;
        let columns = window.x - self.columns.start..window.right() - self.columns.start;
        match (&mut self.rows, block) {
            (Block::U8(to), Block::U8(values)) => {
                to.slice_mut(s![.., rows, columns]).assign(&values.slice(s![.., from, ..]));
            }
            (Block::F32(to), Block::F32(values)) => {
                to.slice_mut(s![.., rows, columns]).assign(&values.slice(s![.., from, ..]));
            }
            // `finish::values` makes the type that `new` made room for.
            _ => unreachable!("an output has one value type"),
        }
        self.complete = self.complete.max(bottom);
    }

    /// Stores every strip that is whole, once a row of tiles is done; returns bytes written.
    pub(crate) fn store(&mut self, folder: &Path) -> Result<u64, Error> {
        let mut written = 0;
        loop {
            let end = (self.base + STRIP_ROWS).min(self.end);
            if self.base == self.end || self.complete < end {
                return Ok(written);
            }
            let height = end - self.base;
            let window = Window { x: self.columns.start, y: self.base, width: self.columns.len(), height };
            let id = StripId { layer: self.output.layer(), window };
            let kept = self.complete - end;
            match &mut self.rows {
                Block::U8(rows) => {
                    written +=
                        strip::write(folder, &id, &Block::U8(rows.slice(s![.., ..height, ..]).to_owned()))?;
                    shift_up(rows, height, kept);
                }
                Block::F32(rows) => {
                    written +=
                        strip::write(folder, &id, &Block::F32(rows.slice(s![.., ..height, ..]).to_owned()))?;
                    shift_up(rows, height, kept);
                }
            }
            self.base = end;
        }
    }
}

/// Rows that can wait: less than a strip, and what one more row of tiles completes.
fn rows_kept(rows: usize, tile_rows: usize) -> usize {
    (STRIP_ROWS + tile_rows).min(rows.max(tile_rows))
}

fn shift_up<T: Copy>(rows: &mut Array3<T>, by: usize, kept: usize) {
    let width = rows.dim().2;
    for mut plane in rows.outer_iter_mut() {
        if let Some(values) = plane.as_slice_mut() {
            values.copy_within(by * width..(by + kept) * width, 0);
        }
    }
}
