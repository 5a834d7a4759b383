//! From finished scores to rows of the outputs, straight or by way of another grid.

use crate::finish;
use crate::strip_rows::{STRIP_ROWS, StripRows};
use crate::{Error, Plan};
use ndarray::{Array2, ArrayView2};
use seg_grid::{Finished, Layer, RasterSource, Regridder, Selection, SourceProfile, Window};
use std::ops::Range;
use std::path::Path;

/// Columns that are brought to the result's grid at once.
const CHUNK: usize = 1024;

/// Takes what is finished and stores what is whole.
pub(crate) struct Scratch<'a> {
    plan: &'a Plan,
    ids: &'a [u8],
    work: &'a Path,
    columns: Range<usize>,
    rows: Vec<StripRows>,
    /// To the grid of the raster beside it, which also tells what is valid.
    regrid: Option<(Regridder, Box<dyn RasterSource>)>,
    /// Valid pixels that the network gave no number for.
    pub(crate) not_a_number: u64,
    /// Bytes stored.
    pub(crate) stored: u64,
}

impl<'a> Scratch<'a> {
    /// For a column strip of the result, from its row `from` on.
    pub(crate) fn new(
        plan: &'a Plan,
        ids: &'a [u8],
        work: &'a Path,
        columns: Range<usize>,
        from: usize,
        source: &dyn RasterSource,
    ) -> Result<Self, Error> {
        let classes = ids.len();
        let left = from..plan.part.bottom();
        let rows = plan.outputs.iter();
        let rows = rows
            .map(|o| StripRows::new(*o, classes, columns.clone(), left.clone(), plan.rows_at_once()))
            .collect();
        let regrid = match (plan.regrid, source.native()) {
            (Some(regrid), Some(native)) => {
                let tile_rows = plan.grid.tile_size().height;
                let regridder = Regridder::new(regrid, classes, columns.clone(), from, tile_rows);
                Some((regridder, native.reopen()?))
            }
            _ => None,
        };
        Ok(Self { plan, ids, work, columns, rows, regrid, not_a_number: 0, stored: 0 })
    }

    /// Takes a finished window, and which of its pixels are valid (H, W).
    pub(crate) fn put(&mut self, finished: &Finished, valid: &ArrayView2<'_, bool>) {
        match &mut self.regrid {
            Some((regridder, _)) => regridder.put(finished.window, &finished.scores.view(), valid),
            None => self.fill(finished, valid),
        }
    }

    /// Stores what a row of tiles made whole.
    pub(crate) fn row_done(&mut self) -> Result<(), Error> {
        while let Some(ready) = self.ready() {
            for x in self.columns.clone().step_by(CHUNK) {
                let width = CHUNK.min(self.columns.end - x);
                let window = Window { x, y: ready.start, width, height: ready.len() };
                self.bring(window)?;
            }
            if let Some((regridder, _)) = &mut self.regrid {
                regridder.release(ready.end);
            }
            self.store()?;
        }
        self.store()
    }

    fn ready(&self) -> Option<Range<usize>> {
        let ready = self.regrid.as_ref()?.0.ready(STRIP_ROWS);
        let ready = ready.start..ready.end.min(self.plan.part.bottom());
        (!ready.is_empty()).then_some(ready)
    }

    /// Fills a window of the result's grid.
    fn bring(&mut self, window: Window) -> Result<(), Error> {
        let Some((regridder, native)) = &mut self.regrid else { return Ok(()) };
        let nothing = || Array2::from_elem((window.height, window.width), false); // (H, W)
        let valid = match native.selection(window)? {
            Selection::Nothing => nothing(),
            selection => {
                let mut valid = native.read_validity(window)?.unwrap_or_else(nothing);
                selection.restrict(&mut valid);
                valid
            }
        };
        let scores = regridder.scores(window); // (K, H, W)
        self.fill(&Finished { window, scores }, &valid.view());
        Ok(())
    }

    fn fill(&mut self, finished: &Finished, valid: &ArrayView2<'_, bool>) {
        for (output, rows) in self.plan.outputs.iter().zip(&mut self.rows) {
            let values = finish::values(*output, finished, valid, self.ids);
            rows.put(finished.window, &values.block);
            if output.layer() == Layer::Classes {
                self.not_a_number += values.not_a_number;
            }
        }
    }

    fn store(&mut self) -> Result<(), Error> {
        for rows in self.rows.iter_mut().rev() {
            self.stored += rows.store(self.work)?;
        }
        Ok(())
    }
}

/// Bytes of a window on its way to the result's grid: its scores, and what tells which pixels are valid.
pub(crate) fn bytes(classes: usize, native: &SourceProfile) -> u64 {
    let read = native.bands * (4 + native.dtype.bytes()) + 4;
    // The scores, and what the outputs make of them.
    (STRIP_ROWS * CHUNK) as u64 * (8 * classes as u64 + 16 + read as u64)
}
