use crate::{IoError, Patch, RasterSource, Selection, Size, SourceProfile, Window};
use ndarray::Array2;

/// A raster resampled for a network, beside the one it was made from, on whose grid the result lies.
pub struct Resampled {
    seen: Box<dyn RasterSource>,
    native: Box<dyn RasterSource>,
}

impl Resampled {
    /// From what the network sees and what the result's grid and validity are taken from.
    pub fn new(seen: Box<dyn RasterSource>, native: Box<dyn RasterSource>) -> Self {
        Self { seen, native }
    }
}

impl RasterSource for Resampled {
    fn profile(&self) -> &SourceProfile {
        self.seen.profile()
    }

    fn read(&mut self, window: Window) -> Result<Option<Patch>, IoError> {
        self.seen.read(window)
    }

    fn selection(&mut self, window: Window) -> Result<Selection, IoError> {
        self.seen.selection(window)
    }

    fn wanted_squares(&mut self, side: usize) -> Result<Option<Array2<bool>>, IoError> {
        self.seen.wanted_squares(side)
    }

    fn native(&self) -> Option<&dyn RasterSource> {
        Some(&*self.native)
    }

    fn read_decimated(&mut self, window: Window, size: Size) -> Result<Patch, IoError> {
        self.seen.read_decimated(window, size)
    }

    fn reopen(&self) -> Result<Box<dyn RasterSource>, IoError> {
        Ok(Box::new(Self { seen: self.seen.reopen()?, native: self.native.reopen()? }))
    }
}
